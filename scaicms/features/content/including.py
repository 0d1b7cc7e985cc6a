"""`include=author,author.avatar`: what is published of relations' targets, beside the items. One query a level."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from asyncpg import Record

from scaicms.features.content.current import TypeChangedError, current_sql
from scaicms.features.content.paths import Bound
from scaicms.features.content.projecting import Projection, project
from scaicms.features.content.targets import MAX_HOPS, Target, Targets
from scaicms.infra import db
from scaicms.kit import json
from scaicms.kit.errors import BadRequestError
from scaicms.kit.sites import Site

MAX_PATHS = 20
MAX_INCLUDED = 1_000
"""Documents beside one answer."""

Place = tuple[UUID, str]
"""An item in a locale."""
Cut = Callable[[bytes], bytes | None]


class IncludeError(BadRequestError):
    code = "invalid_include"


@dataclass(frozen=True, slots=True)
class Step:
    """One relation to follow from what `before` found; None: from the items themselves."""

    before: str | None
    path: str
    key: str
    source: Target
    target: Target

    def select(self, number: int, ids: str, locales: str, table: str) -> str:
        """SQL of the ids that the relation holds in these rows, numbered."""
        # Keys match KEY_PATTERN, so they cannot end the literal.
        value, source = f"p.data->>'{self.key}'", f"unnest({ids}::uuid[], {locales}::text[]) AS x(item_id, locale)"
        source += f" JOIN {table} p ON p.item_id = x.item_id AND p.locale = x.locale"
        if self.source.content_type.fields[self.key].type == "relations":
            value, source = "r.id", f"{source} CROSS JOIN LATERAL jsonb_array_elements_text(p.data->'{self.key}') r(id)"
        same_type = f"WHERE p.type_id = '{self.source.content_type.id}'" if self.before is not None else ""
        return f"SELECT {number} AS step, ({value})::uuid AS id FROM {source} {same_type}"


@dataclass(slots=True)
class Included:
    """Documents by id with their locales, and by which path each was found."""

    bodies: dict[UUID, bytes] = field(default_factory=dict)
    locales: dict[UUID, str] = field(default_factory=dict)
    found: dict[str, set[UUID]] = field(default_factory=dict)

    def project(self, wanted: Projection) -> None:
        """Leave of each document the members that are wanted along the paths by which it was found."""
        if len(wanted.members) < 2:  # It is about the items alone.
            return
        paths: dict[UUID, list[str]] = {}
        for path, ids in self.found.items():
            for item_id in ids:
                paths.setdefault(item_id, []).append(path)
        for item_id, ways in paths.items():
            if all(way in wanted.members for way in ways):
                names = list(dict.fromkeys(name for way in ways for name in wanted.members[way]))
                self.bodies[item_id] = json.dumps(project(json.loads(self.bodies[item_id]), names))

    def member(self) -> bytes:
        """As a member of the answer's object."""
        return b'"included":{' + b",".join(b'"%s":%s' % (str(i).encode(), b) for i, b in self.bodies.items()) + b"}"


async def plan(include: str, root: Target, targets: Targets) -> list[list[Step]]:
    """The steps of each level.

    Raises:
        IncludeError: a path is no way of relations, or there are too many, or it is too long.
        FieldForbiddenError: a path leads out of the caller's reach.
    """
    paths = include.split(",")
    if len(paths) > MAX_PATHS:
        raise IncludeError(f"include: at most {MAX_PATHS} paths.")
    steps: dict[str, Step] = {}
    for path in paths:
        keys = path.split(".")
        if len(keys) > MAX_HOPS:
            raise IncludeError(f"include: {path} is deeper than {MAX_HOPS} relations.")
        source, before = root, None
        for depth, key in enumerate(keys, 1):
            here = ".".join(keys[:depth])
            if here not in steps:
                target = await targets.behind(source, key, here)
                if target is None:
                    raise _unknown(source, here)
                steps[here] = Step(before, here, key, source, target)
            source, before = steps[here].target, here
    levels: list[list[Step]] = [[] for _ in range(MAX_HOPS)]
    for step in steps.values():
        levels[step.path.count(".")].append(step)
    return [level for level in levels if level]


def by_path(levels: Iterable[Sequence[Step]]) -> dict[str, Target]:
    """What each path of `include=` leads to."""
    return {step.path: step.target for level in levels for step in level}


def _unknown(source: Target, path: str) -> IncludeError:
    prefix = path.rpartition(".")[0]
    known = [f"{prefix}.{f.key}" if prefix else f.key for f in source.relations()]
    leads = f"Known: {', '.join(known)}." if known else f"{source.content_type.key} has no relations."
    return IncludeError(f"include: there is no relation {path}. {leads}")


async def fetch(
    reads: db.ReadPool,
    site: Site,
    locales: Sequence[str],
    items: Sequence[Place],
    levels: Iterable[Sequence[Step]],
    *,
    cut: Cut | None,
    documents: str,
    drafts: bool,
) -> Included:
    """What `levels` lead to from these items, each in the first of the locales that has it. `cut` gives of a document
    what the caller may read; None: all of it. `documents` is where they are found; with `drafts` the items' relations
    are those of their drafts.

    Raises:
        IncludeError: there are more documents than one answer holds.
        TypeChangedError: a type has other relations by now.
    """
    included = Included()
    for level in levels:
        bound, selects = Bound(3), []
        for number, step in enumerate(level):
            places = items
            if step.before is not None:
                places = [(item_id, included.locales[item_id]) for item_id in included.found[step.before]]
            table = "entries" if drafts and step.before is None else documents
            ids, own = bound.bind([place[0] for place in places]), bound.bind([place[1] for place in places])
            selects.append(step.select(number, ids, own, table))
        # Where rights differ by locale, the caller's first is known when its bytes are.
        sql = _level_sql(selects, documents, several=len(locales) > 1, distinct=cut is None)
        sql = f"{sql} UNION ALL SELECT NULL, NULL, NULL, NULL WHERE NOT {_current(level)}"
        rows = await reads.fetch(sql, list(locales), site.id, list(included.bodies), *bound.arguments)
        if rows and rows[-1]["item_id"] is None:
            raise TypeChangedError
        _add(included, level, rows, cut)
    return included


def _current(level: Sequence[Step]) -> str:
    return current_sql(one.content_type for step in level for one in (step.source, step.target))


def _level_sql(selects: Sequence[str], documents: str, *, several: bool, distinct: bool) -> str:
    first = "DISTINCT ON (d.item_id)" if distinct and several else ""
    order = "ORDER BY d.item_id, array_position($1::text[], d.locale::text)" if several else ""
    return f"""(WITH wanted AS (SELECT id, array_agg(DISTINCT step) AS steps
                               FROM ({" UNION ALL ".join(selects)}) s GROUP BY id)
               SELECT {first} d.item_id, d.locale, w.steps,
                      CASE WHEN d.item_id <> ALL($3::uuid[]) THEN d.body END AS body
               FROM wanted w JOIN {documents} d ON d.item_id = w.id AND d.locale = ANY($1::text[]) AND d.site_id = $2
               {order} LIMIT {MAX_INCLUDED + 1})"""


def _add(included: Included, level: Sequence[Step], rows: Sequence[Record], cut: Cut | None) -> None:
    included.found.update({step.path: set() for step in level})
    for row in rows:
        item_id, body = row["item_id"], row["body"]
        if body is not None and item_id not in included.bodies:
            body = cut(body) if cut is not None else body
            if body is None:
                continue
            included.bodies[item_id], included.locales[item_id] = body, row["locale"]
        for number in row["steps"]:
            included.found[level[number].path].add(item_id)
    if len(rows) > MAX_INCLUDED or len(included.bodies) > MAX_INCLUDED:
        raise IncludeError(f"include: more than {MAX_INCLUDED} documents; ask for fewer items or paths at once.")


def beside(body: bytes, included: Included) -> bytes:
    """An object's JSON with what is included as its last member."""
    return b"%s,%s}" % (body[:-1], included.member())
