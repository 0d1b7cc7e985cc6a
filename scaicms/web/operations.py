"""Endpoints for those who run it: alive, ready, metrics."""

import asyncio
import contextlib

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, multiprocess
from prometheus_client.platform_collector import PLATFORM_COLLECTOR
from prometheus_client.registry import REGISTRY

from scaicms.infra import db
from scaicms.infra.db.migrations import pending_migrations
from scaicms.infra.jobs.metrics import fleet_metrics
from scaicms.infra.resources import Resources
from scaicms.kit import json
from scaicms.kit.errors import AppError, UnavailableError
from scaicms.web.ports import DRAINING, MIGRATED, SERVICES
from scaicms.web.replies import json_reply

CHECK_SECONDS = 2.0


async def healthz(_: web.Request) -> web.Response:
    """The process answers."""
    return json_reply(b'{"status":"ok"}')


async def readyz(request: web.Request) -> web.Response:
    """Whether this process can do its work: database, Redis, migrations. 503 names what is missing."""
    resources = request.app[SERVICES].resources
    names = ("database", "redis", "migrations")
    answers = await asyncio.gather(_database(), _redis(resources), _migrations(request.app), return_exceptions=True)
    checks = {name: _verdict(answer) for name, answer in zip(names, answers, strict=True)}
    if request.app[DRAINING].is_set():
        checks["process"] = "shutting down"
    # Redis away is said but does not take the web tier out: reads and writes go on, workers use PostgreSQL.
    ready = all(verdict == "ok" for name, verdict in checks.items() if name != "redis")
    body = json.dumps({"status": "ready" if ready else "not ready", "checks": checks})
    return json_reply(body, status=200 if ready else 503)


async def _database() -> None:
    async with asyncio.timeout(CHECK_SECONDS):
        await db.check_server()


async def _redis(resources: Resources) -> None:
    async with asyncio.timeout(CHECK_SECONDS):
        await resources.redis.ping()


async def _migrations(app: web.Application) -> None:
    """Asked until they are all there: it takes as many round trips as there are tables."""
    if app[MIGRATED].is_set():
        return
    async with asyncio.timeout(CHECK_SECONDS):
        missing = await pending_migrations()
    if missing:
        raise UnavailableError(f"Not applied: {', '.join(missing)}.")
    app[MIGRATED].set()


def _verdict(answer: BaseException | None) -> str:
    """In words of ours: everybody may ask."""
    if answer is None:
        return "ok"
    if isinstance(answer, AppError):
        return answer.message
    if isinstance(answer, TimeoutError):
        return f"No answer within {CHECK_SECONDS:g} s."
    return "It cannot be reached."


async def metrics(request: web.Request) -> web.Response:
    """Prometheus text format: of this tier (with several processes, of all of them) and of the fleet's queues."""
    fleet = await fleet_metrics(request.app[SERVICES].resources.redis)
    return web.Response(body=generate_latest(_registry()) + fleet, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _registry() -> CollectorRegistry:
    try:
        shared = CollectorRegistry()
        multiprocess.MultiProcessCollector(shared)  # type: ignore[no-untyped-call]  # the library has no types here
    except ValueError:
        # PROMETHEUS_MULTIPROC_DIR is not set: this process is the only one.
        return REGISTRY
    return shared


def _hide_versions() -> None:
    """Take `python_info` out of `/metrics`, which anybody who reaches the port can read."""
    with contextlib.suppress(KeyError):  # the second application of a process
        REGISTRY.unregister(PLATFORM_COLLECTOR)


def add_operations_endpoints(app: web.Application) -> None:
    app[MIGRATED] = asyncio.Event()
    _hide_versions()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
