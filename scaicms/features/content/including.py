"""`include=author,author.avatar`: what is published of relations' targets, and assets, beside the items.

One query a level of relations, and one for all assets.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from asyncpg import Record

from scaicms.features.assets.service import among_sql, shown_row
from scaicms.features.content.current import TypeChangedError, current_sql
from scaicms.features.content.paths import Bound
from scaicms.features.content.projecting import Projection, project
from scaicms.features.content.targets import MAX_HOPS, Target, Targets
from scaicms.infra import db
from scaicms.kit import json
from scaicms.kit.errors import BadRequestError
from scaicms.kit.sites import Site
from scaicms.kit.turns import in_turns

MAX_PATHS = 20
MAX_INCLUDED = 1_000
"""Documents beside one answer."""

MANY = ("relations", "assets")

Place = tuple[UUID, str]
"""An item in a locale."""
Cut = Callable[[bytes], bytes | None]


class IncludeError(BadRequestError):
    code = "invalid_include"


@dataclass(frozen=True, slots=True)
class Step:
    """One field to follow from what `before` found; None: from the items themselves. `target` None: to assets."""

    before: str | None
    path: str
    key: str
    source: Target
    target: Target | None

    def select(self, number: int, ids: str, locales: str, table: str) -> str:
        """SQL of the ids that the field holds in these rows, numbered."""
        # Keys match KEY_PATTERN, so they cannot end the literal.
        value, source = f"p.data->>'{self.key}'", f"unnest({ids}::uuid[], {locales}::text[]) AS x(item_id, locale)"
        source += f" JOIN {table} p ON p.item_id = x.item_id AND p.locale = x.locale"
        if self.source.content_type.fields[self.key].type in MANY:
            value, source = "r.id", f"{source} CROSS JOIN LATERAL jsonb_array_elements_text(p.data->'{self.key}') r(id)"
        same_type = f"WHERE p.type_id = '{self.source.content_type.id}'" if self.before is not None else ""
        return f"SELECT {number} AS step, ({value})::uuid AS id FROM {source} {same_type}"


@dataclass(slots=True)
class Included:
    """Documents by id with their locales, and by which path each was found."""

    bodies: dict[UUID, bytes] = field(default_factory=dict)
    locales: dict[UUID, str] = field(default_factory=dict)
    found: dict[str, set[UUID]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return sum(map(len, self.bodies.values()))

    async def project(self, wanted: Projection) -> None:
        """Leave of each document the members that are wanted along the paths by which it was found."""
        if len(wanted.members) < 2:  # It is about the items alone.
            return
        paths: dict[UUID, list[str]] = {}
        for path, ids in self.found.items():
            for item_id in ids:
                paths.setdefault(item_id, []).append(path)
        async for item_id, ways in in_turns(paths.items()):
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
                steps[here] = Step(before, here, key, source, await _behind(targets, source, key, here))
            target = steps[here].target
            if target is None and depth < len(keys):
                raise IncludeError(f"include: {here} is an asset; nothing lies behind it.")
            source, before = target or source, here
    levels: list[list[Step]] = [[] for _ in range(MAX_HOPS)]
    for step in steps.values():
        levels[step.path.count(".")].append(step)
    return [level for level in levels if level]


def by_path(levels: Iterable[Sequence[Step]]) -> dict[str, Target]:
    """What each path of `include=` leads to, but for assets, which are always whole."""
    return {step.path: step.target for level in levels for step in level if step.target is not None}


async def _behind(targets: Targets, source: Target, key: str, path: str) -> Target | None:
    """What a relation leads to; None for assets."""
    if targets.leads_to_assets(source, key, path):
        return None
    target = await targets.behind(source, key, path)
    if target is None:
        raise _unknown(source, path)
    return target


def _unknown(source: Target, path: str) -> IncludeError:
    prefix = path.rpartition(".")[0]
    known = [f"{prefix}.{f.key}" if prefix else f.key for f in source.ways()]
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
    ways = _Ways(items, included, documents, drafts)
    for level in levels:
        relations = [step for step in level if step.target is not None]
        if not relations:
            continue
        bound = Bound(3)
        selects = ways.selects(relations, bound)
        # Where rights differ by locale, the caller's first is known when its bytes are.
        sql = _level_sql(selects, documents, several=len(locales) > 1, distinct=cut is None)
        sql = f"{sql} UNION ALL SELECT NULL, NULL, NULL, NULL WHERE NOT {_current(relations)}"
        rows = await reads.fetch(sql, list(locales), site.id, list(included.bodies), *bound.arguments)
        if rows and rows[-1]["item_id"] is None:
            raise TypeChangedError
        await _add(included, relations, rows, cut)
    assets = [step for level in levels for step in level if step.target is None]
    if assets:
        await _add_assets(reads, site, locales, assets, ways, included)
    return included


@dataclass(frozen=True, slots=True)
class _Ways:
    """From where steps set out."""

    items: Sequence[Place]
    included: Included
    documents: str
    drafts: bool

    def selects(self, steps: Sequence[Step], bound: Bound) -> list[str]:
        """For each step SQL of the ids that it leads to."""
        found = []
        for number, step in enumerate(steps):
            places = self.items
            if step.before is not None:
                at = self.included.locales
                places = [(item_id, at[item_id]) for item_id in self.included.found[step.before]]
            table = "entries" if self.drafts and step.before is None else self.documents
            ids, own = bound.bind([place[0] for place in places]), bound.bind([place[1] for place in places])
            found.append(step.select(number, ids, own, table))
        return found


async def _add_assets(
    reads: db.ReadPool,
    site: Site,
    locales: Sequence[str],
    steps: Sequence[Step],
    ways: _Ways,
    included: Included,
) -> None:
    """Assets as they are now, whenever the items were so."""
    bound = Bound(1)
    ids = f"SELECT id FROM ({' UNION ALL '.join(ways.selects(steps, bound))}) s"
    found = among_sql(ids, "$1", MAX_INCLUDED + 1)
    # One row at least, which tells whether the fields are still those.
    sql = f"SELECT c.current, x.* FROM (SELECT {_current(steps)} AS current) c LEFT JOIN ({found}) x ON true"
    rows = await reads.fetch(sql, site.id, *bound.arguments)
    if not rows[0]["current"]:
        raise TypeChangedError
    chain = site.chain(locales[0])
    for row in rows:
        if row["id"] is not None:
            included.bodies[row["id"]] = json.dumps(shown_row(row, chain))
    _require_few(included)


def _current(level: Sequence[Step]) -> str:
    return current_sql(one.content_type for step in level for one in (step.source, step.target) if one is not None)


def _level_sql(selects: Sequence[str], documents: str, *, several: bool, distinct: bool) -> str:
    first = "DISTINCT ON (d.item_id)" if distinct and several else ""
    order = "ORDER BY d.item_id, array_position($1::text[], d.locale::text)" if several else ""
    return f"""(WITH wanted AS (SELECT id, array_agg(DISTINCT step) AS steps
                               FROM ({" UNION ALL ".join(selects)}) s GROUP BY id)
               SELECT {first} d.item_id, d.locale, w.steps,
                      CASE WHEN d.item_id <> ALL($3::uuid[]) THEN d.body END AS body
               FROM wanted w JOIN {documents} d ON d.item_id = w.id AND d.locale = ANY($1::text[]) AND d.site_id = $2
               {order} LIMIT {MAX_INCLUDED + 1})"""


async def _add(included: Included, level: Sequence[Step], rows: Sequence[Record], cut: Cut | None) -> None:
    included.found.update({step.path: set() for step in level})
    async for row in in_turns(rows):
        item_id, body = row["item_id"], row["body"]
        if body is not None and item_id not in included.bodies:
            body = cut(body) if cut is not None else body
            if body is None:
                continue
            included.bodies[item_id], included.locales[item_id] = body, row["locale"]
        for number in row["steps"]:
            included.found[level[number].path].add(item_id)
    _require_few(included, len(rows))


def _require_few(included: Included, rows: int = 0) -> None:
    if max(rows, len(included.bodies)) > MAX_INCLUDED:
        raise IncludeError(f"include: more than {MAX_INCLUDED} documents; ask for fewer items or paths at once.")


def beside(body: bytes, included: Included) -> bytes:
    """An object's JSON with what is included as its last member."""
    return b"%s,%s}" % (body[:-1], included.member())
