"""Fields that become shared: which of the values of its locales an item keeps.

That is the value of the first locale that has one, the site's default before all. Rows that are what there is now get
it, each kind among themselves: drafts that of a draft, documents that of a document, which readers know already.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from asyncpg import Record

from scaicms.features.content_types import stored
from scaicms.features.content_types.fields import FieldDefinition
from scaicms.features.content_types.reshaping import moved_keys, source_of
from scaicms.infra.db.typed_rows import TypedRows
from scaicms.kit import json

Data = Mapping[str, Any]
Reshape = Callable[[TypedRows, Data, Data | None, Data | None], dict[str, Any]]


class Levelling:
    """What is levelled by a proposal; nothing by most. `order`: locales, the first that has a value gives it."""

    def __init__(
        self,
        old: Mapping[str, FieldDefinition],
        proposal: Sequence[FieldDefinition],
        order: Sequence[str],
        *,
        undone: Collection[str | None] = (),
    ) -> None:
        self.order = tuple(order)
        moved = moved_keys(proposal)
        found = {field.key: source_of(field, old, moved) for field in proposal if not field.localized}
        # Undoing a change brings back what each row had: what is shared comes back alike, also to locales added since.
        self.sources = {
            key: source
            for key, source in found.items()
            if (source is not None and old[source].localized) or key in undone
        }
        self._keys = sorted({*self.sources, *filter(None, self.sources.values())})

    def __bool__(self) -> bool:
        return bool(self.sources)

    def rows_a_page(self, usual: int) -> int:
        """Each row brings those of the item's other locales along."""
        return max(1, usual // max(1, len(self.order))) if self else usual

    async def leads(
        self, table: TypedRows, rows: Sequence[Record], undone: UUID | None, reshape: Reshape
    ) -> dict[tuple[UUID, str], dict[str, Any]]:
        """What the items of these rows have in the levelled fields from now on, by item and state."""
        found: dict[tuple[UUID, str], dict[str, Any]] = {}
        for state in {row["state"] for row in rows} - {None} if self else ():
            items = list({row["item_id"] for row in rows if row["state"] == state})
            mates = await stored.mates(table, state, items, self._keys, undone)
            for mate in sorted(mates, key=self._place):
                lead = found.setdefault((mate["item_id"], state), {})
                for key, value in self._own(table, mate, reshape).items():
                    lead.setdefault(key, value)
        return found

    def _place(self, mate: Record) -> tuple[int, str]:
        locale: str = mate["locale"]
        return (self.order.index(locale) if locale in self.order else len(self.order), locale)

    def _own(self, table: TypedRows, mate: Record, reshape: Reshape) -> dict[str, Any]:
        """The levelled fields that a row has of its own: neither by default nor from another locale."""
        data, before, after = stored.decoded(mate)
        taken = json.loads(mate["taken"]) if mate["taken"] is not None else {}
        own = {key: value for key, value in data.items() if key not in taken}
        reshaped = reshape(table, own, before, after)
        return {
            key: reshaped[key]
            for key, source in self.sources.items()
            if key in reshaped and (source in own or key in (before or ()))
        }
