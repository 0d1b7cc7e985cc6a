"""When keys are used and how often: counted in the process, written in batches."""

import asyncio
from collections import Counter
from contextvars import Context
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import structlog
from tortoise.exceptions import DBConnectionError, OperationalError

from scaicms.features.api_keys import repository
from scaicms.kit.clock import unix_now

FLUSH_SECONDS = 5.0
HOUR = 3600
log = structlog.get_logger(__name__)


class KeyUsage:
    """Counts requests; the first one after a flush asks for the next flush."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[UUID, int]] = Counter()
        self._last: dict[UUID, float] = {}
        self._flusher: asyncio.Task[None] | None = None

    def count(self, key_id: UUID) -> None:
        """One request, now."""
        now = unix_now()
        self._requests[key_id, int(now) // HOUR] += 1
        self._last[key_id] = now
        if self._flusher is None:
            # In a context of its own: the request's may hold an open transaction.
            self._flusher = asyncio.create_task(self._flush_later(), name="api-key-usage", context=Context())

    async def flush(self) -> None:
        """Write what has been counted; what cannot be written now is kept for the next time."""
        requests, self._requests = self._requests, Counter()
        last, self._last = self._last, {}
        if not requests:
            return
        try:
            await repository.add_usage(
                [(key_id, datetime.fromtimestamp(hour * HOUR, UTC), n) for (key_id, hour), n in requests.items()],
                {key_id: datetime.fromtimestamp(moment, UTC) for key_id, moment in last.items()},
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, DBConnectionError, OperationalError) as error:
            log.warning("api_keys.usage_not_written", error=type(error).__name__)
            self._requests.update(requests)
            self._last = last | self._last

    async def stop(self) -> None:
        """Write the rest, before the process ends."""
        if self._flusher is not None:
            self._flusher.cancel()
            self._flusher = None
        await self.flush()

    async def _flush_later(self) -> None:
        await asyncio.sleep(FLUSH_SECONDS)
        self._flusher = None
        await self.flush()
