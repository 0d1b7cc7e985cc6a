"""The fields of a content type: their definition, and which options go with which type."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal, Self

import re2
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

KEY_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"
FieldKey = Annotated[str, StringConstraints(pattern=KEY_PATTERN)]
MimePattern = Annotated[str, StringConstraints(pattern=r"^(?:\*/\*|[a-z]+/(?:\*|[A-Za-z0-9.+_-]{1,100}))$")]

FieldType = Literal[
    "string",
    "text",
    "richtext",
    "markdown",
    "integer",
    "number",
    "boolean",
    "date",
    "datetime",
    "json",
    "select",
    "multiselect",
    "slug",
    "email",
    "url",
    "color",
    "geo",
    "asset",
    "assets",
    "relation",
    "relations",
    "component",
    "components",
    "blocks",
]
TEXT_TYPES = frozenset({"string", "text", "markdown", "slug", "email", "url"})
NUMBER_TYPES = frozenset({"integer", "number"})
RELATION_TYPES = frozenset({"relation", "relations"})
ASSET_TYPES = frozenset({"asset", "assets"})
COMPONENT_TYPES = frozenset({"component", "components", "blocks"})
LIST_TYPES = frozenset({"multiselect", "relations", "assets", "components", "blocks"})
UNIQUE_TYPES = TEXT_TYPES | NUMBER_TYPES | {"date", "datetime", "select", "color"}
WITHIN_TYPES = frozenset({"select", "relation", "asset", "string", "slug", "integer", "date"})
HTML_SUFFIX = "_html"

MAX_FIELDS = 200
MAX_COMPONENTS = 50
MAX_ACCEPTED = 50
MAX_ALL_FIELDS = 1_000
"""Fields of a type together with those of its components."""
MAX_ALL_COMPONENTS = 200
"""Components of a type, at any depth."""
MAX_ALLOWED = 2_000
"""Entries in `allowed` of all fields of a type together."""
MAX_OPTIONS = 5_000
"""Options of all fields of a type together."""
MAX_PATTERN_CHARACTERS = 500
MAX_PATTERN_PROGRAM = 5_000
"""Instructions that RE2 makes of a pattern. Matching takes time in proportion to them and to the text."""
_PROGRAM_BYTES = 96 * MAX_PATTERN_PROGRAM
"""Memory that RE2 may use for such a pattern; it gives up early on a larger one."""
MAX_WITHIN = 3
"""Each costs two more index entries a document."""
MAX_DEPTH = 8
"""How deep components may lie in components."""


class FieldDefinition(BaseModel):
    """One field. Lengths count characters, of lists items; `min` and `max` bound numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: FieldKey = Field(description="Name of the field in `data`.")
    type: FieldType
    label: str | None = Field(default=None, max_length=200)
    help: str | None = Field(default=None, max_length=2000)
    required: bool = False
    localized: bool = Field(default=False, description="Each locale has a value of its own.")
    unique: bool = False
    indexed: bool = Field(default=False, description="Filtered or sorted by often.")
    indexed_within: Annotated[tuple[FieldKey, ...], Field(fail_fast=True)] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_WITHIN,
        description="Other indexed fields: lists that ask for one value of such a field are often sorted by this one.",
    )
    searchable: bool | None = Field(default=None, description="Found by search; by default, texts are.")
    private: bool = Field(default=False, description="Never leaves the editing API.")
    default: Any = None
    min: float | None = None
    max: float | None = None
    min_length: int | None = Field(default=None, ge=0)
    max_length: int | None = Field(default=None, ge=1)
    pattern: str | None = Field(default=None, max_length=MAX_PATTERN_CHARACTERS, description="RE2, whole value.")
    options: Annotated[tuple[str, ...], Field(fail_fast=True)] | None = Field(
        default=None,
        description="Choices of select and multiselect; a multiselect without options takes any text.",
    )
    accept: Annotated[tuple[MimePattern, ...], Field(fail_fast=True)] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_ACCEPTED,
        description="Types of files that asset and assets take: `image/*`, `application/pdf`.",
    )
    target: FieldKey | None = Field(default=None, description="Content type that a relation points to.")
    components: "Annotated[tuple[ComponentDefinition, ...], Field(fail_fast=True)] | None" = Field(
        default=None, max_length=MAX_COMPONENTS, description="Components defined here, all of which the field takes."
    )
    allowed: Annotated[tuple[FieldKey, ...], Field(fail_fast=True)] | None = Field(
        default=None,
        max_length=MAX_COMPONENTS,
        description="Keys of components that other fields of the type define and this one takes too.",
    )

    renamed_from: FieldKey | None = Field(
        default=None,
        exclude_if=lambda key: key is None,
        description="In a plan: the key that the field has had; its values stay.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._check_choices()
        self._check_bounds()
        self._check_components()
        if self.type in RELATION_TYPES and self.target is None:
            raise ValueError(f"a {self.type} field needs a target")
        if self.target is not None and self.type not in RELATION_TYPES:
            raise ValueError(f"target belongs to relation and relations, not to {self.type}")
        if self.accept is not None and self.type not in ASSET_TYPES:
            raise ValueError(f"accept belongs to asset and assets, not to {self.type}")
        if self.pattern is not None:
            self._check_pattern(self.pattern)
        if self.indexed_within is not None and not self.indexed:
            raise ValueError("indexed_within belongs to fields that are indexed")
        if self.unique and self.type not in UNIQUE_TYPES:
            raise ValueError(f"a {self.type} field cannot be unique")
        return self

    def _check_choices(self) -> None:
        if self.type == "select" and not self.options:
            raise ValueError("a select needs options")
        if self.options is None:
            return
        if self.type not in ("select", "multiselect"):
            raise ValueError(f"options belong to select and multiselect, not to {self.type}")
        if not self.options or len(set(self.options)) != len(self.options) or any("\0" in o for o in self.options):
            raise ValueError("options are one or more different texts")

    def _check_bounds(self) -> None:
        if (self.min is not None or self.max is not None) and self.type not in NUMBER_TYPES:
            raise ValueError(f"min and max belong to integer and number, not to {self.type}")
        bounded = self.min_length is not None or self.max_length is not None
        if bounded and self.type not in TEXT_TYPES | LIST_TYPES:
            raise ValueError(f"min_length and max_length belong to texts and lists, not to {self.type}")
        for low, high in ((self.min, self.max), (self.min_length, self.max_length)):
            if low is not None and high is not None and low > high:
                raise ValueError(f"nothing lies between {low:g} and {high:g}")

    def _check_components(self) -> None:
        if self.type not in COMPONENT_TYPES:
            if self.components is not None or self.allowed is not None:
                raise ValueError(f"components and allowed belong to component, components and blocks, not {self.type}")
            return
        taken = self.component_keys
        if not taken:
            raise ValueError(f"a {self.type} field says which components it takes: in components, in allowed, or both")
        if twice := sorted({key for key in taken if taken.count(key) > 1}):
            raise ValueError(f"components and allowed name each component once: {', '.join(twice)}")
        if self.type != "blocks" and len(taken) != 1:
            raise ValueError(f"a {self.type} field takes one kind of component; blocks take several")

    def _check_pattern(self, pattern: str) -> None:
        if self.type not in TEXT_TYPES:
            raise ValueError(f"pattern belongs to texts, not to {self.type}")
        problem, _ = _compiled(pattern)
        if problem is not None:
            raise ValueError(f"pattern is not RE2: {problem}")

    @property
    def component_keys(self) -> list[str]:
        """Keys of the components that the field takes."""
        return [component.key for component in self.components or ()] + list(self.allowed or ())

    def accepts(self, content_type: str) -> bool:
        """Whether an asset of this type may stand here."""
        family = content_type.partition("/")[0]
        return self.accept is None or any(one in (content_type, f"{family}/*", "*/*") for one in self.accept)

    @property
    def is_searchable(self) -> bool:
        if self.private:
            return False
        if self.searchable is not None:
            return self.searchable
        return self.type in ("string", "text", "richtext", "markdown", "select", "multiselect") or (
            self.type in COMPONENT_TYPES
        )

    @property
    def html_key(self) -> str | None:
        """Where documents carry the HTML of the field; None but for rich text and Markdown."""
        return self.key + HTML_SUFFIX if self.type in ("richtext", "markdown") else None


class ComponentDefinition(BaseModel):
    """A group of fields that belong together. Its values carry `_type`, its key, and a stable `_id`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: FieldKey
    label: str | None = Field(default=None, max_length=200)
    help: str | None = Field(default=None, max_length=2000)
    fields: Annotated[tuple[FieldDefinition, ...], Field(max_length=MAX_FIELDS, fail_fast=True)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_keys(self.fields)
        wrong = sorted(field.key for field in self.fields if field.unique or field.indexed or field.localized)
        if wrong:
            raise ValueError(f"only fields of the type itself are unique, indexed or localized: not {', '.join(wrong)}")
        # A component that is its own default would have no end.
        if any(field.default is not None and field.type in COMPONENT_TYPES for field in self.fields):
            raise ValueError("components in components have no default")
        return self


def check_keys(fields: Sequence[FieldDefinition]) -> None:
    """Raise ValueError unless every field has a key of its own, that of its HTML included."""
    keys = [field.key for field in fields]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(f"field keys given twice: {', '.join(twice)}")
    # Of every field and not of rich text alone: rights to a field reach its HTML by this suffix.
    taken = sorted({key + HTML_SUFFIX for key in keys} & set(keys))
    if taken:
        raise ValueError(f"documents carry the HTML of a field under its key with {HTML_SUFFIX}: {', '.join(taken)}")


def check_sizes(fields: Sequence[FieldDefinition]) -> None:
    """Raise ValueError where a type would take too long to compile or its values too long to check."""
    every = list(all_fields(fields))
    components = sum(1 for _ in all_components(fields))
    sizes = (
        ("components", components, MAX_ALL_COMPONENTS),
        ("fields, those of its components included", len(every), MAX_ALL_FIELDS),
        ("entries in allowed", sum(len(field.allowed or ()) for field in every), MAX_ALLOWED),
        ("options", sum(len(field.options or ()) for field in every), MAX_OPTIONS),
    )
    for what, number, most in sizes:
        if number > most:
            raise ValueError(f"a content type has at most {most} {what}")
    large = sorted(field.key for field in every if field.pattern is not None and _compiled(field.pattern)[1])
    if large:
        advice = "Bound lengths by max_length, and repeat classes of letters with + or *."
        raise ValueError(f"patterns are too large once their repetitions are written out: {', '.join(large)}. {advice}")


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> tuple[str | None, bool]:
    """What is wrong with a pattern, and whether it is too large; stored types may have such patterns."""
    try:
        return None, re2.compile(pattern, _BOUNDED).programsize > MAX_PATTERN_PROGRAM
    except re2.error as error:
        return (None, True) if "too large" in str(error) else (str(error), False)


def _bounded() -> Any:
    options = re2.Options()
    options.max_mem = _PROGRAM_BYTES
    options.log_errors = False
    return options


_BOUNDED = _bounded()


def check_fields(fields: Sequence[FieldDefinition]) -> None:
    """Raise ValueError unless these make a content type: keys, components and what refers to them."""
    check_keys(fields)
    check_sizes(fields)
    defined = [component.key for component in all_components(fields)]
    twice = sorted({key for key in defined if defined.count(key) > 1})
    if twice:
        raise ValueError(f"components defined twice: {', '.join(twice)}")
    unknown = sorted({key for field in all_fields(fields) for key in field.allowed or ()} - set(defined))
    if unknown:
        raise ValueError(f"no field of the type defines the components {', '.join(unknown)}")
    _check_within({field.key: field for field in fields})


def _check_within(fields: Mapping[str, FieldDefinition]) -> None:
    for field in fields.values():
        for key in field.indexed_within or ():
            other = fields.get(key)
            if other is None or other is field or not other.indexed or other.private or other.type not in WITHIN_TYPES:
                what = f"another indexed field of type {', '.join(sorted(WITHIN_TYPES))} that is not private"
                raise ValueError(f"{field.key} can be indexed within {what}: {key} is none")


def all_components(fields: Iterable[FieldDefinition]) -> Iterator[ComponentDefinition]:
    """Every component that fields define, at any depth."""
    for field in fields:
        for component in field.components or ():
            yield component
            yield from all_components(component.fields)


def pointers(fields: Sequence[FieldDefinition]) -> set[tuple[str, FieldType]]:
    """The fields, at any depth, whose values point to items or assets."""
    return {(field.key, field.type) for field in all_fields(fields) if field.type in RELATION_TYPES | ASSET_TYPES}


def all_fields(fields: Sequence[FieldDefinition]) -> Iterator[FieldDefinition]:
    """Fields and those of their components, at any depth."""
    yield from fields
    for component in all_components(fields):
        yield from component.fields
