"""From field definitions to one validator, compiled once per version of a content type.

Values leave the validator as JSON: dates and times as RFC 3339 strings (times in UTC), relations as id strings.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import re2
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    StringConstraints,
    create_model,
)

from scaicms.features.content_types.fields import FieldDefinition
from scaicms.kit.ids import parse_id

MAX_STRING = 1_000
MAX_TEXT = 900_000
MAX_LIST = 1_000
MAX_URL = 2_000
# The shape that HTML's <input type=email> accepts, with a dotted domain.
EMAIL_PATTERN = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
SLUG_PATTERN = r"^[a-z0-9]+(?:-[a-z0-9]+)*$"


@dataclass(frozen=True, slots=True)
class CompiledType:
    """A content type, ready for use. Immutable; replaced as a whole when the type changes."""

    id: UUID
    site_id: UUID
    key: str
    name: str
    kind: str
    version: int
    url_pattern: str | None
    settings: Mapping[str, Any]
    fields: Mapping[str, FieldDefinition]
    model: type[BaseModel]

    @property
    def relations(self) -> list[FieldDefinition]:
        return [field for field in self.fields.values() if field.target is not None]

    @property
    def private_keys(self) -> frozenset[str]:
        return frozenset(field.key for field in self.fields.values() if field.private)

    @property
    def unique_keys(self) -> list[str]:
        return [field.key for field in self.fields.values() if field.unique]

    @property
    def title_key(self) -> str | None:
        """The field that names an item: `title` or `name`, else the first string."""
        for key in ("title", "name"):
            if key in self.fields and self.fields[key].type in ("string", "text"):
                return key
        return next((field.key for field in self.fields.values() if field.type == "string"), None)


def compile_model(name: str, fields: Sequence[FieldDefinition]) -> type[BaseModel]:
    """The pydantic model of `data`: unknown keys refused, null is "not set"."""
    columns: dict[str, Any] = {}
    for number, field in enumerate(fields):
        annotation = _BUILDERS[field.type](field)
        # The key is an alias: as an attribute, `json` or `model_config` would collide with pydantic's own.
        about: dict[str, Any] = {"alias": field.key, "title": field.label, "description": field.help}
        if field.required and field.default is None:
            columns[f"f{number}"] = (annotation, Field(**about))
        else:
            columns[f"f{number}"] = (annotation | None, Field(default=field.default, **about))
    return create_model(f"{name}_data", __config__=ConfigDict(extra="forbid"), **columns)


def _string(limit: int) -> Callable[[FieldDefinition], Any]:
    def build(field: FieldDefinition) -> Any:
        shortest = max(field.min_length or 0, 1 if field.required else 0)
        longest = min(field.max_length or limit, limit)
        checks: list[Any] = [StringConstraints(strict=True, min_length=shortest, max_length=longest)]
        checks.append(AfterValidator(_no_nul))
        if field.pattern is not None:
            checks.append(AfterValidator(_matching(field.pattern)))
        return Annotated[str, *checks]

    return build


def _no_nul(value: str) -> str:
    # PostgreSQL's text and jsonb cannot hold U+0000.
    if "\0" in value:
        raise ValueError("text may not contain the character U+0000")
    return value


def _matching(pattern: str) -> Callable[[str], str]:
    compiled = re2.compile(pattern)

    def check(value: str) -> str:
        if compiled.fullmatch(value) is None:
            raise ValueError(f"does not match the pattern {pattern}")
        return value

    return check


def _integer(field: FieldDefinition) -> Any:
    low = max(field.min if field.min is not None else -(2**53), -(2**53))
    high = min(field.max if field.max is not None else 2**53, 2**53)
    return Annotated[StrictInt, Field(ge=low, le=high)]


def _number(field: FieldDefinition) -> Any:
    return Annotated[float, BeforeValidator(_only_number), Field(ge=field.min, le=field.max, allow_inf_nan=False)]


def _only_number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic reports ValueError, not TypeError
    return value


def _date_text(value: Any) -> str:
    """RFC 3339 full-date."""
    if isinstance(value, str) and len(value) == 10:
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            pass
    raise ValueError("must be a date as YYYY-MM-DD")


def _datetime_text(value: Any) -> str:
    """RFC 3339 date-time with an offset, kept in UTC."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is not None:
            return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    raise ValueError("must be a time as 2026-01-31T12:00:00Z, with Z or an offset")


def _id_text(value: Any) -> str:
    parsed = parse_id(value) if isinstance(value, str) else None
    if parsed is None:
        raise ValueError("must be the id of an item")
    return str(parsed)


def _url_text(value: str) -> str:
    if not value.startswith(("https://", "http://", "mailto:", "/")):
        raise ValueError("must begin with https://, http://, mailto: or /")
    return value


def _choices(field: FieldDefinition) -> Any:
    return Literal[tuple(field.options or ())]


def _list_of(item: Any, field: FieldDefinition) -> Any:
    return Annotated[
        list[item],
        Field(
            min_length=field.min_length or (1 if field.required else 0),
            max_length=field.max_length or MAX_LIST,
        ),
    ]


def _json_value(value: Any) -> Any:
    if value is None:
        raise ValueError("must be a JSON value other than null")
    return value


_TAG = Annotated[StrictStr, StringConstraints(min_length=1, max_length=MAX_STRING), AfterValidator(_no_nul)]
_ID = Annotated[str, BeforeValidator(_id_text)]

_BUILDERS: Mapping[str, Callable[[FieldDefinition], Any]] = {
    "string": _string(MAX_STRING),
    "text": _string(MAX_TEXT),
    "markdown": _string(MAX_TEXT),
    "integer": _integer,
    "number": _number,
    "boolean": lambda _: StrictBool,
    "date": lambda _: Annotated[str, BeforeValidator(_date_text)],
    "datetime": lambda _: Annotated[str, BeforeValidator(_datetime_text)],
    "json": lambda _: Annotated[Any, AfterValidator(_json_value)],
    "select": _choices,
    "multiselect": lambda field: _list_of(_choices(field) if field.options else _TAG, field),
    "slug": lambda _: Annotated[StrictStr, StringConstraints(pattern=SLUG_PATTERN, max_length=200)],
    "email": lambda field: Annotated[_string(320)(field), AfterValidator(_matching(EMAIL_PATTERN))],
    "url": lambda field: Annotated[_string(MAX_URL)(field), AfterValidator(_url_text)],
    "relation": lambda _: _ID,
    "relations": lambda field: _list_of(_ID, field),
}
