"""`scaicms serve` with fail points, a way to ask for test jobs, and one to hold connections.

A fail point is armed by writing its name into the file that CHAOS_FAILPOINT names; who reaches it dies of SIGKILL.
Only this entry point knows them: the product has no hooks.
"""

import contextlib
import os
import signal
from datetime import timedelta
from pathlib import Path

import uvloop
from aiohttp import web
from tortoise.backends.asyncpg.client import TransactionWrapper

from scaicms.app import create_app
from scaicms.infra import db
from scaicms.infra.db import connection
from scaicms.infra.jobs import JobRequest, enqueue_all
from scaicms.infra.jobs.doorbell import Doorbell
from scaicms.infra.logs import configure_logs
from scaicms.infra.memory import keep_small
from scaicms.kit import json
from scaicms.kit.clock import utcnow
from scaicms.settings import get_settings
from tests.chaos.fleet_points import BEFORE_COMMIT, BEFORE_DOORBELL, BEFORE_RESPONSE
from tests.chaos.work import JOBS, Work

_file = Path(os.environ["CHAOS_FAILPOINT"])


def reach(point: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        if _file.read_text() == point:
            _file.unlink()
            os.kill(os.getpid(), signal.SIGKILL)


def watch_transactions() -> None:
    commit = TransactionWrapper.commit

    async def watched(self):
        # Only a change that promises work: the others commit as well, but there is nothing to lose after them.
        outermost = not isinstance(self._parent, TransactionWrapper)
        if outermost and connection._pending.get():
            reach(BEFORE_COMMIT)
        return await commit(self)

    TransactionWrapper.commit = watched


def watch_doorbell() -> None:
    ring_bells = Doorbell.ring_bells

    async def watched(self, *given, **named):
        reach(BEFORE_DOORBELL)
        return await ring_bells(self, *given, **named)

    Doorbell.ring_bells = watched


async def watch_responses(request: web.Request, response: web.StreamResponse) -> None:
    if request.method != "GET" and response.status < 300:
        reach(BEFORE_RESPONSE)


def _request(name: str, *, seconds: float = 0, steps: int = 1, delay: float = 0) -> JobRequest:
    run_at = utcnow() + timedelta(seconds=delay)
    payload = Work(seconds=seconds, steps=steps, due=run_at.timestamp() if delay else 0)
    return JOBS[name].request(payload, site_id=None, run_at=run_at if delay else None)


async def add_jobs(request: web.Request) -> web.Response:
    """Promise test jobs as a service does: rows in a transaction, doorbells after it."""
    requests = [_request(**job) for job in (await request.json())["jobs"]]
    async with db.transaction():
        ids = await enqueue_all(requests)
    return web.Response(status=201, body=json.dumps({"ids": ids}), content_type="application/json")


async def hold(request: web.Request) -> web.Response:
    """Keep a connection of the pool in a transaction."""
    asked = await request.json()
    async with db.transaction():
        await db.execute("SELECT pg_sleep($1)", asked["seconds"])
    return web.Response(status=204)


def main() -> None:
    keep_small()
    settings = get_settings()
    configure_logs(settings)
    watch_transactions()
    watch_doorbell()
    app = create_app(settings)
    app.on_response_prepare.append(watch_responses)
    app.router.add_post("/chaos/jobs", add_jobs)
    app.router.add_post("/chaos/hold", hold)
    web.run_app(
        app,
        host=settings.host,
        port=settings.port,
        print=None,
        access_log=None,
        loop=uvloop.new_event_loop(),
        shutdown_timeout=settings.drain_seconds,
    )


if __name__ == "__main__":
    main()
