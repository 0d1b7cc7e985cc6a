"""How each table grows and what ends its rows, as features declare it (docs/operations/retention.md).

A test reads the tables of a migrated database and fails on one without an entry.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from scaicms.infra.db.connection import execute, transaction
from scaicms.settings import Settings

BATCH = 1_000
"""Rows that one transaction removes."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """Which rows the periodic job removes."""

    condition: str
    """SQL about a row `t`; `$1` is the interval that `age` gives, `{held}` a query for the ids on legal hold."""
    age: Callable[[Settings], timedelta | None]
    """None: no row expires."""


@dataclass(frozen=True, slots=True)
class Retention:
    """One table."""

    table: str
    grows: str
    """One row for each … ."""
    row_bytes: int
    """Bytes of a row with its indexes and its part of the table's overhead, as measured; 0 for a handful of rows."""
    ends: str
    """What removes rows, and after what."""
    setting: str | None = None
    expiry: Expiry | None = None


def days(setting: str) -> Callable[[Settings], timedelta | None]:
    """The age that a setting gives in days, 0 for ever."""

    def age(settings: Settings) -> timedelta | None:
        number: int = getattr(settings, setting)
        return timedelta(days=number) if number else None

    return age


def fixed(age: timedelta) -> Callable[[Settings], timedelta | None]:
    return lambda _: age


_declared: list[Retention] = []
_held: list[str] = []


def declare_retention(entries: Sequence[Retention], held: Sequence[str]) -> None:
    """Set what there is; `held` are queries for ids of things on legal hold."""
    _declared[:] = entries
    _held[:] = held


def declared() -> Sequence[Retention]:
    return _declared


def held_ids() -> str:
    """SQL: the ids of all things on legal hold."""
    return " UNION ALL ".join(_held) if _held else "SELECT NULL::uuid WHERE false"


async def remove_expired(entry: Retention, settings: Settings) -> int:
    """Remove one batch of a table's expired rows in a transaction of its own; how many. A row that somebody has locked
    stays until the next time."""
    age = entry.expiry.age(settings) if entry.expiry is not None else None
    if entry.expiry is None or age is None:
        return 0
    condition = entry.expiry.condition.replace("{held}", held_ids())
    async with transaction():
        return await execute(
            f"""DELETE FROM {entry.table} WHERE ctid = ANY(ARRAY(
                    SELECT t.ctid FROM {entry.table} t WHERE {condition}
                    LIMIT {BATCH} FOR UPDATE SKIP LOCKED))""",
            age,
        )
