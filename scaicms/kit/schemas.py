"""Bases of what comes in by HTTP, and what is wrong with it. Knows nothing of the web tier: workers validate too."""

import re
import sys
from collections.abc import Set
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from scaicms.kit.errors import FieldError

# A date-time with an offset (RFC 3339 §5.6), seconds may be left out.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)")


def _as_text(value: Any) -> Any:
    if not isinstance(value, str) or _MOMENT.fullmatch(value) is None:
        raise ValueError("must be a time as 2026-01-31T12:00:00Z, with Z or an offset")
    return value


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a time that there is in UTC, too") from None


MAX_ERRORS = 100

TAG = "one of them: "
"""Before the tags of a union's members: where its errors are, tags are no part of the place."""

Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time in a body, RFC 3339 with Z or an offset."""

QueryMoment = Annotated[Moment, BeforeValidator(_as_text)]
"""A time in a query parameter. Pydantic alone would take numbers, as seconds of Unix time, too; bodies are strict."""


# Validators are built when they are first used: a process uses a few of them all. In CPython 3.13.0 pydantic would then
# look at the frames of coroutines, and the interpreter dies of that (mended in 3.13.1).
DEFER = sys.version_info[:3] != (3, 13, 0)


class Answer(BaseModel):
    """Base of what goes out."""

    model_config = ConfigDict(defer_build=DEFER)


class Query(BaseModel):
    """Base of query parameter models: unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False, defer_build=DEFER)


MAX_OFFSET = 10_000
"""How many items of a list can be passed over by page numbers."""


class PageQuery(Query):
    """Parameters of every list."""

    page: int = Field(default=1, ge=1, le=1_000_000, description="Which page, from 1.")
    page_size: int = Field(default=50, ge=1, le=200, description="Items a page, at most 200.")

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.page_size


class ListQuery(PageQuery):
    """Parameters of lists that can be read to their end."""

    cursor: str | None = Field(
        default=None,
        max_length=2000,
        description="`next_cursor` of the page before, instead of `page`; empty for the first page.",
    )


TotalRelation = Literal["exact", "at_least", "estimate"]
"""What a list's `total` is: the number, a lower bound of it, or a guess of the database."""


def relation_of(*, is_lower_bound: bool) -> TotalRelation:
    return "at_least" if is_lower_bound else "exact"


class WindowOut(Answer):
    """The rows that a list was looked for in, since no index answers its filters or its order: so many of the first
    ones by `sort`."""

    items: int
    sort: str


def _is_none(value: object) -> bool:
    return value is None


class Listed(Answer):
    """What lists report beside their items. Where a list was read and counted to its end, only the first three."""

    total: int | None = Field(description="How many match, on all pages; null if it was not asked for.")
    page: int = 1
    page_size: int = 50
    total_relation: Literal["at_least"] | None = Field(
        default=None,
        exclude_if=_is_none,
        description="`at_least`: `total` is a lower bound, since more were not counted. Absent where it is exact.",
    )
    next_cursor: str | None = Field(
        default=None, exclude_if=_is_none, description="`cursor` of the next page; absent if there is none."
    )
    window: WindowOut | None = Field(
        default=None,
        exclude_if=_is_none,
        description="Where the list was looked for, if it goes on beyond. Absent where it was read to its end.",
    )


class Body(BaseModel):
    """Base of request bodies: unknown keys are refused."""

    is_slow: ClassVar[bool] = False
    """Whether also a short body may take long to check: then it is checked in a thread."""

    model_config = ConfigDict(extra="forbid", defer_build=DEFER)


def given(change: BaseModel, *, nullable: Set[str], exclude: Set[str] = frozenset()) -> dict[str, Any]:
    """What a PATCH changes: the keys it has. `null` leaves a value alone, unless having none is a value."""
    values = change.model_dump(exclude=set(exclude), exclude_unset=True)
    return {key: value for key, value in values.items() if value is not None or key in nullable}


def field_errors(error: ValidationError, prefix: str = "") -> list[FieldError]:
    """Pydantic's errors with JSON pointers (RFC 6901), at most `MAX_ERRORS` and how many more there are; inputs are not
    echoed, they may be secrets."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    errors = [
        FieldError(
            pointer=prefix + "".join("/" + _escape(part) for part in item["loc"] if not _is_tag(part)),
            code=_code(item["type"]),
            message=item["msg"].removeprefix("Value error, "),
        )
        for item in found[:MAX_ERRORS]
    ]
    if len(found) > MAX_ERRORS:
        errors.append(FieldError(prefix, "more_errors", f"There are {len(found) - MAX_ERRORS} more errors."))
    return errors


def _is_tag(part: int | str) -> bool:
    return isinstance(part, str) and part.startswith(TAG)


def _escape(part: int | str) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def _code(kind: str) -> str:
    return {"missing": "required", "extra_forbidden": "unknown_field"}.get(kind, kind)
