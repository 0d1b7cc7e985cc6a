"""One stored row at a time: what a plan makes of it, and what is wrong with that."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asyncpg import Record

from scaicms.features.content_types import stored
from scaicms.features.content_types.changes import changes
from scaicms.features.content_types.compile import CompiledType
from scaicms.features.content_types.fields import FieldDefinition
from scaicms.features.content_types.reshaping import Reshaper, restored
from scaicms.features.content_types.stored import NewRow
from scaicms.infra.db.typed_rows import TypedRows
from scaicms.kit import json
from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.etags import versioned_etag


@dataclass(frozen=True, slots=True)
class Remade:
    """A row before and after; `errors` say why it cannot become what it should."""

    before: dict[str, Any]
    after: dict[str, Any]
    errors: Sequence[FieldError] = ()


class Remaker:
    """Rows of one type under a proposal; `undoing`: rows bring along what the undone change had made of them."""

    def __init__(
        self, old: CompiledType, new: CompiledType, proposal: Sequence[FieldDefinition], *, undoing: bool
    ) -> None:
        self._old, self._new, self._proposal, self._undoing = old, new, proposal, undoing
        self._public = new.without_private()
        self._reshaper = Reshaper(tuple(old.fields.values()), proposal)
        self._refers = old.has_relations or new.has_relations
        found = changes(tuple(old.fields.values()), proposal)
        self._names = {field.renamed_from: field.key for field in proposal if field.renamed_from is not None}
        self._touched = frozenset(change.new_key for change in found if not change.safe)

    def remake(self, table: TypedRows, row: Record) -> Remade:
        data, before, after = stored.decoded(row)
        reshaped = self._reshaper.reshape(data)
        if self._undoing and before is not None and after is not None:
            reshaped = restored(reshaped, self._proposal, (self._old.fields, data), (before, after))
        if not table.private:
            reshaped = self._new.public(reshaped)
        try:
            checked = (self._new if table.private else self._public).validate(reshaped, reshaped)
        except InvalidError as error:
            if table.past:
                return Remade(data, _without(reshaped, error.errors) if table.rendered else reshaped)
            # What did not fit before, in fields that the plan is not about, is not the plan's fault.
            return Remade(data, reshaped, [e for e in error.errors if e.pointer.split("/")[2] in self._touched])
        # A default is for new items and new fields, not for what somebody took away.
        return Remade(data, {key: value for key, value in checked.items() if key in reshaped})

    def new_row(self, table: TypedRows, row: Record, remade: Remade) -> NewRow:
        """The row as it waits to be exchanged."""
        key, stamp = row["key"], row["stamp"]
        body = self._body(row["body"], remade.after) if table.rendered else None
        if remade.after == remade.before and body == row["body"]:
            return NewRow(key, stamp)
        return NewRow(
            key,
            stamp,
            before=json.dumps_text(remade.before),
            after=json.dumps_text(remade.after),
            body=body,
            etag=versioned_etag(json.loads(body)["version"], body) if body is not None else None,
            references=self._references(remade.after) if table.references is not None and self._refers else None,
        )

    def _body(self, body: bytes, data: dict[str, Any]) -> bytes:
        document = json.loads(body)
        document["data"] = self._new.published(data)
        if "fallback_fields" in document:
            taken = {self._names.get(key, key): locale for key, locale in document["fallback_fields"].items()}
            document["fallback_fields"] = {key: locale for key, locale in taken.items() if key in data}
        if "unpublished" in document:
            document |= self._still_named(document.pop("unpublished"), data)
        return json.dumps(document)

    def _still_named(self, targets: Sequence[dict[str, str]], data: dict[str, Any]) -> dict[str, Any]:
        """What a document says of its unpublished targets, by the fields that lead to them now; nothing for none."""
        leads = {(leaf.top, str(target)) for leaf in self._new.leaves(data) for target in leaf.targets}
        named = [{**target, "field": self._names.get(target["field"], target["field"])} for target in targets]
        kept = [target for target in named if (target["field"], target["id"]) in leads]
        return {"unpublished": kept} if kept else {}

    def _references(self, data: dict[str, Any]) -> str:
        return json.dumps_text([[leaf.top, target] for leaf in self._new.leaves(data) for target in leaf.targets])


def _without(data: dict[str, Any], errors: Sequence[FieldError]) -> dict[str, Any]:
    """What can be rendered: values that do not fit their fields, of things long past, are left out."""
    wrong = {error.pointer.split("/")[2] for error in errors}
    return {key: value for key, value in data.items() if key not in wrong}
