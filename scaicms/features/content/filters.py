"""The tree of a list's filters to SQL. Every path and operator is known, or refused; values are always bound."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from scaicms.features.content.paths import COMPARISONS, MANY, OPERATORS_OF_KIND, Bound, Path, hops, read, resolve
from scaicms.features.content.query_tree import Clause, FilterError, Tree
from scaicms.features.content.targets import MAX_HOPS, RELATIONS, Target, Targets
from scaicms.features.content_types.service import MAX_KEY_CHARACTERS
from scaicms.kit import json


class TermConditions(Protocol):
    """Filters by terms, which are looked up before."""

    def condition(self, clause: Clause, row: str, *, drafts: bool) -> str: ...


@dataclass(frozen=True, slots=True)
class Used:
    """A condition of the list, for who asks how it is found. `hop`: the relation that it goes over first; `negated`: it
    stands below a `not`."""

    clause: Clause
    sql: str
    path: Path | None
    hop: str | None
    negated: bool
    is_found: bool = False
    """Of a hop: whether an index finds the few targets, so that it can begin with these."""


@dataclass(slots=True)
class Filters:
    """Compiles filters for one caller. `site` is the placeholder of the site's id."""

    root: Target
    targets: Targets
    terms: TermConditions
    bound: Bound
    drafts: bool
    documents: str = "documents"
    """Where targets of relations are found."""
    site: str = "$1"
    used: list[Used] = field(default_factory=list)
    types: set[UUID] = field(default_factory=set)
    """Types that relations were followed to."""
    by_terms: bool = False
    _rows: int = 0
    _negations: int = 0

    async def condition(self, tree: Tree) -> str:
        """What must hold for a row `d`.

        Raises:
            FilterError: there is no such path or operator, or the value does not fit.
            FieldForbiddenError: a path is out of the caller's reach.
        """
        if isinstance(tree, Clause):
            return await self._clause(tree)
        self._negations += tree.kind == "not"
        inner = [await self.condition(member) for member in tree.members]
        self._negations -= tree.kind == "not"
        if tree.kind == "or":
            return f"({' OR '.join(inner) or 'false'})"
        together = f"({' AND '.join(inner) or 'true'})"
        # What is unknown does not hold, so its opposite does.
        return f"({together} IS NOT TRUE)" if tree.kind == "not" else together

    async def _clause(self, clause: Clause) -> str:
        keys, name = hops(clause.path)
        if len(keys) > MAX_HOPS:
            raise FilterError(f"{clause.path} is deeper than {MAX_HOPS} relations.")
        source, row, via, opened = self.root, "d", "", list[tuple[Target, str, str, Target, str]]()
        for key in keys:
            target = await self.targets.behind(source, key, f"{via}data.{key}")
            if target is None:
                resolve(f"data.{key}", source.content_type, source.visible, row, via=via)
                raise FilterError(f"{via}data.{key} is no relation: nothing lies behind it.")
            self._rows += 1
            self.types.add(target.content_type.id)
            below = f"h{self._rows}"
            opened.append((source, key, row, target, below))
            source, row, via = target, below, f"{via}data.{key}."
        sql, path = self._last(clause, source, name, row, via)
        is_found = len(keys) == 1 and _is_found(clause, path) and not self._negations
        for opening in reversed(opened):
            sql = self._open(*opening, is_found=is_found).replace("{}", sql)
        hop = f"data.{keys[0]}" if keys else None
        self.used.append(Used(clause, sql, path, hop, self._negations > 0, is_found))
        return sql

    def _last(self, clause: Clause, source: Target, name: str, row: str, via: str) -> tuple[str, Path | None]:
        if clause.about_terms:
            self.by_terms = True
            return self.terms.condition(clause, row, drafts=self.drafts and row == "d"), None
        path = resolve(name, source.content_type, source.visible, row, via=via)
        allowed = OPERATORS_OF_KIND[path.kind]
        if clause.operator not in allowed:
            what = f"{path.name} is {path.type}, which knows no operator {clause.operator}"
            raise FilterError(f"{what}; it has {', '.join(allowed)}.")
        return _OPERATORS[clause.operator](path, clause.values, self.bound), path

    def _open(self, source: Target, key: str, row: str, target: Target, below: str, *, is_found: bool) -> str:
        """SQL that holds where a published target of the relation fulfils what comes in place of `{}`."""
        conditions = [
            f"{below}.locale = {row}.locale",
            f"{below}.site_id = {self.site}",
            f"{below}.type_id = '{target.content_type.id}'",
        ]
        if target.chain is not None:
            conditions += target.chain.readable(below, self.bound)
        within = " AND ".join([*conditions, "{}"])
        path = resolve(f"data.{key}", source.content_type, source.visible, row)
        if path.kind == RELATIONS[1]:
            return f"""EXISTS (SELECT 1 FROM jsonb_array_elements_text({path.sql}) r(id)
                       JOIN {self.documents} {below} ON {below}.item_id = r.id::uuid WHERE {within})"""
        if is_found and path.order is not None and row == "d" and not self.drafts:
            # By the index of the relation, of which the planner has figures.
            return f"""{path.order} IN (SELECT {below}.item_id::text COLLATE "C"
                                       FROM {self.documents} {below} WHERE {within})"""
        value = f"({row}.data->>'{key}')::uuid"
        return f"EXISTS (SELECT 1 FROM {self.documents} {below} WHERE {below}.item_id = {value} AND {within})"


def _is_found(clause: Clause, path: Path | None) -> bool:
    """Whether an index finds the few documents that fulfil a condition."""
    if path is None or clause.operator not in ("eq", "in"):
        return False
    return path.name.endswith(("slug", "id")) if path.key is None else path.kind != "boolean"


def _one(path: Path, values: tuple[str, ...]) -> Any:
    if len(values) != 1:
        raise FilterError(f"{path.name}: one value.")
    return read(path, values[0])


def _equal(path: Path, values: tuple[str, ...], bound: Bound) -> str:
    return _equals(path, _one(path, values), bound)


def _equals(path: Path, value: Any, bound: Bound) -> str:
    if path.order is not None and path.kind != "boolean":
        return _indexed(path, "=", value, bound)
    return _same(path, value, bound)


def _indexed(path: Path, symbol: str, value: Any, bound: Bound) -> str:
    """A comparison that the index of the field answers."""
    if path.kind == "number" or len(value) < MAX_KEY_CHARACTERS:
        return f"{path.order} {symbol} {_argument(path, value, bound)}"
    # The index has the beginning alone, so the whole value confirms. Not for shorter ones, which it decides: to the
    # planner, which has figures of the index's expression alone, that would be another condition that leaves little.
    argument = _argument(path, value, bound)
    beginning = f"left({argument}::text, {MAX_KEY_CHARACTERS})"
    return f"({path.order} {symbol[0]}{'=' * (symbol != '=')} {beginning} AND {path.sql} {symbol} {argument})"


def _same(path: Path, value: Any, bound: Bound) -> str:
    if path.key is not None:
        # Containment, which the GIN index on `data` answers.
        wanted = {path.key: [value] if path.kind in MANY else value}
        return f"{path.row}.data @> {bound.bind(json.dumps_text(wanted))}::jsonb"
    # Equal is equal in any collation, and the index of slugs is in the database's.
    return f"{path.sql.partition(' COLLATE ')[0]} = {_argument(path, value, bound)}"


def _argument(path: Path, value: Any, bound: Bound) -> str:
    """A placeholder for a value; numbers travel as text, since any size and scale may be asked for."""
    if path.kind == "number":
        return f"{bound.bind(str(value))}::text::numeric"
    return bound.bind(value.rstrip("Z") if path.kind == "time" else value)


def _not_equal(path: Path, values: tuple[str, ...], bound: Bound) -> str:
    return _is_not(_same(path, _one(path, values), bound))


_TEXTS = ("text", "date", "relation")
"""Kinds whose values are one text each."""


def _is_not(sql: str) -> str:
    # Not by the index: what has no such field is not equal either.
    return f"(({sql}) IS NOT TRUE)"


def _any_of(path: Path, values: tuple[str, ...], bound: Bound) -> str:
    return "(" + " OR ".join(_equals(path, read(path, value), bound) for value in values) + ")"


def _none_of(path: Path, values: tuple[str, ...], bound: Bound) -> str:
    wanted = [read(path, value) for value in values]
    if path.key is not None and path.kind in _TEXTS:
        # No index answers this. Each comparison with `data` would unpack all of it once more.
        return _is_not(f"{path.row}.data->>'{path.key}' = ANY({bound.bind(wanted)}::text[])")
    return _is_not(" OR ".join(_same(path, value, bound) for value in wanted))


def _compare(symbol: str) -> Callable[[Path, tuple[str, ...], Bound], str]:
    def build(path: Path, values: tuple[str, ...], bound: Bound) -> str:
        value = _one(path, values)
        if path.order is not None:
            return _indexed(path, symbol, value, bound)
        return f"{path.sql} {symbol} {_argument(path, value, bound)}"

    return build


def _between(path: Path, values: tuple[str, ...], bound: Bound) -> str:
    if len(values) != 2:
        raise FilterError(f"{path.name}: between takes two values.")
    low, high = _compare(">=")(path, values[:1], bound), _compare("<=")(path, values[1:], bound)
    return f"({low} AND {high})"


MAX_PATTERN_CHARACTERS = 1_000
"""What is looked for anywhere in a text. At worst it takes as many steps as both lengths multiplied."""
_LITERALLY = str.maketrans({character: f"\\{character}" for character in "\\%_"})
"""What stands for itself in a pattern of LIKE."""


def _like(before: str, after: str, operator: str = "LIKE") -> Callable[[Path, tuple[str, ...], Bound], str]:
    def build(path: Path, values: tuple[str, ...], bound: Bound) -> str:
        value = _one(path, values)
        if path.kind in MANY:
            return _same(path, value, bound)
        if before and len(value) > MAX_PATTERN_CHARACTERS:
            raise FilterError(f"{path.name}: at most {MAX_PATTERN_CHARACTERS:,} characters to look for.")
        escaped = value.translate(_LITERALLY)
        if path.order is not None and not before and operator == "LIKE":
            # By the index of the field, as far as it goes.
            beginning = value[:MAX_KEY_CHARACTERS].translate(_LITERALLY)
            found = f"{path.order} LIKE {bound.bind(beginning + '%')}"
            if len(value) < MAX_KEY_CHARACTERS:
                return found
            return f"({found} AND {path.sql} LIKE {bound.bind(escaped + after)})"
        return f"{path.sql} {operator} {bound.bind(before + escaped + after)}"

    return build


def _exists(path: Path, values: tuple[str, ...], _: Bound) -> str:
    if values not in (("true",), ("false",)):
        raise FilterError(f"{path.name}: exists is true or false.")
    present = f"{path.order or path.sql} IS NOT NULL"
    if path.key is not None and path.order is None:
        present = f"{path.row}.data ? '{path.key}'"
    return present if values == ("true",) else f"NOT ({present})"


_OPERATORS: Mapping[str, Callable[[Path, tuple[str, ...], Bound], str]] = {
    "eq": _equal,
    "ne": _not_equal,
    "in": _any_of,
    "nin": _none_of,
    "between": _between,
    "contains": _like("%", "%"),
    "icontains": _like("%", "%", "ILIKE"),
    "starts_with": _like("", "%"),
    "ends_with": _like("%", ""),
    "exists": _exists,
    **{name: _compare(symbol) for name, symbol in COMPARISONS.items()},
}
