"""A job is given up: whatever waits for it says so in its own state and by an event, in the same transaction.

Each case makes the thing over HTTP, gives its job up in one of the three ways, and reads the thing over HTTP.
"""

import secrets

import pytest

from scaicms import registry
from scaicms.infra import db
from scaicms.infra.jobs import claims
from scaicms.infra.jobs.runner import Runner
from scaicms.infra.jobs.sweeper import sweep
from tests.features.assets.pictures import picture, send
from tests.features.content.importing import archive, form
from tests.features.content.schedules import create, listed, schedule, soon
from tests.features.content_types.things import FIELDS, replaced
from tests.features.webhooks.receiver import deliveries, hooked

WAYS = ("dead", "quarantined", "cancelled")
URL = "http://127.0.0.1:9/hook"


@pytest.fixture
def give_up(site, services):
    """Give a job up as its worker, the sweeper or an operator does."""
    runner = Runner(registry.tasks(), services, "tests")

    async def by(job_id, way):
        if way == "cancelled":
            assert (await site.post(f"/search/jobs/{job_id}/cancel")).status == 202
            return
        await db.execute("UPDATE jobs SET run_at = now(), lost_leases = 2 WHERE id = $1::uuid", job_id)
        claim = await claims.claim(job_id, worker="doomed", known=runner.known)
        assert claim is not None
        if way == "dead":
            assert await runner._give_up(claim, "dead", "It failed.", charged=True) == "dead"
            return
        await db.execute("UPDATE jobs SET lease_until = now() - interval '1 minute' WHERE id = $1::uuid", job_id)
        await sweep(services.resources.redis, set_aside=runner.set_aside)

    async def give_up(job_id, way):
        await by(job_id, way)
        assert await db.fetchval("SELECT state FROM jobs WHERE id = $1::uuid", job_id) == way

    return give_up


@pytest.fixture
def retry(site, drain):
    async def retry(job_id):
        assert (await site.post(f"/search/jobs/{job_id}/retry")).status == 202
        await db.execute("UPDATE jobs SET run_at = now() WHERE id = $1::uuid", job_id)
        await drain()

    return retry


async def recorded(aggregate_id, kind):
    sql = "SELECT payload->>'error' FROM events WHERE aggregate_id = $1::uuid AND type = $2"
    return [row[0] for row in await db.fetch(sql, aggregate_id, kind)]


@pytest.mark.parametrize("way", WAYS)
async def test_a_scheduled_publication_fails_and_is_done_when_its_job_is_retried(articles, give_up, retry, way):
    item = await create(articles)
    made = await schedule(articles, item)
    [job_id] = made["job_ids"]
    await give_up(job_id, way)
    [row] = await listed(articles, item)
    assert row["state"] == ("cancelled" if way == "cancelled" else "failed")
    assert row["error"]
    assert await recorded(item["id"], "content.schedule_failed") == [row["error"]]
    assert (await articles.get(f"/content/{item['id']}")).json["publish_at"] is None
    await retry(job_id)
    [row] = await listed(articles, item)
    assert (row["state"], row["error"]) == ("done", None)
    assert (await articles.get(f"/content/{item['id']}?status=published")).status == 200


@pytest.mark.parametrize("way", WAYS)
async def test_a_release_fails_with_all_of_its_items_and_is_done_when_its_job_is_retried(articles, give_up, retry, way):
    items = [await create(articles, title=f"Number {n}") for n in range(2)]
    body = {"name": "Spring", "items": [{"id": item["id"]} for item in items], "at": soon()}
    made = (await articles.post("/content/releases", body)).json
    job_id = await db.fetchval("SELECT job_id::text FROM content_releases WHERE id = $1::uuid", made["id"])
    await give_up(job_id, way)
    told = (await articles.get(f"/content/releases/{made['id']}")).json
    assert told["state"] == "failed"
    assert [error["code"] for error in told["errors"]] == ["job_given_up"]
    assert await recorded(made["id"], "content.release_failed") == [told["errors"][0]["message"]]
    for item in items:
        assert (await listed(articles, item))[0]["state"] == ("cancelled" if way == "cancelled" else "failed")
    await retry(job_id)
    assert (await articles.get(f"/content/releases/{made['id']}")).json["state"] == "done"
    assert (await articles.get("/content?type=article")).json["total"] == 2


@pytest.mark.parametrize("way", WAYS)
async def test_an_import_is_told_of(articles, give_up, way):
    upload = form(archive({"one.md": "---\ntitle: One\n---\n"}), type="article")
    job_id = (await articles.call("POST", "/content/import", data=upload)).json["job_id"]
    await give_up(job_id, way)
    assert len(await recorded(job_id, "content.import_failed")) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_an_asset_fails_and_is_read_when_its_job_is_retried(site, give_up, retry, way):
    made = (await send(site, picture(62, 62, tuple(secrets.token_bytes(3))), "one.png")).json
    await give_up(made["job_id"], way)
    told = (await site.get(f"/assets/{made['id']}")).json
    assert told["status"] == "failed" and told["problem"]
    sql = "SELECT count(*) FROM events WHERE aggregate_id = $1::uuid AND type = 'asset.failed'"
    assert await db.fetchval(sql, made["id"]) == 1
    await retry(made["job_id"])
    assert (await site.get(f"/assets/{made['id']}")).json["status"] == "ready"


@pytest.mark.parametrize("way", WAYS)
async def test_a_delivery_fails(articles, give_up, way):
    hook = await hooked(articles, URL)
    await create(articles)
    [delivery] = await deliveries(articles, hook)
    await give_up(delivery["job_id"], way)
    [delivery] = await deliveries(articles, hook)
    assert delivery["status"] == "failed" and delivery["reason"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_replay_is_told_of(articles, give_up, way):
    hook = await hooked(articles, URL)
    body = {"since": "2026-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z"}
    asked = await articles.post(f"/webhooks/{hook['id']}/replay", body)
    assert asked.status == 202, asked.raw
    await give_up(asked.json["job_id"], way)
    assert len(await recorded(hook["id"], "webhook.replay_failed")) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_a_plan_fails_and_another_can_be_applied(site, give_up, drain, way):
    made = await site.post("/content-types", {"key": "thing", "name": "Thing", "fields": FIELDS})
    type_id = made.json["id"]
    proposal = {"fields": replaced("note", {"key": "remark", "type": "string", "renamed_from": "note"})}
    plan = (await site.post("/content-types/thing/plan", proposal)).json
    applying = (await site.post(f"/content-types/thing/plan/{plan['plan_id']}/apply")).json
    await give_up(applying["job_id"], way)
    assert await state_of_plan(plan) == "failed"
    assert len(await recorded(type_id, "content_type.plan_failed")) == 1
    again = (await site.post("/content-types/thing/plan", proposal)).json
    assert (await site.post(f"/content-types/thing/plan/{again['plan_id']}/apply")).status == 202
    await drain()
    assert await state_of_plan(again) == "applied"


async def state_of_plan(plan):
    return await db.fetchval("SELECT state FROM content_type_plans WHERE id = $1::uuid", plan["plan_id"])


@pytest.mark.parametrize("way", WAYS)
async def test_missing_indexes_are_told_of(site, give_up, way):
    fields = [{"key": "title", "type": "string", "indexed": True}]
    made = await site.post("/content-types", {"key": f"t{secrets.token_hex(4)}", "name": "T", "fields": fields})
    type_id = made.json["id"]
    sql = "SELECT id::text FROM jobs WHERE name = 'content_types.keep_indexes' AND payload->>'type_id' = $1"
    await give_up(await db.fetchval(sql, type_id), way)
    assert len(await recorded(type_id, "content_type.indexing_failed")) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_a_search_index_that_stays_behind_is_told_of(articles, give_up, way):
    item = (await articles.post("/content", {"type": "article", "data": {"title": "A"}, "publish": True})).json
    sql = "SELECT id::text FROM jobs WHERE name = 'search.index_content' AND payload->>'item_id' = $1"
    await give_up(await db.fetchval(sql, item["id"]), way)
    assert len(await recorded(item["id"], "search.index_failed")) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_an_invitation_that_was_not_mailed_is_told_of(admin, site, give_up, way):
    made = await admin.post("/users/invitations", {"email": f"{secrets.token_hex(6)}@example.com"})
    sql = """SELECT j.id::text, i.user_id::text
             FROM jobs j JOIN invitations i ON i.id::text = j.payload->>'invitation_id'
             WHERE j.name = 'users.send_invitation' AND j.state = 'pending'"""
    assert made.status in (201, 202), made.raw
    row = await db.fetchrow(sql)
    await give_up(row[0], way)
    assert len(await recorded(row[1], "user.invitation_failed")) == 1
