"""What this process has delivered, kept to be delivered again.

An answer is kept until a notice says that something of its site has changed, and nothing is kept while notices do not
reach this process. Who may read an answer is none of its business: callers ask for what everybody without bounds gets.
"""

import contextlib
import hashlib
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from prometheus_client import Counter, Gauge

from scaicms.features.content.query_tree import Group
from scaicms.features.content.schemas import ListItems
from scaicms.features.content_types.service import TOPIC as CONTENT_TYPES
from scaicms.infra import db
from scaicms.infra.db.notices import Notices

DELIVERED = "delivered"
"""Topic of the notices that triggers send; the subject is the site (migration 0014)."""
ENTRY_BYTES = 900
"""What an answer takes beside its own bytes and names in its key: places in two tables, the objects around it."""
LARGEST_SHARE = 4
"""An answer that takes more than this part of all there is would push out too many others."""

_reads = Counter("scaicms_delivery_cache_reads", "Answers that were looked for among those kept", ["result"])
_hits, _misses = _reads.labels("hit"), _reads.labels("miss")
_bytes = Gauge("scaicms_delivery_cache_bytes", "What is kept of answers", multiprocess_mode="livesum")

AnswerT = TypeVar("AnswerT")
Key = tuple[object, ...]


def list_key(query: ListItems, tree: Group, locales: Sequence[str]) -> Key:
    """Of a list in these locales; of a few bytes, however long a query is."""
    asked = f"{query.model_dump(exclude={'locale', 'fallback'})}{tree}{locales}"
    return ("list", hashlib.blake2b(asked.encode(), digest_size=32).digest())


class Kept:
    """Answers by site and key, up to `limit` bytes; what was not asked for the longest goes first."""

    def __init__(self, notices: Notices, limit: int) -> None:
        self._notices = notices
        self._limit = limit if notices.hears_triggers else 0
        self._answers: OrderedDict[tuple[UUID, Key], tuple[Any, int]] = OrderedDict()
        self._of_site: defaultdict[UUID, set[Key]] = defaultdict(set)
        self._changes = 0
        self.size = 0
        if self._limit:
            notices.subscribe(DELIVERED, self._forget)
            # Compiled types are forgotten with this one, which may come later.
            notices.subscribe(CONTENT_TYPES, self._forget)

    async def read(
        self, site_id: UUID, key: Key, make: Callable[[], Awaitable[AnswerT]], size: Callable[[AnswerT], int]
    ) -> AnswerT:
        """The answer of this key, made if it is not there; `size` gives its bytes. What `make` raises is not kept."""
        # A transaction may see what it alone knows.
        if not self._limit or not self._notices.is_listening or db.in_open_transaction():
            return await make()
        place = (site_id, key)
        known = self._answers.get(place)
        if known is not None:
            self._answers.move_to_end(place)
            _hits.inc()
            answer: AnswerT = known[0]
            return answer
        _misses.inc()
        changes = self._changes
        answer = await make()
        # What changed while it was being made it may not show.
        if changes == self._changes and self._notices.is_listening:
            named = sum(len(part) for part in key if isinstance(part, str))
            self._keep(place, answer, size(answer) + named + ENTRY_BYTES)
        return answer

    def _keep(self, place: tuple[UUID, Key], answer: object, size: int) -> None:
        if place in self._answers or size > self._limit // LARGEST_SHARE:
            return
        self._answers[place] = (answer, size)
        self._of_site[place[0]].add(place[1])
        self._count(size)
        while self.size > self._limit:
            self._remove(next(iter(self._answers)))

    def _remove(self, place: tuple[UUID, Key]) -> None:
        site_id, key = place
        self._count(-self._answers.pop(place)[1])
        keys = self._of_site[site_id]
        keys.discard(key)
        if not keys:
            del self._of_site[site_id]

    def _count(self, size: int) -> None:
        self.size += size
        _bytes.inc(size)

    def _forget(self, subject: str | None) -> None:
        self._changes += 1
        sites = list(self._of_site)
        if subject is not None:
            with contextlib.suppress(ValueError):
                sites = [UUID(subject)]
        for site_id in sites:
            for key in list(self._of_site.get(site_id, ())):
                self._remove((site_id, key))
