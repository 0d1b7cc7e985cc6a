"""`scaicms serve`: the web tier, one process or many under gunicorn."""

import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer
import uvloop
from aiohttp import web
from aiohttp.worker import GunicornUVLoopWebWorker
from gunicorn.app.base import BaseApplication

from scaicms.app import create_app
from scaicms.infra.logs import configure_logs
from scaicms.infra.memory import keep_small
from scaicms.settings import Settings, get_settings

# Request lines beyond our own limit of 8 KiB a query still reach our own answer, in JSON.
LINE_BYTES = 16 * 1024
KEEPALIVE_SECONDS = 75.0
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (SCAICMS_HOST).")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port to listen on (SCAICMS_PORT).")] = None,
    processes: Annotated[int | None, typer.Option(min=1, max=64, help="Processes (SCAICMS_PROCESSES).")] = None,
) -> None:
    """Answer HTTP. SIGTERM drains: no new connections, what has begun is finished."""
    keep_small()
    settings = get_settings()
    configure_logs(settings)
    host, port = host or settings.host, port or settings.port
    number = processes or settings.processes
    if number == 1:
        _serve_one(settings, host, port)
    else:
        _serve_many(settings, host, port, number)


def _serve_one(settings: Settings, host: str, port: int) -> None:
    uvloop.install()
    web.run_app(
        create_app(settings),
        host=host,
        port=port,
        print=None,
        loop=uvloop.new_event_loop(),
        **_http_options(settings),
    )


def _http_options(settings: Settings) -> dict[str, Any]:
    """How aiohttp reads and ends connections, in one process as in many."""
    return {
        "access_log": None,
        "shutdown_timeout": settings.drain_seconds,
        "keepalive_timeout": KEEPALIVE_SECONDS,
        "max_line_size": LINE_BYTES,
        "max_field_size": LINE_BYTES,
    }


class _Processes(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn as a process manager: it restarts what dies and passes signals on."""

    def __init__(self, settings: Settings, options: dict[str, Any]) -> None:
        self._settings = settings
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Callable[[], Awaitable[web.AppRunner]]:
        async def runner() -> web.AppRunner:
            return web.AppRunner(create_app(self._settings), **_http_options(self._settings))

        return runner


def _serve_many(settings: Settings, host: str, port: int, processes: int) -> None:
    _share_metrics(settings)
    options = {
        "bind": f"{host}:{port}",
        "workers": processes,
        "worker_class": f"{GunicornUVLoopWebWorker.__module__}.{GunicornUVLoopWebWorker.__qualname__}",
        "graceful_timeout": settings.drain_seconds,
        "timeout": 60,
        "proc_name": "scaicms",
        "limit_request_line": 0,
    }
    _Processes(settings, options).run()


def _share_metrics(settings: Settings) -> None:
    """Give all processes one folder for their metrics. The client library looks for it when it is imported, which
    has happened by now: begin anew with it in the environment."""
    if METRICS_FOLDER in os.environ:
        return
    folder = settings.home / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "scaicms", *sys.argv[1:]]
    os.execve(sys.executable, command, {**os.environ, METRICS_FOLDER: str(folder.resolve())})  # noqa: S606 - this program itself
