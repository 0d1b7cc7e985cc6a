"""Wall-clock time of this process. Where order matters, the database's `now()` is asked instead."""

from datetime import UTC, datetime


def utcnow() -> datetime:
    """Now, with its zone (UTC)."""
    return datetime.now(UTC)


def to_rfc3339(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z` and millisecond precision, the form that every response uses."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
