"""`scaicms queues`: the fleet in the terminal, once or live."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from scaicms.cli.tables import table_console
from scaicms.connect import create_services
from scaicms.features.search.queues import QueueService
from scaicms.features.search.schemas import QueueOut, QueuesOut, WorkerOut
from scaicms.kit.clock import utcnow
from scaicms.kit.principal import SYSTEM
from scaicms.settings import get_settings


def queues(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.5, max=60, help="Seconds between two looks, with --watch.")] = 2.0,
) -> None:
    """Show what waits, runs and failed in every queue, and the workers that live."""
    try:
        asyncio.run(_show(table_console(), every if watch else None))
    except KeyboardInterrupt:
        return


async def _show(console: Console, every: float | None) -> None:
    async with create_services(get_settings(), kind="worker") as services:
        service = services.get(QueueService)
        if every is None:
            console.print(_drawn(await service.queues(SYSTEM, None)))
            return
        with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
            while True:
                live.update(_drawn(await service.queues(SYSTEM, None)), refresh=True)
                await asyncio.sleep(every)


def _drawn(figures: QueuesOut) -> Group:
    return Group(_queues(figures.items), _workers(figures.workers))


def _queues(items: list[QueueOut]) -> Table:
    table = Table(box=None, header_style="bold")
    table.add_column("queue")
    for name in ("due", "oldest s", "deferred", "running", "dead", "in/min", "out/min", "wait p95 ms", "run p95 ms"):
        table.add_column(name, justify="right")
    table.add_column("workers", justify="right")
    for item in items:
        table.add_row(
            f"{item.queue} [yellow](paused)[/]" if item.paused else item.queue,
            str(item.due),
            _number(item.oldest_due_seconds),
            str(item.deferred),
            str(item.running),
            f"[red]{item.dead}[/]" if item.dead else "0",
            _number(item.enqueued_per_minute),
            _number(item.finished_per_minute),
            _number(item.wait_p95_ms),
            _number(item.run_p95_ms),
            str(item.workers) if item.workers else "[red]0[/]",
        )
    return table


def _workers(workers: list[WorkerOut]) -> Table:
    table = Table(box=None, header_style="bold")
    for name in ("worker", "queues", "running", "memory", "up"):
        table.add_column(name, justify="left" if name in ("worker", "queues") else "right")
    for worker in workers:
        up = utcnow() - worker.started_at
        table.add_row(
            worker.id,
            ", ".join(worker.queues),
            str(worker.running),
            f"{worker.memory_bytes / 1e6:.0f} MB",
            str(up).partition(".")[0],
        )
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"
