"""Time as PostgreSQL has it. Hosts have clocks of their own; all processes of an installation go by one.

`infra/db/clock.py` measures how far this host's clock is from the database's. Before the first measurement the two
count as equal. Where order within a transaction matters, statements use the database's `now()` themselves.
"""

import time
from datetime import UTC, datetime

_offset = 0.0


def unix_now() -> float:
    """Seconds of Unix time."""
    return time.time() + _offset


def utcnow() -> datetime:
    """Now, with its zone (UTC)."""
    return datetime.fromtimestamp(unix_now(), UTC)


def set_offset(seconds: float) -> None:
    """From now on the clock of this host counts as so many seconds behind (negative: ahead)."""
    global _offset  # noqa: PLW0603 - one clock a process
    _offset = seconds


def offset() -> float:
    """Seconds by which the clock of this host is behind the database's."""
    return _offset


def to_rfc3339(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z` and millisecond precision, the form that every response uses."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
