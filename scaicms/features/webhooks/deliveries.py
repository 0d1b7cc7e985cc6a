"""Use cases of deliveries: look at them, ask for them once more, test, replay."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from scaicms.features.webhooks import delivery_repository, feed_repository, leaving, permissions, repository
from scaicms.features.webhooks.errors import (
    DeliveryNotFoundError,
    EventsExpiredError,
    WebhookInactiveError,
    WebhookNotFoundError,
)
from scaicms.features.webhooks.events import WebhookRedelivered, WebhookReplayed, WebhookTested
from scaicms.features.webhooks.jobs import DELIVER, REPLAY, DeliverPayload, ReplayPayload, delivery_key
from scaicms.features.webhooks.models import WebhookRow
from scaicms.features.webhooks.schemas import (
    AttemptOut,
    DeliveryOut,
    DeliveryPage,
    GivenResponse,
    ListDeliveries,
    Replay,
    SentRequest,
)
from scaicms.infra import db, lists
from scaicms.infra.events import record
from scaicms.infra.jobs import enqueue
from scaicms.infra.services import Service
from scaicms.kit import json
from scaicms.kit.clock import utcnow
from scaicms.kit.errors import BadRequestError
from scaicms.kit.ids import new_id
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site


@dataclass(frozen=True, slots=True)
class Promised:
    """A replay that a worker will do."""

    job_id: UUID
    since: datetime
    until: datetime


class DeliveryService(Service):
    """What was sent to the webhooks of a site. Of deliveries one sees those whose events one may read."""

    async def page(self, principal: Principal, site: Site, webhook_id: UUID, query: ListDeliveries) -> DeliveryPage:
        """Newest first. Of answers, a page shows as much as 1 MiB; reading one delivery shows all of its."""
        principal.require(permissions.READ.code, site.id)
        await _webhook(site, webhook_id)
        seen = leaving.seen_by(principal, site.id)
        rows = delivery_repository.deliveries(site.id, webhook_id, seen, query)
        found = await lists.read_page(self.resources, rows, query, count=query.count == "exact")
        return DeliveryPage(items=await _shown(found.rows), **found.about(query))

    async def get(self, principal: Principal, site: Site, webhook_id: UUID, delivery_id: UUID) -> DeliveryOut:
        principal.require(permissions.READ.code, site.id)
        await _webhook(site, webhook_id)
        return await self._one(principal, site, webhook_id, delivery_id)

    async def redeliver(self, principal: Principal, site: Site, webhook_id: UUID, delivery_id: UUID) -> DeliveryOut:
        """Send it once more, now; from the beginning of the schedule.

        Raises:
            WebhookInactiveError: nothing is sent to it.
        """
        principal.require(permissions.MANAGE.code, site.id)
        async with db.transaction():
            webhook = await _webhook(site, webhook_id)
            delivery = await self._one(principal, site, webhook_id, delivery_id)
            if not (webhook.is_active or delivery.is_test):
                raise WebhookInactiveError
            await delivery_repository.hold(delivery_id)
            await delivery_repository.ask_again(delivery_id, await _promise(site.id, delivery_id))
            fact = WebhookRedelivered(
                site_id=site.id, aggregate_id=webhook_id, name=webhook.name, delivery=str(delivery_id)
            )
            await record(fact, actor=principal)
            return await self._one(principal, site, webhook_id, delivery_id)

    async def test(self, principal: Principal, site: Site, webhook_id: UUID) -> DeliveryOut:
        """Send a `webhook.test`, once, whether the webhook is active or not."""
        principal.require(permissions.MANAGE.code, site.id)
        delivery_id = new_id()
        async with db.transaction():
            webhook = await _webhook(site, webhook_id)
            job_id = await _promise(site.id, delivery_id)
            await delivery_repository.insert_test(delivery_id, webhook_id, site.id, new_id(), job_id)
            await record(WebhookTested(site_id=site.id, aggregate_id=webhook_id, name=webhook.name), actor=principal)
            return await self._one(principal, site, webhook_id, delivery_id)

    async def replay(self, principal: Principal, site: Site, webhook_id: UUID, wanted: Replay) -> Promised:
        """Let a worker deliver what happened between two times once more.

        Raises:
            WebhookInactiveError: nothing is sent to it.
            EventsExpiredError: retention has removed events after `since`.
        """
        principal.require(permissions.MANAGE.code, site.id)
        now = utcnow()
        since, until = wanted.since, min(wanted.until or now, now)
        if since >= until:
            raise BadRequestError("since is in the future: nothing has happened then.", code="nothing_to_replay")
        async with db.transaction():
            webhook = await _webhook(site, webhook_id)
            if not webhook.is_active:
                raise WebhookInactiveError
            await _require_uncut(site, since)
            payload = ReplayPayload(webhook_id=webhook_id, since=since, until=until)
            job_id = await enqueue(REPLAY.request(payload, site_id=site.id))
            fact = WebhookReplayed(
                site_id=site.id,
                aggregate_id=webhook_id,
                name=webhook.name,
                since=since.isoformat(),
                until=until.isoformat(),
            )
            await record(fact, actor=principal)
        return Promised(job_id, since, until)

    async def _one(self, principal: Principal, site: Site, webhook_id: UUID, delivery_id: UUID) -> DeliveryOut:
        seen = leaving.seen_by(principal, site.id)
        row = await delivery_repository.find(site.id, webhook_id, delivery_id, seen)
        if row is None:
            raise DeliveryNotFoundError
        return (await _shown([row], whole=True))[0]


async def _webhook(site: Site, webhook_id: UUID) -> WebhookRow:
    row = await repository.find(site.id, webhook_id)
    if row is None:
        raise WebhookNotFoundError
    return row


async def _require_uncut(site: Site, since: datetime) -> None:
    cut = await feed_repository.cut(site.id, 0)
    if cut is not None and since <= cut["occurred_at"]:
        raise EventsExpiredError(
            f"Events until {cut['occurred_at']:%Y-%m-%dT%H:%M:%SZ} were removed. `since` must be later.",
            extra={"removed_until": cut["occurred_at"]},
        )


async def _promise(site_id: UUID, delivery_id: UUID) -> UUID:
    payload = DeliverPayload(delivery_id=delivery_id)
    return await enqueue(DELIVER.request(payload, site_id=site_id, dedupe_key=delivery_key(delivery_id)))


async def _shown(rows: Sequence[Record], *, whole: bool = False) -> list[DeliveryOut]:
    attempts: defaultdict[UUID, list[Record]] = defaultdict(list)
    for attempt in await delivery_repository.attempts_of([row["id"] for row in rows], whole=whole):
        attempts[attempt["delivery_id"]].append(attempt)
    return [_delivery(row, attempts[row["id"]]) for row in rows]


def _delivery(row: Record, attempts: Sequence[Record]) -> DeliveryOut:
    body = leaving.body_of(row).decode()
    return DeliveryOut(
        id=row["id"],
        webhook_id=row["webhook_id"],
        event_id=row["event_id"],
        event_type=row["event_type"],
        is_test=row["is_test"],
        status=row["state"],
        reason=row["reason"],
        attempts=[_attempt(attempt, body) for attempt in attempts],
        next_attempt_at=row["next_at"],
        job_id=row["job_id"],
        created_at=row["created_at"],
        finished_at=row["finished_at"],
    )


def _attempt(row: Record, body: str) -> AttemptOut:
    response = None
    if row["response_headers"] is not None:
        response = GivenResponse(
            headers=json.loads(row["response_headers"]),
            body=(row["body"] or b"").decode("utf-8", "replace"),
            truncated=row["response_truncated"],
            left_out=not row["kept"],
        )
    return AttemptOut(
        number=row["number"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        status=row["status"],
        latency_ms=row["latency_ms"],
        error=row["error"],
        request=SentRequest(url=row["url"], headers=json.loads(row["request_headers"]), body=body),
        response=response,
    )
