"""Each worker process says every few seconds that it lives, and what it does, in a Redis key of its own.

This is for people who look at the fleet. What decides about jobs is the row in PostgreSQL (`presence.py`).
"""

import asyncio
import os
import socket

import psutil
import structlog
from arq.connections import ArqRedis
from redis.exceptions import RedisError

from scaicms import __version__
from scaicms.infra.jobs.living import EXPIRE_SECONDS, KEY_PREFIX, REGISTER
from scaicms.infra.jobs.runner import Runner
from scaicms.infra.memory import give_back
from scaicms.infra.redis_breaker import RedisAwayError
from scaicms.kit import json
from scaicms.kit.clock import to_rfc3339, unix_now, utcnow

BEAT_SECONDS = 5.0

log = structlog.get_logger(__name__)


def worker_name() -> str:
    """Unique among live workers: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


async def beat_forever(redis: ArqRedis, runner: Runner, queues: list[str]) -> None:
    """Write the heartbeat until cancelled. It expires by itself when the process dies."""
    started_at = to_rfc3339(utcnow())
    process = psutil.Process()
    while True:
        give_back()
        beat = {
            "id": runner.worker,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "queues": queues,
            "version": __version__,
            "running": len(runner.running),
            "started_at": started_at,
            "heartbeat_at": to_rfc3339(utcnow()),
            "memory_bytes": process.memory_info().rss,
        }
        try:
            async with redis.pipeline(transaction=False) as pipe:
                pipe.set(KEY_PREFIX + runner.worker, json.dumps(beat), ex=EXPIRE_SECONDS)
                pipe.zadd(REGISTER, {runner.worker: unix_now()})
                pipe.zremrangebyscore(REGISTER, "-inf", unix_now() - EXPIRE_SECONDS)
                await pipe.execute()
        except RedisAwayError:
            pass  # the breaker has logged it
        except (RedisError, OSError) as error:
            log.warning("heartbeat.failed", error=type(error).__name__)
        await asyncio.sleep(BEAT_SECONDS)
