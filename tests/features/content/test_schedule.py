"""Publishing at a time: asked for by HTTP, done by workers, once."""

import asyncio
from datetime import UTC, datetime

import pytest
from prometheus_client import REGISTRY

from scaicms.infra import db
from tests.features.content.schedules import LATER, come, create, events, job_of, listed, schedule, soon


async def test_what_is_due_is_published_and_says_when_it_was_and_how_late(articles, drain):
    item = await create(articles)
    asked = await schedule(articles, item)
    assert (asked["status"], asked["publish_at"], asked["plan"]) == (
        "scheduled",
        "2099-01-01T00:00:00Z",
        {"unpublished_targets": []},
    )
    await drain()
    assert (await articles.get(f"/content/{item['id']}?status=published")).status == 404
    await come(item["id"], 5)
    await drain()
    read = (await articles.get(f"/content/{item['id']}?status=published")).json
    assert (read["status"], read["publish_at"]) == ("published", None)
    [row] = await listed(articles, item)
    assert (row["id"], row["state"], row["action"], row["type"]) == (asked["schedule_id"], "done", "publish", "article")
    assert 5 <= row["late_by"] < 30
    assert row["done_at"] > row["due_at"]
    assert row["error"] is None
    assert (await articles.get(f"/content/{item['id']}?status=draft")).json["status"] == "published"


async def test_prometheus_is_told_how_late_it_was(articles, drain):
    def told(what):
        return REGISTRY.get_sample_value(f"scaicms_schedule_late_seconds_{what}", {"action": "publish"}) or 0

    item = await create(articles)
    await schedule(articles, item)
    await come(item["id"], 40)
    number, seconds = told("count"), told("sum")
    await drain()
    assert told("count") == number + 1
    assert 40 <= told("sum") - seconds < 70


async def test_prometheus_is_told_what_is_due_and_not_done_yet(articles, client, drain):
    async def told():
        text = await (await client.get("/metrics")).text()
        lines = [line.split() for line in text.splitlines() if line.startswith("scaicms_schedule_")]
        figures = {name: float(value) for name, value in lines if "late" not in name}
        return figures["scaicms_schedule_due"], figures["scaicms_schedule_oldest_due_seconds"]

    await drain()
    before, _ = await told()
    alone, first, second, stopped = [await create(articles) for _ in range(4)]
    await schedule(articles, alone)
    asked = await schedule(articles, stopped)
    body = {"name": "Both", "items": [{"id": first["id"]}, {"id": second["id"]}], "at": LATER}
    answer = await articles.post("/content/releases", body)
    assert answer.status == 201, answer.raw
    assert (await told())[0] == before
    for item, seconds in ((alone, 7000), (stopped, 10), (first, 10), (second, 10)):
        await come(item["id"], seconds)
    await articles.post(f"/search/jobs/{await job_of(asked['schedule_id'])}/cancel")
    due, oldest = await told()
    assert due == before + 2
    assert 7000 <= oldest < 7100
    await drain()
    assert await told() == (before, 0.0)


async def test_a_key_publishes_at_its_time_unless_it_is_revoked(articles, admin, drain):
    site_id = (await admin.get(f"/sites/{articles.site}")).json["id"]
    permissions = ["content:publish", "content:read_drafts"]
    body = {"name": "k", "permissions": permissions, "site_ids": [site_id]}
    key = (await admin.post("/api-keys", body)).json
    first, second = await create(articles), await create(articles)
    for item in (first, second):
        await schedule(articles.with_token(key["key"]), item)
    await come(first["id"])
    await drain()
    assert (await listed(articles, first))[0]["state"] == "done"
    assert (await admin.delete(f"/api-keys/{key['id']}")).status == 204
    await come(second["id"])
    await drain()
    [row] = await listed(articles, second)
    assert (row["state"], row["created_by"]) == ("failed", key["id"])
    assert key["key"] not in row["error"]


async def test_it_is_done_at_its_time_and_not_before(articles, drain):
    item = await create(articles)
    await schedule(articles, item, at=soon(1.0))
    await drain()
    assert (await listed(articles, item))[0]["state"] == "pending"
    await asyncio.sleep(1.1)
    await drain()
    [row] = await listed(articles, item)
    assert (row["state"], row["late_by"] < 1) == ("done", True)


async def test_the_clock_of_the_database_alone_says_what_is_past(articles, monkeypatch):
    """A web process whose clock is ten years ahead, or behind, takes and refuses the same times."""
    item = await create(articles)
    monkeypatch.setattr("scaicms.features.content.service.utcnow", lambda: datetime(2036, 1, 1, tzinfo=UTC))
    await schedule(articles, item, at=soon(60))
    monkeypatch.setattr("scaicms.features.content.service.utcnow", lambda: datetime(2016, 1, 1, tzinfo=UTC))
    past = await articles.post(f"/content/{item['id']}/publish", {"at": soon(-1)})
    assert (past.status, past.json["detail"]["errors"][0]["code"]) == (422, "past")
    [row] = await db.fetch("SELECT due_at > now() AS ahead FROM content_schedule WHERE item_id = $1::uuid", item["id"])
    assert row["ahead"]


@pytest.mark.parametrize(
    "body",
    [
        {"at": "2001-01-01T00:00:00Z"},
        {"at": "2099-01-01T00:00:00"},
        {"at": 4070908800},
        {"at": "9999-12-31T23:59:59-12:00"},
        {"at": "soon"},
        {"at": LATER, "locales": []},
        {"at": LATER, "locales": ["xx"]},
        {"at": LATER, "locales": "en"},
        {"when": LATER},
    ],
)
@pytest.mark.parametrize("action", ["publish", "unpublish"])
async def test_times_and_locales_that_there_cannot_be_are_refused(articles, action, body):
    item = await create(articles)
    assert (await articles.post(f"/content/{item['id']}/{action}", body)).status == 422
    assert await listed(articles, item) == []


async def test_an_end_is_told_by_editing_view_list_and_document_and_comes(articles, drain):
    item = await create(articles)
    await articles.post(f"/content/{item['id']}/publish")
    before = await articles.get(f"/content/{item['id']}")
    asked = await schedule(articles, item, "unpublish")
    told = "2099-01-01T00:00:00Z"
    assert (asked["status"], asked["unpublish_at"]) == ("published", told)
    document = await articles.get(f"/content/{item['id']}")
    assert document.json == {**before.json, "unpublish_at": told}
    assert document.headers["ETag"] != before.headers["ETag"]
    drafts = (await articles.get("/content?type=article&status=any")).json["items"]
    assert [draft["unpublish_at"] for draft in drafts] == [told]
    assert (await articles.delete(f"/content/schedule/{asked['schedule_id']}")).status == 204
    assert (await articles.get(f"/content/{item['id']}")).raw == before.raw
    await schedule(articles, item, "unpublish")
    await come(item["id"])
    await drain()
    assert (await articles.get(f"/content/{item['id']}?status=published")).status == 404
    assert (await articles.get(f"/content/{item['id']}")).json["status"] == "draft"


async def test_a_document_published_after_its_end_was_scheduled_tells_it(articles):
    item = await create(articles)
    await schedule(articles, item, "unpublish")
    await articles.post(f"/content/{item['id']}/publish")
    assert (await articles.get(f"/content/{item['id']}?status=published")).json["unpublish_at"].startswith("2099")


async def test_lists_of_drafts_tell_the_next_time(articles):
    item = await create(articles)
    await schedule(articles, item, at="2098-01-01T00:00:00Z")
    await schedule(articles, item, at="2097-01-01T00:00:00+02:00")
    [draft] = (await articles.get("/content?type=article&status=draft")).json["items"]
    assert (draft["status"], draft["publish_at"]) == ("scheduled", "2096-12-31T22:00:00Z")


async def test_whoever_lost_the_right_before_it_is_due_publishes_nothing(articles, admin, user, drain):
    author = await user("editor", site=articles.site)
    item = await create(articles)
    asked = await schedule(author, item)
    me = (await author.get("/auth/profile")).json["id"]
    assert (await admin.put(f"/users/{me}/roles", [])).status == 200
    await come(item["id"])
    await drain()
    [row] = await listed(articles, item)
    assert (row["id"], row["state"]) == (asked["schedule_id"], "failed")
    assert row["error"] == "forbidden: You need the permission content:publish for this."
    assert (await articles.get(f"/content/{item['id']}")).json["status"] == "draft"
    assert await events(item["id"], "content.schedule_failed") == 1


@pytest.mark.parametrize("change", [{"is_active": False}, None])
async def test_whoever_is_deactivated_or_deleted_publishes_nothing(articles, admin, user, drain, change):
    author = await user("editor", site=articles.site)
    item = await create(articles)
    await schedule(author, item)
    me = (await author.get("/auth/profile")).json["id"]
    gone = await (admin.patch(f"/users/{me}", change) if change else admin.delete(f"/users/{me}"))
    assert gone.status in (200, 204), gone.raw
    await come(item["id"])
    await drain()
    [row] = await listed(articles, item)
    assert (row["state"], row["error"].partition(":")[0]) == ("failed", "invalid_token")


async def test_what_cannot_be_done_then_is_told(articles, drain):
    item = await create(articles)
    await schedule(articles, item, "unpublish")
    await come(item["id"])
    await drain()
    [row] = await listed(articles, item, state="failed")
    assert row["error"] == "not_published: This item is not published."


async def test_cancelled_it_never_happens(articles, drain):
    item = await create(articles)
    asked = await schedule(articles, item)
    path = f"/content/schedule/{asked['schedule_id']}"
    assert (await articles.delete(path)).status == 204
    again = await articles.delete(path)
    assert (again.status, again.code) == (409, "schedule_over")
    read = (await articles.get(f"/content/{item['id']}")).json
    assert (read["status"], read["publish_at"]) == ("draft", None)
    await db.execute("UPDATE jobs SET run_at = now() WHERE payload->>'schedule_id' = $1", asked["schedule_id"])
    await drain()
    assert (await articles.get(f"/content/{item['id']}")).json["status"] == "draft"
    assert [row["state"] for row in await listed(articles, item)] == ["cancelled"]


async def test_what_is_done_cannot_be_cancelled(articles, drain):
    item = await create(articles)
    asked = await schedule(articles, item)
    await come(item["id"])
    await drain()
    answer = await articles.delete(f"/content/schedule/{asked['schedule_id']}")
    assert (answer.status, answer.code) == (409, "schedule_over")


@pytest.mark.parametrize("query", ["", "?permanent=true"])
async def test_deleting_an_item_cancels_what_is_scheduled_for_it(articles, drain, query):
    item = await create(articles)
    asked = await schedule(articles, item)
    assert (await articles.delete(f"/content/{item['id']}{query}")).status == 204
    sql = "SELECT state FROM content_schedule WHERE item_id = $1::uuid"
    assert [row["state"] for row in await db.fetch(sql, item["id"])] == ([] if query else ["cancelled"])
    await db.execute("UPDATE jobs SET run_at = now() WHERE payload->>'schedule_id' = $1", asked["schedule_id"])
    await drain()
    assert await events(item["id"], "content.published") == 0
    assert (await articles.delete(f"/content/schedule/{asked['schedule_id']}")).status == 404
    assert await listed(articles, item) == []


async def test_the_list_is_filtered_and_paged_in_the_order_of_what_is_due(articles):
    first, second = await create(articles), await create(articles)
    for year, item in ((2051, first), (2050, second), (2052, first)):
        await schedule(articles, item, at=f"{year}-01-01T00:00:00Z")
    page = (await articles.get("/content/schedule?page_size=2")).json
    assert (page["total"], [row["due_at"][:4] for row in page["items"]]) == (3, ["2050", "2051"])
    rest = (await articles.get("/content/schedule?page_size=2&page=2")).json
    assert [row["due_at"][:4] for row in rest["items"]] == ["2052"]
    within = "from=2051-01-01T00:00:00Z&to=2052-01-01T00:00:00Z"
    assert [row["item_id"] for row in (await articles.get(f"/content/schedule?{within}")).json["items"]] == [
        first["id"]
    ]
    assert len(await listed(articles, first)) == 2
    assert (await articles.get("/content/schedule?state=done")).json["total"] == 0
    for wrong in ("state=later", "from=2051", "to=9999-12-31T23:59:59-12:00", "item=x", "colour=red"):
        assert (await articles.get(f"/content/schedule?{wrong}")).status == 400, wrong


async def test_some_locales_are_published_and_taken_away_and_the_others_stay(articles, drain):
    locales = {"locales": [{"code": "en"}, {"code": "de"}]}
    assert (await articles.patch(f"/sites/{articles.site}", locales)).status == 200
    await asyncio.sleep(0.1)
    item = await create(articles)
    await db.execute(
        """INSERT INTO entries (id, item_id, locale, data, version, updated_at)
           SELECT gen_random_uuid(), item_id, 'de', data, 1, now() FROM entries WHERE item_id = $1::uuid""",
        item["id"],
    )
    path = f"/content/{item['id']}"

    async def published():
        return [
            locale
            for locale in ("en", "de")
            if (await articles.get(f"{path}?status=published&locale={locale}")).status == 200
        ]

    asked = await schedule(articles, item, locales=["de"])
    assert (asked["locale"], asked["status"]) == ("de", "scheduled")
    assert (await articles.get(f"{path}?status=draft&locale=en")).json["status"] == "draft"
    await come(item["id"])
    await drain()
    assert await published() == ["de"]
    assert (await articles.post(f"{path}/publish")).json["locale"] == "en"
    assert await published() == ["en", "de"]
    await schedule(articles, item, "unpublish", locales=["de"])
    german = await articles.get(f"{path}?status=published&locale=de")
    english = await articles.get(f"{path}?status=published&locale=en")
    assert (german.json["unpublish_at"][:4], english.json["unpublish_at"]) == ("2099", None)
    assert (await articles.post(f"{path}/unpublish", {"locales": ["en"]})).status == 200
    assert await published() == ["de"]
    await come(item["id"])
    await drain()
    assert await published() == []


async def test_if_match_holds_for_scheduling_too(articles):
    item = await create(articles)
    stale = await articles.post(f"/content/{item['id']}/publish", {"at": LATER}, headers={"If-Match": '"v9"'})
    assert stale.status == 412
    good = await articles.post(f"/content/{item['id']}/publish", {"at": LATER}, headers={"If-Match": '"v1"'})
    assert good.status == 200


async def test_a_dry_run_with_a_time_schedules_nothing(articles):
    item = await create(articles)
    answer = await articles.post(f"/content/{item['id']}/publish?dry_run=true", {"at": LATER})
    assert (answer.status, answer.json["plan"]) == (200, {"unpublished_targets": []})
    assert await listed(articles, item) == []


async def test_an_idempotency_key_schedules_once(articles):
    item = await create(articles)
    headers = {"Idempotency-Key": f"once-{item['id']}"}
    first = await articles.post(f"/content/{item['id']}/publish", {"at": LATER}, headers=headers)
    second = await articles.post(f"/content/{item['id']}/publish", {"at": LATER}, headers=headers)
    assert first.json == second.json
    assert len(await listed(articles, item)) == 1


async def test_narrowed_rights_bound_what_is_listed_scheduled_and_cancelled(articles, granted):
    theirs = await create(articles)
    asked = await schedule(articles, theirs)
    reads = {"permission": "content:read_drafts", "own_only": True}
    publishes = {"permission": "content:publish", "own_only": True}
    somebody = await granted(articles, reads, publishes, "content:create", "content:read")
    mine = (await somebody.post("/content", {"type": "article", "data": {"title": "Mine"}})).json
    own = await schedule(somebody, mine)
    assert [row["id"] for row in (await somebody.get("/content/schedule")).json["items"]] == [own["schedule_id"]]
    assert (await somebody.post(f"/content/{theirs['id']}/publish", {"at": LATER})).status == 404
    hidden = await somebody.delete(f"/content/schedule/{asked['schedule_id']}")
    assert (hidden.status, hidden.code) == (404, "not_found")
    assert (await somebody.delete(f"/content/schedule/{own['schedule_id']}")).status == 204
    elsewhere = await granted(articles, {"permission": "content:read_drafts", "content_types": ["page"]})
    assert (await elsewhere.get("/content/schedule")).json["total"] == 0
    foreign = await granted(articles, {"permission": "content:read_drafts", "locales": ["de"]})
    assert (await foreign.get("/content/schedule")).json["total"] == 0
