"""Which workers live: what their heartbeats last said. The web tier reads it, and needs nothing of what a worker is."""

from typing import Any

from arq.connections import ArqRedis

from scaicms.kit import json

KEY_PREFIX = "scaicms:worker:"
REGISTER = "scaicms:workers"


async def live_workers(redis: ArqRedis) -> list[dict[str, Any]]:
    """The heartbeats of the workers that live."""
    names = sorted(name.decode() for name in await redis.zrange(REGISTER, 0, -1))
    if not names:
        return []
    beats = await redis.mget([KEY_PREFIX + name for name in names])
    return [json.loads(beat) for beat in beats if beat is not None]
