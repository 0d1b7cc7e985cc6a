"""`scaicms jobs`: look at single jobs, retry and cancel them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from scaicms.cli.tables import table_console
from scaicms.connect import create_services
from scaicms.features.search.queues import QueueService
from scaicms.features.search.schemas import JobOut, JobsQuery, ReplayJobs
from scaicms.kit.principal import SYSTEM
from scaicms.settings import get_settings

app = typer.Typer(name="jobs", add_completion=False, help="Jobs: list, show, retry, cancel.", no_args_is_help=True)

State = Annotated[str | None, typer.Option(help="due, deferred, running, done, dead, quarantined or cancelled.")]
JobId = Annotated[UUID, typer.Argument(help="Id of the job.")]
Queue = Annotated[str | None, typer.Option(help="Only jobs of this queue.")]
Name = Annotated[str | None, typer.Option(help="Only jobs of this name.")]


@app.command("list")
def list_jobs(
    queue: Queue = None,
    state: Annotated[
        str | None, typer.Option(help="due, deferred, running, done, dead, quarantined, cancelled.")
    ] = None,
    name: Name = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 20,
) -> None:
    """List jobs, newest first."""
    query = JobsQuery.model_validate({"queue": queue, "state": state, "name": name, "page_size": limit})
    found = _run(lambda service: service.jobs(SYSTEM, None, query))
    table = Table("id", "queue", "name", "state", "attempts", "created", "error", box=None, header_style="bold")
    for job in found.rows:
        error = (job.last_error or "")[:80]
        attempts = f"{job.attempts}/{job.max_attempts}"
        table.add_row(str(job.id), job.queue, job.name, job.state, attempts, f"{job.created_at:%F %T}", error)
    console = table_console()
    console.print(table)
    console.print(f"{len(found.rows)} of {'at least ' if found.is_lower_bound else ''}{found.total}.")


@app.command()
def show(job_id: JobId) -> None:
    """Print a job as JSON. Exit code 1 when there is none with this id."""
    _print(_run(lambda service: service.job(SYSTEM, None, job_id)))


@app.command()
def retry(
    job_id: Annotated[
        UUID | None, typer.Argument(help="Id of the job; absent: all that --queue and --name say.")
    ] = None,
    queue: Queue = None,
    name: Name = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 1000,
) -> None:
    """Put a failed or cancelled job back, or all dead and quarantined ones."""
    if job_id is not None:
        _print(_run(lambda service: service.retry(SYSTEM, None, job_id)))
        return
    which = ReplayJobs.model_validate({"queue": queue, "name": name, "limit": limit})
    number = _run(lambda service: service.replay(SYSTEM, None, which))
    Console().print(f"{number} jobs put back.")


@app.command()
def cancel(job_id: JobId) -> None:
    """End a waiting job, ask a running one to stop."""
    _print(_run(lambda service: service.cancel(SYSTEM, None, job_id)))


@app.command()
def pause(queue: Annotated[str, typer.Argument(help="Name of the queue.")]) -> None:
    """Let nobody take work from a queue; jobs go on being promised."""
    _run(lambda service: service.pause(SYSTEM, None, queue))


@app.command()
def resume(queue: Annotated[str, typer.Argument(help="Name of the queue.")]) -> None:
    """End the pause of a queue."""
    _run(lambda service: service.resume(SYSTEM, None, queue))


def _run(ask: Callable[[QueueService], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with create_services(get_settings(), kind="worker") as services:
            return await ask(services.get(QueueService))

    return asyncio.run(run())


def _print(job: JobOut) -> None:
    typer.echo(job.model_dump_json(indent=2))
