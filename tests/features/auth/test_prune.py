"""What has expired is removed by a periodic job; what still proves something stays."""

import secrets

from scaicms import registry
from scaicms.features.auth.resets import PasswordResetService
from scaicms.features.auth.service import AuthService
from scaicms.features.retention.jobs import REMOVE_EXPIRED, RemovePayload
from scaicms.infra import db
from scaicms.infra.jobs import enqueue
from tests.conftest import PASSWORD


async def test_expired_sessions_tokens_and_resets_are_removed_and_no_others(admin, services, drain):
    email = f"{secrets.token_hex(6)}@example.com"
    user_id = (await admin.post("/users", {"email": email, "name": "A", "password": PASSWORD})).json["id"]
    for age in ("2 days", "1 hour", "-1 hour"):
        entered = await services.get(AuthService).login(email, PASSWORD, ip=secrets.token_hex(8), user_agent=age)
        await admin.anonymous().post("/auth/refresh", {"refresh_token": entered.refresh_token})
        await db.execute(
            "UPDATE sessions SET expires_at = now() - $2::text::interval WHERE user_id = $1 AND user_agent = $2",
            user_id,
            age,
        )
        await services.get(PasswordResetService).request(email, ip=secrets.token_hex(8))
        await drain()
    await db.execute(
        """UPDATE password_resets SET created_at = now() - interval '3 days', expires_at = now() - interval '2 days'
           WHERE id = (SELECT min(id::text)::uuid FROM password_resets WHERE user_id = $1)""",
        user_id,
    )
    await admin.with_token(entered.access_token).post("/auth/totp", {"password": PASSWORD})
    await db.execute("UPDATE totp SET created_at = now() - interval '2 days' WHERE user_id = $1", user_id)
    async with db.transaction():
        job_id = await enqueue(REMOVE_EXPIRED.request(RemovePayload(), site_id=None))
    await drain()
    assert await db.fetchval("SELECT state FROM jobs WHERE id = $1", job_id) == "done"
    sessions = await db.fetch("SELECT id, user_agent FROM sessions WHERE user_id = $1 ORDER BY id", user_id)
    assert [row["user_agent"] for row in sessions] == ["1 hour", "-1 hour"]
    tokens = "SELECT count(*) FROM refresh_tokens WHERE session_id = ANY($1)"
    assert await db.fetchval(tokens, [row["id"] for row in sessions]) == 4
    orphans = "SELECT count(*) FROM refresh_tokens WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = session_id)"
    assert await db.fetchval(orphans) == 0
    assert await db.fetchval("SELECT count(*) FROM password_resets WHERE user_id = $1", user_id) == 2
    assert await db.fetchval("SELECT count(*) FROM totp WHERE user_id = $1", user_id) == 0


def test_it_runs_every_hour():
    assert [periodic.every.total_seconds() for periodic in registry.periodic() if periodic.job is REMOVE_EXPIRED] == [
        3600
    ]
