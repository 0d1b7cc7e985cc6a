"""Editors who write items and know what was acknowledged, and somebody who promises jobs."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import uuid4

from tests.chaos.client import Answer, Client
from tests.chaos.timeline import Timeline

API = "/api/v1"
MOST_WAITING = 200
"""Jobs that may wait before nobody promises more: faults are tested, not how fast the machine is."""
WORD = "marmalade"
TYPE = {
    "key": "note",
    "name": "Note",
    "fields": [
        {"key": "title", "type": "string", "required": True},
        {"key": "origin", "type": "string"},
        {"key": "body", "type": "markdown"},
    ],
}


@dataclass
class Item:
    """An item as its only editor was told that it is."""

    site: str
    id: str
    origin: str
    draft: str
    version: int
    published: str | None = None
    deleted: bool = False


@dataclass
class Record:
    """Everything that was acknowledged."""

    items: list[Item] = field(default_factory=list)
    writes: Counter[str] = field(default_factory=Counter)
    jobs: dict[str, str] = field(default_factory=dict)
    """Id and name of every acknowledged test job."""
    cancelled: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    """Answers that contradict what was acknowledged before."""
    lines: list[dict[str, Any]] = field(default_factory=list)


class Editor:
    """Writes its own items one after the other; nobody else touches them, so that what is right is known exactly."""

    def __init__(self, client: Client, site: str, name: str, record: Record, timeline: Timeline) -> None:
        self._client, self._record, self._timeline = client, record, timeline
        self._rng, self._site, self._name = client.rng, site, name
        self._numbers = count()
        self._mine: list[Item] = []

    async def work(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            living = [item for item in self._mine if not item.deleted]
            if len(living) < 3 or self._rng.random() < 0.4:
                await self._create()
            else:
                change = self._rng.choice((self._update, self._update, self._publish, self._unpublish, self._delete))
                await change(self._rng.choice(living))
            await asyncio.sleep(self._rng.uniform(0, 0.2))

    async def _post(self, path: str, body: Any = None) -> Answer:
        headers = {"X-Site-ID": self._site, "Idempotency-Key": str(uuid4())}
        return await self._client.ask("POST", API + path, json=body, headers=headers)

    async def _conditional(self, method: str, item: Item, body: Any = None) -> Answer:
        headers = {"X-Site-ID": self._site, "If-Match": f'"v{item.version}"'}
        return await self._client.ask(method, f"{API}/content/{item.id}", json=body, headers=headers)

    def _word(self) -> str:
        return f"{self._name}n{next(self._numbers)}"

    async def _create(self) -> None:
        word, publish = self._word(), self._rng.random() < 0.6
        data = {"title": word, "origin": word, "body": f"About {WORD} and {word}."}
        answer = await self._post("/content", {"type": "note", "data": data, "publish": publish})
        if not self._clear("create", answer, 201, word):
            return
        item = Item(self._site, answer.json["id"], word, word, 1, word if publish else None)
        self._mine.append(item)
        self._record.items.append(item)

    async def _update(self, item: Item) -> None:
        word = self._word()
        answer = await self._conditional(
            "PATCH", item, {"data": {"title": word, "body": f"About {WORD} and {word}, again."}}
        )
        if answer.status == 412 and answer.repeated:
            answer = await self._was_stored(item, word)
        if self._clear("update", answer, 200, f"{item.id} to {word}"):
            item.draft, item.version = word, answer.json["version"]

    async def _was_stored(self, item: Item, word: str) -> Answer:
        """Somebody was faster, and there is only us: an earlier try must have been stored."""
        headers = {"X-Site-ID": self._site}
        found = await self._client.ask("GET", f"{API}/content/{item.id}?status=draft", headers=headers)
        stored = found.status == 200 and found.json["data"]["title"] == word
        return found if stored else Answer(412, found.json, True)

    async def _publish(self, item: Item) -> None:
        if self._clear("publish", await self._post(f"/content/{item.id}/publish"), 200, item.id):
            item.published = item.draft

    async def _unpublish(self, item: Item) -> None:
        expected = 200 if item.published is not None else 409
        if self._clear("unpublish", await self._post(f"/content/{item.id}/unpublish"), expected, item.id):
            item.published = None

    async def _delete(self, item: Item) -> None:
        answer = await self._conditional("DELETE", item)
        # Gone already: by an earlier try whose answer was lost.
        expected = 404 if answer.repeated and answer.status == 404 else 204
        if self._clear("delete", answer, expected, item.id):
            item.deleted, item.published = True, None

    def _clear(self, kind: str, answer: Answer, expected: int, what: str) -> bool:
        self._record.lines.append({"at": round(self._timeline.now, 3), "op": kind, "what": what, "is": answer.status})
        if answer.status == expected:
            self._record.writes[kind] += 1
            return True
        text = f"{kind} {what} at {self._site}: {answer.status} {answer.json}, not {expected}"
        self._timeline.note(text)
        self._record.wrong.append(text)
        return False


class Promiser:
    """Promises test jobs at a steady pace."""

    def __init__(self, client: Client, record: Record, backlog: Callable[[], Awaitable[int]]) -> None:
        self.client, self._record, self._rng, self._backlog = client, record, client.rng, backlog

    async def work(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            while await self._backlog() > MOST_WAITING and not stop.is_set():  # noqa: ASYNC110
                await asyncio.sleep(0.5)  # rows have no event for us
            await self.promise([self._any_job() for _ in range(self._rng.randint(1, 4))])
            if self._rng.random() < 0.1:
                await self._cancel_one()
            await asyncio.sleep(self._rng.uniform(0.2, 0.8))

    async def promise(self, jobs: list[dict[str, Any]]) -> list[str]:
        """Until acknowledged. An unclear try may have promised other jobs: they too must be done, once."""
        answer = await self.client.ask("POST", "/chaos/jobs", json={"jobs": jobs})
        self._record.jobs.update(zip(answer.json["ids"], (job["name"] for job in jobs), strict=True))
        return list(answer.json["ids"])

    def _any_job(self) -> dict[str, Any]:
        kind = self._rng.random()
        if kind < 0.35:
            return {"name": "chaos.effect", "seconds": self._rng.choice((0, 0.02, 0.05, 0.1, 1.5))}
        if kind < 0.55:
            return {"name": "chaos.steps", "steps": self._rng.randint(2, 12), "seconds": 0.1}
        if kind < 0.7:
            return {"name": "chaos.flaky"}
        if kind < 0.85:
            return {"name": "chaos.effect", "delay": self._rng.uniform(0.5, 8)}
        return {"name": "chaos.novel"}

    async def _cancel_one(self) -> None:
        [job] = await self.promise([{"name": "chaos.stopped", "steps": 60, "seconds": 0.5}])
        await asyncio.sleep(self._rng.uniform(0, 3))
        headers = {"X-Site-ID": "one", "Idempotency-Key": str(uuid4())}
        answer = await self.client.ask("POST", f"{API}/search/jobs/{job}/cancel", headers=headers)
        if answer.status < 300:
            self._record.cancelled.add(job)
