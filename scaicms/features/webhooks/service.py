"""Use cases of webhooks; those of their deliveries are in `deliveries`, sending is in `sending`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from tortoise.exceptions import IntegrityError

from scaicms.features.webhooks import leaving, permissions, repository
from scaicms.features.webhooks.errors import (
    EventsForbiddenError,
    HeadersRequiredError,
    WebhookExistsError,
    WebhookNotFoundError,
)
from scaicms.features.webhooks.events import WebhookCreated, WebhookDeleted, WebhookSecretRotated, WebhookUpdated
from scaicms.features.webhooks.jobs import FORGET, ForgetPayload
from scaicms.features.webhooks.models import WebhookRow
from scaicms.features.webhooks.schemas import CreateWebhook, RotateSecret, UpdateWebhook, WebhookOut
from scaicms.features.webhooks.vault import MASK, SealBrokenError, WebhookVault, new_secret
from scaicms.infra import db, lists
from scaicms.infra.events import record
from scaicms.infra.http import OutboundError, Reach, check_url, is_same_origin
from scaicms.infra.jobs import enqueue
from scaicms.infra.lists import Found
from scaicms.infra.services import Service, Services
from scaicms.kit.clock import utcnow
from scaicms.kit.errors import ConflictError, FieldError, InvalidError
from scaicms.kit.ids import new_id
from scaicms.kit.principal import Principal
from scaicms.kit.schemas import ListQuery, given
from scaicms.kit.sites import Site

MAX_WEBHOOKS = 100
OUTWARD = frozenset({"url", "events", "content_types", "headers"})
"""Whoever changes one of these, or activates it, owns the webhook from then on: it reads with their rights."""

Check = Callable[[WebhookRow], None]


@dataclass(frozen=True, slots=True)
class WithSecret:
    """A webhook and, this once, its secret."""

    row: WebhookRow
    secret: str


class WebhookService(Service):
    """Webhooks of a site."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._vault = services.get(WebhookVault)

    async def list_webhooks(self, principal: Principal, site: Site, query: ListQuery) -> Found[WebhookRow]:
        principal.require(permissions.READ.code, site.id)
        return await lists.read_models(self.resources, WebhookRow, repository.webhooks(site.id), query)

    async def first_webhooks(self, principal: Principal, site: Site, number: int) -> list[WebhookRow]:
        """The first webhooks by name."""
        principal.require(permissions.READ.code, site.id)
        return await lists.first_models(WebhookRow, repository.webhooks(site.id), number)

    async def get(self, principal: Principal, site: Site, webhook_id: UUID) -> WebhookRow:
        principal.require(permissions.READ.code, site.id)
        return await self._existing(site, webhook_id)

    async def named(self, principal: Principal, site: Site, name: str) -> WebhookRow:
        principal.require(permissions.READ.code, site.id)
        row = await repository.find_by_name(site.id, name)
        if row is None:
            raise WebhookNotFoundError
        return row

    async def create(self, principal: Principal, site: Site, new: CreateWebhook) -> WithSecret:
        """A webhook with a secret of its own. It gets what its maker may read.

        Raises:
            EventsForbiddenError: the maker may read none of what it asks for.
        """
        principal.require(permissions.MANAGE.code, site.id)
        await self._check(principal, site, new.model_dump())
        _require_readable(principal, site.id, new.events)
        if any(value == MASK for value in new.headers.values()):
            raise InvalidError(errors=[FieldError("/headers", "masked_value", "*** stands for a value; give one.")])
        secret, now, webhook_id = new_secret(), utcnow(), new_id()
        row = WebhookRow(
            id=webhook_id,
            site_id=site.id,
            sealed_secret=self._vault.seal_secret(webhook_id, secret),
            sealed_headers=self._vault.seal_headers(webhook_id, new.headers),
            owner_kind=principal.kind,
            owner_id=principal.id,
            created_at=now,
            created_by=principal.author_id,
            updated_at=now,
            **new.model_dump(exclude={"headers"}),
        )
        try:
            async with db.transaction():
                if await repository.count_held(site.id) >= MAX_WEBHOOKS:
                    raise ConflictError(f"A site has at most {MAX_WEBHOOKS} webhooks.", code="too_many_webhooks")
                await row.save(force_create=True)
                await record(WebhookCreated(site_id=site.id, aggregate_id=row.id, name=row.name), actor=principal)
        except IntegrityError:
            raise WebhookExistsError from None
        return WithSecret(row, secret)

    async def update(
        self, principal: Principal, site: Site, webhook_id: UUID, change: UpdateWebhook, *, check: Check
    ) -> WebhookRow:
        """Change a webhook. `check` may refuse the row as it is when we hold it.

        Raises:
            EventsForbiddenError: who changes it may read none of what it asks for.
            HeadersRequiredError: it moves to another origin with stored values of headers.
        """
        principal.require(permissions.MANAGE.code, site.id)
        changed = given(change, nullable={"content_types"})
        try:
            async with db.transaction():
                row = await self._existing(site, webhook_id, lock=True)
                check(row)
                differs = self._differing(row, changed)
                if differs & OUTWARD or ("is_active" in differs and changed["is_active"]):
                    await self._check(principal, site, {name: changed[name] for name in differs})
                    _require_own_headers(row, changed)
                    _require_readable(principal, site.id, changed.get("events", row.events))
                    row.owner_kind, row.owner_id = principal.kind, principal.id
                self._apply(row, changed)
                row.updated_at = utcnow()
                await row.save()
                fact = WebhookUpdated(
                    site_id=site.id, aggregate_id=row.id, name=row.name, changed=tuple(sorted(changed))
                )
                await record(fact, actor=principal)
        except IntegrityError:
            raise WebhookExistsError from None
        return row

    async def delete(self, principal: Principal, site: Site, webhook_id: UUID, *, check: Check) -> None:
        """Away with it at once. What is left to deliver is given up; a worker removes its deliveries."""
        principal.require(permissions.MANAGE.code, site.id)
        async with db.transaction():
            row = await self._existing(site, webhook_id, lock=True)
            check(row)
            await row.delete()
            await enqueue(FORGET.request(ForgetPayload(webhook_id=row.id), site_id=site.id))
            await record(WebhookDeleted(site_id=site.id, aggregate_id=row.id, name=row.name), actor=principal)

    async def rotate(self, principal: Principal, site: Site, webhook_id: UUID, wanted: RotateSecret) -> WithSecret:
        """A new secret; the old one signs beside it for a while, if it is given one."""
        principal.require(permissions.MANAGE.code, site.id)
        secret, now = new_secret(), utcnow()
        async with db.transaction():
            row = await self._existing(site, webhook_id, lock=True)
            graced = wanted.grace_seconds > 0
            row.previous_secret = row.sealed_secret if graced else None
            row.previous_until = now + timedelta(seconds=wanted.grace_seconds) if graced else None
            row.sealed_secret, row.updated_at = self._vault.seal_secret(row.id, secret), now
            await row.save()
            fact = WebhookSecretRotated(
                site_id=site.id, aggregate_id=row.id, name=row.name, grace_seconds=wanted.grace_seconds
            )
            await record(fact, actor=principal)
        return WithSecret(row, secret)

    def shown(self, row: WebhookRow) -> WebhookOut:
        """As it is shown: of secrets that they are there."""
        graced = row.previous_until is not None and row.previous_until > utcnow()
        return WebhookOut.model_validate(
            {
                **{name: getattr(row, name) for name in WebhookOut.model_fields if hasattr(row, name)},
                "headers": dict.fromkeys(self._vault.header_names(row), MASK),
                "previous_secret_until": row.previous_until if graced else None,
                "owner": {"kind": row.owner_kind, "id": str(row.owner_id) if row.owner_id is not None else None},
            }
        )

    async def _existing(self, site: Site, webhook_id: UUID, *, lock: bool = False) -> WebhookRow:
        row = await repository.find(site.id, webhook_id, lock=lock)
        if row is None:
            raise WebhookNotFoundError
        return row

    def _differing(self, row: WebhookRow, changed: dict[str, Any]) -> set[str]:
        """Members that a change is about: to send one back as it was read changes nothing."""
        same_headers = changed.get("headers") == dict.fromkeys(self._vault.header_names(row), MASK)
        return {
            name
            for name, value in changed.items()
            if (not same_headers if name == "headers" else getattr(row, name) != value)
        }

    def _apply(self, row: WebhookRow, changed: dict[str, Any]) -> None:
        if "headers" in changed:
            row.sealed_headers = self._vault.seal_headers(row.id, self._merged(row, changed["headers"]))
        if changed.get("is_active"):
            row.disabled_reason = row.failing_since = None
        row.update_from_dict({name: value for name, value in changed.items() if name != "headers"})

    def _merged(self, row: WebhookRow, headers: dict[str, str]) -> dict[str, str]:
        """What is given, with the values that are there where `***` stands."""
        if MASK not in headers.values():
            return headers
        try:
            there = {name.lower(): value for name, value in self._vault.headers_of(row).items()}
        except SealBrokenError:
            there = {}
        missing = [name for name, value in headers.items() if value == MASK and name.lower() not in there]
        if missing:
            raise InvalidError(
                errors=[
                    FieldError(f"/headers/{name}", "masked_value", "*** stands for a value that is there; none is.")
                    for name in missing
                ]
            )
        return {name: there[name.lower()] if value == MASK else value for name, value in headers.items()}

    async def _check(self, principal: Principal, site: Site, members: dict[str, Any]) -> None:
        errors = _event_errors(members.get("events", ()))
        if "url" in members:
            try:
                check_url(members["url"], Reach[self.resources.settings.outbound_reach.upper()])
            except OutboundError as error:
                errors.append(FieldError("/url", "url_not_allowed", f"{error}."))
        if members.get("content_types"):
            known = await repository.known_types(site.id, members["content_types"])
            errors += [
                FieldError(f"/content_types/{number}", "unknown_type", "The site has no such content type.")
                for number, key in enumerate(members["content_types"])
                if key not in known
            ]
        if errors:
            raise InvalidError(errors=errors)


def _require_own_headers(row: WebhookRow, changed: dict[str, Any]) -> None:
    """Stored values of headers are for the origin that they were given for, and go to no other.

    Raises:
        HeadersRequiredError: the origin changes, and the body leaves stored values in place.
    """
    if row.sealed_headers is None or is_same_origin(row.url, changed.get("url", row.url)):
        return
    headers = changed.get("headers")
    if headers is None:
        raise HeadersRequiredError(errors=[FieldError("/headers", "required", HeadersRequiredError.message)])
    masked = [name for name, value in headers.items() if value == MASK]
    if masked:
        message = "A stored value is not sent to another origin. Give the value, or leave the header out."
        raise HeadersRequiredError(errors=[FieldError(f"/headers/{name}", "masked_value", message) for name in masked])


def _event_errors(patterns: Sequence[str]) -> list[FieldError]:
    return [
        FieldError(f"/events/{number}", "unknown_event", "No event is called so; see GET /webhooks/event-types.")
        for number in leaving.unknown(patterns)
    ]


def _require_readable(principal: Principal, site_id: UUID, patterns: Sequence[str]) -> None:
    """Each pattern asks for something that the caller may read: one that never brings anything is a mistake."""
    readable = {name for seen in leaving.seen_by(principal, site_id) for name in seen.types}
    useless = [pattern for pattern in patterns if not any(leaving.matches([pattern], name) for name in readable)]
    if useless:
        raise EventsForbiddenError(f"{EventsForbiddenError.message} You may read no {', '.join(useless)}.")
