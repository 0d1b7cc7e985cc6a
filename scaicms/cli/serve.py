"""`scaicms serve`: the web tier, one process or many under gunicorn."""

import asyncio
from pkgutil import resolve_name
from typing import Annotated, Any

import typer
import uvloop
from aiohttp import web

from scaicms.app import create_app
from scaicms.cli.process_exit import exit_now, exit_within
from scaicms.infra.engines import refuse_wrong_redis, wait_for_postgres
from scaicms.infra.logs import configure_logs
from scaicms.infra.memory import keep_small
from scaicms.settings import Settings, get_settings

# Queries beyond our own limit of 8 KiB still get our own answer, in JSON: as long as every parameter may be, all of its
# characters written as four bytes in percent encoding.
LINE_BYTES = 128 * 1024
FIELD_BYTES = 16 * 1024
KEEPALIVE_SECONDS = 75.0
EXIT_SECONDS = 5.0
"""For closing connections, after requests have had their time to drain."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (SCAICMS_HOST).")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port to listen on (SCAICMS_PORT).")] = None,
    processes: Annotated[int | None, typer.Option(min=1, max=64, help="Processes (SCAICMS_PROCESSES).")] = None,
) -> None:
    """Answer HTTP. SIGTERM drains: no new connections, what has begun is finished."""
    keep_small()
    settings = get_settings()
    configure_logs(settings)
    # Before gunicorn starts processes: it would start each of them again and again.
    asyncio.run(_check_engines(settings))
    host, port = host or settings.host, port or settings.port
    number = processes or settings.processes
    if number == 1:
        _serve_one(settings, host, port)
    else:
        # Named, not imported: a single process need not hold gunicorn.
        resolve_name("scaicms.cli.processes:serve_many")(settings, host, port, number)


async def _check_engines(settings: Settings) -> None:
    await wait_for_postgres(settings)
    await refuse_wrong_redis(settings)


def _serve_one(settings: Settings, host: str, port: int) -> None:
    uvloop.install()
    web.run_app(
        bounded(create_app(settings), settings),
        host=host,
        port=port,
        print=None,
        loop=uvloop.new_event_loop(),
        **http_options(settings),
    )
    exit_now(0)


def bounded(app: web.Application, settings: Settings) -> web.Application:
    """The application; once it is told to stop, its process ends within the time to drain and a few seconds."""

    async def bound(_: web.Application) -> None:
        exit_within(settings.drain_seconds + EXIT_SECONDS)

    app.on_shutdown.append(bound)
    return app


def http_options(settings: Settings) -> dict[str, Any]:
    """How aiohttp reads and ends connections, in one process as in many."""
    return {
        "access_log": None,
        "shutdown_timeout": settings.drain_seconds,
        "keepalive_timeout": KEEPALIVE_SECONDS,
        "max_line_size": LINE_BYTES,
        "max_field_size": FIELD_BYTES,
    }
