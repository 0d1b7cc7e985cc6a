"""Which index answers a condition or a sort of a list, by what they are; whether it is built is known elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass

from scaicms.features.content import searching
from scaicms.features.content.filters import Used
from scaicms.features.content.ordering import Key
from scaicms.features.content.paths import COMPARISONS, MANY, Path
from scaicms.features.content_types.service import CompiledType, index_paths

_RANGES = ("eq", "in", "between", *COMPARISONS)


@dataclass(frozen=True, slots=True)
class Indexes:
    """The indexes of a type's fields: by the paths of the fields, and the paths by their names. Built ones alone."""

    paths: Mapping[str, str]
    wanted: frozenset[str]

    @classmethod
    def of_type(cls, content_type: CompiledType) -> "Indexes":
        """Those that the type calls for, as if all were built."""
        names = index_paths(content_type.id, content_type.fields.values())
        return cls(names, frozenset(names.values()))

    def of_field(self, path: str) -> tuple[str | None, str | None]:
        """The index of a field, or why there is none."""
        if path in self.paths.values():
            return path, None
        if path in self.wanted:
            return None, f"The index of {path} is being built."
        return None, f"{path} is not marked as indexed."


def index_of(used: Used, indexes: Indexes, *, drafts: bool) -> tuple[str | None, str | None]:
    """The index that finds a condition, or why none does."""
    path, operator = used.path, used.clause.operator
    if operator == searching.OPERATOR:
        return None, "The words of every item that the rest leaves are looked through; /search has an index."
    if used.negated or operator in ("ne", "nin"):
        return None, "What is not so is found by no index."
    if used.hop is not None:
        return _index_of_hop(used.hop, indexes, is_found=used.is_found, drafts=drafts)
    if path is None:
        return (
            ("terms", None) if used.clause.values != ("false",) else (None, "Only terms that are there have an index.")
        )
    if path.key is None:
        return _index_of_column(path.name, operator, drafts=drafts)
    return _index_of_data(path, operator, indexes, drafts=drafts)


def _index_of_hop(hop: str, indexes: Indexes, *, is_found: bool, drafts: bool) -> tuple[str | None, str | None]:
    index, reason = indexes.of_field(hop)
    if drafts:
        index, reason = None, "Relations of drafts have no index."
    elif index is not None and not is_found:
        index, reason = None, "Only eq and in, over one relation, begin with the targets."
    return index, f"{reason} The target of each row is looked up." if reason else None


def _index_of_data(path: Path, operator: str, indexes: Indexes, *, drafts: bool) -> tuple[str | None, str | None]:
    if path.kind in MANY or (operator in ("eq", "in") and (drafts or path.order is None)):
        return ("data", None) if operator != "exists" else (None, "Lists have an index for what is in them alone.")
    if operator in (*_RANGES, "exists") or (operator == "starts_with" and path.kind == "text"):
        return indexes.of_field(path.name) if not drafts else (None, "Fields of drafts have no index.")
    return None, f"No index finds {operator} in texts."


def _index_of_column(name: str, operator: str, *, drafts: bool) -> tuple[str | None, str | None]:
    if name in ("id", "slug") and operator in ("eq", "in"):
        return name, None
    if name == "published_at" and operator in _RANGES and not drafts:
        return name, None
    return None, f"There is no index of {name} for {operator}."


def index_of_sort(key: Key, indexes: Indexes, *, drafts: bool) -> tuple[str | None, str | None]:
    if drafts:
        return None, "Drafts are sorted anew."
    if key.name.startswith("data."):
        return indexes.of_field(key.name)
    if key.name == "published_at" and key.descending:
        return key.name, None
    return None, f"There is no index of {key.name} in this direction."
