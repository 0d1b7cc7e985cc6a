"""What a process holds open: database, read pool, Redis, file storage, mail, notices."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from arq.connections import ArqRedis

from scaicms.infra import db
from scaicms.infra.db.notices import Notices
from scaicms.infra.jobs import doorbell
from scaicms.infra.mail import Mailer, open_mailer
from scaicms.infra.redis import open_redis
from scaicms.infra.storage import Storage, open_storage
from scaicms.settings import Settings


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything outside that services and adapters use."""

    settings: Settings
    redis: ArqRedis
    reads: db.ReadPool
    storage: Storage
    mailer: Mailer
    notices: Notices


@asynccontextmanager
async def open_resources(
    settings: Settings, models: Sequence[str], *, kind: Literal["web", "worker"]
) -> AsyncIterator[Resources]:
    """Open all of it for one process and close it in reverse order."""
    timeout = settings.web_statement_timeout if kind == "web" else settings.worker_statement_timeout
    await db.open_database(settings.database_url, models, size=settings.db_pool_size, statement_timeout=timeout)
    try:
        reads = await db.open_read_pool(settings.database_url, size=settings.read_pool_size, statement_timeout=timeout)
        redis = open_redis(settings.redis_url)
        # Only the web tier keeps what it delivers.
        keeps = kind == "web" and settings.delivery_cache_bytes > 0
        notices = Notices(settings.database_url, hears_triggers=keeps)
        await notices.start()
        doorbell.install(doorbell.Doorbell(redis))
        try:
            yield Resources(settings, redis, reads, open_storage(settings), open_mailer(settings), notices)
        finally:
            doorbell.install(None)
            await notices.stop()
            await redis.aclose()
            reads.terminate()
    finally:
        await db.close_database()
