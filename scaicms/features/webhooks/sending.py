"""Sending one delivery. A job is one attempt: it ends in the transaction that writes what came of it and promises the
next one, so that the ledger's own retries are left for what is wrong on our side."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import islice
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any
from uuid import UUID

from asyncpg import Record
from prometheus_client import Counter as Metric
from standardwebhooks import Webhook

from scaicms.features.auth.service import Authenticator
from scaicms.features.webhooks import delivery_repository, leaving, repository
from scaicms.features.webhooks.delivery_repository import Outcome
from scaicms.features.webhooks.events import WebhookDisabled
from scaicms.features.webhooks.jobs import DELIVER, TELL_DISABLED, DeliverPayload, DisabledPayload, Reason, delivery_key
from scaicms.features.webhooks.models import WebhookRow
from scaicms.features.webhooks.turns import Turns
from scaicms.features.webhooks.vault import MASK, PREFIX, SealBrokenError, WebhookVault
from scaicms.infra import db
from scaicms.infra.events import record
from scaicms.infra.jobs import RunningJob, enqueue
from scaicms.infra.services import Service, Services
from scaicms.kit import json
from scaicms.kit.clock import utcnow
from scaicms.kit.errors import UnauthorizedError
from scaicms.kit.ids import new_id
from scaicms.kit.principal import SYSTEM

if TYPE_CHECKING:  # a worker holds aiohttp when it first sends something, and not before
    from scaicms.infra.http import HttpClient

SCHEDULE = (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds to wait before each attempt, from the end of the one before (Standard Webhooks 1.0)."""
LONGEST_WAIT = 86_400.0
"""The longest that a receiver's `Retry-After` is heeded."""
FAILING_SECONDS = 5 * 86_400.0
MAX_HEADERS = 100
SHORTEST_SECRET = 6
GONE = 410
MASKED_ANSWERS = frozenset({"set-cookie"})
_sent = Metric("scaicms_webhook_attempts_total", "Attempts at deliveries by outcome", ["outcome"])


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that has been written down and can be sent."""

    attempt_id: UUID
    delivery_id: UUID
    webhook: WebhookRow
    step: int
    is_test: bool
    body: bytes
    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


class Sender(Service):
    """Sends deliveries, whoever promised them."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._authenticator = services.get(Authenticator)
        self._vault = services.get(WebhookVault)
        settings = services.resources.settings
        self._turns = Turns(settings.queue_concurrency.get(DELIVER.queue, settings.worker_concurrency))
        self._http: HttpClient | None = None

    async def attempt(self, delivery_id: UUID, job: RunningJob) -> None:
        """Send it, if it is still to be sent, and write down what came of it."""
        if job.progress == "settled":
            return
        found = await delivery_repository.webhook_of(delivery_id)
        if found is None:
            return
        async with self._turns.turn(delivery_id, found):
            await self._attempt(delivery_id, job)

    async def _attempt(self, delivery_id: UUID, job: RunningJob) -> None:
        async with db.transaction():
            prepared = await self._prepare(delivery_id, job.id)
            await job.checkpoint("sending" if prepared is not None else "settled")
        if prepared is None:
            return
        with job.waiting_outside():
            outcome = await self._send(prepared)
        async with db.transaction():
            await self._settle(prepared, outcome)
            await job.checkpoint("settled")

    async def _prepare(self, delivery_id: UUID, job_id: UUID) -> Prepared | None:
        """Write the attempt down, or why there is none."""
        delivery = await delivery_repository.hold(delivery_id)
        if delivery is None or delivery["state"] != "pending":
            return None
        webhook = await repository.by_id(delivery["webhook_id"])
        state, reason = await self._hindrance(delivery, webhook)
        if webhook is None or state is not None:
            await delivery_repository.finish(delivery_id, state or "cancelled", reason)
            return None
        try:
            request, own = self._request(delivery, webhook)
        except SealBrokenError as error:
            await delivery_repository.finish(delivery_id, "failed", str(error))
            return None
        attempt_id = new_id()
        shown = {name: MASK if name in own else value for name, value in request.items()}
        await delivery_repository.begin_attempt(attempt_id, delivery_id, webhook.url, shown, job_id)
        return Prepared(
            attempt_id,
            delivery_id,
            webhook,
            delivery["step"],
            delivery["is_test"],
            leaving.body_of(delivery),
            request,
            _words([*self._vault.secrets_of(webhook, utcnow()), *own.values()]),
        )

    async def _hindrance(self, delivery: Record, webhook: WebhookRow | None) -> tuple[str | None, str | None]:
        """The state of what must not be sent, and why."""
        if webhook is None:
            return "cancelled", "the webhook was deleted"
        if delivery["is_test"]:
            return None, None
        if not webhook.is_active:
            return "cancelled", "the webhook is not active"
        try:
            owner = await self._authenticator.principal_of(webhook.owner_kind, webhook.owner_id)
        except UnauthorizedError:
            return "withheld", "the webhook's owner is gone, deactivated or expired"
        payload = json.loads(delivery["payload"])
        if any(seen.admits(delivery["event_type"], payload) for seen in leaving.seen_by(owner, webhook.site_id)):
            return None, None
        return "withheld", "the webhook's owner may not read this event"

    def _request(self, delivery: Record, webhook: WebhookRow) -> tuple[dict[str, str], dict[str, str]]:
        """All headers, and those of the webhook's own among them."""
        now = utcnow()
        body = leaving.body_of(delivery).decode()
        message_id, signing = str(delivery["event_id"]), self._vault.secrets_of(webhook, now)
        own = self._vault.headers_of(webhook)
        ours = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(Webhook(secret).sign(message_id, now, body) for secret in signing),
        }
        return {**own, **ours}, own

    async def _send(self, prepared: Prepared) -> Outcome:
        if self._http is None:
            self._http = resolve_name("scaicms.infra.http:HttpClient")()
        problem, reach = resolve_name("scaicms.infra.http:OutboundError"), resolve_name("scaicms.infra.http:Reach")
        started = time.perf_counter()
        try:
            answer = await self._http.request(
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

    async def _settle(self, prepared: Prepared, outcome: Outcome) -> None:
        """In one transaction: what came of it, and what follows."""
        held = await delivery_repository.hold(prepared.delivery_id)
        await delivery_repository.end_attempt(prepared.attempt_id, outcome)
        if held is None:
            return
        if _is_success(outcome.status):
            _sent.labels("delivered").inc()
            await delivery_repository.finish(prepared.delivery_id, "delivered")
            await repository.succeeded(prepared.webhook.id)
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


def _words(secrets: Iterable[str]) -> tuple[str, ...]:
    """What must not be found in answers, the longest first: keys and values, and the words of values (`Bearer …`). What
    is shorter is found everywhere and keeps no secret."""
    bare = [secret.removeprefix(PREFIX) for secret in secrets]
    words = {word for secret in bare for word in (secret, *secret.split()) if len(word) >= SHORTEST_SECRET}
    return tuple(sorted(words, key=len, reverse=True))


def _without(text: bytes, secrets: tuple[str, ...]) -> bytes:
    """What a receiver answers, without what is secret: some answer with all that they were sent."""
    for secret in secrets:
        text = text.replace(secret.encode(), MASK.encode())
    return text
