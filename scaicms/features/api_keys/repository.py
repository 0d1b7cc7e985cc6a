"""Every query on API keys."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from scaicms.features.api_keys.models import ApiKeyRow
from scaicms.infra import db
from scaicms.infra.lists import Key, RowList


def keys(owner_id: UUID | None) -> RowList:
    """Keys of an owner, or everybody's for None; newest first."""
    return RowList(
        table="api_keys", alias="k", columns="k.id", order=[Key("k.id", "uuid")], descending=True, sort="-id",
        found=["true"] if owner_id is None else ["k.owner_id = $1"], arguments=[] if owner_id is None else [owner_id],
    )  # fmt: skip


async def find(key_id: UUID, owner_id: UUID | None, *, lock: bool = False) -> ApiKeyRow | None:
    query = ApiKeyRow.filter(id=key_id) if owner_id is None else ApiKeyRow.filter(id=key_id, owner_id=owner_id)
    return await (query.select_for_update() if lock else query).first()


async def find_by_digest(digest: str) -> ApiKeyRow | None:
    """The key with this digest, or with this one before its last rotation."""
    return await ApiKeyRow.filter(digest=digest).first() or await ApiKeyRow.filter(previous_digest=digest).first()


async def requests_24h(key_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Requests of the last 24 full hours and the one that runs; keys without any are absent."""
    rows = await db.fetch(
        """SELECT key_id, sum(requests)::bigint AS requests FROM api_key_usage
           WHERE key_id = ANY($1) AND hour > now() - interval '24 hours' GROUP BY 1""",
        list(key_ids),
    )
    return {row["key_id"]: row["requests"] for row in rows}


async def add_usage(requests: Sequence[tuple[UUID, datetime, int]], last_used: Mapping[UUID, datetime]) -> None:
    """Add to the counts, in an order that all processes keep; hours that nobody asks for any more go."""
    counted = sorted(requests)
    keys = sorted(last_used)
    async with db.transaction():
        await db.execute(
            """INSERT INTO api_key_usage (key_id, hour, requests)
               SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::bigint[])
               ON CONFLICT (key_id, hour) DO UPDATE SET requests = api_key_usage.requests + excluded.requests""",
            [key_id for key_id, _, _ in counted],
            [hour for _, hour, _ in counted],
            [number for _, _, number in counted],
        )
        await db.execute(
            """WITH used AS (SELECT u.id, u.at FROM unnest($1::uuid[], $2::timestamptz[]) AS u(id, at)),
                    held AS (SELECT id FROM api_keys WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE)
               UPDATE api_keys k SET last_used_at = greatest(k.last_used_at, used.at)
               FROM used, held WHERE k.id = used.id AND held.id = k.id""",
            keys,
            [last_used[key] for key in keys],
        )
        await db.execute(
            "DELETE FROM api_key_usage WHERE key_id = ANY($1) AND hour < now() - interval '25 hours'", keys
        )
