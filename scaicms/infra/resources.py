"""What a process holds open: database, read pool, Redis, file storage, mail, notices."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from arq.connections import ArqRedis

from scaicms.infra import db
from scaicms.infra.db.notices import Notices
from scaicms.infra.db.pools import ACQUIRE_SECONDS
from scaicms.infra.engines import join_redis
from scaicms.infra.jobs import doorbell
from scaicms.infra.mail import Mailer, open_mailer
from scaicms.infra.redis import WEB_SECONDS, WORKER_SECONDS
from scaicms.infra.storage import Storage, open_storage
from scaicms.settings import Settings


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything outside that services and adapters use."""

    settings: Settings
    redis: ArqRedis
    reads: db.ReadPool
    searches: db.Share
    storage: Storage
    mailer: Mailer
    notices: Notices


@asynccontextmanager
async def open_resources(
    settings: Settings, models: Sequence[str], *, kind: Literal["web", "worker"]
) -> AsyncIterator[Resources]:
    """Open all of it for one process and close it in reverse order."""
    timeout = settings.web_statement_timeout if kind == "web" else settings.worker_statement_timeout
    await db.open_database(
        settings.database_url,
        models,
        size=settings.db_pool_size,
        statement_timeout=timeout,
        # A job has its time anyhow; a request is answered.
        acquire_seconds=ACQUIRE_SECONDS if kind == "web" else None,
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(db.close_database)
        reads = await db.open_read_pool(settings.database_url, size=settings.read_pool_size, statement_timeout=timeout)
        stack.callback(reads.terminate)
        await db.check_server()
        searches = await db.open_share(
            "searches",
            settings.database_url,
            size=settings.search_pool_size,
            statement_timeout=min(timeout, settings.search_statement_timeout),
        )
        stack.callback(searches.terminate)
        redis = await join_redis(settings, seconds=WEB_SECONDS if kind == "web" else WORKER_SECONDS)
        stack.push_async_callback(redis.aclose, close_connection_pool=True)
        # Only the web tier keeps what it delivers.
        keeps = kind == "web" and settings.delivery_cache_bytes > 0
        notices = Notices(settings.database_url, hears_triggers=keeps)
        await notices.start()
        stack.push_async_callback(notices.stop)
        doorbell.install(doorbell.Doorbell(redis))
        stack.callback(doorbell.install, None)
        storage, mailer = open_storage(settings), open_mailer(settings)
        yield Resources(settings, redis, reads, searches, storage, mailer, notices)
