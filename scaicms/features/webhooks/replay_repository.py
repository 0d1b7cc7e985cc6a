"""Reading the log once more for one webhook."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record

from scaicms.features.webhooks.leaving import matching
from scaicms.features.webhooks.models import WebhookRow
from scaicms.infra import db


async def promise(
    webhook: WebhookRow, since: datetime, until: datetime, types: Sequence[str], *, after: int, limit: int
) -> list[Record]:
    """Deliveries (`id`, `seq`, `occurred_at`) of the next events that fit, from the beginning of the schedule: new
    ones, and again those that there were. Needs an open transaction."""
    arguments: list[Any] = [webhook.id, webhook.site_id, since, until, after, limit, list(types), webhook.content_types]
    patterns: list[str] = list(webhook.events)
    fits = matching(patterns, arguments, type_column="e.type")
    return await db.fetch(
        f"""WITH found AS MATERIALIZED (
                SELECT e.* FROM events e
                WHERE e.site_id = $2 AND e.seq > $5 AND e.occurred_at >= $3 AND e.occurred_at < $4
                  AND e.type = ANY($7::text[]) AND {fits}
                  AND ($8::text[] IS NULL OR NOT e.payload ? 'content_type' OR e.payload->>'content_type' = ANY($8))
                ORDER BY e.seq LIMIT $6),
            again AS (
                INSERT INTO webhook_deliveries AS d (id, webhook_id, site_id, event_id, event_type, event_version,
                    occurred_at, payload, is_test, state, attempts, step, next_at, job_id, created_at)
                SELECT time_id(), $1, e.site_id, e.id, e.type, e.version, e.occurred_at,
                       jsonb_build_object('id', e.aggregate_id) || e.payload, false, 'pending', 0, 0, now(), time_id(),
                       now() FROM found e ORDER BY e.id
                ON CONFLICT (webhook_id, event_id) DO UPDATE
                    SET state = 'pending', reason = NULL, step = 0, next_at = now(), finished_at = NULL
                RETURNING d.id, d.event_id)
            SELECT a.id, f.seq, f.occurred_at FROM again a JOIN found f ON f.id = a.event_id""",
        *arguments,
    )


async def name_jobs(delivery_ids: Sequence[UUID]) -> None:
    """Let deliveries say which job will send them."""
    await db.execute(
        """UPDATE webhook_deliveries d SET job_id = j.id FROM jobs j
           WHERE d.id = ANY($1) AND j.queue = 'webhooks' AND j.dedupe_key = 'delivery:' || d.id
             AND j.state = 'pending'""",
        list(delivery_ids),
    )
