"""Laying a row over the fields of a content type."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, JsonValue, RootModel, Tag, model_validator

from scaicms.kit import markdown
from scaicms.kit.slugs import slugify

from .coercion import coerce
from .patterns import Pattern
from .rows import Row

SPECIAL_SOURCES = ("$body", "$source", "$slug", "$stem", "$title")
SPECIAL_TARGETS = ("$slug", "$locale", "$status", "$publish_at")
TAXONOMIES = "taxonomies."
"""Before a taxonomy's key: the target takes the names of terms."""
MAX_TERMS = 100
MAX_TERM_CHARACTERS = 200
_REFERENCE = re.compile(r"\\(\\|[0-9])")
MAX_EXTRACTED = 1_000_000
"""Characters of a value that a pattern gives; `replace` may name a group of megabytes hundreds of times."""

Path = Annotated[str, Field(min_length=1, max_length=300)]


class Extraction(BaseModel):
    """A source, or a part of it: `pattern` (RE2 syntax) is searched, `replace` is built of its groups.

    Without `replace` the value is the first group, or the whole match. Where nothing matches there is
    no value, with a warning. `replace` knows `\\0` (the match), `\\1` to `\\9` and `\\\\`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    from_: Path = Field(alias="from")
    pattern: str | None = Field(default=None, min_length=1, max_length=1000)
    replace: str | None = Field(default=None, max_length=1000)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_source(self.from_)
        if self.pattern is None:
            if self.replace is not None:
                raise ValueError('"replace" needs a "pattern".')
            return self
        try:
            groups = Pattern(self.pattern).groups
        except ValueError as error:
            raise ValueError(f"The pattern is not valid in RE2: {error}.") from error
        for reference in _REFERENCE.findall(self.replace or ""):
            if reference != "\\" and int(reference) > groups:
                raise ValueError(f'"replace" has \\{reference}, but the pattern has {groups} groups.')
        return self

    def extract(self, text: str) -> str | None:
        """The part of the text that is wanted; None where the pattern does not match, or gives too much."""
        if self.pattern is None:
            return text
        groups = Pattern(self.pattern).search(text)
        if groups is None:
            return None
        if self.replace is None:
            return groups[1] if len(groups) > 1 else groups[0]
        size = len(self.replace) + sum(len(groups[int(one)]) for one in _REFERENCE.findall(self.replace) if one != "\\")
        if size > MAX_EXTRACTED:
            return None
        return _REFERENCE.sub(lambda found: "\\" if found[1] == "\\" else groups[int(found[1])], self.replace)


class Constant(BaseModel):
    """The same value for every row."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: JsonValue


def _kind(value: object) -> str | None:
    """Which kind of source it is meant to be; None: there is no such kind."""
    if isinstance(value, str):
        return "source"
    if isinstance(value, Extraction) or (isinstance(value, dict) and "from" in value):
        return "from"
    return "value" if isinstance(value, Constant) or (isinstance(value, dict) and "value" in value) else None


Source = Annotated[
    Annotated[Path, Tag("source")] | Annotated[Extraction, Tag("from")] | Annotated[Constant, Tag("value")],
    Discriminator(
        _kind,
        custom_error_type="unknown_source",
        custom_error_message='takes the name of a source, {{"from": …, "pattern": …}} or {{"value": …}}',
    ),
]


class Mapping(RootModel[dict[Path, Source]]):
    """Targets and where their values come from, laid over the default of `apply_mapping`.

    A target is a field's key, `taxonomies.` with the key of a taxonomy, `$slug`, `$locale`, `$status` or `$publish_at`
    (`marks.read_marks`). A source is a dotted
    path into the front matter or record (`extra.team`, `authors.0`, with or without `front.` before it), `$body` (the
    Markdown), `$source` (the file's path), `$stem` (the file's name without suffix), `$slug`, `$title` (the front
    matter's title, else the first heading, else the file's name), an `Extraction` or a `Constant`.
    """

    root: dict[Path, Path | Extraction | Constant] = Field(default_factory=dict, max_length=200)

    @model_validator(mode="after")
    def _check(self) -> Self:
        for target, source in self.root.items():
            if target.startswith("$") and target not in SPECIAL_TARGETS:
                raise ValueError(f'The target "{target}" is not one of {", ".join(SPECIAL_TARGETS)}.')
            if isinstance(source, str):
                _check_source(source)
        return self

    @property
    def taxonomies(self) -> list[str]:
        """Keys of the taxonomies that are targets."""
        return [target.removeprefix(TAXONOMIES) for target in self.root if target.startswith(TAXONOMIES)]

    def unknown_targets(self, fields: Sequence[tuple[str, str]], taxonomies: Collection[str] = ()) -> list[str]:
        """Targets that are no field of the type and no taxonomy: worth refusing before the first row."""
        known = {*SPECIAL_TARGETS, *(key for key, _ in fields), *(TAXONOMIES + key for key in taxonomies)}
        return [target for target in self.root if target not in known]


@dataclass(frozen=True, slots=True)
class MappedRow:
    """A row as the content service takes it. `terms`: names by taxonomy. `unmapped`: dotted paths of values that went
    nowhere."""

    slug: str
    locale: str | None
    data: dict[str, JsonValue]
    unmapped: list[str]
    warnings: list[str]
    terms: dict[str, list[str]] = field(default_factory=dict)
    names_itself: bool = True
    """Whether the title is the row's own, not one that was found for it."""
    has_slug: bool = False
    """Whether the row names its slug."""


@dataclass
class _Laying:
    row: Row
    used: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)

    def value(self, source: str | Extraction | Constant) -> JsonValue:
        if isinstance(source, Constant):
            return source.value
        if isinstance(source, str):
            return self.look_up(source)
        found = self.look_up(source.from_)
        if found is None or source.pattern is None:
            return found
        if not isinstance(found, str | int | float):
            self.warnings.append(f"{source.from_} is not text, so the pattern was not applied; no value.")
            return None
        extracted = source.extract(str(found))
        if extracted is None:
            why = f"does not match the pattern {source.pattern}, or gives too much"
            self.warnings.append(f"{source.from_} {why}; no value.")
        return extracted

    def look_up(self, source: str) -> JsonValue:
        self.used.add(source)
        if source == "$title":
            return self.title()
        if source in SPECIAL_SOURCES:
            attribute: str | None = getattr(self.row, source.removeprefix("$"))
            return attribute
        values = self.row.values
        if source in values:
            return values[source]
        path = source.removeprefix("front.")
        self.used.add(path)
        return values[path] if path in values else _descend(values, path.split("."))

    def title(self) -> str | None:
        title = self.row.values.get("title")
        if isinstance(title, str) and title.strip():
            self.used.add("title")
            return title
        if heading := markdown.first_heading(self.row.body or ""):
            self.warnings.append("There is no title; the first heading was taken.")
            return heading
        if self.row.stem is None:
            return None
        self.warnings.append("There is no title; it was made of the file's name.")
        return " ".join(re.split(r"[-_\s]+", self.row.stem.strip("-_ "))).capitalize() or self.row.stem


def apply_mapping(row: Row, fields: Sequence[tuple[str, str]], mapping: Mapping | None = None) -> MappedRow:
    """Lay a row over a content type, whose fields are given as (key, type).

    By default, values go to fields of the same name, the Markdown to the first field of type
    `markdown`, else `text`, and a `title` field of type `string` that stays empty is filled by the
    rule of `$title`, with a warning. What `mapping` has for a target comes before the default. Values
    are coerced to the field's type; whether they are valid is for the caller to say.
    """
    laying = _Laying(row, {*row.said})
    sources = dict(mapping.root) if mapping else {}
    types = dict(fields)
    data: dict[str, JsonValue] = {}
    terms: dict[str, list[str]] = {}
    for target, source in {**_default(row, types, sources), **sources}.items():
        if target.startswith(TAXONOMIES):
            terms[target.removeprefix(TAXONOMIES)] = _names(laying, target, laying.value(source))
        elif target not in SPECIAL_TARGETS:
            value = coerce(laying.value(source), types.get(target, ""))
            if value is not None:
                data[target] = value
    wants_title = types.get("title") == "string" and "title" not in sources
    found_title = wants_title and data.get("title") in (None, "") and (title := laying.title())
    if found_title:
        data["title"] = title
    slug = _slug(laying, sources.get("$slug"))
    locale = row.locale or _locale(laying, sources.get("$locale", "locale"))
    unmapped = list(_unused(row.values, laying.used))
    if row.body and "$body" not in laying.used:
        unmapped.append("$body")
    return MappedRow(
        slug,
        locale,
        data,
        unmapped,
        [*row.warnings, *laying.warnings],
        terms,
        names_itself=not found_title,
        has_slug="$slug" in sources or "slug" in row.values,
    )


def value_of(row: Row, source: str | Extraction | Constant) -> JsonValue:
    """What a source gives of a row."""
    return _Laying(row).value(source)


def _default(row: Row, types: dict[str, str], sources: dict[str, str | Extraction | Constant]) -> dict[str, str]:
    default = {key: key for key in types if key in row.values}
    takes_body = next((key for wanted in ("markdown", "text") for key in types if types[key] == wanted), None)
    if row.body and takes_body and takes_body not in sources and not _uses_body(sources):
        default[takes_body] = "$body"
    return default


def _names(laying: _Laying, target: str, value: JsonValue) -> list[str]:
    """Names of terms: a list of texts or numbers, or a single one; what cannot be one is left out, and said."""
    listed = value if isinstance(value, list) else [] if value is None else [value]
    names: dict[str, None] = {}
    for item in listed:
        name = str(item).strip() if isinstance(item, str | int | float) and not isinstance(item, bool) else ""
        if not name or len(name) > MAX_TERM_CHARACTERS or len(names) == MAX_TERMS:
            laying.warnings.append(
                f"{target}: {str(item)[:50]!a} was left out; it takes up to {MAX_TERMS} short texts."
            )
        else:
            names[name] = None
    return list(names)


def _uses_body(sources: dict[str, str | Extraction | Constant]) -> bool:
    return any(source == "$body" for source in sources.values())


def _slug(laying: _Laying, source: str | Extraction | Constant | None) -> str:
    if source is None:
        laying.used.add("slug")
        return laying.row.slug
    value = laying.value(source)
    slug = slugify(str(value)) if isinstance(value, str | int | float) else ""
    if not slug:
        laying.warnings.append(f'The mapping gives no slug; "{laying.row.slug}" was taken.')
    return slug or laying.row.slug


def _locale(laying: _Laying, source: str | Extraction | Constant) -> str | None:
    value = laying.value(source)
    if value is None or (isinstance(value, str) and value):
        return value
    laying.warnings.append("The locale is not text; the site's default was taken.")
    return None


def _descend(value: JsonValue, path: list[str]) -> JsonValue:
    for part in path:
        match value:
            case dict():
                value = value.get(part)
            case list() if re.fullmatch(r"[0-9]{1,6}", part) and int(part) < len(value):
                value = value[int(part)]
            case _:
                return None
    return value


def _unused(values: dict[str, JsonValue], used: set[str], prefix: str = "") -> list[str]:
    """The deepest paths of which nothing was used; a list counts as used by any of its items."""
    unused: list[str] = []
    for key, value in values.items():
        path = f"{prefix}{key}"
        if path in used:
            continue
        parts_used = any(name.startswith(f"{path}.") for name in used)
        if parts_used and isinstance(value, dict):
            unused.extend(_unused(value, used, f"{path}."))
        elif not parts_used:
            unused.append(path)
    return unused


def _check_source(source: str) -> None:
    if source.startswith("$") and source not in SPECIAL_SOURCES:
        raise ValueError(f'The source "{source}" is not one of {", ".join(SPECIAL_SOURCES)}.')
