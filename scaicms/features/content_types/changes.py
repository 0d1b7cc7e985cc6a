"""What a proposal changes, field by field, and what of it could lose or invalidate stored data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from scaicms.features.content_types.fields import COMPONENT_TYPES, FieldDefinition, all_components
from scaicms.features.content_types.reshaping import moved_keys, source_of

Op = Literal["add", "remove", "rename", "retype", "share", "tighten", "loosen"]

# Changing these never invalidates stored data.
_HARMLESS = frozenset({"label", "help", "searchable", "indexed", "indexed_within", "default"})
_ELSEWHERE = frozenset({"key", "type", "renamed_from", "components"})
_LOOSER_IF_LESS = ("min", "min_length")
_LOOSER_IF_MORE = ("max", "max_length")
# Pairs of types between which no value is lost.
_LOSSLESS = frozenset(
    {
        ("integer", "number"),
        ("date", "datetime"),
        ("relation", "relations"),
        ("asset", "assets"),
        ("component", "components"),
        ("component", "blocks"),
        ("components", "blocks"),
        ("select", "multiselect"),
        *((old, new) for old in ("select", "slug", "email", "url", "color", "string") for new in ("string", "text")),
        ("text", "markdown"),
        ("string", "markdown"),
    }
)


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one field; `field` is its path, through components: `body.quote.words`."""

    op: Op
    field: str
    destructive: bool
    """Whether values are given up."""
    safe: bool
    """Whether every stored value stays as it is and fits: the change needs no plan."""
    what: str
    old_key: str | None
    """Key in stored `data` (of the top level) that holds what the change is about."""
    new_key: str | None
    makes_unique: bool = False
    localized: bool = False
    """Whether each locale has a value of its own afterwards."""

    def __str__(self) -> str:
        return f"field {self.field}: {self.what}"


def changes(old: Sequence[FieldDefinition], new: Sequence[FieldDefinition]) -> list[Change]:
    """Everything that differs between the fields of a type and those proposed."""
    components = {component.key: component.fields for component in all_components(old)}
    return list(_Differ(components).differences(old, new, "", None))


@dataclass(frozen=True, slots=True)
class _Differ:
    components: Mapping[str, Sequence[FieldDefinition]]

    def differences(
        self,
        old: Sequence[FieldDefinition],
        new: Sequence[FieldDefinition],
        path: str,
        top: tuple[str | None, str | None] | None,
    ) -> Iterator[Change]:
        before = {field.key: field for field in old}
        moved = moved_keys(new)
        sources = {field.key: source_of(field, before, moved) for field in new}
        for key in before.keys() - set(sources.values()):
            yield Change("remove", path + key, True, False, "is removed", *(top or (key, None)))
        for field in new:
            source = sources[field.key]
            keys = top or (source, field.key)
            if source is None:
                must = field.required and field.default is None
                what = "is new and required, without a default" if must else "is new"
                yield Change("add", path + field.key, False, not must, what, *keys)
                yield from self._inside(field, path + field.key, keys)
                continue
            yield from _between(before[source], field, path, keys)
            yield from self._inside(field, path + field.key, keys)

    def _inside(self, field: FieldDefinition, path: str, keys: tuple[str | None, str | None]) -> Iterator[Change]:
        """Changes of components: of those that the type had already, wherever it had them."""
        for component in field.components or ():
            if component.key in self.components:
                known = self.components[component.key]
                yield from self.differences(known, component.fields, f"{path}.{component.key}.", keys)


def _between(
    old: FieldDefinition, new: FieldDefinition, path: str, keys: tuple[str | None, str | None]
) -> Iterator[Change]:
    where = path + new.key
    if old.key != new.key:
        yield Change("rename", where, False, False, f"was called {old.key}", *keys)
    shares = old.localized and not new.localized
    if shares:
        # What is lost by it the stored values tell.
        what = "has one value for all locales of an item"
        yield Change("share", where, False, False, what, *keys, new.unique, False)
    if old.type != new.type:
        lossless = (old.type, new.type) in _LOSSLESS
        unique = new.unique and not old.unique and not shares
        yield Change(
            "retype", where, not lossless, False, f"becomes {new.type} after {old.type}", *keys, unique, new.localized
        )
        return
    was, now = _options(old), _options(new)
    if shares:
        now["localized"] = was["localized"]
    tightened = [name for name in was if name not in _HARMLESS and not _is_looser(name, was[name], now[name])]
    if tightened:
        unique = "unique" in tightened and not shares
        yield Change("tighten", where, False, False, ", ".join(tightened), *keys, unique, new.localized)
    other = [name for name in was if was[name] != now[name] and name not in tightened]
    if other:
        yield Change("loosen", where, False, True, ", ".join(other), *keys)


def _options(field: FieldDefinition) -> dict[str, Any]:
    options = {name: value for name, value in field if name not in _ELSEWHERE}
    if field.type in COMPONENT_TYPES:
        options["allowed"] = frozenset(field.component_keys)
    return options


def _is_looser(name: str, old: Any, new: Any) -> bool:
    if old == new:
        return True
    if name in ("required", "unique"):
        return bool(old and not new)
    if name in _LOOSER_IF_LESS:
        return new is None or (old is not None and new < old)
    if name in _LOOSER_IF_MORE:
        return new is None or (old is not None and new > old)
    if name in ("options", "allowed", "accept") and old is not None and new is not None:
        return set(old) <= set(new)
    return (name in ("pattern", "accept") and new is None) or (name == "localized" and bool(new))
