"""Lists over several locales: each item once, as the first locale of a chain has it that the caller may read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from scaicms.features.content.filters import Bound
from scaicms.kit.principal import Reach, Scope

_OWN = "EXISTS (SELECT 1 FROM items own WHERE own.id = d.item_id AND own.created_by = {owner})"


@dataclass(frozen=True, slots=True)
class Chain:
    """The locales of a list that are within the caller's reach, in order; in those of `owned`, what is their own."""

    locales: Sequence[str]
    owned: frozenset[str] = frozenset()
    owner_id: UUID | None = None
    fields: frozenset[str] | None = None
    """What is within reach in every row of the list; None is all."""

    @classmethod
    def of(cls, scope: Scope | None, type_key: str, locales: Sequence[str]) -> "Chain":
        if scope is None:
            return cls(locales)
        reaches: Mapping[str, Reach] = {
            locale: reach for locale in locales if (reach := scope.at(type_key, locale)) is not None
        }
        bounds = [reach.all_rows for reach in reaches.values() if reach.all_rows is not None]
        return cls(
            tuple(reaches),
            frozenset(locale for locale, reach in reaches.items() if not reach.others),
            scope.owner_id,
            frozenset.intersection(*bounds) if bounds else None,
        )

    def conditions(self, bound: Bound, *, drafts: bool) -> list[str]:
        """SQL on the row `d` of a list: that the item is read in the locale of this row."""
        own = _OWN.format(owner=bound.bind(self.owner_id)) if self.owned else ""
        if len(self.locales) == 1:
            return [f"d.locale = {bound.bind(self.locales[0])}", *([own] if own else [])]
        found = [f"d.locale = ANY({bound.bind(list(self.locales))}::text[])"]
        if own:
            found.append(f"(NOT d.locale = ANY({bound.bind(list(self.owned))}::text[]) OR {own})")
        order = bound.bind(list(self.locales))
        readable = f"(NOT b.locale = ANY({bound.bind(list(self.owned))}::text[]) OR {own})" if own else "true"
        found.append(
            f"""NOT EXISTS (SELECT 1 FROM {"entries" if drafts else "documents"} b
                WHERE b.item_id = d.item_id AND {readable}
                  AND array_position({order}::text[], b.locale::text)
                    < array_position({order}::text[], d.locale::text))"""
        )
        return found
