"""Sending deliveries. A job is one attempt: it ends with the statement or transaction that writes what came of it and
promises the next one, so that the ledger's own retries are left for what is wrong on our side."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from itertools import islice
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from asyncpg import Record
from prometheus_client import Counter as Metric

from scaicms.features.auth.service import Authenticator
from scaicms.features.webhooks import attempt_repository, delivery_repository, leaving, repository
from scaicms.features.webhooks.attempt_repository import Attempt, Delivered
from scaicms.features.webhooks.delivery_repository import Outcome
from scaicms.features.webhooks.events import WebhookDisabled
from scaicms.features.webhooks.jobs import DELIVER, TELL_DISABLED, DeliverPayload, DisabledPayload, Reason, delivery_key
from scaicms.features.webhooks.leaving import Seen
from scaicms.features.webhooks.models import WebhookRow
from scaicms.features.webhooks.requests import Prepared, prepare
from scaicms.features.webhooks.turns import Turns
from scaicms.features.webhooks.vault import MASK, SealBrokenError, WebhookVault
from scaicms.infra import db
from scaicms.infra.db.batches import Batches
from scaicms.infra.events import record
from scaicms.infra.jobs import RunningJob, enqueue
from scaicms.infra.jobs.errors import StaleLeaseError
from scaicms.infra.services import Service, Services
from scaicms.kit import json
from scaicms.kit.clock import utcnow
from scaicms.kit.errors import UnauthorizedError
from scaicms.kit.principal import SYSTEM

if TYPE_CHECKING:  # a worker holds aiohttp when it first sends something, and not before
    from scaicms.infra.http import HttpClient, Reach

SCHEDULE = (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds to wait before each attempt, from the end of the one before (Standard Webhooks 1.0)."""
LONGEST_WAIT = 86_400.0
"""The longest that a receiver's `Retry-After` is heeded."""
FAILING_SECONDS = 5 * 86_400.0
MAX_HEADERS = 100
GONE = 410
MASKED_ANSWERS = frozenset({"set-cookie"})
_sent = Metric("scaicms_webhook_attempts_total", "Attempts at deliveries by outcome", ["outcome"])


class Hindrance(NamedTuple):
    """The state of a delivery that must not be sent, and why."""

    state: str
    reason: str


class Asked(NamedTuple):
    """A delivery whose turn it is, and its job."""

    delivery: Record
    webhook: WebhookRow | None
    job: RunningJob


class Sender(Service):
    """Sends deliveries, whoever promised them."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._authenticator = services.get(Authenticator)
        self._vault = services.get(WebhookVault)
        settings = services.resources.settings
        self._turns = Turns(settings.queue_concurrency.get(DELIVER.queue, settings.worker_concurrency))
        self._reading = Batches(_read)
        self._beginning = Batches(self._begin)
        self._ending = Batches(_end)

    async def attempt(self, delivery_id: UUID, job: RunningJob) -> None:
        """Send it, if it is still to be sent, and write down what came of it."""
        if job.progress == "settled":  # a worker of an older release has written the outcome
            return
        delivery, webhook = await self._reading.do(delivery_id)
        if delivery is None or delivery["state"] != "pending":
            return
        is_failing = webhook is not None and webhook.failing_since is not None
        async with self._turns.turn(
            delivery["webhook_id"], delivery_id, is_failing=is_failing, has_line=delivery["has_line"]
        ):
            job.stop_if_cancelled()
            prepared = await self._beginning.do(Asked(delivery, webhook, job))
            if isinstance(prepared, Hindrance):
                await _finish_unsent(delivery_id, prepared, job)
            elif prepared is not None:
                await self._exchange(prepared, job)

    async def _exchange(self, prepared: Prepared, job: RunningJob) -> None:
        with job.waiting_outside():
            outcome = await self._send(prepared)
        if _is_success(outcome.status):
            _sent.labels("delivered").inc()
            claim = job.claim
            is_ours = await self._ending.do(
                Delivered(
                    prepared.attempt_id, prepared.delivery_id, claim.id, claim.fence, prepared.webhook.id, outcome
                )
            )
            if not is_ours:
                raise StaleLeaseError
            job.is_finished = True
            return
        async with db.transaction():
            await self._settle_failure(prepared, outcome)
            await job.finish()

    async def _begin(self, asked: Sequence[Asked]) -> list[Prepared | Hindrance | None]:
        """Ask the owners' rights and write attempts down; for each the request to send, or why there is none. None:
        it is to be sent no more, or not by this worker."""
        seen: dict[tuple[str, UUID | None, UUID], list[Seen] | None] = {}
        answers: list[Prepared | Hindrance | None] = [await self._prepare(one, seen) for one in asked]
        ready = {
            answer.delivery_id: Attempt(
                answer.attempt_id,
                answer.delivery_id,
                one.job.claim.id,
                one.job.claim.fence,
                answer.webhook.url,
                answer.shown,
            )
            for answer, one in zip(answers, asked, strict=True)
            if isinstance(answer, Prepared)
        }
        begun = await attempt_repository.begin(list(ready.values())) if ready else set()
        return [
            answer if isinstance(answer, Hindrance) or (answer and answer.delivery_id in begun) else None
            for answer in answers
        ]

    async def _prepare(
        self, asked: Asked, seen: dict[tuple[str, UUID | None, UUID], list[Seen] | None]
    ) -> Prepared | Hindrance:
        """`seen`: what the owners may read, as far as it has been asked for this batch."""
        delivery, webhook = asked.delivery, asked.webhook
        if webhook is None:
            return Hindrance("cancelled", "the webhook was deleted")
        if not delivery["is_test"]:
            if not webhook.is_active:
                return Hindrance("cancelled", "the webhook is not active")
            owner = (webhook.owner_kind, webhook.owner_id, webhook.site_id)
            if owner not in seen:
                seen[owner] = await self._seen_by(*owner)
            readable = seen[owner]
            if readable is None:
                return Hindrance("withheld", "the webhook's owner is gone, deactivated or expired")
            payload = json.loads(delivery["payload"])
            if not any(one.admits(delivery["event_type"], payload) for one in readable):
                return Hindrance("withheld", "the webhook's owner may not read this event")
        try:
            return prepare(self._vault, delivery, webhook)
        except SealBrokenError as error:
            return Hindrance("failed", str(error))

    async def _seen_by(self, kind: str, owner_id: UUID | None, site_id: UUID) -> list[Seen] | None:
        """What an owner may read now; None: there is no such account or key."""
        try:
            return leaving.seen_by(await self._authenticator.principal_of(kind, owner_id), site_id)
        except UnauthorizedError:
            return None

    async def _send(self, prepared: Prepared) -> Outcome:
        client, problem, reach = _client()
        started = time.perf_counter()
        try:
            answer = await client.request(
                "POST",
                prepared.webhook.url,
                headers=prepared.headers,
                data=prepared.body,
                reach=reach[self.resources.settings.outbound_reach.upper()],
            )
        except problem as error:
            return Outcome(self._took(prepared, started, status=None), None, str(error), None, None, False)
        headers = _shown(answer.headers, prepared.secrets)
        body = _without(answer.body, prepared.secrets)
        latency = self._took(prepared, started, status=answer.status)
        return Outcome(latency, answer.status, None, headers, body, answer.truncated)

    def _took(self, prepared: Prepared, started: float, *, status: int | None) -> float:
        """Milliseconds."""
        seconds = time.perf_counter() - started
        self._turns.took(prepared.webhook.id, seconds, is_success=_is_success(status))
        return round(seconds * 1000, 1)

    async def _settle_failure(self, prepared: Prepared, outcome: Outcome) -> None:
        """In one transaction: what came of it, and what follows."""
        held = await delivery_repository.hold(prepared.delivery_id)
        await delivery_repository.end_attempt(prepared.attempt_id, outcome)
        if held is None:
            return
        _sent.labels("failed").inc()
        if prepared.is_test:
            await delivery_repository.finish(prepared.delivery_id, "failed", "a test is tried once")
            return
        lasting = await repository.failed(prepared.webhook.id, longest_seconds=FAILING_SECONDS)
        if outcome.status == GONE or lasting:
            await self._disable(prepared, "gone" if outcome.status == GONE else "failing")
        elif held["state"] == "pending":
            await self._try_later(prepared, outcome)

    async def _try_later(self, prepared: Prepared, outcome: Outcome) -> None:
        step = prepared.step + 1
        if step >= len(SCHEDULE):
            await delivery_repository.finish(prepared.delivery_id, "failed", f"{step} attempts failed")
            return
        asked = retry_after(outcome.headers or {}, utcnow())
        run_at = utcnow() + timedelta(seconds=max(SCHEDULE[step], asked))
        job_id = await enqueue(
            DELIVER.request(
                DeliverPayload(delivery_id=prepared.delivery_id),
                site_id=prepared.webhook.site_id,
                dedupe_key=delivery_key(prepared.delivery_id),
                run_at=run_at,
            )
        )
        await delivery_repository.postpone(prepared.delivery_id, step=step, next_at=run_at, job_id=job_id)

    async def _disable(self, prepared: Prepared, reason: Reason) -> None:
        """End it, and tell its owner, once."""
        said = "the receiver answered 410: it is gone" if reason == "gone" else "the webhook was disabled"
        await delivery_repository.finish(prepared.delivery_id, "failed", said)
        row = await repository.disable(prepared.webhook.id, reason)
        if row is None:
            return
        fact = WebhookDisabled(site_id=row.site_id, aggregate_id=row.id, name=row.name, reason=reason)
        await record(fact, actor=SYSTEM)
        user_id = await self._person(row)
        if user_id is not None:
            payload = DisabledPayload(webhook_id=row.id, user_id=user_id, reason=reason)
            await enqueue(TELL_DISABLED.request(payload, site_id=row.site_id))

    async def _person(self, row: WebhookRow) -> UUID | None:
        """Who is to be told: the owner, of a key its own owner, else who created it."""
        try:
            owner = await self._authenticator.principal_of(row.owner_kind, row.owner_id)
        except UnauthorizedError:
            return row.created_by
        return owner.author_id or row.created_by


@cache
def _client() -> tuple["HttpClient", type[Exception], "type[Reach]"]:
    """The client, its error and its bounds; imported when something is first sent."""
    http = resolve_name("scaicms.infra.http")
    return http.HttpClient(), http.OutboundError, http.Reach


async def _read(delivery_ids: Sequence[UUID]) -> list[tuple[Record | None, WebhookRow | None]]:
    """Deliveries and their webhooks."""
    found = await attempt_repository.due(delivery_ids)
    webhooks = await attempt_repository.webhooks({row["webhook_id"] for row in found.values()})
    rows = [found.get(delivery_id) for delivery_id in delivery_ids]
    return [(row, webhooks.get(row["webhook_id"]) if row is not None else None) for row in rows]


async def _end(delivered: Sequence[Delivered]) -> list[bool]:
    """Write successes down; for each whether its job was still this worker's."""
    done = await attempt_repository.end_delivered(delivered)
    return [one.job_id in done for one in delivered]


async def _finish_unsent(delivery_id: UUID, hindrance: Hindrance, job: RunningJob) -> None:
    async with db.transaction():
        held = await delivery_repository.hold(delivery_id)
        if held is not None and held["state"] == "pending":
            await delivery_repository.finish(delivery_id, hindrance.state, hindrance.reason)
        await job.finish()


def _is_success(status: int | None) -> bool:
    return status is not None and 200 <= status < 300


def retry_after(headers: Mapping[str, str], now: datetime) -> float:
    """Seconds that an answer asks us to wait (RFC 9110 §10.2.3), at most a day; 0 when it does not."""
    value: Any = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    if value.isascii() and value.isdecimal():
        return min(LONGEST_WAIT, float(value[:9]))
    try:
        seconds = (parsedate_to_datetime(value) - now).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return min(LONGEST_WAIT, max(0.0, seconds))


def _shown(headers: Mapping[str, str], secrets: tuple[str, ...]) -> dict[str, str]:
    """The first hundred headers of an answer as they are kept; what comes twice as one (RFC 9110 §5.3)."""
    shown: dict[str, str] = {}
    for name, value in islice(headers.items(), MAX_HEADERS):
        key = _plain(name, ())
        text = MASK if key.lower() in MASKED_ANSWERS else _plain(value, secrets)
        shown[key] = f"{shown[key]}, {text}" if key in shown else text
    return shown


def _plain(text: str, secrets: tuple[str, ...]) -> str:
    """As PostgreSQL can keep it: headers may have any bytes."""
    raw = _without(text.encode("utf-8", "surrogateescape"), secrets)
    return raw.decode("utf-8", "replace").replace("\0", " ")


def _without(text: bytes, secrets: tuple[str, ...]) -> bytes:
    """What a receiver answers, without what is secret: some answer with all that they were sent."""
    for secret in secrets:
        text = text.replace(secret.encode(), MASK.encode())
    return text
