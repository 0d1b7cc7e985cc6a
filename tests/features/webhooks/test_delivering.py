"""What reaches receivers, and what is kept of it."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from scaicms import registry
from scaicms.features.webhooks.sending import SCHEDULE, retry_after
from scaicms.infra import db
from scaicms.infra.jobs.runner import Runner
from tests.features.content.test_items import create
from tests.features.webhooks.receiver import deliveries, hooked, receiving, wind
from tests.mails import mails_to

AT_ONCE = 4
"""Of the ten jobs that a process does at a time."""


async def test_a_change_reaches_the_receiver_signed_as_standard_webhooks_says(articles, receiver, drain):
    hook = await hooked(articles, receiver.url, "content.published", headers={"X-Of": "ours"})
    item = await create(articles, publish=True)
    await drain()
    (got,) = receiver.got
    body = receiver.verified(hook["secret"])
    site_id = (await articles.get(f"/sites/{articles.site}")).json["id"]
    assert set(body) == {"type", "timestamp", "id", "site_id", "version", "data"}
    assert (body["type"], body["site_id"], body["version"], body["id"]) == ("content.published", site_id, 1, got.id)
    assert body["data"] == {
        "id": item["id"], "content_type": "article", "slug": item["slug"], "locale": "en", "item_version": 1
    }  # fmt: skip
    assert body["timestamp"].endswith("Z")
    assert (got.headers["content-type"], got.headers["x-of"]) == ("application/json", "ours")
    (delivery,) = await deliveries(articles, hook)
    assert (delivery["status"], delivery["event_id"], delivery["next_attempt_at"]) == ("delivered", got.id, None)
    (attempt,) = delivery["attempts"]
    assert (attempt["number"], attempt["status"], attempt["error"]) == (1, 200, None)
    assert attempt["latency_ms"] > 0
    assert attempt["request"]["body"].encode() == got.body
    assert attempt["request"]["headers"]["X-Of"] == "***"
    assert attempt["request"]["headers"]["webhook-signature"] == got.headers["webhook-signature"]
    assert (attempt["response"]["body"], attempt["response"]["truncated"]) == ("thanks", False)
    one = await articles.get(f"/webhooks/{hook['id']}/deliveries/{delivery['id']}")
    assert one.json == delivery


async def test_the_delivery_and_its_job_are_written_with_the_change_or_not_at_all(articles, receiver):
    hook = await hooked(articles, receiver.url)
    operations = [
        {"op": "create", "type": "article", "data": {"title": "Fine"}},
        {"op": "create", "type": "article", "data": {"title": 1}},
    ]
    assert (await articles.post("/content/bulk", {"operations": operations, "atomic": True})).status == 422
    assert await deliveries(articles, hook) == []
    await create(articles)
    (delivery,) = await deliveries(articles, hook)
    assert (delivery["status"], delivery["attempts"]) == ("pending", [])
    job = await articles.get(f"/search/jobs/{delivery['job_id']}")
    assert (job.json["name"], job.json["state"]) == ("webhooks.deliver", "due")


async def test_clients_are_not_told_to_wait_for_deliveries(articles, receiver):
    item = await create(articles)
    before = (await articles.post(f"/content/{item['id']}/publish")).json["job_ids"]
    hook = await hooked(articles, receiver.url)
    after = (await articles.post(f"/content/{item['id']}/publish")).json["job_ids"]
    assert len(after) == len(before)
    assert (await deliveries(articles, hook))[0]["job_id"] not in after


async def test_a_webhook_gets_what_it_asks_for_of_its_own_site(articles, admin, site, receiver, drain):
    assert (await articles.post("/content-types", {"key": "note", "name": "Note", "fields": []})).status == 201
    narrow = await hooked(articles, f"{receiver.url}/narrow", "content.*", "taxonomy.*", content_types=["note"])
    await hooked(articles, f"{receiver.url}/off", "*", name="off", is_active=False)
    key = f"{articles.site}b"
    assert (await admin.post("/sites", {"key": key, "name": key})).status == 201
    await hooked(admin.at(key), f"{receiver.url}/elsewhere", "*")
    await create(articles, publish=True)
    await articles.post("/content", {"type": "note", "data": {}})
    await articles.post("/taxonomies", {"key": "topics", "name": "Topics"})
    await articles.post("/taxonomies/topics/terms", {"name": "Rust"})
    await drain()
    assert sorted((got.path, got.json["type"]) for got in receiver.got) == [
        ("/hook/narrow", "content.created"),
        ("/hook/narrow", "taxonomy.created"),
    ]
    assert {d["event_type"] for d in await deliveries(articles, narrow)} == {"content.created", "taxonomy.created"}


async def test_one_request_a_matching_webhook_and_event_however_many_patterns_fit(articles, receiver, drain):
    await hooked(articles, receiver.url, "content.*", "content.created", "*")
    await hooked(articles, receiver.url, "*", name="second")
    await create(articles)
    await drain()
    assert [got.json["type"] for got in receiver.got] == ["content.created"] * 2
    assert len({got.id for got in receiver.got}) == 1


async def test_who_asks_for_what_is_published_is_told_when_it_goes(articles, receiver, drain):
    await hooked(articles, receiver.url, "content.unpublished")
    unpublished, archived, deleted, draft = [
        (await create(articles, title=f"Number {number}", publish=number < 3))["id"] for number in range(4)
    ]
    assert (await articles.post(f"/content/{unpublished}/unpublish")).status == 200
    assert (await articles.post(f"/content/{archived}/archive")).status == 200
    for item_id in (deleted, draft):
        assert (await articles.delete(f"/content/{item_id}")).status == 204
    await drain()
    assert sorted(got.json["data"]["id"] for got in receiver.got) == [unpublished, archived, deleted]


async def test_failures_are_tried_again_on_schedule_under_the_same_id(articles, receiver, drain):
    hook = await hooked(articles, receiver.url, "content.created")
    receiver.answers += [500, 302, 404, 503, 400, 429, 500, 500, 500, 500]
    await create(articles)
    await drain()
    for number in range(1, 10):
        (delivery,) = await deliveries(articles, hook)
        assert (delivery["status"], len(delivery["attempts"])) == ("pending", number)
        waits = datetime.fromisoformat(delivery["next_attempt_at"]) - datetime.now(UTC)
        assert SCHEDULE[number] - 4 < waits.total_seconds() <= SCHEDULE[number]
        await wind(SCHEDULE[number] - 4)
        await drain()
        assert len(receiver.got) == number
        await wind(5)
        await drain()
    (delivery,) = await deliveries(articles, hook)
    assert (delivery["status"], delivery["reason"]) == ("failed", "10 attempts failed")
    assert [attempt["number"] for attempt in delivery["attempts"]] == list(range(10, 0, -1))
    assert [attempt["status"] for attempt in delivery["attempts"]][-2:] == [302, 500]
    assert {got.id for got in receiver.got} == {delivery["event_id"]}
    for number in range(10):
        receiver.verified(hook["secret"], number)
    jobs = await db.fetch("SELECT state, attempts FROM jobs WHERE payload->>'delivery_id' = $1", delivery["id"])
    assert [(job["state"], job["attempts"]) for job in jobs] == [("done", 1)] * 10
    assert (await articles.get(f"/webhooks/{hook['id']}")).json["failing_since"] is not None


async def test_a_success_ends_the_failures(articles, receiver, drain):
    hook = await hooked(articles, receiver.url)
    receiver.answers.append(500)
    await create(articles)
    await drain()
    await wind(5)
    await drain()
    (delivery,) = await deliveries(articles, hook)
    assert (delivery["status"], len(delivery["attempts"])) == ("delivered", 2)
    assert (await articles.get(f"/webhooks/{hook['id']}")).json["failing_since"] is None


async def test_a_receiver_may_ask_for_more_time(articles, receiver, drain):
    hook = await hooked(articles, receiver.url)
    receiver.answers.append((429, {"Retry-After": "1000"}, b""))
    await create(articles)
    await drain()
    (delivery,) = await deliveries(articles, hook)
    waits = datetime.fromisoformat(delivery["next_attempt_at"]) - datetime.now(UTC)
    assert 990 < waits.total_seconds() <= 1000


def test_how_long_an_answer_asks_us_to_wait():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for value, seconds in (
        ("120", 120), (format_datetime(now + timedelta(minutes=5), usegmt=True), 300), ("99999999999999999", 86_400),
        (format_datetime(now - timedelta(minutes=5), usegmt=True), 0), ("-5", 0), ("soon", 0), ("", 0), ("1e9", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400), ("²", 0),
    ):  # fmt: skip
        assert retry_after({"retry-after": value}, now) == seconds, value


async def test_one_that_is_gone_is_disabled_and_its_owner_told(articles, receiver, drain, database):
    hook = await hooked(articles, receiver.url)
    receiver.answers.append(410)
    await create(articles)
    await drain()
    read = (await articles.get(f"/webhooks/{hook['id']}")).json
    assert (read["is_active"], read["disabled_reason"]) == (False, "gone")
    said = mails_to(database, "admin@example.com")[-1].get_body(("plain",)).get_content()
    assert "“hook” was disabled" in said
    assert "410" in said
    await create(articles, title="Next")
    (delivery,) = await deliveries(articles, hook)
    assert delivery["status"] == "failed"
    (fact,) = (await articles.get("/users/audit?action=webhook.disabled&page_size=1")).json["items"]
    assert (fact["target"], fact["data"]["reason"]) == (hook["id"], "gone")
    again = (await articles.patch(f"/webhooks/{hook['id']}", {"is_active": True})).json
    assert (again["disabled_reason"], again["failing_since"]) == (None, None)


async def test_one_that_fails_for_five_days_is_disabled(articles, receiver, drain):
    hook = await hooked(articles, receiver.url)
    receiver.answers += [500, 500]
    await create(articles)
    await drain()
    assert (await articles.get(f"/webhooks/{hook['id']}")).json["is_active"]
    await db.execute("UPDATE webhooks SET failing_since = now() - interval '5 days 1 minute' WHERE id = $1", hook["id"])
    await wind(5)
    await drain()
    read = (await articles.get(f"/webhooks/{hook['id']}")).json
    assert (read["is_active"], read["disabled_reason"]) == (False, "failing")


async def test_both_secrets_sign_while_the_old_one_has_grace(articles, receiver, drain):
    hook = await hooked(articles, receiver.url)
    new = (await articles.post(f"/webhooks/{hook['id']}/rotate-secret", {"grace_seconds": 60})).json["secret"]
    await create(articles)
    await drain()
    assert len(receiver.got[0].headers["webhook-signature"].split(" ")) == 2
    assert receiver.verified(hook["secret"]) == receiver.verified(new)
    await db.execute("UPDATE webhooks SET previous_until = now() WHERE id = $1", hook["id"])
    await create(articles, title="Later")
    await drain()
    assert len(receiver.got[1].headers["webhook-signature"].split(" ")) == 1
    receiver.verified(new)
    newest = (await articles.post(f"/webhooks/{hook['id']}/rotate-secret", {})).json["secret"]
    await create(articles, title="Last")
    await drain()
    assert len(receiver.got[2].headers["webhook-signature"].split(" ")) == 1
    receiver.verified(newest)


async def test_a_worker_that_dies_on_the_way_delivers_again_under_the_same_id(articles, receiver, services):
    hook = await hooked(articles, receiver.url)
    receiver.gate.clear()
    await create(articles)
    doomed = Runner(registry.tasks(), services, "doomed")
    (claim,) = await doomed.claim_due("webhooks", 5)
    working = asyncio.create_task(doomed.run_claimed(claim))
    async with asyncio.timeout(5):
        await receiver.arrived.wait()
    # As kill -9 leaves it: nobody renews the lease, nobody writes an outcome.
    await db.execute("UPDATE jobs SET lease_until = now() - interval '1 s', fence = fence + 1 WHERE id = $1", claim.id)
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working
    await db.execute("UPDATE jobs SET lease_until = NULL WHERE id = $1", claim.id)
    receiver.gate.set()
    await Runner(registry.tasks(), services, "heir").run_due("webhooks", 5)
    first, second = receiver.got
    assert (first.id, first.body) == (second.id, second.body)
    (delivery,) = await deliveries(articles, hook)
    assert delivery["status"] == "delivered"
    assert [(a["number"], a["status"], a["error"]) for a in delivery["attempts"]] == [
        (2, 200, None),
        (1, None, "its worker was stopped during this attempt"),
    ]


async def test_who_lost_the_lease_writes_no_outcome(articles, receiver, services):
    hook = await hooked(articles, receiver.url)
    receiver.gate.clear()
    await create(articles)
    slow = Runner(registry.tasks(), services, "slow")
    (claim,) = await slow.claim_due("webhooks", 5)
    working = asyncio.create_task(slow.run_claimed(claim))
    async with asyncio.timeout(5):
        await receiver.arrived.wait()
    await db.execute("UPDATE jobs SET fence = fence + 1 WHERE id = $1", claim.id)
    receiver.gate.set()
    await working
    (delivery,) = await deliveries(articles, hook)
    assert (delivery["status"], delivery["attempts"][0]["status"]) == ("pending", None)


async def test_a_slow_receiver_keeps_no_other_waiting(articles, receiver, services):
    async with receiving() as slow:
        slow.gate.clear()
        await hooked(articles, slow.url, name="slow")
        for number in range(8):
            await create(articles, title=f"Number {number}")
        await hooked(articles, receiver.url, name="quick")
        await create(articles, title="Last")
        runner = Runner(registry.tasks(), services, "tests")
        working = [asyncio.create_task(runner.run_claimed(c)) for c in await runner.claim_due("webhooks", 10)]
        async with asyncio.timeout(5):
            await receiver.arrived.wait()
        await asyncio.sleep(0.1)  # for what should not be sent
        assert (len(slow.got), len(receiver.got)) == (AT_ONCE, 1)
        waiting = await db.fetchval(
            "SELECT count(*) FROM jobs WHERE name = 'webhooks.deliver' AND state = 'pending' AND lease_until IS NULL"
        )
        assert waiting == 9 - AT_ONCE
        slow.gate.set()
        await asyncio.gather(*working)
        await wind(60)
        while await runner.run_due("webhooks", AT_ONCE):
            await wind(60)
        assert len({got.id for got in slow.got}) == len(slow.got) == 9


async def test_what_waits_is_given_up_with_its_webhook(articles, receiver, drain):
    hook = await hooked(articles, receiver.url)
    await create(articles)
    assert (await articles.patch(f"/webhooks/{hook['id']}", {"is_active": False})).status == 200
    await drain()
    (delivery,) = await deliveries(articles, hook)
    assert (delivery["status"], delivery["reason"]) == ("cancelled", "the webhook is not active")
    await articles.patch(f"/webhooks/{hook['id']}", {"is_active": True})
    await create(articles, title="Second")
    assert (await articles.delete(f"/webhooks/{hook['id']}")).status == 204
    await drain()
    assert receiver.got == []
    for table, column in (("webhook_deliveries", "webhook_id"), ("webhooks", "id")):
        assert await db.fetchval(f"SELECT count(*) FROM {table} WHERE {column} = $1", hook["id"]) == 0
    jobs = "SELECT DISTINCT state FROM jobs WHERE name = 'webhooks.deliver' AND site_id = $1"
    site_id = (await articles.get(f"/sites/{articles.site}")).json["id"]
    assert [row["state"] for row in await db.fetch(jobs, site_id)] == ["done"]


async def test_deliveries_say_what_their_owner_may_read_when_they_are_sent(admin, articles, granted, receiver, drain):
    assert (await articles.post("/content-types", {"key": "note", "name": "Note", "fields": []})).status == 201
    drafts = {"permission": "content:read_drafts", "content_types": ["note"]}
    manager = await granted(articles, "webhooks:read", "webhooks:manage", "content:read", drafts)
    hook = await hooked(manager, receiver.url)
    await create(articles, publish=True)
    await articles.post("/content", {"type": "note", "data": {}})
    await drain()
    assert sorted((got.json["type"], got.json["data"]["content_type"]) for got in receiver.got) == [
        ("content.created", "note"),
        ("content.published", "article"),
    ]
    states = [(d["status"], d["event_type"]) for d in await deliveries(articles, hook, "?status=withheld")]
    assert states == [("withheld", "content.created")]
    # What they may not read they do not see in the list either.
    assert {d["status"] for d in await deliveries(manager, hook)} == {"delivered"}
    me = (await manager.get("/auth/profile")).json["id"]
    assert (await admin.patch(f"/users/{me}", {"is_active": False})).status == 200
    await articles.post("/content", {"type": "note", "data": {}})
    await drain()
    assert len(receiver.got) == 2
    assert (await deliveries(articles, hook))[0]["reason"] == "the webhook's owner is gone, deactivated or expired"


async def test_a_webhook_of_a_key_ends_with_the_key(admin, articles, receiver, drain):
    site_id = (await articles.get(f"/sites/{articles.site}")).json["id"]
    wanted = {"name": "k", "permissions": ["webhooks:manage", "webhooks:read", "content:read"], "site_ids": [site_id]}
    key = (await admin.post("/api-keys", wanted)).json
    await hooked(articles.with_token(key["key"]), receiver.url, "content.published")
    await create(articles, publish=True)
    await drain()
    assert len(receiver.got) == 1
    assert (await admin.delete(f"/api-keys/{key['id']}")).status == 204
    await create(articles, publish=True, title="Next")
    await drain()
    assert len(receiver.got) == 1
