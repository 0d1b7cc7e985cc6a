"""A worker process: services, runner and ARQ, for the command line and for `arq workers.search.WorkerSettings`."""

import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import structlog
from prometheus_client import start_http_server

from scaicms import registry
from scaicms.connect import create_services
from scaicms.infra import rendering
from scaicms.infra.engines import StartError, wait_for_postgres, wait_for_redis
from scaicms.infra.jobs.heartbeat import worker_name
from scaicms.infra.jobs.recycling import until_worn
from scaicms.infra.jobs.runner import Runner
from scaicms.infra.jobs.worker import RUNNER, LedgerWorker, arq_options, background, run_workers
from scaicms.infra.logs import configure_logs
from scaicms.infra.redis import redis_settings
from scaicms.infra.watchdog import watched_loop
from scaicms.settings import Settings, get_settings

log = structlog.get_logger(__name__)


async def work(settings: Settings, queues: Sequence[str], *, on_stop: Callable[[], None] = lambda: None) -> bool:
    """Serve these queues until told to stop; True when the process is worn and shall begin anew. `on_stop` runs in the
    signal's handler, also while a job blocks the event loop."""
    if settings.metrics_port is not None:
        start_http_server(settings.metrics_port, addr=settings.host)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop_soon(*_: object) -> None:
        on_stop()
        loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop_soon)
    rendering.be_patient()
    async with create_services(settings, kind="worker") as services:
        redis = services.resources.redis
        runner = Runner(registry.tasks(), services, worker_name())
        workers = {
            queue: LedgerWorker(
                queue,
                runner,
                redis,
                concurrency=settings.queue_concurrency.get(queue, settings.worker_concurrency),
                drain_seconds=settings.drain_seconds,
            )
            for queue in queues
        }
        # What is imported until here takes a second.
        async with background(runner, redis, queues, registry.periodic()), watched_loop():
            worn = asyncio.create_task(_wear(settings, stop))
            log.info("worker.ready", queues=list(queues), worker=runner.worker)
            await run_workers(workers, redis, stop, drain_seconds=settings.drain_seconds)
            worn.cancel()
            await asyncio.gather(worn, return_exceptions=True)
    return not worn.cancelled()


async def _wear(settings: Settings, stop: asyncio.Event) -> None:
    await until_worn(
        max_memory_bytes=settings.worker_max_memory_mb * 1024 * 1024,
        max_age_seconds=settings.worker_max_age_seconds,
    )
    stop.set()


def _wait_before_arq(settings: Settings) -> None:
    """ARQ's command imports this class first and then connects to Redis, with a traceback where it cannot."""

    async def wait() -> None:
        await wait_for_postgres(settings)
        await wait_for_redis(settings)

    try:
        asyncio.run(wait())
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)


def worker_settings(queue: str) -> type:
    """The class that ARQ's own command line runs for one queue.

    ARQ's worker ends when Redis stays away; let the process manager start it again. `scaicms worker` goes on.
    """
    settings = get_settings()
    _wait_before_arq(settings)
    stack = AsyncExitStack()

    async def on_startup(ctx: dict[Any, Any]) -> None:
        configure_logs(settings)
        rendering.be_patient()
        services = await stack.enter_async_context(create_services(settings, kind="worker"))
        runner = Runner(registry.tasks(), services, worker_name())
        ctx[RUNNER] = runner
        await stack.enter_async_context(watched_loop())
        await stack.enter_async_context(background(runner, services.resources.redis, [queue], registry.periodic()))

    async def on_shutdown(_: dict[Any, Any]) -> None:
        await stack.aclose()

    options = arq_options(
        queue,
        concurrency=settings.queue_concurrency.get(queue, settings.worker_concurrency),
        drain_seconds=settings.drain_seconds,
    )
    attributes = {
        **options,
        "redis_settings": redis_settings(settings.redis_url),
        "on_startup": staticmethod(on_startup),
        "on_shutdown": staticmethod(on_shutdown),
    }
    return type("WorkerSettings", (), attributes)
