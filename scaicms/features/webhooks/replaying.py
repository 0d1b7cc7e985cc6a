"""What workers do beside sending: deliver the past once more, tell owners, tidy up."""

import time
from datetime import datetime, timedelta
from uuid import UUID

from scaicms.features.users.service import UserService
from scaicms.features.webhooks import delivery_repository, leaving, replay_repository, repository
from scaicms.features.webhooks.events import WebhookReplayFailed
from scaicms.features.webhooks.jobs import DELIVER, REPLAY, DeliverPayload, Reason, delivery_key
from scaicms.infra import db
from scaicms.infra.events import record
from scaicms.infra.jobs import JobYieldError, RunningJob, enqueue_all
from scaicms.infra.mail import Letter
from scaicms.infra.services import Service, Services
from scaicms.kit.principal import SYSTEM

BATCH = 200
MAX_REPLAYED = 10_000
"""Deliveries of one replay: the rest is another one's, from the time that the result says."""
REASONS: dict[Reason, str] = {
    "gone": "its receiver answered 410 Gone, which says that it wants nothing more",
    "failing": "nothing has got through to its receiver for five days",
}


class Upkeep(Service):
    """Work on many deliveries at once."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._users = services.get(UserService)

    async def replay(self, webhook_id: UUID, since: datetime, until: datetime, job: RunningJob) -> None:
        """Promise a delivery of each event between the times that fits the webhook, batch by batch; those that there
        were are sent once more under the same ids. The result says how many."""
        started, progress = time.monotonic(), job.progress or {"after": 0, "deliveries": 0}
        while progress["deliveries"] < MAX_REPLAYED:
            webhook = await repository.by_id(webhook_id)
            if webhook is None or not webhook.is_active:
                break
            async with db.transaction():
                rows = await replay_repository.promise(
                    webhook, since, until, sorted(leaving.leaving()), after=progress["after"], limit=BATCH
                )
                requests = [
                    DELIVER.request(
                        DeliverPayload(delivery_id=row["id"]),
                        site_id=webhook.site_id,
                        dedupe_key=delivery_key(row["id"]),
                    )
                    for row in rows
                ]
                await enqueue_all(requests)
                await replay_repository.name_jobs([row["id"] for row in rows])
                if rows:
                    last = max(rows, key=lambda row: row["seq"])
                    progress = {
                        "after": last["seq"],
                        "deliveries": progress["deliveries"] + len(rows),
                        "until": last["occurred_at"].isoformat(),
                    }
                    await job.checkpoint(progress)
            if len(rows) < BATCH:
                break
            if time.monotonic() - started > REPLAY.seconds / 2:
                raise JobYieldError
        complete = progress["deliveries"] < MAX_REPLAYED
        job.result = {"deliveries": progress["deliveries"], "complete": complete, "until": progress.get("until")}

    async def give_up(self, delivery_id: UUID, job_id: UUID, reason: str) -> None:
        """Write that a delivery failed because its job was given up, unless another job has it."""
        delivery = await delivery_repository.hold(delivery_id)
        if delivery is not None and delivery["state"] == "pending" and delivery["job_id"] == job_id:
            await delivery_repository.stop_attempts(delivery_id)
            await delivery_repository.finish(delivery_id, "failed", reason)

    async def give_up_replay(self, webhook_id: UUID, since: datetime, until: datetime, reason: str) -> None:
        """Record that not all of a replay will be delivered."""
        webhook = await repository.by_id(webhook_id)
        if webhook is not None:
            fact = WebhookReplayFailed(
                site_id=webhook.site_id,
                aggregate_id=webhook.id,
                name=webhook.name,
                since=since.isoformat(),
                until=until.isoformat(),
                error=reason,
            )
            await record(fact, actor=SYSTEM)

    async def tell(self, webhook_id: UUID, user_id: UUID, reason: Reason, *, letter_id: str) -> None:
        """Mail that a webhook was disabled."""
        user, webhook = await self._users.by_id(user_id), await repository.by_id(webhook_id)
        if user is None or not user.is_active or webhook is None:
            return
        paragraphs = [
            f"Hello {user.name},",
            f"the webhook “{webhook.name}” was disabled, because {REASONS[reason]}.",
            "It gets nothing more until somebody activates it. What happened meanwhile can be replayed then.",
        ]
        await self.resources.mailer.send(Letter(letter_id, user.email, "A webhook was disabled", paragraphs))

    async def forget(self, webhook_id: UUID) -> int:
        """Remove the deliveries of a webhook that is no more; how many."""
        removed = 0
        while batch := await delivery_repository.remove_of(webhook_id):
            removed += batch
        return removed

    async def prune(self) -> dict[str, int]:
        """Remove what is past its time; end what nobody works on any more."""
        keep = timedelta(days=self.resources.settings.webhook_days)
        webhooks = await repository.remove_of_gone_sites()
        removed = sum([await self.forget(webhook_id) for webhook_id in webhooks])
        while batch := await delivery_repository.prune(keep):
            removed += batch
        ended = await delivery_repository.give_up_forsaken()
        return {"webhooks": len(webhooks), "removed": removed, "ended": ended}
