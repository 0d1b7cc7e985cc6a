"""Three versions of a draft laid over each other, field by field: what both started from, what is stored, what is sent.

A field that only one of the two has changed is taken from that one. Components are merged field by field, those of a
list by their ids, as long as only one of the two has added, removed or moved any.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scaicms.features.content_types.service import CompiledType, FieldDefinition

Data = Mapping[str, Any]


@dataclass(slots=True)
class Merger:
    """Merges data of one type; `collisions` are JSON pointers (RFC 6901) into what was sent."""

    content_type: CompiledType
    collisions: list[str] = field(default_factory=list)

    def merge(self, base: Data, stored: Data, sent: Data, keys: Collection[str]) -> dict[str, Any]:
        """The merged values of these fields; where they collide, what is stored."""
        fields = [one for one in self.content_type.fields.values() if one.key in keys]
        return self._object(fields, base, stored, sent, "/data")

    def _object(
        self, fields: Iterable[FieldDefinition], base: Data, stored: Data, sent: Data, pointer: str
    ) -> dict[str, Any]:
        merged = {}
        for one in fields:
            versions = (base.get(one.key), stored.get(one.key), sent.get(one.key))
            value = self._value(one, *versions, f"{pointer}/{one.key}")
            if value is not None:
                merged[one.key] = value
        return merged

    def _value(self, one: FieldDefinition, base: Any, stored: Any, sent: Any, pointer: str) -> Any:
        if sent in (base, stored):
            return stored
        if stored == base:
            return sent
        if one.component_keys and isinstance(base, dict):
            return self._component(base, stored, sent, pointer)
        if one.component_keys and isinstance(base, list):
            return self._components(base, stored or [], sent or [], pointer)
        self.collisions.append(pointer)
        return stored

    def _component(self, base: Any, stored: Any, sent: Any, pointer: str) -> Any:
        if sent in (base, stored):
            return stored
        if stored == base:
            return sent
        if stored is None or sent is None or not _same(base, stored) or not _same(base, sent):
            self.collisions.append(pointer)
            return stored
        inside = self.content_type.components[base["_type"]].fields
        return {"_type": base["_type"], "_id": base["_id"], **self._object(inside, base, stored, sent, pointer)}

    def _components(self, base: list[Any], stored: list[Any], sent: list[Any], pointer: str) -> list[Any]:
        old, theirs, ours = _ids(base), _ids(stored), _ids(sent)
        if (old != theirs and old != ours and theirs != ours) or None in (*old, *theirs, *ours):
            self.collisions.append(pointer)
            return stored
        before, there, given = (dict(zip(_ids(all_), all_, strict=True)) for all_ in (base, stored, sent))
        merged = []
        # In the order of the one that moved any. Who removed one meets who changed it as a collision.
        for id_ in ours if old == theirs else theirs:
            place = f"{pointer}/{ours.index(id_)}" if id_ in given else pointer
            merged.append(self._component(before.get(id_), there.get(id_), given.get(id_), place))
        for id_ in old:
            if id_ not in there and id_ in given and given[id_] != before[id_]:
                self.collisions.append(f"{pointer}/{ours.index(id_)}")
            if id_ not in given and id_ in there and there[id_] != before[id_]:
                self.collisions.append(pointer)
        return merged


def _ids(elements: list[Any]) -> list[str | None]:
    """Ids of components; what was stored before components had any has none."""
    return [element.get("_id") for element in elements]


def _same(one: Data, other: Data) -> bool:
    """Whether two are versions of the same component."""
    return one.get("_id") == other.get("_id") is not None and one["_type"] == other["_type"]
