"""The commands of `scaicms`."""

import sys
from pkgutil import resolve_name
from typing import Annotated, Any

import structlog
import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from scaicms import __version__
from scaicms.infra.engines import StartError
from scaicms.kit.errors import AppError

COMMANDS = {
    "dev": "scaicms.cli.dev:dev",
    "serve": "scaicms.cli.serve:serve",
    "worker": "scaicms.cli.worker:worker",
    "queues": "scaicms.cli.queues:queues",
    "migrate": "scaicms.cli.migrate:migrate",
    "import": "scaicms.cli.importing:import_",
    "export": "scaicms.cli.exporting:export",
    "openapi": "scaicms.cli.openapi:openapi",
    "new-feature": "scaicms.cli.scaffold:new_feature",
    "jobs": "scaicms.cli.jobs:app",
    "storage": "scaicms.cli.storage:app",
    "user": "scaicms.cli.users:app",
}
"""Where each command is. Only the one that runs is imported: a worker should not hold what `scaicms dev` needs."""


class _Commands(TyperGroup):
    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # typer's own base
        return list(COMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]  # typer's own base again
        if cmd_name not in COMMANDS:
            return None
        found = resolve_name(COMMANDS[cmd_name])
        if not isinstance(found, typer.Typer):
            function, found = found, typer.Typer(add_completion=False)
            found.command(cmd_name)(function)
        return typer.main.get_command(found)


app = typer.Typer(
    name="scaicms",
    cls=_Commands,
    help="Multi-site, API-first content management driven by durable jobs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Exit codes: 0 done; 1 failed, the message says why; 2 the command line is wrong; 69 PostgreSQL could not be
    reached within SCAICMS_START_WAIT_SECONDS (60); 78 the settings are wrong: an unknown host, user or database, a
    wrong password, refused TLS.
    """


def main() -> None:
    """Entry point of the `scaicms` script."""
    # Commands that print results set up no logs: what they say beside that goes to standard error.
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(file=sys.stderr))
    try:
        app()
    except ValidationError as error:
        for item in error.errors(include_input=False, include_url=False):
            where = ".".join(map(str, item["loc"]))
            _say("Settings", f"{where + ': ' if where else ''}{item['msg']}")
        sys.exit(1)
    except StartError as error:
        _say("Start", str(error))
        sys.exit(error.exit_code)
    except AppError as error:
        _say(error.code, error.message)
        sys.exit(1)


def _say(what: str, message: str) -> None:
    typer.echo(f"{typer.style(what + ':', fg=typer.colors.RED)} {message}", err=True)
