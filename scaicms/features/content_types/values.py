"""What each type of field accepts, as pydantic sees it.

Values leave as JSON: dates and times as RFC 3339 strings (times in UTC), relations and assets as id strings, colours in
lower case.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

import re2
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
    StrictInt,
    StrictStr,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from scaicms.features.content_types.fields import FieldDefinition
from scaicms.kit import richtext
from scaicms.kit.ids import parse_id

MAX_STRING = 1_000
MAX_TEXT = 900_000
# Whether it can be rendered in time is checked in `data.py`.
MAX_MARKDOWN = 300_000
MAX_LIST = 1_000
MAX_MATCHING = 20_000_000
"""Instructions of a pattern times characters of a text: some 0.2 s where RE2 cannot take its fast way."""
MAX_URL = 2_000
MAX_INTEGER = 2**53
# The shape that HTML's <input type=email> accepts, with a dotted domain.
EMAIL_PATTERN = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
_NO_EMAIL = "must be an e-mail address as jo@example.com"
SLUG_PATTERN = r"^[a-z0-9]+(?:-[a-z0-9]+)*$"
COLOR_PATTERN = r"#[0-9A-Fa-f]{6}(?:[0-9A-Fa-f]{2})?"
URL_STARTS = ("https://", "http://", "mailto:", "/")
# RE2's own words and flags mean something else, or nothing, to the regular expressions of JSON Schema (ECMA-262).
_RE2_ONLY = re2.compile(r"\[\[:|\\[pPACQEz]|\(\?[^:]")


class Geo(BaseModel):
    """A place in degrees of WGS 84."""

    model_config = ConfigDict(extra="forbid")

    lat: Annotated[float, Field(strict=True, ge=-90, le=90, allow_inf_nan=False)]
    lon: Annotated[float, Field(strict=True, ge=-180, le=180, allow_inf_nan=False)]


def _string(limit: int, **schema: Any) -> Callable[[FieldDefinition], Any]:
    def build(field: FieldDefinition) -> Any:
        shortest = max(field.min_length or 0, 1 if field.required else 0)
        longest = min(field.max_length or limit, limit)
        checks: list[Any] = [StringConstraints(strict=True, min_length=shortest, max_length=longest)]
        checks.append(AfterValidator(no_nul))
        if field.pattern is not None:
            checks.append(AfterValidator(_matching(field.pattern)))
        about = {**schema, **_pattern_schema(field.pattern)}
        return Annotated[str, *checks, Field(json_schema_extra=about)] if about else Annotated[str, *checks]

    return build


def _pattern_schema(pattern: str | None) -> dict[str, str]:
    if pattern is None or _RE2_ONLY.search(pattern):
        return {}
    return {"pattern": f"^(?:{pattern})$"}


def no_nul(value: str) -> str:
    """Text as PostgreSQL can hold it: its text and jsonb know no U+0000."""
    if "\0" in value:
        raise ValueError("text may not contain the character U+0000")
    return value


def _matching(pattern: str, wrong: str | None = None) -> Callable[[str], str]:
    compiled, wrong = re2.compile(pattern), wrong or f"does not match the pattern {pattern}"
    longest = MAX_MATCHING // max(1, compiled.programsize)

    def check(value: str) -> str:
        if len(value) > longest:
            raise ValueError(f"is too long for the pattern of this field: at most {longest} characters")
        if compiled.fullmatch(value) is None:
            raise ValueError(wrong)
        return value

    return check


def _integer(field: FieldDefinition) -> Any:
    low = max(field.min if field.min is not None else -MAX_INTEGER, -MAX_INTEGER)
    high = min(field.max if field.max is not None else MAX_INTEGER, MAX_INTEGER)
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
            if moment.tzinfo is not None:
                return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
        except (ValueError, OverflowError):
            pass
    raise ValueError("must be a time as 2026-01-31T12:00:00Z, with Z or an offset")


def _id_of(what: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        parsed = parse_id(value) if isinstance(value, str) else None
        if parsed is None:
            raise ValueError(f"must be the id of an {what}")
        return str(parsed)

    return check


def _url_text(value: str) -> str:
    if not value.startswith(URL_STARTS):
        raise ValueError("must begin with https://, http://, mailto: or /")
    return value


def _choices(field: FieldDefinition) -> Any:
    return Literal[tuple(field.options or ())]


def list_of(item: Any, field: FieldDefinition) -> Any:
    """A list with the bounds of its field."""
    shortest, longest = field.min_length or (1 if field.required else 0), field.max_length or MAX_LIST
    return Annotated[list[item], Field(min_length=shortest, max_length=longest)]


def _json_value(value: Any) -> Any:
    if value is None:
        raise ValueError("must be a JSON value other than null")
    if _holds_nul(value):
        raise ValueError("text may not contain the character U+0000")
    return value


def _holds_nul(value: Any) -> bool:
    """Whether a name or text anywhere in the value has U+0000; bodies are bounded in depth before they come here."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, Mapping):
        return any("\0" in key or _holds_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(_holds_nul(item) for item in value)


def _document(value: Any) -> Any:
    found = richtext.problems(value)
    if found:
        raise ValidationError.from_exception_data(
            "richtext",
            [
                InitErrorDetails(
                    type=PydanticCustomError(problem.code, "{about}", {"about": problem.message}),
                    loc=problem.place,
                    input=None,
                )
                for problem in found
            ],
        )
    return value


_TAG = Annotated[StrictStr, StringConstraints(min_length=1, max_length=MAX_STRING), AfterValidator(no_nul)]
_ID = Annotated[str, BeforeValidator(_id_of("item")), Field(json_schema_extra={"format": "uuid"})]
_ASSET_ID = Annotated[str, BeforeValidator(_id_of("asset")), Field(json_schema_extra={"format": "uuid"})]
_COLOR = Annotated[
    StrictStr,
    AfterValidator(_matching(COLOR_PATTERN, "must be a color as #1a2b3c or #1a2b3cff")),
    AfterValidator(str.lower),
    Field(json_schema_extra={"pattern": f"^{COLOR_PATTERN}$"}),
]
_RICHTEXT = Annotated[
    dict[str, Any],
    PlainValidator(_document),
    WithJsonSchema(
        {
            "type": "object",
            "description": "A ProseMirror document.",
            "properties": {"type": {"const": "doc"}, "content": {"type": "array", "items": {"type": "object"}}},
            "required": ["type"],
        }
    ),
]

BUILDERS: Mapping[str, Callable[[FieldDefinition], Any]] = {
    "string": _string(MAX_STRING),
    "text": _string(MAX_TEXT),
    "richtext": lambda _: _RICHTEXT,
    "markdown": _string(MAX_MARKDOWN, contentMediaType="text/markdown"),
    "integer": _integer,
    "number": _number,
    "boolean": lambda _: StrictBool,
    "date": lambda _: Annotated[str, BeforeValidator(_date_text), Field(json_schema_extra={"format": "date"})],
    "datetime": lambda _: Annotated[
        str, BeforeValidator(_datetime_text), Field(json_schema_extra={"format": "date-time"})
    ],
    "json": lambda _: Annotated[Any, AfterValidator(_json_value)],
    "select": _choices,
    "multiselect": lambda field: list_of(_choices(field) if field.options else _TAG, field),
    "slug": lambda field: Annotated[_string(200)(field), StringConstraints(pattern=SLUG_PATTERN)],
    "email": lambda field: Annotated[_string(320)(field), AfterValidator(_matching(EMAIL_PATTERN, _NO_EMAIL))],
    "url": lambda field: Annotated[_string(MAX_URL)(field), AfterValidator(_url_text)],
    "color": lambda _: _COLOR,
    "geo": lambda _: Geo,
    "asset": lambda _: _ASSET_ID,
    "assets": lambda field: list_of(_ASSET_ID, field),
    "relation": lambda _: _ID,
    "relations": lambda field: list_of(_ID, field),
}
