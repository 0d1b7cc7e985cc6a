"""The fleet's figures for Prometheus: what `GET /search/queues` shows, and what features contribute, asked when the
scraper asks."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from types import MappingProxyType
from typing import Any

import asyncpg
import structlog
from arq.connections import ArqRedis
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from redis.exceptions import RedisError
from tortoise.exceptions import BaseORMException

from scaicms.infra.jobs import stats
from scaicms.infra.jobs.living import live_workers

SECONDS = 5.0
GAUGES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "due": ("scaicms_queue_due", "Jobs that are due and wait for a worker"),
        "deferred": ("scaicms_queue_deferred", "Jobs that are due later"),
        "running": ("scaicms_queue_running", "Jobs that a worker holds"),
        "dead": ("scaicms_queue_dead", "Jobs that failed for good or were set aside"),
        "oldest_due_seconds": ("scaicms_queue_oldest_due_seconds", "Age of the job that has been due longest"),
        "enqueued_per_minute": ("scaicms_queue_enqueued_per_minute", "Jobs promised a minute"),
        "finished_per_minute": ("scaicms_queue_finished_per_minute", "Jobs finished a minute"),
        "failed_per_minute": ("scaicms_queue_failed_per_minute", "Jobs that died a minute"),
        "wait_p95_ms": ("scaicms_queue_wait_p95_milliseconds", "From due to started, 95th percentile"),
        "run_p95_ms": ("scaicms_queue_run_p95_milliseconds", "From started to finished, 95th percentile"),
        "redis_depth": ("scaicms_queue_doorbells", "Doorbells waiting in Redis"),
        "paused": ("scaicms_queue_paused", "1 while nobody takes work from the queue"),
        "workers": ("scaicms_queue_workers", "Worker processes that serve the queue"),
    }
)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Figures:
    """Gauges of a feature, told by its manifest. `gauges` has name and meaning by key; `ask` (`module:function`,
    imported when it is asked) is a coroutine function that gives the values by key, at the cost of some index lookups.
    """

    gauges: Mapping[str, tuple[str, str]]
    ask: str


_contributed: list[Figures] = []


def declare_figures(figures: Iterable[Figures]) -> None:
    """Make the features' figures known; every process does this once, at start-up."""
    _contributed[:] = figures


async def fleet_metrics(redis: ArqRedis) -> bytes:
    """Prometheus' text. An engine that is away is said by `scaicms_fleet_up 0`, not by an error."""
    registry = CollectorRegistry()
    up = Gauge("scaicms_fleet_up", "1 while the figures of the queues can be asked", registry=registry)
    gauges = {key: Gauge(name, text, ["queue"], registry=registry) for key, (name, text) in GAUGES.items()}
    try:
        async with asyncio.timeout(SECONDS):
            for row in await _figures(redis):
                for key, gauge in gauges.items():
                    gauge.labels(row["queue"]).set(float(row[key] or 0))
            for figures in _contributed:
                values: Mapping[str, float] = await resolve_name(figures.ask)()
                for key, (name, text) in figures.gauges.items():
                    Gauge(name, text, registry=registry).set(values[key])
        up.set(1)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, BaseORMException) as error:
        log.warning("metrics.fleet_unknown", error=f"{type(error).__name__}: {error}")
    return generate_latest(registry)


async def _figures(redis: ArqRedis) -> list[dict[str, Any]]:
    figures = await stats.queue_figures(redis, None)
    try:
        workers = await live_workers(redis)
    except (RedisError, OSError):
        workers = []
    for row in figures:
        row["workers"] = sum(row["queue"] in worker["queues"] for worker in workers)
    return figures
