"""What an export could say that no save could have made: it may have been edited, or be of another site."""

import sqlite3
from collections.abc import Iterable, Iterator
from uuid import UUID

from scaicms.features.assets.service import known_assets
from scaicms.features.content import drafts, restore_repository
from scaicms.features.content.exported import ItemLine
from scaicms.features.content.records import Item
from scaicms.features.content_types.service import CompiledType, ContentTypeService, Leaf
from scaicms.kit import json
from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.sites import Site

VALUES = 100
"""Items whose values are looked at at a time."""
UNSURE = ""
"""The type of an item of which the lines of a file disagree: none."""


class TypesInFile:
    """How many lines a file has, and of which types they say that items are: on disk, as there may be millions."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self.lines = 0
        self._db = sqlite3.connect("", check_same_thread=False)  # a file of its own that goes with the connection
        self._db.execute("CREATE TABLE items (id BLOB PRIMARY KEY, type TEXT) WITHOUT ROWID")
        self._db.executemany(
            "INSERT INTO items VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET type = iif(type = excluded.type, type, ?)",
            self._said(lines),
        )

    def _said(self, lines: Iterable[bytes]) -> Iterator[tuple[bytes, str, str]]:
        for raw in lines:
            self.lines += 1
            try:
                line = json.loads(raw)
                if line["kind"] == "item":
                    yield UUID(line["id"]).bytes, str(line["type"]), UNSURE
            except (ValueError, TypeError, KeyError, AttributeError):
                continue  # its turn will come

    def get(self, item_id: UUID) -> str | None:
        """None where no line is about the item."""
        row = self._db.execute("SELECT type FROM items WHERE id = ?", (item_id.bytes,)).fetchone()
        return None if row is None else str(row[0])

    def close(self) -> None:
        self._db.close()


def check_stage(content_type: CompiledType, stage: str | None) -> None:
    """Refuse a stage that the workflow of the type does not have. Without a workflow it is what is left of one."""
    workflow = content_type.workflow
    if workflow is not None and stage is not None and workflow.find(stage) is None:
        known = ", ".join(one.key for one in workflow.stages)
        wrong = FieldError("/stage", "unknown_stage", f"{content_type.key} has the stages {known}.")
        raise InvalidError(errors=[wrong])


def check_shared(content_type: CompiledType, versions: list[Item]) -> None:
    """Refuse drafts that differ in what all locales of an item share. What is published of them may differ."""
    first, errors = versions[0], []
    for number, version in enumerate(versions[1:], start=1):
        for key in content_type.fields.keys() - content_type.localized_keys:
            if version.data.get(key) != first.data.get(key):
                message = f"All locales share this field, and {first.locale} has another value."
                errors.append(FieldError(f"/entries/{number}/data/{key}", "shared_differs", message))
    if errors:
        raise InvalidError(errors=sorted(errors, key=lambda error: error.pointer))


async def check_targets(
    site: Site, line: ItemLine, versions: list[Item], shown: list[Item | None], in_file: TypesInFile
) -> None:
    """Refuse targets of another type than the relation's, be they there, in the trash, or to come with another line.
    Those that are nowhere are told at the end."""
    wanted = list(_wanted(versions, shown))
    targets = list({target for _, _, target in wanted})
    there = await restore_repository.types_of(site.id, targets) if wanted else {}
    assets = await known_assets(site.id, targets) if any(leaf.field.target is None for _, leaf, _ in wanted) else {}
    errors = []
    for pointer, leaf, target in wanted:
        if leaf.field.target is None:
            if target in assets and (wrong := drafts.refusal(leaf, assets[target])):
                errors.append(FieldError(f"{pointer}{leaf.pointer}", *wrong))
            continue
        type_ = line.type if target == line.id else there.get(target) or in_file.get(target)
        if type_ is not None and type_ != leaf.field.target:
            # What it is instead is not for everybody who takes an export in.
            message = f"There is no {leaf.field.target} with the id {target}, on this site or to come with this file."
            errors.append(FieldError(f"{pointer}{leaf.pointer}", "unknown_target", message))
    if errors:
        raise InvalidError("The data points to items that cannot be its targets.", errors=errors)


def _wanted(versions: list[Item], shown: list[Item | None]) -> Iterator[tuple[str, Leaf, UUID]]:
    for number, (version, published) in enumerate(zip(versions, shown, strict=True)):
        for leaf, target in drafts.references(version):
            yield f"/entries/{number}/data", leaf, target
        if published is not None and published.data is not version.data:
            for leaf, target in drafts.references(published):
                yield f"/entries/{number}/published/data", leaf, target


async def check_pointing(types: ContentTypeService, site: Site, line: ItemLine) -> None:
    """Refuse an item in the place of a lost one that others point to as one of another type."""
    for row in await restore_repository.pointing(site.id, line.id):
        pointing, key = await types.compiled(site.id, row["type"]), row["field"]
        possible = _targets(pointing, key)
        if possible == {line.type}:
            continue
        if line.type not in possible or await _points_otherwise(pointing, key, line):
            message = f"Items of {pointing.key} point to it by {key} as one of another type."
            raise InvalidError(errors=[FieldError("/type", "wrong_type", message)])


def _targets(content_type: CompiledType, key: str) -> set[str]:
    """The types of what a field can lead to, itself or by its components."""
    fields = [content_type.fields[key]] if key in content_type.fields else []
    seen, found = set[str](), set[str]()
    while fields:
        field = fields.pop()
        if field.target is not None:
            found.add(field.target)
        new = set(field.component_keys) - seen
        seen |= new
        fields += [inner for component in new for inner in content_type.components[component].fields]
    return found


async def _points_otherwise(pointing: CompiledType, key: str, line: ItemLine) -> bool:
    """Whether any value of a field of components leads to the item by a relation to another type."""
    after = UUID(int=0)
    while rows := await restore_repository.values(pointing.id, key, line.id, after=after, limit=VALUES):
        after = rows[-1]["item_id"]
        for row in rows:
            leaves = pointing.leaves({key: json.loads(row["value"])})
            if any(line.id in _items(leaf) and leaf.field.target != line.type for leaf in leaves):
                return True
    return False


def _items(leaf: Leaf) -> set[UUID]:
    return {one.target for one in leaf.pointers if not one.asset}
