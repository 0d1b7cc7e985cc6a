"""Which changes of a content type are safe to apply at once: those that keep every stored item valid as it is."""

from collections.abc import Sequence
from typing import Any

from scaicms.features.content_types.fields import FieldDefinition

# Changing these never invalidates stored data.
_HARMLESS = frozenset({"label", "help", "searchable", "indexed", "default"})
_LOOSER_IF_LESS = ("min", "min_length")
_LOOSER_IF_MORE = ("max", "max_length")


def unsafe_changes(old: Sequence[FieldDefinition], new: Sequence[FieldDefinition]) -> list[str]:
    """Sentences about what would need a plan; empty when the change can be applied at once."""
    before = {field.key: field for field in old}
    after = {field.key: field for field in new}
    found = [f"field {key} is removed" for key in before if key not in after]
    for key, field in after.items():
        if key in before:
            found.extend(f"field {key}: {what}" for what in _tightened(before[key], field))
        elif field.required and field.default is None:
            found.append(f"field {key} is new and required, without a default")
    return found


def _tightened(old: FieldDefinition, new: FieldDefinition) -> list[str]:
    was, now = old.model_dump(), new.model_dump()
    return [name for name in was if name not in _HARMLESS and not _is_looser(name, was[name], now[name])]


def _is_looser(name: str, old: Any, new: Any) -> bool:
    if old == new:
        return True
    if name in ("required", "unique"):
        return bool(old and not new)
    if name in _LOOSER_IF_LESS:
        return new is None or (old is not None and new < old)
    if name in _LOOSER_IF_MORE:
        return new is None or (old is not None and new > old)
    if name == "options" and old is not None and new is not None:
        return set(old) <= set(new)
    return name == "pattern" and new is None
