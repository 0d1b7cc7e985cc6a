"""Doing a use case again that PostgreSQL ended because it and another waited for each other.

Two transactions that take the same locks in different orders deadlock; the server ends one of them, and nothing of it
has happened. The other commits, so that the same use case succeeds a moment later.

https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
import structlog
from prometheus_client import Counter

from scaicms.infra.db.connection import commits, in_open_transaction

TRIES = 4
PAUSE_SECONDS = 0.05
"""The longest pause before the second try; twice that before the third, and so on (full jitter)."""
RACES = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)

ResultT = TypeVar("ResultT")
log = structlog.get_logger(__name__)
_again = Counter("scaicms_database_races_total", "Use cases that PostgreSQL ended for another and that were done again")


def is_race(error: BaseException | None) -> bool:
    """Whether PostgreSQL has ended the transaction for another one, whatever has been made of that error since."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, RACES):
            return True
        seen.add(id(error))  # an error that was raised from itself has no end
        error = error.__cause__
    return False


async def again(work: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """Do `work`, and all of it again, a few times, where it lost a race.

    Only what has left nothing behind: within an open transaction, or when a part of `work` has committed, the error is
    raised, for whoever began.
    """
    for number in range(1, TRIES):
        before = commits()
        try:
            return await work()
        except Exception as error:  # services make errors of their own of it, so that its type says nothing
            if not is_race(error) or in_open_transaction() or commits() != before:
                raise
            log.info("database.race_lost", tries=number, error=str(error))
            _again.inc()
        longest = PAUSE_SECONDS * 2 ** (number - 1)
        await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 - spreading load, not keeping a secret
    return await work()
