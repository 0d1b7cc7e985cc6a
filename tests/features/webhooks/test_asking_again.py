"""Lists of deliveries, tests, redelivery, replay, tidying up."""

import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

from scaicms.features.webhooks import delivery_repository
from scaicms.features.webhooks.replaying import Upkeep
from scaicms.infra import db
from tests.features.content.test_items import create
from tests.features.webhooks.receiver import deliveries, hooked, wind


async def job_of(api, answer):
    return (await api.get(f"/search/jobs/{answer.json['job_id']}")).json


async def test_a_list_of_deliveries_is_walked_by_cursor_newest_first(articles, receiver, drain):
    hook = await hooked(articles, receiver.url)
    made = [(await create(articles, title=f"Number {number}"))["id"] for number in range(5)]
    await drain()
    path, found = f"/webhooks/{hook['id']}/deliveries?page_size=2", []
    answer = (await articles.get(path)).json
    assert answer["total"] == 5
    while True:
        found += answer["items"]
        if answer["next_cursor"] is None:
            break
        answer = (await articles.get(f"{path}&count=none&cursor={answer['next_cursor']}")).json
        assert answer["total"] is None
    ids = [delivery["id"] for delivery in found]
    assert (len(ids), ids) == (5, sorted(ids, reverse=True))
    sent = {got.id: got.json["data"]["id"] for got in receiver.got}
    assert [sent[delivery["event_id"]] for delivery in found] == made[::-1]
    assert (await articles.get(f"{path}&page=3")).json["items"] == found[4:]
    assert (await articles.get(f"{path}&cursor=nonsense")).code == "invalid_cursor"
    assert (await articles.get(f"{path}&cursor=a&page=2")).status == 400
    assert (await articles.get(f"/webhooks/{hook['id']}/deliveries?status=failed")).json["total"] == 0
    assert (await articles.get(f"/webhooks/{hook['id']}/deliveries?event_type=content.created")).json["total"] == 5


async def test_a_page_leaves_out_answers_that_would_make_it_too_long(articles, receiver, drain, monkeypatch):
    monkeypatch.setattr(delivery_repository, "PAGE_BYTES", 1000)
    hook = await hooked(articles, receiver.url)
    receiver.answers += [(200, {}, b"x" * 600), (200, {}, b"y" * 600)]
    await create(articles)
    await drain()
    await create(articles, title="Second")
    await drain()
    newer, older = await deliveries(articles, hook)
    assert newer["attempts"][0]["response"]["body"] == "y" * 600
    assert older["attempts"][0]["response"] | {"headers": {}} == {
        "headers": {}, "body": "", "truncated": False, "left_out": True
    }  # fmt: skip
    one = (await articles.get(f"/webhooks/{hook['id']}/deliveries/{older['id']}")).json
    assert one["attempts"][0]["response"]["body"] == "x" * 600


async def test_a_delivery_is_sent_once_more_under_the_same_id(articles, receiver, drain):
    hook = await hooked(articles, receiver.url)
    await create(articles)
    await drain()
    (delivery,) = await deliveries(articles, hook)
    path = f"/webhooks/{hook['id']}/deliveries/{delivery['id']}"
    answer = await articles.post(f"{path}/redeliver")
    assert (answer.status, answer.json["status"]) == (202, "pending")
    assert answer.headers["Location"] == f"/api/v1{path}"
    await drain()
    assert [got.id for got in receiver.got] == [delivery["event_id"]] * 2
    assert (await job_of(articles, answer))["state"] == "done"
    assert [attempt["number"] for attempt in (await articles.get(path)).json["attempts"]] == [2, 1]
    await articles.patch(f"/webhooks/{hook['id']}", {"is_active": False})
    assert (await articles.post(f"{path}/redeliver")).code == "webhook_inactive"


async def test_asking_for_one_that_waits_brings_it_forward_once(articles, receiver, drain):
    hook = await hooked(articles, receiver.url)
    receiver.answers += [500, 500]
    await create(articles)
    await drain()
    await wind(5)
    await drain()
    (delivery,) = await deliveries(articles, hook)
    path = f"/webhooks/{hook['id']}/deliveries/{delivery['id']}/redeliver"
    first, second = await articles.post(path), await articles.post(path)
    assert first.json["job_id"] == second.json["job_id"] == delivery["job_id"]
    await drain()
    assert len(receiver.got) == 3
    assert (await deliveries(articles, hook))[0]["status"] == "delivered"
    assert await db.fetchval("SELECT count(*) FROM jobs WHERE state = 'pending' AND name = 'webhooks.deliver'") == 0


async def test_a_test_is_sent_once_even_to_one_that_is_not_active(articles, receiver, drain):
    hook = await hooked(articles, receiver.url, is_active=False)
    receiver.answers += [410, 200]
    answer = await articles.post(f"/webhooks/{hook['id']}/test")
    assert (answer.status, answer.json["status"], answer.json["is_test"]) == (202, "pending", True)
    await drain()
    (delivery,) = await deliveries(articles, hook)
    assert (delivery["status"], delivery["event_type"]) == ("failed", "webhook.test")
    assert receiver.verified(hook["secret"])["type"] == "webhook.test"
    read = (await articles.get(f"/webhooks/{hook['id']}")).json
    assert (read["disabled_reason"], read["failing_since"]) == (None, None)
    await articles.post(f"/webhooks/{hook['id']}/test")
    await drain()
    assert (await deliveries(articles, hook))[0]["status"] == "delivered"


async def test_the_past_is_replayed_also_what_was_before_the_webhook(articles, receiver, drain):
    before = datetime.now(UTC)
    await create(articles, title="Before")
    hook = await hooked(articles, receiver.url, "content.created")
    await create(articles, title="After", publish=True)
    await drain()
    assert len(receiver.got) == 1
    path = f"/webhooks/{hook['id']}/replay"
    answer = await articles.post(path, {"since": before.isoformat()})
    assert (answer.status, answer.json["status"]) == (202, "pending")
    await drain()
    job = await job_of(articles, answer)
    assert (job["state"], job["result"]["deliveries"], job["result"]["complete"]) == ("done", 2, True)
    assert [got.json["data"]["slug"] for got in receiver.got[:1]] == ["after"]
    assert sorted(got.json["data"]["slug"] for got in receiver.got[1:]) == ["after", "before"]
    assert len({got.id for got in receiver.got}) == 2
    assert {d["status"] for d in await deliveries(articles, hook)} == {"delivered"}
    early = {"since": (before - timedelta(days=2)).isoformat(), "until": (before - timedelta(days=1)).isoformat()}
    await articles.post(path, early)
    await drain()
    assert len(receiver.got) == 3
    assert (await articles.post(path, {"since": "2099-01-01T00:00:00Z"})).code == "nothing_to_replay"
    backwards = {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
    assert (await articles.post(path, backwards)).status == 422
    await articles.patch(f"/webhooks/{hook['id']}", {"is_active": False})
    assert (await articles.post(path, early)).code == "webhook_inactive"


async def test_a_replay_is_bounded_and_says_so(articles, receiver, drain, monkeypatch):
    monkeypatch.setattr("scaicms.features.webhooks.replaying.BATCH", 2)
    monkeypatch.setattr("scaicms.features.webhooks.replaying.MAX_REPLAYED", 4)
    for number in range(5):
        await create(articles, title=f"Number {number}")
    hook = await hooked(articles, receiver.url, "content.created")
    answer = await articles.post(f"/webhooks/{hook['id']}/replay", {"since": "2026-01-01T00:00:00Z"})
    await drain()
    result = (await job_of(articles, answer))["result"]
    assert (result["deliveries"], result["complete"], len(receiver.got)) == (4, False, 4)
    rest = await articles.post(f"/webhooks/{hook['id']}/replay", {"since": result["until"]})
    await drain()
    assert (await job_of(articles, rest))["result"]["deliveries"] == 2
    assert len({got.id for got in receiver.got}) == 5


async def test_what_is_past_its_time_goes_and_what_is_forsaken_ends(articles, receiver, drain, services, database):
    hook = await hooked(articles, receiver.url)
    await create(articles)
    await drain()
    receiver.answers.append(500)
    await create(articles, title="Second")
    await drain()
    waiting, done = await deliveries(articles, hook)
    long_ago = timedelta(days=database.webhook_days, hours=1)
    older = "UPDATE webhook_deliveries SET created_at = created_at - $1::interval WHERE webhook_id = $2"
    await db.execute(older, long_ago, hook["id"])
    upkeep = services.get(Upkeep)
    assert (await upkeep.prune())["removed"] >= 1
    assert [d["id"] for d in await deliveries(articles, hook)] == [waiting["id"]]
    assert await db.fetchval("SELECT count(*) FROM webhook_attempts WHERE delivery_id = $1", done["id"]) == 0
    # A job of an older release ended without a word.
    await db.execute("UPDATE jobs SET state = 'cancelled' WHERE id = $1", UUID(waiting["job_id"]))
    assert (await upkeep.prune())["ended"] >= 1
    (delivery,) = await deliveries(articles, hook)
    assert delivery["status"] == "failed"
    assert "cancelled" in delivery["reason"]


async def test_a_delivery_whose_job_an_operator_cancels_has_failed_at_once(articles, receiver, drain):
    hook = await hooked(articles, receiver.url)
    receiver.answers.append(500)
    await create(articles)
    await drain()
    (waiting,) = await deliveries(articles, hook)
    assert (await articles.post(f"/search/jobs/{waiting['job_id']}/cancel")).status == 202
    (delivery,) = await deliveries(articles, hook)
    assert (delivery["status"], delivery["reason"]) == ("failed", "An operator cancelled the job.")


async def test_webhooks_go_with_their_site(admin, services, receiver, drain):
    key = f"s{secrets.token_hex(6)}"
    assert (await admin.post("/sites", {"key": key, "name": key})).status == 201
    hook = await hooked(admin.at(key), receiver.url)
    await admin.at(key).post(f"/webhooks/{hook['id']}/test")
    await drain()
    assert (await admin.delete(f"/sites/{key}")).status == 204
    assert (await services.get(Upkeep).prune())["webhooks"] >= 1
    assert await db.fetchval("SELECT count(*) FROM webhooks WHERE id = $1", hook["id"]) == 0
    assert await db.fetchval("SELECT count(*) FROM webhook_deliveries WHERE webhook_id = $1", hook["id"]) == 0


async def test_what_no_longer_opens_is_said_and_can_be_made_anew(articles, receiver, drain):
    """The secret of the installation is another one than when the webhook was stored."""
    hook = await hooked(articles, receiver.url, headers={"X-Key": "value"})
    sealed = "UPDATE webhooks SET sealed_secret = $2, sealed_headers = $2 WHERE id = $1"
    await db.execute(sealed, hook["id"], b"x" * 60)
    await create(articles)
    await drain()
    (delivery,) = await deliveries(articles, hook)
    assert (delivery["status"], receiver.got) == ("failed", [])
    assert "SCAICMS_SECRET" in delivery["reason"]
    path = f"/webhooks/{hook['id']}"
    assert (await articles.get(path)).json["headers"] == {}
    assert (await articles.patch(path, {"headers": {"X-Key": "***"}})).status == 422
    assert (await articles.patch(path, {"headers": {"X-Key": "again"}})).status == 200
    secret = (await articles.post(f"{path}/rotate-secret", {})).json["secret"]
    await articles.post(f"{path}/deliveries/{delivery['id']}/redeliver")
    await drain()
    receiver.verified(secret)
    assert receiver.got[0].headers["x-key"] == "again"
