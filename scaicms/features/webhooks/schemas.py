"""Webhooks in and out."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from scaicms.kit.schemas import Answer, Body, Listed, ListQuery, Moment, Query

MAX_HEADERS = 20
MAX_HEADER_CHARACTERS = 4096
MAX_GRACE_SECONDS = 7 * 24 * 3600
# Names: RFC 9110 §5.6.2. Values: what can be seen, spaces and tabs within (§5.5); no CR, no LF.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}")
_VALUE = re.compile(r"[!-~](?:[ \t!-~]*[!-~])?|")
# Of one hop (§7.6.1), of the message's frame, or ours to set.
REFUSED_HEADERS = frozenset(
    {
        "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host",
        "http2-settings", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te",
        "trailer", "transfer-encoding", "upgrade", "via",
    }
)  # fmt: skip


def _no_nul(value: str) -> str:
    # PostgreSQL cannot hold U+0000.
    if "\0" in value:
        raise ValueError("text may not contain the character U+0000")
    return value


def _headers(headers: dict[str, str]) -> dict[str, str]:
    seen = set()
    for name, value in headers.items():
        lower = name.lower()
        if _TOKEN.fullmatch(name) is None:
            raise ValueError("names of headers are letters, digits and hyphens")
        if lower in REFUSED_HEADERS or lower.startswith("webhook-"):
            raise ValueError(f"the header {lower} is not yours to set")
        if lower in seen:
            raise ValueError(f"the header {lower} is given twice")
        seen.add(lower)
        if len(value) > MAX_HEADER_CHARACTERS or _VALUE.fullmatch(value) is None:
            raise ValueError(f"the value of {lower} must be visible ASCII in one line, at most 4096 characters")
    return headers


def _once(values: list[str]) -> list[str]:
    return list(dict.fromkeys(values))


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_no_nul)]
Address = Annotated[str, StringConstraints(min_length=1, max_length=2000), AfterValidator(_no_nul)]
Patterns = Annotated[
    list[Annotated[str, StringConstraints(max_length=100)]], Field(min_length=1, max_length=100), AfterValidator(_once)
]
TypeKeys = Annotated[
    list[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]],
    Field(min_length=1, max_length=200),
    AfterValidator(_once),
]
Headers = Annotated[dict[str, str], Field(max_length=MAX_HEADERS), AfterValidator(_headers)]

EVENTS = "Types of events, all of a subject (`content.*`), or all (`*`); see `GET /webhooks/event-types`."
CONTENT_TYPES = "Of events that name a content type (those of items), only those of these; null is all."
HEADERS = "Sent with each delivery. Values are secrets: sealed, and shown as `***` from then on."


class CreateWebhook(Body):
    name: Name
    url: Address = Field(description="`https://…`, or `http://…`, on port 443 or 80.")
    events: Patterns = Field(description=EVENTS)
    content_types: TypeKeys | None = Field(default=None, description=CONTENT_TYPES)
    headers: Headers = Field(default_factory=dict, description=HEADERS)
    is_active: bool = True


class UpdateWebhook(Body):
    name: Name | None = None
    url: Address | None = None
    events: Patterns | None = Field(default=None, description=EVENTS)
    content_types: TypeKeys | None = Field(default=None, description=CONTENT_TYPES)
    headers: Headers | None = Field(
        default=None, description="All of them; a value `***` leaves that header's value as it is."
    )
    is_active: bool | None = Field(default=None, description="true also ends what `disabled_reason` says.")


class WebhookOut(Answer):
    id: UUID
    name: str
    url: str
    events: list[str]
    content_types: list[str] | None
    headers: dict[str, str] = Field(description="Values are `***`.")
    is_active: bool
    disabled_reason: Literal["gone", "failing"] | None = Field(
        description="`gone`: it answered 410; `failing`: nothing got there for five days."
    )
    failing_since: datetime | None = Field(description="When the failures began that go on.")
    previous_secret_until: datetime | None = Field(description="Until then the secret before signs, too.")
    owner: dict[str, str | None] = Field(
        description="`kind` and `id` of who last said what it gets and where: it gets what they may read."
    )
    created_at: datetime
    created_by: UUID | None
    updated_at: datetime


class WebhookWithSecret(WebhookOut):
    secret: str = Field(description="Signs deliveries (HMAC-SHA256); shown this once.")


class RotateSecret(Body):
    grace_seconds: int = Field(
        default=0, ge=0, le=MAX_GRACE_SECONDS, description="How long the old secret signs beside the new one."
    )


class Replay(Body):
    since: Moment = Field(description="From this time on (RFC 3339).")
    until: Moment | None = Field(default=None, description="Before this time; now when absent.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until is not None and self.until <= self.since:
            raise ValueError("until must be after since")
        return self


class ReplayOut(Answer):
    webhook_id: UUID
    status: str
    job_id: UUID
    since: datetime
    until: datetime


DeliveryState = Literal["pending", "delivered", "failed", "cancelled", "withheld"]


class SentRequest(Answer):
    url: str
    headers: dict[str, str] = Field(description="As they were sent; the values of your own are `***`.")
    body: str


class GivenResponse(Answer):
    headers: dict[str, str]
    body: str = Field(description="The first 64 KiB of it, as UTF-8. Your secrets in it are `***`.")
    truncated: bool = Field(description="There was more.")
    left_out: bool = Field(default=False, description="In lists: the page would be too long; read the delivery.")


class AttemptOut(Answer):
    """One request, and what came of it; all null while it is under way."""

    number: int
    started_at: datetime
    finished_at: datetime | None
    status: int | None
    latency_ms: float | None
    error: str | None = Field(description="Why there was no answer.")
    request: SentRequest
    response: GivenResponse | None


class DeliveryOut(Answer):
    id: UUID
    webhook_id: UUID
    event_id: UUID = Field(description="`webhook-id` of all of its attempts, and `id` in the body.")
    event_type: str
    is_test: bool
    status: DeliveryState = Field(
        description="`pending`: an attempt is to come; `failed`: none is; `cancelled`: the webhook was not active; "
        "`withheld`: its owner may not read the event."
    )
    reason: str | None
    attempts: list[AttemptOut]
    next_attempt_at: datetime | None
    job_id: UUID = Field(description="The job of the latest attempt, or of the one to come.")
    created_at: datetime
    finished_at: datetime | None


class DeliveryPage(Listed):
    items: list[DeliveryOut]
    next_cursor: str | None


class ListDeliveries(ListQuery):
    status: DeliveryState | None = None
    event_type: str | None = Field(default=None, max_length=100, description="Only of events of this type.")
    count: Literal["exact", "none"] = Field(default="exact", description="`none`: `total` is null, and costs nothing.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.cursor is not None and "page" in self.model_fields_set:
            raise ValueError("give page or cursor, not both")
        return self


class EventTypeOut(Answer):
    model_config = ConfigDict(populate_by_name=True)

    type: str
    version: int
    description: str
    permission: str = Field(description="What one needs to get it.")
    data_schema: dict[str, Any] = Field(description="JSON Schema 2020-12 of `data`.")


class FeedQuery(Query):
    after: int = Field(
        default=0, ge=0, le=2**63 - 1, description="`next_after` of the answer before; 0: from the start."
    )
    types: str | None = Field(
        default=None, max_length=2000, description="Types and patterns by comma: `content.published,taxonomy.*`."
    )
    cursor: str | None = Field(
        default=None, max_length=300, description="`next_cursor` of the answer before, instead of `after`."
    )
    page_size: int = Field(default=50, ge=1, le=200, description="Events an answer, at most 200.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.cursor is not None and "after" in self.model_fields_set:
            raise ValueError("give after or cursor, not both")
        return self


class FeedEvent(Answer):
    seq: int
    type: str
    timestamp: datetime
    id: UUID
    site_id: UUID
    version: int
    data: dict[str, Any]


class FeedOut(Answer):
    """Events in the order in which they are told. There may be none in it although there are more to come: go on until
    `has_more` is false."""

    items: list[FeedEvent]
    total: int | None = Field(description="Always null: nobody counts the log.")
    next_after: int = Field(description="Where to go on from.")
    next_cursor: str = Field(description="The same, for `cursor`.")
    has_more: bool
