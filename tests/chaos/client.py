"""A careful client: asks again until the answer is clear, so that every write it counts on is acknowledged."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.chaos.fleet import Process
from tests.chaos.timeline import Timeline

ANSWER_SECONDS = 8.0
AGAIN = {"idempotency_key_in_flight", "write_conflict"}


class NoAnswerError(Exception):
    """Nobody answered clearly although everything was well again."""


@dataclass
class Seen:
    """What came over the wire, of all clients."""

    statuses: Counter[int] = field(default_factory=Counter)
    unclear: int = 0
    repeated: int = 0
    broken: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Answer:
    """A clear answer; `repeated` when an earlier try of the same request ended unclear."""

    status: int
    json: Any
    repeated: bool

    @property
    def code(self) -> str:
        return str(self.json["detail"]["code"]) if isinstance(self.json, dict) and "detail" in self.json else ""


class Client:
    """Speaks to whichever web process it likes next."""

    def __init__(
        self, session: aiohttp.ClientSession, webs: Sequence[Process], seen: Seen, timeline: Timeline, seed: str
    ) -> None:
        self._session, self._webs, self._seen, self._timeline = session, webs, seen, timeline
        self.rng = random.Random(seed)
        self.headers: dict[str, str] = {}
        self.deadline: float | None = None

    async def ask(self, method: str, path: str, **given: Any) -> Answer:
        """Ask until somebody answers clearly: neither 5xx nor nothing at all, nor "try again".

        Raises:
            NoAnswerError: `deadline` (of the event loop's clock) has passed.
        """
        repeated = False
        while True:
            answer = await self.try_once(method, path, **given)
            if answer is not None and answer.status < 500 and answer.code not in AGAIN:
                self._seen.repeated += repeated
                return Answer(answer.status, answer.json, repeated)
            # "Try again" of a conflict is clear: nothing happened. The others may have.
            repeated = repeated or answer is None or answer.code != "write_conflict"
            if self.deadline is not None and asyncio.get_running_loop().time() > self.deadline:
                raise NoAnswerError(f"{method} {path}: {answer}")
            await asyncio.sleep(self.rng.uniform(0.1, 0.5))

    async def try_once(self, method: str, path: str, **given: Any) -> Answer | None:
        """One answer, or None when the connection gave none."""
        web = self.rng.choice(self._webs)
        headers = {**self.headers, **given.pop("headers", {})}
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        try:
            async with self._session.request(
                method, web.base + path, headers=headers, timeout=timeout, **given
            ) as response:
                raw = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            self._seen.unclear += 1
            return None
        self._seen.statuses[response.status] += 1
        if response.status == 500 or b"Traceback" in raw:
            self._broken(f"{web.name} answered {method} {path} with {response.status}: {raw[:500]!r}")
        return Answer(response.status, json.loads(raw) if raw else None, False)

    async def download(self, path: str, *, headers: dict[str, str]) -> bytes:
        """The bytes at the end of redirects, when everything is well."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        url = self.rng.choice(self._webs).base + path
        async with self._session.get(url, headers={**self.headers, **headers}, timeout=timeout) as response:
            return await response.read()

    def _broken(self, text: str) -> None:
        self._timeline.note(text)
        self._seen.broken.append(text)
