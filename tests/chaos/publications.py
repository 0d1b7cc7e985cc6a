"""Imports, schedules, releases and uploads that go on while things break, and what was acknowledged of them."""

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

from tests.chaos.client import Answer, Client
from tests.chaos.pictures import picture
from tests.chaos.timeline import Timeline

API = "/api/v1"
PAGE = {
    "key": "page",
    "name": "Page",
    "fields": [
        {"key": "title", "type": "string", "required": True},
        {"key": "body", "type": "markdown"},
    ],
}
BOUNDARY = "chaos"


@dataclass
class Publications:
    """Everything that was acknowledged, of all sites."""

    imports: dict[str, list[str]] = field(default_factory=dict)
    """Titles of the rows, by the id of the job."""
    schedules: dict[str, str] = field(default_factory=dict)
    """Item, by the id of the schedule."""
    releases: dict[str, list[str]] = field(default_factory=dict)
    """Items, by the id of the release."""
    assets: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Site and bytes, by the id of the asset."""
    wrong: list[str] = field(default_factory=list)
    """Answers that nobody should get."""


def form(file: bytes, filename: str, **values: str) -> tuple[bytes, dict[str, str]]:
    """A multipart body with one file, and its headers."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in values.items()
    ]
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'.encode()
    body = b"".join([*parts, head, file, f"\r\n--{BOUNDARY}--\r\n".encode()])
    return body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


class Publisher:
    """One editor of one site whose work is done by workers later."""

    def __init__(self, client: Client, site: str, record: Publications, timeline: Timeline, *, rows: int) -> None:
        self._client, self._site, self._record, self._timeline = client, site, record, timeline
        self._rng: random.Random = client.rng
        self._rows = rows
        self._numbers = count()
        self._last_import: str | None = None

    @property
    def client(self) -> Client:
        return self._client

    async def work(self, stop: asyncio.Event) -> None:
        kinds = [self._import, self._schedule, self._release, self._upload, self._upload]
        deck: Sequence[Any] = []
        while not stop.is_set():
            deck = deck or self._rng.sample(kinds, len(kinds))
            action, *deck = deck
            await action()
            await asyncio.sleep(self._rng.uniform(0.5, 2))

    def _name(self, kind: str) -> str:
        return f"{kind}-{self._site}-{next(self._numbers)}"

    async def _post(self, path: str, body: Any) -> Answer:
        headers = {"X-Site-ID": self._site, "Idempotency-Key": str(uuid4())}
        return await self._client.ask("POST", API + path, json=body, headers=headers)

    def _clear(self, answer: Answer, expected: int, what: str) -> bool:
        if answer.status == expected:
            return True
        text = f"{what} at {self._site}: {answer.status} {answer.json}, not {expected}"
        self._timeline.note(text)
        self._record.wrong.append(text)
        return False

    async def _import(self) -> None:
        """An unclear try may have been taken: the same rows again are the same items. One import at a time, so that
        workers get what they can do on this machine."""
        if self._last_import is not None:
            job = await self._client.ask(
                "GET", f"{API}/search/jobs/{self._last_import}", headers={"X-Site-ID": self._site}
            )
            if job.status == 200 and job.json["state"] not in ("done", "dead", "quarantined"):
                return
        name, rows = self._name("import"), self._rng.randint(self._rows // 4, self._rows)
        titles = [f"{name}-{row}" for row in range(rows)]
        lines = "\n".join(json.dumps({"id": title, "title": title, "body": "A row. " * 30}) for title in titles)
        body, headers = form(lines.encode(), "rows.ndjson", type="page", publish="true")
        answer = await self._client.ask(
            "POST", f"{API}/content/import", data=body, headers={**headers, "X-Site-ID": self._site}
        )
        if self._clear(answer, 202, f"import {name}"):
            self._last_import = str(answer.json["job_id"])
            self._record.imports[self._last_import] = titles

    async def _draft(self, title: str) -> str | None:
        answer = await self._post("/content", {"type": "page", "data": {"title": title, "body": "Later."}})
        return answer.json["id"] if self._clear(answer, 201, f"draft {title}") else None

    async def _schedule(self) -> None:
        item = await self._draft(self._name("scheduled"))
        if item is None:
            return
        at = datetime.now(UTC) + timedelta(seconds=self._rng.uniform(3, 15))
        answer = await self._post(f"/content/{item}/publish", {"at": at.isoformat()})
        # An outage may last until the time is past; then nothing is scheduled.
        if answer.status != 422 and self._clear(answer, 200, f"schedule {item}"):
            self._record.schedules[answer.json["schedule_id"]] = item

    async def _release(self) -> None:
        name = self._name("release")
        items = [await self._draft(f"{name}-{number}") for number in range(3)]
        if None in items:
            return
        at = datetime.now(UTC) + timedelta(seconds=self._rng.uniform(3, 15))
        body = {"name": name, "at": at.isoformat(), "items": [{"id": item} for item in items]}
        answer = await self._post("/content/releases", body)
        if answer.status != 422 and self._clear(answer, 201, f"release {name}"):
            self._record.releases[answer.json["id"]] = [str(item) for item in items]

    async def _upload(self) -> None:
        """An unclear try may have made another asset of the same bytes, which are stored once all the same."""
        name, content = self._name("picture"), picture(self._rng)
        body, headers = form(content, f"{name}.png")
        answer = await self._client.ask(
            "POST", f"{API}/assets", data=body, headers={**headers, "X-Site-ID": self._site}
        )
        if self._clear(answer, 202, f"upload {name}"):
            self._record.assets[answer.json["id"]] = (self._site, content)
