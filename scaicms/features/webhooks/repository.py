"""Every query on webhooks; each names its site, but for those of workers, which come from a row."""

from collections.abc import Sequence
from uuid import UUID

from scaicms.features.webhooks.models import WebhookRow
from scaicms.infra import db
from scaicms.infra.lists import Key, RowList


def webhooks(site_id: UUID) -> RowList:
    """Webhooks of a site by name."""
    return RowList(
        table="webhooks", alias="w", columns="w.id", order=[Key("w.name", "text")], sort="name",
        found=["w.site_id = $1"], arguments=[site_id],
    )  # fmt: skip


async def find(site_id: UUID, webhook_id: UUID, *, lock: bool = False) -> WebhookRow | None:
    query = WebhookRow.filter(site_id=site_id, id=webhook_id)
    return await (query.select_for_update() if lock else query).first()


async def find_by_name(site_id: UUID, name: str) -> WebhookRow | None:
    return await WebhookRow.filter(site_id=site_id, name=name).first()


async def count_held(site_id: UUID) -> int:
    """How many there are; nobody adds one until the transaction ends."""
    await db.execute("SELECT pg_advisory_xact_lock(hashtextextended('webhooks:' || $1::text, 0))", str(site_id))
    return await WebhookRow.filter(site_id=site_id).count()


async def known_types(site_id: UUID, keys: Sequence[str]) -> set[str]:
    """Those of these keys that content types of the site have."""
    rows = await db.fetch("SELECT key FROM content_types WHERE site_id = $1 AND key = ANY($2)", site_id, list(keys))
    return {row["key"] for row in rows}


async def failed(webhook_id: UUID, *, longest_seconds: float) -> bool:
    """Note a failure; whether they have gone on for too long."""
    return bool(
        await db.fetchval(
            """UPDATE webhooks SET failing_since = coalesce(failing_since, now()) WHERE id = $1
               RETURNING failing_since < now() - $2 * interval '1 second'""",
            webhook_id,
            longest_seconds,
        )
    )


async def disable(webhook_id: UUID, reason: str) -> WebhookRow | None:
    """It gets nothing more; the row, unless somebody else was faster."""
    row = await WebhookRow.filter(id=webhook_id, is_active=True).select_for_update().first()
    if row is not None:
        await db.execute(
            "UPDATE webhooks SET is_active = false, disabled_reason = $2, updated_at = now() WHERE id = $1",
            webhook_id,
            reason,
        )
    return row


async def by_id(webhook_id: UUID) -> WebhookRow | None:
    """For workers, who come from a delivery."""
    return await WebhookRow.filter(id=webhook_id).first()


async def remove_of_gone_sites() -> list[UUID]:
    """Webhooks whose site was deleted; which."""
    rows = await db.fetch(
        "DELETE FROM webhooks h WHERE NOT EXISTS (SELECT FROM sites s WHERE s.id = h.site_id) RETURNING id"
    )
    return [row["id"] for row in rows]
