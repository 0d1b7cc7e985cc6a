"""The audit log: everything is in it, nobody changes it unseen, and it can be taken out and cut."""

import asyncio
import json
import secrets
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from scaicms.features.audit.jobs import CUT_AUDIT, SEAL_AUDIT
from scaicms.features.audit.service import AuditService
from scaicms.features.audit.tasks import TASKS
from scaicms.infra import db
from scaicms.infra.db.dsn import parse_dsn
from scaicms.infra.events import chain
from scaicms.kit.principal import SYSTEM


@pytest.fixture
async def superuser(database):
    """Somebody with all rights in the database, who sets its safeguards aside."""
    connection = await asyncpg.connect(**parse_dsn(database.database_url))
    await connection.execute("SET session_replication_role = replica")
    yield connection
    await connection.close()


@pytest.fixture
async def sealed(admin, services):
    """A log of which all is linked; gives seqs of three neighbours in the chain."""
    for _ in range(4):
        assert (await admin.post("/groups", {"name": f"g{secrets.token_hex(5)}"})).status == 201
    await services.get(AuditService).seal(SYSTEM)
    rows = await db.fetch("SELECT seq, position FROM events WHERE hash IS NOT NULL ORDER BY position DESC LIMIT 3")
    assert rows[0]["position"] == await db.fetchval("SELECT head_position FROM event_chain")
    return [row["seq"] for row in reversed(rows)]


async def verdict(admin):
    answer = await admin.get("/users/audit/verify")
    assert answer.status == 200, answer.raw
    return answer.json


async def kinds(admin):
    found = await verdict(admin)
    assert found["intact"] == (not found["problems"])
    return {(problem["kind"], problem["seq"]) for problem in found["problems"]}


async def test_an_entry_says_who_did_what_to_what_when_and_from_where(admin):
    before = datetime.now(UTC) - timedelta(seconds=1)
    request = f"r-{secrets.token_hex(6)}"
    made = await admin.post("/groups", {"name": f"g{secrets.token_hex(5)}"}, headers={"X-Request-ID": request})
    me = (await admin.get("/auth/profile")).json
    found = await admin.get(f"/users/audit?target={made.json['id']}")
    assert found.json["total"] == 1
    entry = found.json["items"][0]
    assert entry["action"] == "group.created"
    assert entry["actor"] == {"kind": "user", "id": me["id"], "name": me["email"]}
    assert (entry["target"], entry["request_id"], entry["ip"]) == (made.json["id"], request, "127.0.0.1")
    assert entry["data"] == {"key": made.json["key"]}
    assert before < datetime.fromisoformat(entry["occurred_at"]) < datetime.now(UTC)


async def test_entries_are_found_by_actor_action_target_and_time(admin, user):
    member = await user("administrator")
    me = (await member.get("/auth/profile")).json["id"]
    first = (await member.post("/groups", {"name": f"g{secrets.token_hex(5)}"})).json
    middle = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    await member.patch(f"/groups/{first['id']}", {"name": "x"})
    target = f"target={first['id']}"

    async def actions(asked):
        answer = await admin.get(f"/users/audit?{asked}")
        assert answer.status == 200, answer.raw
        return [item["action"] for item in answer.json["items"]]

    both = ["group.updated", "group.created"]
    assert await actions(target) == both
    assert await actions(f"actor={me}&action=group.*") == both
    assert await actions(f"actor={me}&action=group.created") == ["group.created"]
    assert await actions(f"{target}&actor=user") == both
    assert await actions(f"{target}&actor=system") == []
    assert await actions(f"{target}&from={middle}") == ["group.updated"]
    assert await actions(f"{target}&to={middle}") == ["group.created"]
    for wrong in (
        "from=yesterday",
        "from=0.5",
        "to=2026-01-01",
        "to=2026-01-01T00:00",
        "action=%25",
        "target=x",
        "nothing=1",
        "cursor=abc",
        "actor=" + "x" * 64,
    ):
        assert (await admin.get(f"/users/audit?{wrong}")).status == 400, wrong


async def test_pages_follow_each_other_by_signed_cursors(admin, sealed):
    seen, cursor = [], ""
    while len(seen) < 9:
        page = (await admin.get(f"/users/audit?page_size=3&count=none{cursor}")).json
        assert page["total"] is None
        seen += [item["seq"] for item in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == sorted(set(seen), reverse=True)
    forged = cursor[:-3] + ("AAA" if cursor[-3:] != "AAA" else "BBB")
    assert (await admin.get(f"/users/audit?page_size=3{forged}")).code == "invalid_cursor"


async def test_only_who_may_reads_it(admin, user):
    editor = await user("editor")
    for path in ("", "/export", "/verify"):
        assert (await editor.get(f"/users/audit{path}")).status == 403
        assert (await admin.anonymous().get(f"/users/audit{path}")).status == 401


async def test_an_untouched_log_is_intact(admin, sealed):
    found = await verdict(admin)
    assert (found["intact"], found["problems"]) == (True, [])
    assert found["checked"] == found["head_position"] - found["anchor_position"] > 4


@pytest.mark.parametrize(
    "change",
    [
        'payload = \'{"key": "other"}\'',
        "actor_id = gen_random_uuid()",
        "ip = '192.0.2.1'",
        "occurred_at = occurred_at + interval '1 microsecond'",
        "type = 'group.deleted'",
        "request_id = NULL",
        "hash = decode(repeat('ab', 32), 'hex')",
    ],
)
async def test_a_changed_entry_shows(admin, sealed, superuser, change):
    seq = sealed[1]
    columns = "payload, actor_id, ip, occurred_at, type, request_id, hash"
    kept = await superuser.fetchrow(f"SELECT {columns} FROM events WHERE seq = $1", seq)
    await superuser.execute(f"UPDATE events SET {change} WHERE seq = $1", seq)
    try:
        assert ("changed", seq) in await kinds(admin)
    finally:
        await superuser.execute(
            "UPDATE events SET payload = $2, actor_id = $3, ip = $4, occurred_at = $5, type = $6, request_id = $7, "
            "hash = $8 WHERE seq = $1", seq, *kept.values(),
        )  # fmt: skip
    assert (await verdict(admin))["intact"]


@pytest.mark.parametrize("which", [1, 2])
async def test_a_deleted_entry_shows_also_the_last_one(admin, sealed, superuser, which):
    async with superuser.transaction() as _:
        await superuser.execute("CREATE TEMP TABLE kept AS SELECT * FROM events WHERE seq = $1", sealed[which])
    await superuser.execute("DELETE FROM events WHERE seq = $1", sealed[which])
    try:
        assert ("missing", None) in await kinds(admin)
    finally:
        await superuser.execute("INSERT INTO events SELECT * FROM kept")
    assert (await verdict(admin))["intact"]


async def test_an_inserted_entry_shows(admin, sealed, superuser):
    copied = """INSERT INTO events (id, type, version, aggregate_id, payload, actor_kind, occurred_at, position, hash)
                SELECT gen_random_uuid(), type, version, aggregate_id, payload, actor_kind, {at}, {position}, {hash}
                FROM events WHERE seq = $1 RETURNING seq"""
    for values, kind in (
        ({"at": "now()", "position": "9223372036854775807", "hash": "hash"}, "inserted"),
        ({"at": "now()", "position": "NULL", "hash": "hash"}, "inserted"),
        ({"at": "now() - interval '1 day'", "position": "NULL", "hash": "NULL"}, "backdated"),
    ):
        seq = await superuser.fetchval(copied.format(**values), sealed[1])
        try:
            assert (kind, seq) in await kinds(admin), values
        finally:
            await superuser.execute("DELETE FROM events WHERE seq = $1", seq)
    assert (await verdict(admin))["intact"]


async def test_a_backdated_entry_shows_also_when_it_was_linked(admin, sealed, superuser, services):
    seq = await superuser.fetchval(
        """INSERT INTO events (id, type, version, aggregate_id, payload, actor_kind, occurred_at)
           VALUES (gen_random_uuid(), 'user.created', 1, gen_random_uuid(), '{}', 'user', now() - interval '1 day')
           RETURNING seq"""
    )
    async with asyncio.timeout(10):  # transactions in other databases of the server keep it from being linked
        while await superuser.fetchval("SELECT position IS NULL FROM events WHERE seq = $1", seq):
            await services.get(AuditService).seal(SYSTEM)
    assert ("backdated", seq) in await kinds(admin)
    # Take it out again, so that other tests find an intact log.
    before = await superuser.fetchrow("SELECT position, hash FROM events WHERE position < (SELECT position FROM events "
                                      "WHERE seq = $1) ORDER BY position DESC LIMIT 1", seq)  # fmt: skip
    await superuser.execute("DELETE FROM events WHERE seq = $1", seq)
    await superuser.execute("UPDATE events SET position = NULL, hash = NULL WHERE position > $1", before["position"])
    await superuser.execute("UPDATE event_chain SET head_position = $1, head_hash = $2", *before.values())
    await services.get(AuditService).seal(SYSTEM)
    assert (await verdict(admin))["intact"]


async def test_the_database_itself_refuses_to_change_the_log(admin, sealed):
    for sql in (
        "UPDATE events SET type = 'x' WHERE seq = $1",
        "UPDATE events SET hash = NULL, position = NULL WHERE seq = $1",
        "UPDATE events SET hash = decode(repeat('ab', 32), 'hex') WHERE seq = $1",
        "DELETE FROM events WHERE seq = $1",
    ):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
            await db.execute(sql, sealed[0])
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
        await db.execute("TRUNCATE events")


async def test_a_transaction_that_commits_late_is_linked_when_it_has(admin, services, database):
    """Its rows have lower numbers than others that were there before; none is passed over, none comes in between."""
    insert = """INSERT INTO events (id, type, version, aggregate_id, payload, actor_kind, occurred_at)
                VALUES (gen_random_uuid(), 'group.created', 1, gen_random_uuid(), '{}', 'system', now())
                RETURNING seq"""
    service = services.get(AuditService)
    await service.seal(SYSTEM)
    slow = await asyncpg.connect(**parse_dsn(database.database_url))
    try:
        async with slow.transaction():
            late = await slow.fetchval(insert)
            quick = await db.fetchval(insert)
            await service.seal(SYSTEM)
            assert await db.fetchval("SELECT hash FROM events WHERE seq = $1", quick) is None
        await service.seal(SYSTEM)
    finally:
        await slow.close()
    rows = await db.fetch("SELECT seq, position FROM events WHERE seq = ANY($1) ORDER BY seq", [late, quick])
    assert [row["position"] for row in rows] == sorted(row["position"] for row in rows)
    assert (await verdict(admin))["intact"]


async def test_two_sealers_at_once_and_writers_beside_them_make_one_chain(admin, services):
    async def write():
        for _ in range(10):
            assert (await admin.post("/groups", {"name": f"g{secrets.token_hex(6)}"})).status == 201

    async def seal():
        for _ in range(20):
            await chain.seal()

    await asyncio.gather(write(), write(), seal(), seal(), seal())
    await services.get(AuditService).seal(SYSTEM)
    found = await verdict(admin)
    assert (found["intact"], found["unsealed"]) == (True, 0)


async def test_the_export_streams_all_of_it_as_lines_and_says_so_in_the_log(admin, sealed):
    answer = await admin.get("/users/audit/export")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    entries = [json.loads(line) for line in answer.raw.splitlines()]
    assert [entry["seq"] for entry in entries] == sorted(entry["seq"] for entry in entries)
    assert entries[-1]["action"] == "audit.exported"
    assert len(entries) == (await admin.get("/users/audit?page_size=1")).json["total"]
    some = await admin.get("/users/audit/export?action=group.*")
    assert {json.loads(line)["action"].partition(".")[0] for line in some.raw.splitlines()} == {"group"}


async def test_no_secret_is_in_the_log(admin, user):
    password = f"pass {secrets.token_hex(12)}"
    new = {"email": f"{secrets.token_hex(5)}@example.com", "name": "N", "password": password}
    made = await admin.post("/users", new)
    await admin.patch(f"/users/{made.json['id']}", {"password": password + "x"})
    key = (await admin.post("/api-keys", {"name": "k", "permissions": ["roles:read"]})).json
    rotated = (await admin.post(f"/api-keys/{key['id']}/rotate")).json
    log = (await admin.get("/users/audit/export")).raw.decode()
    assert made.json["id"] in log
    for secret in (password, key["key"], rotated["key"], key["key"][12:], "$argon2"):
        assert secret not in log


async def test_retention_cuts_the_old_end_and_the_rest_stays_verifiable(
    admin, services, sealed, superuser, monkeypatch
):
    service = services.get(AuditService)
    assert await service.cut(SYSTEM) == 0  # kept for ever
    settings = services.resources.settings
    monkeypatch.setattr(settings, "audit_retention_days", 30)
    assert await service.cut(SYSTEM) == 0
    # A log of which the older half is past its time: computed anew, as only a superuser can.
    head = await superuser.fetchval("SELECT head_position FROM event_chain")
    await superuser.execute(
        "UPDATE events SET occurred_at = occurred_at - interval '60 days' WHERE position <= $1", head - 3
    )
    await superuser.execute("UPDATE events SET position = NULL, hash = NULL")
    await superuser.execute(
        "UPDATE event_chain SET anchor_position = 0, head_position = 0, anchor_hash = decode(repeat('00', 32), 'hex'), "
        "head_hash = decode(repeat('00', 32), 'hex')"
    )
    await service.seal(SYSTEM)
    old = await db.fetchval("SELECT count(*) FROM events WHERE occurred_at < now() - interval '30 days'")
    assert await service.cut(SYSTEM) == old > 0
    found = await verdict(admin)
    assert (found["intact"], found["anchor_position"]) == (True, old)
    assert (await admin.get("/users/audit?action=audit.cut")).json["items"][0]["data"]["removed"] == old
    # What was cut off cannot be slipped in again.
    seq = await superuser.fetchval(
        """INSERT INTO events (id, type, version, aggregate_id, payload, actor_kind, occurred_at, position, hash)
           SELECT gen_random_uuid(), type, version, aggregate_id, payload, actor_kind, occurred_at, 1, hash FROM events
           WHERE seq = $1 RETURNING seq""", sealed[0],
    )  # fmt: skip
    assert ("inserted", seq) in await kinds(admin)
    await superuser.execute("DELETE FROM events WHERE seq = $1", seq)


def test_the_upkeep_is_declared():
    assert {task.job.name for task in TASKS} == {SEAL_AUDIT.name, CUT_AUDIT.name}
