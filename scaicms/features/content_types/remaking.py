"""One stored row at a time: what a plan makes of it, and what is wrong with that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from asyncpg import Record

from scaicms.features.content_types import stored
from scaicms.features.content_types.changes import changes
from scaicms.features.content_types.compile import CompiledType
from scaicms.features.content_types.data import check_data, markdown_texts, republish_data
from scaicms.features.content_types.fields import ASSET_TYPES, COMPONENT_TYPES, RELATION_TYPES, FieldDefinition
from scaicms.features.content_types.levelling import Data, Levelling
from scaicms.features.content_types.reshaping import Reshaper, restored
from scaicms.features.content_types.stored import NewRow
from scaicms.infra.db.typed_rows import TypedRows
from scaicms.kit import json
from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.etags import versioned_etag
from scaicms.kit.turns import in_turns

# Where the backup of a document keeps what it had taken from other locales; no field is called so.
TAKEN = "$fallback_fields"


@dataclass(frozen=True, slots=True)
class Remade:
    """A row before and after; `errors` say why it cannot become what it should.

    `levelled` are fields whose value is that of another locale now, `lost` those of them that had another of their own.
    """

    before: dict[str, Any]
    after: dict[str, Any]
    errors: Sequence[FieldError] = ()
    levelled: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    taken: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {})
    """What a document shows of other locales, before and after."""


class Remaker:
    """Rows of one type under a proposal; `undone`: the plan that is undone, rows bring along what it had made of them.
    `order`: locales, the first of which gives all of an item what they share from now on."""

    def __init__(
        self,
        old: CompiledType,
        new: CompiledType,
        proposal: Sequence[FieldDefinition],
        *,
        undone: UUID | None,
        order: Sequence[str],
    ) -> None:
        self._old, self._new, self._proposal, self._undone = old, new, proposal, undone
        self._public = new.without_private()
        self._reshaper = Reshaper(tuple(old.fields.values()), proposal)
        found = changes(tuple(old.fields.values()), proposal)
        # Of all rows or of none, also of those that stay as they are: a text may have become the id that it always was,
        # and what an item points to is exchanged for all of its locales together.
        moved = [change for change in found if undone is not None or change.op not in ("tighten", "loosen")]
        self._repoints = any(_may_point(old, one.old_key) or _may_point(new, one.new_key) for one in moved)
        self._names = {field.renamed_from: field.key for field in proposal if field.renamed_from is not None}
        self._touched = frozenset(change.new_key for change in found if not change.safe)
        again = {*self._touched, *(change.new_key for change in found if change.op == "add")}
        self.levelling = Levelling(old.fields, proposal, order, undone=again if undone is not None else ())

    @property
    def levelled_in_public(self) -> list[str]:
        return sorted(self.levelling.sources.keys() & self._public.fields.keys())

    async def page(
        self, table: TypedRows, plan_id: UUID, *, after: str | None, limit: int
    ) -> list[tuple[Record, Remade]]:
        """The next rows that the plan has not seen as they are now, remade."""
        rows = await stored.page(
            table, self._old.id, plan_id, self._undone, after=after, limit=limit, levels=bool(self.levelling)
        )
        leads = await self.levelling.leads(table, rows, self._undone, self._reshaped)
        return [
            (row, await self._remake(table, row, leads.get((row["item_id"], row["state"]))))
            async for row in in_turns(rows)
        ]

    async def _remake(self, table: TypedRows, row: Record, lead: Data | None) -> Remade:
        data, before, after = stored.decoded(row)
        reshaped = self._reshaped(table, data, before, after)
        may_have_taken = table.rendered and b'"fallback_fields"' in row["body"]
        taken: dict[str, str] = json.loads(row["body"]).get("fallback_fields", {}) if may_have_taken else {}
        made = Remade(data, reshaped)
        if lead is not None:
            made = self._level(made, lead, taken)
        if table.rendered:
            made = replace(made, taken=(taken, self._taken(taken, made, before, level=lead is not None)))
        return await self._checked(table, made)

    def _reshaped(self, table: TypedRows, data: Data, before: Data | None, after: Data | None) -> dict[str, Any]:
        reshaped = self._reshaper.reshape(data)
        if self._undone is not None and before is not None and after is not None:
            reshaped = restored(reshaped, self._proposal, (self._old.fields, data), (before, after))
        return reshaped if table.private else self._new.public(reshaped)

    def _level(self, made: Remade, lead: Data, taken: Mapping[str, str]) -> Remade:
        own, after = made.after, dict(made.after)
        for key, source in self.levelling.sources.items():
            if key in lead:
                after[key] = lead[key]
            elif source in taken:
                after.pop(key, None)
        levelled = frozenset(key for key in self.levelling.sources if own.get(key) != after.get(key))
        lost = frozenset(key for key in levelled & own.keys() if self.levelling.sources[key] not in taken)
        return replace(made, after=after, levelled=levelled, lost=lost)

    def _taken(self, taken: Mapping[str, str], made: Remade, before: Data | None, *, level: bool) -> dict[str, str]:
        """What a document shows of other locales: nothing in fields that they share, and again what it did before the
        change that is undone."""
        now = {self._names.get(key, key): locale for key, locale in taken.items()}
        for key, locale in ((before or {}).get(TAKEN) or {}).items():
            if key in self._new.localized_keys and before is not None and made.after.get(key) == before.get(key):
                now[key] = locale
        shared = self.levelling.sources if level else ()
        return {key: locale for key, locale in now.items() if key in made.after and key not in shared}

    async def _checked(self, table: TypedRows, made: Remade) -> Remade:
        reshaped = made.after
        try:
            content_type = self._new if table.private else self._public
            known = markdown_texts(self._old, made.before)
            checked = await check_data(content_type, reshaped, reshaped, known=known)
        except InvalidError as error:
            if table.past:
                return replace(made, after=_without(reshaped, error.errors) if table.rendered else reshaped)
            # What did not fit before, in fields that the plan is not about, is not the plan's fault.
            return replace(made, errors=[e for e in error.errors if e.pointer.split("/")[2] in self._touched])
        # A default is for new items and new fields, not for what somebody took away.
        return replace(made, after={key: value for key, value in checked.items() if key in reshaped})

    async def new_row(self, table: TypedRows, row: Record, remade: Remade) -> NewRow:
        """The row as it waits to be exchanged."""
        key, stamp = row["key"], row["stamp"]
        body = await self._body(row["body"], remade) if table.rendered else None
        # Also of what stays as it is: a text may have become the id that it always was, and what an item points to is
        # exchanged for all of its locales together.
        references = self._references(remade.after) if table.references is not None and self._repoints else None
        if remade.after == remade.before and body == row["body"]:
            return NewRow(key, stamp, references=references)
        return NewRow(
            key,
            stamp,
            before=json.dumps_text({**remade.before, TAKEN: remade.taken[0]} if remade.taken[0] else remade.before),
            after=json.dumps_text(remade.after),
            body=body,
            etag=versioned_etag(json.loads(body)["version"], body) if body is not None else None,
            references=references,
        )

    async def _body(self, body: bytes, remade: Remade) -> bytes:
        document, data = json.loads(body), remade.after
        document["data"] = await republish_data(self._new, data)
        document.pop("fallback_fields", None)
        if taken := {key: locale for key, locale in remade.taken[1].items() if key in data}:
            document["fallback_fields"] = taken
        if "unpublished" in document:
            document |= self._still_named(document.pop("unpublished"), data)
        return json.dumps(document)

    def _still_named(self, targets: Sequence[dict[str, str]], data: dict[str, Any]) -> dict[str, Any]:
        """What a document says of its unpublished targets, by the fields that lead to them now; nothing for none."""
        leads = {(leaf.top, str(one.target)) for leaf in self._new.leaves(data) for one in leaf.pointers}
        named = [{**target, "field": self._names.get(target["field"], target["field"])} for target in targets]
        kept = [target for target in named if (target["field"], target["id"]) in leads]
        return {"unpublished": kept} if kept else {}

    def _references(self, data: dict[str, Any]) -> str:
        return json.dumps_text([[leaf.top, *one] for leaf in self._new.leaves(data) for one in leaf.pointers])


def _may_point(content_type: CompiledType, key: str | None) -> bool:
    field = content_type.fields.get(key) if key is not None else None
    return field is not None and field.type in RELATION_TYPES | ASSET_TYPES | COMPONENT_TYPES


def _without(data: dict[str, Any], errors: Sequence[FieldError]) -> dict[str, Any]:
    """What can be rendered: values that do not fit their fields, of things long past, are left out."""
    wrong = {error.pointer.split("/")[2] for error in errors}
    return {key: value for key, value in data.items() if key not in wrong}
