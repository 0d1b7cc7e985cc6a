"""Everybody who works during a run, and what was acknowledged to them."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.chaos.client import Client
from tests.chaos.feed_reader import FeedReader
from tests.chaos.ground import SITES, Ground
from tests.chaos.publications import Publications, Publisher
from tests.chaos.workload import Editor, Promiser, Record

EDITORS_A_SITE = 2


class Crowd:
    """Editors, a publisher and a reader of the feed for each site, and somebody who promises test jobs."""

    def __init__(self, ground: Ground, seed: int, *, rows: int) -> None:
        self.record, self.publications = Record(), Publications()
        self.promiser = Promiser(ground.client(f"{seed}:jobs"), self.record, ground.backlog)
        self.clients: list[Client] = [self.promiser.client]
        self.works: list[Callable[[asyncio.Event], Awaitable[None]]] = [self.promiser.work]
        self.readers: list[FeedReader] = []
        for site in SITES:
            for number in range(EDITORS_A_SITE):
                client = ground.client(f"{seed}:{site}{number}")
                editor = Editor(client, site, f"s{seed}{site}{number}", self.record, ground.timeline)
                self._join(client, editor.work)
            client = ground.client(f"{seed}:{site}:publisher")
            publisher = Publisher(client, site, self.publications, ground.timeline, rows=rows)
            self._join(client, publisher.work)
            reader = FeedReader(ground.client(f"{seed}:{site}:feed"), site)
            self.readers.append(reader)
            self._join(reader.client, reader.work)

    def _join(self, client: Client, work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
        self.clients.append(client)
        self.works.append(work)
