"""Releases: all of it or nothing, now or at a time."""

import asyncio
from uuid import uuid4

import pytest

from scaicms import registry
from scaicms.infra import db
from scaicms.infra.jobs.runner import Runner
from tests.conftest import role_with
from tests.features.content.schedules import LATER, create, events, listed, soon


async def release(api, *items, **given):
    body = {"name": "Spring", "items": [{"id": item} if isinstance(item, str) else item for item in items], **given}
    answer = await api.post("/content/releases", body)
    assert answer.status == 201, answer.raw
    assert answer.headers["Location"] == f"/api/v1/content/releases/{answer.json['id']}"
    return answer.json


async def ids(api, number, **data):
    return [(await create(api, title=f"Number {n}", **data))["id"] for n in range(number)]


async def published(api):
    return (await api.get("/content?type=article")).json["total"]


async def come(made):
    await db.execute(
        """UPDATE content_schedule SET due_at = now() - interval '2 seconds'
           WHERE release_id = $1::uuid AND state = 'pending'""",
        made["id"],
    )
    await db.execute(
        """WITH due AS (UPDATE content_releases SET due_at = now() - interval '2 seconds' WHERE id = $1::uuid
                        RETURNING job_id)
           UPDATE jobs SET run_at = now() FROM due WHERE jobs.id = due.job_id""",
        made["id"],
    )


async def read(api, made):
    answer = await api.get(f"/content/releases/{made['id']}")
    assert answer.status == 200, answer.raw
    return answer.json


async def test_all_of_a_release_is_done_together_and_only_once(articles):
    first, second, third = await ids(articles, 3)
    assert (await articles.post(f"/content/{third}/publish")).status == 200
    made = await release(articles, first, second, {"id": third, "action": "unpublish"})
    assert (made["state"], made["at"], made["version"]) == ("open", None, 1)
    done = await articles.post(f"/content/releases/{made['id']}/publish")
    assert (done.status, done.json["state"], done.json["errors"]) == (200, "done", [])
    assert len(done.json["job_ids"]) == 3
    assert await published(articles) == 2
    assert (await articles.get(f"/content/{third}?status=published")).status == 404
    again = await articles.post(f"/content/releases/{made['id']}/publish")
    assert (again.status, again.code) == (409, "release_over")
    assert await events(made["id"], "content.release_published") == 1


async def test_one_item_in_the_way_keeps_all_back_and_each_is_named(articles):
    first, second, third = await ids(articles, 3)
    made = await release(articles, {"id": second, "action": "unpublish"}, first, {"id": third, "action": "unpublish"})
    answer = await articles.post(f"/content/releases/{made['id']}/publish")
    assert (answer.status, answer.code) == (409, "release_failed")
    assert [(wrong["pointer"], wrong["code"]) for wrong in answer.json["detail"]["errors"]] == [
        ("/items/0", "not_published"),
        ("/items/2", "not_published"),
    ]
    assert second in answer.json["detail"]["errors"][0]["message"]
    assert await published(articles) == 0
    assert (await read(articles, made))["state"] == "open"
    assert await events(first, "content.published") == 0


async def test_a_scheduled_release_shows_in_its_items_and_is_done_at_its_time(articles, drain):
    first, second = await ids(articles, 2)
    made = await release(articles, first, second, at=LATER)
    assert (made["state"], made["at"]) == ("scheduled", LATER)
    item = (await articles.get(f"/content/{first}")).json
    assert (item["status"], item["publish_at"]) == ("scheduled", LATER)
    [row] = await listed(articles, {"id": second})
    assert (row["release_id"], row["state"]) == (made["id"], "pending")
    alone = await articles.delete(f"/content/schedule/{row['id']}")
    assert (alone.status, alone.code) == (409, "scheduled_by_release")
    await come(made)
    await drain()
    after = await read(articles, made)
    assert (after["state"], 2 <= after["late_by"] < 30) == ("done", True)
    assert [row["state"] for row in await listed(articles, {"id": first})] == ["done"]
    assert await published(articles) == 2
    assert (await articles.get(f"/content/{first}?status=draft")).json["status"] == "published"


async def test_a_scheduled_release_that_cannot_be_done_says_why_and_can_be_mended(articles, drain):
    first, second = await ids(articles, 2)
    made = await release(articles, first, {"id": second, "action": "unpublish"}, at=LATER)
    await come(made)
    await drain()
    failed = await read(articles, made)
    assert (failed["state"], [wrong["pointer"] for wrong in failed["errors"]]) == ("failed", ["/items/1"])
    [row] = await listed(articles, {"id": first})
    assert (row["state"], row["error"].partition(":")[0]) == ("failed", "release_failed")
    [row] = await listed(articles, {"id": second})
    assert row["error"].startswith("not_published")
    assert await published(articles) == 0
    assert (await articles.get(f"/content/{first}")).json["status"] == "draft"
    mended = await articles.patch(f"/content/releases/{made['id']}", {"items": [{"id": first}], "at": None})
    assert (mended.status, mended.json["state"], mended.json["errors"]) == (200, "open", [])
    assert (await articles.post(f"/content/releases/{made['id']}/publish")).json["state"] == "done"
    assert await published(articles) == 1


async def test_a_deleted_item_keeps_the_scheduled_release_from_being_half_done(articles, drain):
    first, second = await ids(articles, 2)
    made = await release(articles, first, second, at=LATER)
    assert (await articles.delete(f"/content/{second}")).status == 204
    await come(made)
    await drain()
    failed = await read(articles, made)
    assert (failed["state"], failed["errors"][0]["code"]) == ("failed", "unknown_item")
    assert await published(articles) == 0


async def test_whoever_lost_the_right_releases_nothing(articles, admin, user, drain):
    editor = await user("editor", site=articles.site)
    made = await release(editor, *await ids(articles, 2), at=LATER)
    me = (await editor.get("/auth/profile")).json["id"]
    assert (await admin.put(f"/users/{me}/roles", [])).status == 200
    await come(made)
    await drain()
    failed = await read(articles, made)
    assert (failed["state"], {wrong["code"] for wrong in failed["errors"]}) == ("failed", {"forbidden"})
    assert await published(articles) == 0


async def test_another_time_replaces_the_first_and_none_takes_it_back(articles, drain):
    [item] = await ids(articles, 1)
    made = await release(articles, item, at="2098-01-01T00:00:00Z")
    first_job = (await listed(articles, {"id": item}))[0]["job_id"]
    moved = await articles.patch(f"/content/releases/{made['id']}", {"at": LATER})
    assert (moved.json["at"], moved.json["version"]) == (LATER, made["version"] + 1)
    assert (await articles.get(f"/content/{item}")).json["publish_at"] == LATER
    await db.execute("UPDATE jobs SET run_at = now() WHERE id = $1::uuid", first_job)
    await drain()
    assert await published(articles) == 0
    renamed = await articles.patch(f"/content/releases/{made['id']}", {"name": "Summer"})
    assert (renamed.json["name"], renamed.json["at"]) == ("Summer", LATER)
    taken_back = await articles.patch(f"/content/releases/{made['id']}", {"at": None})
    assert (taken_back.json["state"], taken_back.json["at"]) == ("open", None)
    assert (await articles.get(f"/content/{item}")).json["status"] == "draft"


async def test_a_release_given_up_never_happens(articles, drain):
    [item] = await ids(articles, 1)
    made = await release(articles, item, at=LATER)
    await db.execute("UPDATE jobs SET run_at = now() WHERE payload->>'release_id' = $1", made["id"])
    assert (await articles.delete(f"/content/releases/{made['id']}")).status == 204
    await drain()
    assert await published(articles) == 0
    assert (await articles.get(f"/content/releases/{made['id']}")).status == 404
    assert (await articles.get(f"/content/{item}")).json["publish_at"] is None


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"items": []}, "/items"),
        ({"items": [{"id": str(uuid4())}]}, "/items/0"),
        ({"items": ["ITEM", "ITEM"]}, "/items/1"),
        ({"items": [{"id": "ITEM", "locale": "en"}, "ITEM"]}, "/items/1"),
        ({"items": [{"id": "ITEM", "locale": "xx"}]}, "/items/0"),
        ({"items": [{"id": "ITEM", "action": "delete"}]}, "/items/0/action"),
        ({"items": [{"id": "ITEM", "colour": "red"}]}, "/items/0/colour"),
        ({"at": "2001-01-01T00:00:00Z"}, "/at"),
        ({"name": ""}, "/name"),
    ],
)
async def test_wrong_releases_are_refused_with_a_pointer(articles, change, pointer):
    [item] = await ids(articles, 1)

    def real(given):
        if isinstance(given, str):
            return {"id": item}
        return {**given, "id": item if given.get("id") == "ITEM" else given["id"]}

    body = {"name": "Spring", "items": ["ITEM"], **change}
    body["items"] = [real(given) for given in body["items"]]
    answer = await articles.post("/content/releases", body)
    assert answer.status == 422, answer.raw
    assert answer.json["detail"]["errors"][0]["pointer"] == pointer
    assert (await articles.get("/content/releases")).json["total"] == 0


async def test_a_hundred_items_are_released_together_and_more_are_refused(articles):
    made = await release(articles, *await ids(articles, 100))
    assert (await articles.post(f"/content/releases/{made['id']}/publish")).status == 200
    assert await published(articles) == 100
    many = [{"id": str(uuid4())} for _ in range(101)]
    assert (await articles.post("/content/releases", {"name": "x", "items": many})).status == 422


async def test_releases_exist_for_who_may_publish_all_that_is_in_them(articles, granted):
    whole = {"permission": "content:publish", "own_only": True}
    somebody = await granted(articles, whole, "content:create", "content:read", "content:read_drafts")
    [theirs] = await ids(articles, 1)
    mine = (await somebody.post("/content", {"type": "article", "data": {"title": "Mine"}})).json["id"]
    own, mixed = await release(somebody, mine), await release(articles, mine, theirs)
    assert [row["id"] for row in (await somebody.get("/content/releases")).json["items"]] == [own["id"]]
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/publish"), ("PATCH", "")):
        body = {"name": "x"} if method == "PATCH" else None
        answer = await somebody.call(method, f"/content/releases/{mixed['id']}{path}", json=body)
        assert (answer.status, answer.code) == (404, "not_found"), method
    refused = await somebody.post("/content/releases", {"name": "x", "items": [{"id": mine}, {"id": theirs}]})
    assert refused.json["detail"]["errors"][0]["pointer"] == "/items/1"
    reader = await granted(articles, "content:read_drafts")
    assert (await reader.get("/content/releases")).status == 403


async def test_versions_of_a_release_are_heeded(articles):
    [item] = await ids(articles, 1)
    path = f"/content/releases/{(await release(articles, item))['id']}"
    etag = (await articles.get(path)).headers["ETag"]
    assert (await articles.get(path, headers={"If-None-Match": etag})).status == 304
    assert (await articles.patch(path, {"name": "x"}, headers={"If-Match": etag})).status == 200
    assert (await articles.patch(path, {"name": "y"}, headers={"If-Match": etag})).status == 412
    assert (await articles.delete(path, headers={"If-Match": etag})).status == 412


async def test_releases_that_share_items_in_other_orders_all_end(articles, services):
    items = await ids(articles, 8)
    made = [await release(articles, *(items if n % 2 else reversed(items)), at=soon(3600)) for n in range(6)]
    workers = [Runner(registry.tasks(), services, f"w{n}") for n in range(3)]
    for one in made:
        await come(one)
    saving = [articles.patch(f"/content/{item}", {"data": {"count": 1}}) for item in items]
    await asyncio.gather(*(one.run_due("default", 10) for one in workers), *saving)
    while any(await asyncio.gather(*(one.run_due("default", 10) for one in workers))):
        pass
    assert {(await read(articles, one))["state"] for one in made} == {"done"}
    for item in items:
        assert await events(item, "content.published") == len(made)


async def test_of_two_who_release_at_the_same_moment_one_does_it(articles):
    made = await release(articles, *await ids(articles, 4))
    answers = await asyncio.gather(*(articles.post(f"/content/releases/{made['id']}/publish") for _ in range(4)))
    assert sorted(answer.status for answer in answers)[:1] == [200]
    assert {answer.status for answer in answers[1:]} | {answer.status for answer in answers[:1]} <= {200, 409, 412}
    assert sum(answer.status == 200 for answer in answers) == 1
    assert await events(made["items"][0]["id"], "content.published") == 1


async def test_locales_of_grants_bound_releases_too(articles, admin, user):
    [item] = await ids(articles, 1)
    role = await role_with(admin, {"permission": "content:publish", "locales": ["de"]}, "content:read_drafts")
    german = await user(role, site=articles.site)
    refused = await german.post("/content/releases", {"name": "x", "items": [{"id": item}]})
    assert (refused.status, refused.json["detail"]["errors"][0]["code"]) == (422, "forbidden")
