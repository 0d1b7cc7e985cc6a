"""A worker process: services, runner and ARQ, for the command line and for `arq workers.search.WorkerSettings`."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from scaicms import registry
from scaicms.app import create_services
from scaicms.infra.jobs.heartbeat import worker_name
from scaicms.infra.jobs.runner import Runner
from scaicms.infra.jobs.worker import RUNNER, arq_options, background, run_workers
from scaicms.infra.logs import configure_logs
from scaicms.infra.redis import redis_settings
from scaicms.settings import Settings, get_settings


async def work(settings: Settings, queues: Sequence[str]) -> None:
    """Serve these queues until told to stop."""
    async with create_services(settings, kind="worker") as services:
        runner = Runner(registry.tasks(), services, worker_name())
        await run_workers(
            queues,
            runner,
            services.resources.redis,
            concurrency=settings.worker_concurrency,
            drain_seconds=settings.drain_seconds,
        )


def worker_settings(queue: str) -> type:
    """The class that ARQ's own command line runs for one queue.

    ARQ's worker ends when Redis stays away; let the process manager start it again. `scaicms worker` goes on.
    """
    settings = get_settings()
    stack = AsyncExitStack()

    async def on_startup(ctx: dict[Any, Any]) -> None:
        configure_logs(settings)
        services = await stack.enter_async_context(create_services(settings, kind="worker"))
        runner = Runner(registry.tasks(), services, worker_name())
        ctx[RUNNER] = runner
        await stack.enter_async_context(background(runner, services.resources.redis, [queue]))

    async def on_shutdown(_: dict[Any, Any]) -> None:
        await stack.aclose()

    options = arq_options(queue, concurrency=settings.worker_concurrency, drain_seconds=settings.drain_seconds)
    attributes = {
        **options,
        "redis_settings": redis_settings(settings.redis_url),
        "on_startup": staticmethod(on_startup),
        "on_shutdown": staticmethod(on_shutdown),
    }
    return type("WorkerSettings", (), attributes)
