"""Notices between processes: PostgreSQL's LISTEN/NOTIFY, sent by the transaction that makes the change.

A notice says "what you cached about this is old". It is delivered at commit: in the process that makes the change
before its answer goes out, in others typically within a millisecond. It may come twice. A listener that lost its
connection tells its subscribers to forget everything, since it may have missed some.

Triggers send notices too (`tell()` in SQL); a process that has to know of its own before it answers `hears_triggers`.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

import asyncpg
import structlog

from scaicms.infra.db.clock import measure
from scaicms.infra.db.connection import after_commit, execute, hear_triggers, in_open_transaction
from scaicms.infra.db.dsn import parse_dsn
from scaicms.infra.db.sessions import server_settings
from scaicms.infra.db.silence import cut, cut_ended, server_pids

CHANNEL = "scaicms"
RECONNECT_SECONDS = 1.0
CHECK_SECONDS = 5.0
ANSWER_SECONDS = 3.0

LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_LIVING = "SELECT pid FROM pg_stat_activity WHERE pid = ANY($1)"

Subscriber = Callable[[str | None], None]
log = structlog.get_logger(__name__)


_here: WeakSet["Notices"] = WeakSet()
"""The listeners of this process."""


async def notify(topic: str, subject: str = "") -> None:
    """Tell every process that `subject` of `topic` has changed, when this transaction commits."""
    await execute("SELECT pg_notify($1, $2)", CHANNEL, f"{topic} {subject}")

    async def tell() -> None:
        _tell_here(f"{topic} {subject}")

    if in_open_transaction():
        after_commit(tell)
    else:
        await tell()


def _tell_here(payload: str) -> None:
    topic, _, subject = payload.partition(" ")
    for notices in _here:
        notices.tell(topic, subject or None)


class Notices:
    """The listening end of one process. Subscribers get the subject, or None for "anything may have changed"."""

    def __init__(self, dsn: str, *, hears_triggers: bool = False) -> None:
        self.is_listening = False
        """Whether notices reach this process. Caches are neither read nor filled while they do not. A link that went
        silent is found out after `CHECK_SECONDS + ANSWER_SECONDS` at most."""
        self.hears_triggers = hears_triggers
        self._dsn = dsn
        self._subscribers: dict[str, list[Subscriber]] = defaultdict(list)
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._silent_since: float | None = None
        _here.add(self)

    def subscribe(self, topic: str, subscriber: Subscriber) -> None:
        self._subscribers[topic].append(subscriber)

    async def start(self) -> None:
        """Begin to listen; returns once the first LISTEN is in force."""
        if self.hears_triggers:
            hear_triggers(_tell_here)
        self._task = asyncio.create_task(self._listen(), name="notices")
        await self._ready.wait()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except LOST as error:
                log.warning("notices.lost", error=f"{type(error).__name__}: {error}")
            except Exception:  # whatever it is, a process that hears nothing any more is worse
                log.exception("notices.lost")
            self._forget_everything()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen_once(self) -> None:
        connection = await asyncpg.connect(
            **parse_dsn(self._dsn),
            timeout=ANSWER_SECONDS,
            command_timeout=ANSWER_SECONDS,
            server_settings=server_settings("scaicms-notices", statement_seconds=ANSWER_SECONDS),
        )
        closed = asyncio.Event()

        def lost(_: object) -> None:
            self.is_listening = False
            closed.set()

        connection.add_termination_listener(lost)
        try:
            await measure(connection)
            await connection.add_listener(CHANNEL, self._receive)
            self.is_listening = not closed.is_set()
            # What changed between the last connection and this LISTEN was missed.
            self._forget_everything()
            self._ready.set()
            if self._silent_since is not None:
                # The server is there, so it was the connection that led nowhere, and the others of its age with it.
                cut(self._silent_since)
                self._silent_since = None
            while not closed.is_set():
                await self._check(connection, closed)
        finally:
            self.is_listening = False
            connection.terminate()

    async def _check(self, connection: Any, closed: asyncio.Event) -> None:
        """Wait a while, then ask the server which sessions of this process it has: a half-open connection never says
        that it is dead, and neither does one whose session the server has ended. And which time it is there."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CHECK_SECONDS):
                await closed.wait()
                return
        asked, pids = time.monotonic(), server_pids()
        try:
            living = await connection.fetch(_LIVING, pids, timeout=ANSWER_SECONDS)
            await measure(connection)
        except TimeoutError:
            self._silent_since = asked
            raise
        cut_ended(pids, [row["pid"] for row in living])

    def _receive(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        topic, _, subject = str(payload).partition(" ")
        self.tell(topic, subject or None)

    def tell(self, topic: str, subject: str | None) -> None:
        """Pass a notice on; it has come through the connection, or from this very process."""
        for subscriber in self._subscribers.get(topic, ()):
            subscriber(subject)

    def _forget_everything(self) -> None:
        for subscribers in self._subscribers.values():
            for subscriber in subscribers:
                try:
                    subscriber(None)
                except Exception:  # the others still have to forget, and this process to listen
                    log.exception("notices.subscriber_failed")
