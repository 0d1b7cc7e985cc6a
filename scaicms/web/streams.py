"""Bounds on the long responses that a process sends at a time: in all, and to one caller."""

from asyncio import Event
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web

from scaicms.kit.errors import TooManyRequestsError, UnavailableError
from scaicms.kit.networks import rate_networks
from scaicms.web.call import Call

RETRY_SECONDS = 10


@dataclass(frozen=True, slots=True)
class StreamKind:
    """A kind of long response, with its bounds in one process."""

    name: str
    total: int
    per_caller: int


EVENTS = StreamKind("event streams", total=100, per_caller=5)
EXPORTS = StreamKind("exports", total=20, per_caller=2)
FILES = StreamKind("files", total=1000, per_caller=100)


class OpenStreams:
    """The long responses of one process. The keys of an account count with it; anonymous callers count by network."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[StreamKind, str | None]] = Counter()
        self._events: set[Event] = set()

    @contextmanager
    def open(self, kind: StreamKind, call: Call) -> Iterator[Event]:
        """Count a response while it is sent. The event is set when rights change or the process ends.

        Raises:
            TooManyRequestsError: the caller has `per_caller` open.
            UnavailableError: the process has `total` open.
        """
        caller = (kind, str(call.principal.author_id or rate_networks(call.address)[0]))
        everybody = (kind, None)
        if self._counts[caller] >= kind.per_caller:
            raise _too_many_of_caller(kind)
        if self._counts[everybody] >= kind.total:
            raise _too_many(kind)
        places, changed = Counter([caller, everybody]), Event()
        self._counts += places
        self._events.add(changed)
        try:
            yield changed
        finally:
            self._counts -= places  # also drops callers with nothing open
            self._events.discard(changed)

    def wake(self, _subject: str | None = None) -> None:
        """Rights have changed, or the process ends: every stream has a look."""
        for event in self._events:
            event.set()


STREAMS = web.AppKey("streams", OpenStreams)


def _too_many_of_caller(kind: StreamKind) -> TooManyRequestsError:
    message = f"You have {kind.per_caller} {kind.name} open, the limit of one caller. Close one and retry."
    error = TooManyRequestsError(message, retry_after=RETRY_SECONDS)
    error.code = "too_many_streams"
    return error


def _too_many(kind: StreamKind) -> UnavailableError:
    message = f"This process serves {kind.total} {kind.name}, its limit. Retry later."
    error = UnavailableError(message, retry_after=RETRY_SECONDS)
    error.code = "too_many_streams"
    return error
