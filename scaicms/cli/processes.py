"""The web tier in many processes: gunicorn keeps them, aiohttp answers in each."""

import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

from aiohttp import web
from aiohttp.worker import GunicornUVLoopWebWorker
from gunicorn.app.base import BaseApplication
from prometheus_client import multiprocess

from scaicms.app import create_app
from scaicms.cli.process_exit import exit_now
from scaicms.cli.serve import EXIT_SECONDS, bounded, http_options
from scaicms.settings import Settings

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


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
            app = bounded(create_app(self._settings), self._settings)
            return web.AppRunner(app, **http_options(self._settings))

        return runner


class WebWorker(GunicornUVLoopWebWorker):
    """aiohttp's worker, which ends when it has served."""

    def run(self) -> None:
        try:
            super().run()
        except SystemExit as end:
            exit_now(int(end.code or 0))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM. The base class would see it at its next look, up to a second later."""
        if not self.booted:
            exit_now(0)  # it has not served yet
        self.handle_quit(sig, frame)


def serve_many(settings: Settings, host: str, port: int, processes: int) -> None:
    """Serve until told to stop; each process drains by itself."""
    _share_metrics(settings)
    options = {
        "bind": f"{host}:{port}",
        "workers": processes,
        "worker_class": f"{WebWorker.__module__}.{WebWorker.__qualname__}",
        "graceful_timeout": settings.drain_seconds + int(EXIT_SECONDS),
        "timeout": 60,
        "proc_name": "scaicms",
        "limit_request_line": 0,
        "child_exit": _forget_figures,
    }
    try:
        _Processes(settings, options).run()
    except SystemExit as end:
        exit_now(int(end.code or 0))


def _forget_figures(_: Any, worker: Any) -> None:
    """What a process that has ended held, it holds no more."""
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # the library has no types here


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
