"""Find and keep answers. One transaction holds lock, effect and answer, so a crash leaves all or nothing."""

from dataclasses import dataclass

from scaicms.infra import db
from scaicms.kit import json

KEEP = "24 hours"


@dataclass(frozen=True, slots=True)
class Answer:
    """A stored answer and the fingerprint of the request that it belongs to."""

    fingerprint: bytes
    status: int
    headers: dict[str, str]
    body: bytes


async def lock(scope: str) -> bool:
    """Hold the key until the transaction ends; False when another request holds it now."""
    number = int.from_bytes(bytes.fromhex(scope[:16]), "big", signed=True)
    return bool(await db.fetchval("SELECT pg_try_advisory_xact_lock($1)", number))


async def find(scope: str) -> Answer | None:
    row = await db.fetchrow(
        f"""SELECT fingerprint, status, headers, body FROM idempotent_answers
            WHERE scope = $1 AND created_at > now() - interval '{KEEP}'""",
        scope,
    )
    if row is None:
        return None
    return Answer(row["fingerprint"], row["status"], json.loads(row["headers"]), row["body"])


async def keep(scope: str, answer: Answer) -> None:
    await db.execute(
        """INSERT INTO idempotent_answers (scope, fingerprint, status, headers, body, created_at)
           VALUES ($1, $2, $3, $4::jsonb, $5, now())
           ON CONFLICT (scope) DO UPDATE SET fingerprint = $2, status = $3, headers = $4::jsonb, body = $5,
                                             created_at = now()""",
        scope,
        answer.fingerprint,
        answer.status,
        json.dumps_text(answer.headers),
        answer.body,
    )
