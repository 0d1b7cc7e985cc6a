"""Every table has a retention, and what is past its time goes: in batches, and never what is on legal hold."""

import asyncio
import re
import secrets
from datetime import timedelta
from pathlib import Path

import pytest

from scaicms import registry
from scaicms.features.audit.service import AuditService
from scaicms.features.retention.jobs import REMOVE_EXPIRED
from scaicms.features.retention.service import RetentionService
from scaicms.infra import db
from scaicms.infra.db import retention as declarations
from scaicms.infra.events import chain
from scaicms.infra.mail.letter import Letter
from scaicms.infra.mail.mailers import MAX_FILES, FileMailer
from scaicms.kit.principal import SYSTEM
from scaicms.settings import Settings
from tests.features.content.schedules import create, schedule

PAGE = Path(__file__).parents[3] / "docs" / "operations" / "retention.md"


async def remove(services):
    return (await services.get(RetentionService).remove_expired(SYSTEM, seconds=20)).rows


async def test_every_table_of_the_database_has_an_entry_and_is_documented(services):
    rows = await db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    tables = {row["tablename"] for row in rows} - {"tortoise_migrations"}
    entries = [entry.table for entry in registry.retention()]
    assert sorted(entries) == sorted(tables), "declare the table in the `retention.py` of its feature"
    documented = re.findall(r"^\| `([a-z_]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(documented) == sorted(tables), "docs/operations/retention.md has one row for each table"


def test_every_setting_of_an_entry_is_a_setting_and_is_documented():
    text = PAGE.read_text(encoding="utf-8")
    for entry in registry.retention():
        for name in re.findall(r"SCAICMS_(\w+)", f"{entry.setting} {entry.ends}"):
            assert name.lower() in Settings.model_fields, name
            assert f"SCAICMS_{name}" in text


def test_the_page_has_the_measured_figures():
    rows = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| ([\d,]+|-) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    for entry in registry.retention():
        assert rows[entry.table] == (f"{entry.row_bytes:,}" if entry.row_bytes else "-"), entry.table


async def test_no_query_of_an_expiry_is_wrong(services, database):
    for entry in registry.retention():
        await declarations.remove_expired(entry, database)


def test_it_runs_every_hour():
    assert [one.every for one in registry.periodic() if one.job is REMOVE_EXPIRED] == [timedelta(hours=1)]


async def test_stored_answers_go_after_a_day(articles, services):
    key = secrets.token_hex(8)
    body = {"type": "article", "data": {"title": "Once"}}
    first = await articles.post("/content", body, headers={"Idempotency-Key": key})
    assert (await articles.post("/content", body, headers={"Idempotency-Key": key})).json["id"] == first.json["id"]
    before = await db.fetchval("SELECT count(*) FROM idempotent_answers")
    await remove(services)
    assert await db.fetchval("SELECT count(*) FROM idempotent_answers") == before
    await db.execute("UPDATE idempotent_answers SET created_at = now() - interval '25 hours'")
    assert (await remove(services))["idempotent_answers"] == before
    assert await db.fetchval("SELECT count(*) FROM idempotent_answers") == 0


async def test_more_than_a_batch_goes_in_one_run_and_a_short_turn_goes_on_later(database, services, monkeypatch):
    await db.execute(
        """INSERT INTO idempotent_answers (scope, fingerprint, status, headers, body, created_at)
           SELECT md5(n::text) || $1, '\\x00', 200, '{}', '\\x00', now() - interval '2 days'
           FROM generate_series(1, 3500) n""",
        secrets.token_hex(4),
    )
    short = await services.get(RetentionService).remove_expired(SYSTEM, seconds=-1)
    assert (short.is_complete, short.rows) == (False, {"idempotent_answers": declarations.BATCH})
    assert (await remove(services))["idempotent_answers"] == 3500 - declarations.BATCH


async def test_ended_schedules_go_after_their_days_but_for_items_on_hold(articles, services):
    free, held, pending = [await create(articles) for _ in range(3)]
    for item in (free, held, pending):
        await schedule(articles, item)
    assert (await articles.put(f"/content/{held['id']}/hold", {"reason": "Case 7"})).status in (200, 201, 204)
    ids = [item["id"] for item in (free, held)]
    await db.execute("DELETE FROM jobs WHERE id IN (SELECT job_id FROM content_schedule WHERE item_id = ANY($1))", ids)
    await db.execute("UPDATE content_schedule SET state = 'cancelled' WHERE item_id = ANY($1)", ids)
    await remove(services)
    count = "SELECT count(*) FROM content_schedule WHERE item_id = $1"
    assert [await db.fetchval(count, one) for one in ids] == [1, 1]
    everyone = [*ids, pending["id"]]
    await db.execute(
        "UPDATE content_schedule SET created_at = now() - interval '91 days' WHERE item_id = ANY($1)", everyone
    )
    await remove(services)
    assert [await db.fetchval(count, one) for one in everyone] == [0, 1, 1]


async def test_revoked_keys_go_after_a_year(admin, services):
    ids = []
    for _ in range(2):
        made = await admin.post("/api-keys", {"name": "k", "permissions": ["content:read"]})
        ids.append(made.json["id"])
    assert (await admin.delete(f"/api-keys/{ids[0]}")).status == 204
    await db.execute("UPDATE api_keys SET created_at = now() - interval '400 days' WHERE id = ANY($1)", ids)
    await db.execute("UPDATE api_keys SET revoked_at = now() - interval '366 days' WHERE id = $1", ids[0])
    await remove(services)
    assert [await db.fetchval("SELECT count(*) FROM api_keys WHERE id = $1", one) for one in ids] == [0, 1]


async def test_the_folder_of_mails_has_a_bound(tmp_path):
    for number in range(MAX_FILES + 5):
        (tmp_path / f"20000101-000000-{number:04}.eml").write_bytes(b"old")
    await FileMailer(tmp_path, "a@example.com").send(Letter("new", "b@example.com", "Subject", ["Hello"]))
    names = sorted(path.name for path in tmp_path.glob("*.eml"))
    assert (len(names), names[0], names[-1].endswith("-new.eml")) == (MAX_FILES, "20000101-000000-0006.eml", True)


async def linked():
    async with asyncio.timeout(20):
        while await db.fetchval("SELECT EXISTS (SELECT FROM events WHERE hash IS NULL)"):
            if not await chain.seal():
                await asyncio.sleep(0.02)


@pytest.fixture
async def cut_all(services):
    """Let retention remove all events that there are, as if they were old; they are not, so `keep` is negative."""

    async def run():
        await linked()
        while await chain.cut(timedelta(seconds=-5), held=declarations.held_ids()):
            pass

    return run


async def test_a_reader_of_the_feed_who_missed_removed_events_gets_410(articles, admin, cut_all):
    for number in range(3):
        await create(articles, title=f"Number {number}")
    await linked()
    events = (await articles.get("/webhooks/events")).json
    early, last = events["items"][0]["seq"], events["items"][-1]["seq"]
    early_cursor = (await articles.get("/webhooks/events?page_size=1")).json["next_cursor"]
    await cut_all()
    for query in (f"after={early}", f"cursor={early_cursor}"):
        expired = await articles.get(f"/webhooks/events?{query}")
        assert (expired.status, expired.code) == (410, "events_expired")
        assert expired.json["detail"]["removed_until"]
    # Who has read the last of them has missed nothing, nor has who begins anew.
    at_end = await articles.get(f"/webhooks/events?after={last}")
    assert (at_end.status, at_end.json["items"]) == (200, [])
    await create(articles, title="Later")
    await linked()
    for place in (0, last):
        assert len((await articles.get(f"/webhooks/events?after={place}")).json["items"]) == 1
    assert (await admin.get("/users/audit/verify")).json["intact"] is True


async def test_another_site_is_not_told_of_what_it_never_had(articles, admin, cut_all):
    await create(articles)
    await cut_all()
    key = f"s{secrets.token_hex(6)}"
    fresh = admin.at(key)
    assert (await admin.post("/sites", {"key": key, "name": key})).status == 201
    assert (await fresh.get("/webhooks/events?after=1")).status == 200


async def test_a_replay_of_removed_events_gets_410(articles, cut_all):
    hook = {"name": "h", "url": "http://127.0.0.1:9/", "events": ["*"]}
    made = await articles.post("/webhooks", hook)
    assert made.status == 201, made.raw
    await create(articles)
    await cut_all()
    answer = await articles.post(f"/webhooks/{made.json['id']}/replay", {"since": "2020-01-01T00:00:00Z"})
    assert (answer.status, answer.code) == (410, "events_expired")


async def test_events_of_items_on_hold_stay_and_the_chain_verifies(articles, admin, cut_all, services):
    before, held = await create(articles), await create(articles)
    assert (await articles.put(f"/content/{held['id']}/hold", {"reason": "Case 7"})).status in (200, 201, 204)
    await create(articles)
    await cut_all()

    async def log_of(item):
        listed = (await admin.get(f"/users/audit?target={item['id']}")).json
        exported = (await admin.get(f"/users/audit/export?target={item['id']}")).raw
        assert listed["total"] == len(listed["items"]) == exported.count(b"\n")
        return [entry["action"] for entry in listed["items"]]

    assert await log_of(before) == []
    assert "content.created" in await log_of(held)
    assert (await admin.get("/users/audit/verify")).json["intact"] is True
    await remove(services)
    assert "content.created" in await log_of(held)
    assert (await articles.delete(f"/content/{held['id']}/hold")).status in (200, 204)
    await remove(services)
    assert "content.created" not in await log_of(held)


async def test_events_stay_ninety_days_and_for_ever_with_zero(services, articles, monkeypatch):
    await create(articles)
    await linked()
    assert Settings(env="test").audit_retention_days == 90
    service = services.get(AuditService)
    assert await service.cut(SYSTEM) == 0
    monkeypatch.setattr(services.resources.settings, "audit_retention_days", 0)
    assert await service.cut(SYSTEM) == 0
