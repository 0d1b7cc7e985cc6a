"""The commands of `scaicms`."""

import sys
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console

from scaicms import __version__
from scaicms.cli import dev, importing, jobs, migrate, openapi, queues, scaffold, serve, users, worker
from scaicms.kit.errors import AppError

app = typer.Typer(
    name="scaicms",
    help="Multi-site, API-first content management driven by durable jobs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("dev")(dev.dev)
app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.command("queues")(queues.queues)
app.command("migrate")(migrate.migrate)
app.command("import")(importing.import_)
app.command("openapi")(openapi.openapi)
app.command("new-feature")(scaffold.new_feature)
app.add_typer(jobs.app, name="jobs")
app.add_typer(users.app, name="user")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Exit codes: 0 done, 1 it failed and the message says why, 2 the command line is wrong."""


def main() -> None:
    """Entry point of the `scaicms` script."""
    errors = Console(stderr=True)
    try:
        app()
    except ValidationError as error:
        for item in error.errors(include_input=False, include_url=False):
            where = ".".join(map(str, item["loc"]))
            errors.print(
                f"[red]Settings:[/] {where + ': ' if where else ''}{item['msg']}", highlight=False, soft_wrap=True
            )
        sys.exit(1)
    except AppError as error:
        errors.print(f"[red]{error.code}:[/] {error.message}", highlight=False, soft_wrap=True)
        sys.exit(1)
