"""Dates and times as people and programs write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from pydantic import JsonValue

# Where day and month can be read both ways, both readings are returned.
_FORMATS = (
    "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%B %d, %Y", "%b %d, %Y", "%d %B %Y",
    "%d %b %Y", "%d. %B %Y", "%Y-%m", "%Y/%m", "%B %Y", "%b %Y", "%Y",
)  # fmt: skip
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %I:%M%p")
_ISO = re.compile(
    r"(\d{4}-\d\d?-\d\d?)(?:[T ]+(\d\d?:\d\d(?::\d\d(?:[.,]\d+)?)?))?\s*(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?", re.I
)
_EPOCH = re.compile(r"\d{10}(?:\d{3})?(?:\.\d+)?")
_MAX_CHARACTERS = 100


def read_moments(value: JsonValue) -> list[datetime]:
    """All readings of a date or time, in UTC; empty where it is none. Without an offset it is UTC, without a time
    midnight. Numbers are seconds or milliseconds since 1970, or a year."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return []
    text = " ".join(str(value)[: _MAX_CHARACTERS + 1].split())
    if not text or len(text) > _MAX_CHARACTERS:
        return []
    try:
        return [_utc(one) for one in (_iso(text) or _epoch(text) or _listed(text) or _mail(text))]
    except (ValueError, OverflowError):
        return []


def _utc(moment: datetime) -> datetime:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _iso(text: str) -> list[datetime]:
    found = _ISO.fullmatch(text)
    if found is None:
        return []
    day, time, offset = found.groups()
    parts = [int(part) for part in day.split("-")]
    moment = datetime(parts[0], parts[1], parts[2], tzinfo=UTC)
    hours, minutes, seconds = (*((time or "0:0").replace(",", ".").split(":")), "0")[:3]
    if not (int(hours) < 24 and int(minutes) < 60 and float(seconds) < 61):
        raise ValueError(text)
    moment += timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds))
    return [moment - _offset(offset or "Z")]


def _offset(text: str) -> timedelta:
    if text.upper() in ("Z", "UTC", "GMT"):
        return timedelta()
    digits = text[1:].replace(":", "").ljust(4, "0")
    return timedelta(hours=int(digits[:2]), minutes=int(digits[2:])) * (-1 if text[0] == "-" else 1)


def _epoch(text: str) -> list[datetime]:
    if re.fullmatch(r"[12]\d{3}[01]\d[0-3]\d", text):
        return [datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC)]
    if not _EPOCH.fullmatch(text):
        return []
    seconds = float(text)
    return [datetime.fromtimestamp(seconds / 1000 if seconds >= 10**12 else seconds, UTC)]


def _listed(text: str) -> list[datetime]:
    found: dict[datetime, None] = {}
    for day in _FORMATS:
        for time in _TIMES:
            try:
                found[datetime.strptime(text, day + time).replace(tzinfo=UTC)] = None
            except ValueError:
                continue
    return list(found)


def _mail(text: str) -> list[datetime]:
    return [parsedate_to_datetime(text)]
