"""The audit log in and out."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from scaicms.kit.schemas import Answer, Listed, ListQuery, Query, QueryMoment


class AuditFilters(Query):
    actor: str | None = Field(
        default=None, max_length=63, description="Id of a user or key, or a kind: user, api_key, anonymous, system."
    )
    action: str | None = Field(
        default=None,
        max_length=100,
        pattern=r"^[a-z_]+(\.[a-z_]+|\.\*)?$",
        description="`user.updated`, or all of a subject: `user.*`.",
    )
    target: UUID | None = Field(default=None, description="Id of what it was done to.")
    site: UUID | None = Field(default=None, description="Id of a site.")
    since: QueryMoment | None = Field(default=None, alias="from", description="From this time on (RFC 3339).")
    until: QueryMoment | None = Field(default=None, alias="to", description="Before this time (RFC 3339).")


class ListAudit(AuditFilters, ListQuery):
    count: Literal["exact", "none"] = Field(default="exact", description="`none`: `total` is null, and costs nothing.")


class ActorOut(Answer):
    """`name`: the user's address or the key's prefix, where there still is one."""

    kind: str
    id: UUID | None
    name: str | None


class EntryOut(Answer):
    """`position` and `hash`: its link in the chain, null until it is linked."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    seq: int
    action: str
    actor: ActorOut
    target: UUID
    site_id: UUID | None
    occurred_at: datetime
    ip: str | None
    request_id: str | None
    data: dict[str, Any]
    position: int | None
    hash: str | None


class AuditPage(Listed):
    items: list[EntryOut]
    next_cursor: str | None


class ProblemOut(Answer):
    """`seq` is null for what is missing; `position` 0 for what no place in the chain was claimed for."""

    model_config = ConfigDict(from_attributes=True)

    position: int
    seq: int | None
    kind: Literal["changed", "missing", "inserted", "backdated"]


class VerdictOut(Answer):
    """`head_hash` stands for all of the log up to `head_position`: keep it elsewhere to compare later."""

    model_config = ConfigDict(from_attributes=True)

    intact: bool
    checked: int
    unsealed: int = Field(description="Entries not yet linked; that is done every minute.")
    anchor_position: int = Field(description="Entries up to this one were removed by retention.")
    head_position: int
    head_hash: str
    problems: list[ProblemOut]
