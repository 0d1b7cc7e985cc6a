"""Somebody who reads the feed of a site all the time, as an integrator does: go on with what the answer says."""

import asyncio
from dataclasses import dataclass, field

from tests.chaos.client import Client

API = "/api/v1"
PAUSE_SECONDS = 1.0


@dataclass
class FeedReader:
    """`seen` are the ids of the events in the order in which they came."""

    client: Client
    site: str
    after: int = 0
    seen: list[str] = field(default_factory=list)

    async def work(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.read()
            await asyncio.sleep(PAUSE_SECONDS)

    async def read(self) -> None:
        """All that there is now."""
        while True:
            path = f"{API}/webhooks/events?after={self.after}&page_size=200"
            answer = await self.client.ask("GET", path, headers={"X-Site-ID": self.site})
            assert answer.status == 200, answer
            self.seen += [event["id"] for event in answer.json["items"]]
            self.after = answer.json["next_after"]
            if not answer.json["has_more"]:
                return
