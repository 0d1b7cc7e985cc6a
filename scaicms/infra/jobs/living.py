"""Which workers live: what their heartbeats last said. The web tier reads it, and needs nothing of what a worker is."""

from collections.abc import Sequence
from typing import Any

from arq.connections import ArqRedis

from scaicms.kit import json

KEY_PREFIX = "scaicms:worker:"
REGISTER = "scaicms:workers"
EXPIRE_SECONDS = 16


async def live_workers(redis: ArqRedis) -> list[dict[str, Any]]:
    """The heartbeats of the workers that live."""
    names = sorted(name.decode() for name in await redis.zrange(REGISTER, 0, -1))
    if not names:
        return []
    beats = await redis.mget([KEY_PREFIX + name for name in names])
    return [json.loads(beat) for beat in beats if beat is not None]


async def seconds_since_beat(redis: ArqRedis, workers: Sequence[str]) -> dict[str, float]:
    """How long ago each of these workers wrote its heartbeat; those without one are absent."""
    async with redis.pipeline(transaction=False) as pipe:
        for worker in workers:
            pipe.pttl(KEY_PREFIX + worker)
        left = await pipe.execute()
    return {worker: EXPIRE_SECONDS - rest / 1000 for worker, rest in zip(workers, left, strict=True) if rest >= 0}
