"""The trash, the archive, and copies."""

import pytest

from scaicms.features.content.lifecycle import LifecycleService
from scaicms.infra import db
from scaicms.kit.principal import SYSTEM
from tests.features.content.test_conflicts import PAGE
from tests.features.content.test_items import create


async def trashed(api, **query):
    answer = await api.get("/content/trash", params=query)
    assert answer.status == 200, answer.raw
    return answer.json


async def test_the_trash_lists_what_was_deleted_with_who_and_until_when(articles, admin):
    items = [await create(articles, publish=True) for _ in range(3)]
    for item in items[:2]:
        await articles.delete(f"/content/{item['id']}")
    await articles.delete(f"/content/{items[2]['id']}?permanent=true")
    found = await trashed(articles)
    assert [item["id"] for item in found["items"]] == [items[1]["id"], items[0]["id"]]
    first = found["items"][0]
    assert (first["type"], first["slug"], first["locales"]) == ("article", "hello-2", ["en"])
    assert first["deleted_by"] == (await admin.get("/auth/profile")).json["id"]
    assert first["purge_at"] > first["deleted_at"]
    assert (await trashed(articles, type="other"))["total"] == 0
    assert (await trashed(articles, page_size=1))["total"] == 2


async def test_a_restored_item_is_the_draft_that_it_was(articles):
    item = await create(articles, publish=True, body="text", code="ABC")
    await articles.delete(f"/content/{item['id']}")
    restored = await articles.post(f"/content/{item['id']}/restore")
    assert (restored.status, restored.json["status"]) == (200, "draft")
    assert restored.json["data"] == item["data"]
    assert (await trashed(articles))["total"] == 0
    assert (await articles.get(f"/content/{item['id']}?status=published")).status == 404
    assert (await articles.post(f"/content/{item['id']}/publish")).json["status"] == "published"
    again = await articles.post(f"/content/{item['id']}/restore")
    assert (again.status, again.code) == (409, "not_away")


async def test_a_slug_that_was_taken_meanwhile_is_said_with_a_free_one(articles):
    item = await create(articles)
    await articles.delete(f"/content/{item['id']}")
    await create(articles)
    refused = await articles.post(f"/content/{item['id']}/restore")
    assert (refused.status, refused.code) == (409, "slug_taken")
    suggestion = refused.json["detail"]["suggestion"]
    restored = await articles.post(f"/content/{item['id']}/restore", {"slug": suggestion})
    assert (restored.status, restored.json["slug"]) == (200, "hello-2")


async def test_a_unique_value_or_the_place_of_a_single_that_was_taken_is_a_conflict(articles):
    item = await create(articles, code="ABC")
    await articles.delete(f"/content/{item['id']}")
    await create(articles, code="ABC")
    refused = await articles.post(f"/content/{item['id']}/restore", {"slug": "other"})
    assert (refused.status, refused.code) == (409, "not_unique")
    assert refused.json["detail"]["errors"][0]["pointer"] == "/data/code"
    home = {"key": "home", "name": "Home", "kind": "single", "fields": [{"key": "title", "type": "string"}]}
    assert (await articles.post("/content-types", home)).status == 201
    new = {"type": "home", "data": {"title": "x"}}
    single = (await articles.post("/content", new)).json
    await articles.delete(f"/content/{single['id']}")
    assert (await articles.post("/content", new)).status == 201
    assert (await articles.post(f"/content/{single['id']}/restore", {"slug": "other"})).code == "single_exists"


async def test_the_archive_is_out_of_delivery_out_of_lists_and_out_of_reach_until_restored(articles):
    item = await create(articles, publish=True)
    path = f"/content/{item['id']}"
    archived = await articles.post(f"{path}/archive")
    assert (archived.status, archived.json["status"]) == (200, "archived")
    assert len(archived.json["job_ids"]) == 1
    assert (await articles.get(f"{path}?status=published")).status == 404
    assert (await articles.get(path)).json["status"] == "archived"
    for status, total in (("published", 0), ("any", 0), ("draft", 0), ("archived", 1)):
        assert (await articles.get(f"/content?type=article&status={status}")).json["total"] == total, status
    assert (await articles.get("/content?type=article&status=archived")).json["items"][0]["status"] == "archived"
    assert (await articles.patch(path, {"data": {"title": "x"}})).code == "archived"
    assert (await articles.post(f"{path}/publish")).code == "archived"
    refused = await articles.post("/content", {"type": "article", "slug": "hello", "data": {"title": "x"}})
    assert refused.code == "slug_taken"
    restored = await articles.post(f"{path}/restore")
    assert (restored.status, restored.json["status"]) == (200, "draft")
    assert (await articles.post(f"{path}/publish")).status == 200


async def test_what_was_archived_comes_out_of_the_trash_into_the_archive(articles):
    item = await create(articles)
    path = f"/content/{item['id']}"
    await articles.post(f"{path}/archive")
    assert (await articles.delete(path)).status == 204
    assert [(await articles.post(f"{path}/restore")).json["status"] for _ in range(2)] == ["archived", "draft"]


async def test_the_trash_is_emptied_of_what_has_been_there_for_long(articles, services):
    old, held, fresh = [await create(articles) for _ in range(3)]
    for item in (old, held, fresh):
        await articles.delete(f"/content/{item['id']}")
    await db.execute(
        "UPDATE items SET deleted_at = now() - interval '31 days' WHERE id = ANY($1)", [old["id"], held["id"]]
    )
    await db.execute(
        """INSERT INTO content_holds (item_id, site_id, reason, created_at)
           SELECT id, site_id, 'law', now() FROM items WHERE id = $1""",
        held["id"],
    )
    try:
        assert await services.get(LifecycleService).empty_trash(SYSTEM) == 1
    finally:
        await db.execute("DELETE FROM content_holds WHERE item_id = $1", held["id"])
    assert {item["id"] for item in (await trashed(articles))["items"]} == {held["id"], fresh["id"]}
    assert (await articles.post(f"/content/{old['id']}/restore")).status == 404
    audit = (await articles.get(f"/users/audit?action=content.erased&target={old['id']}")).json
    assert audit["total"] == 1


async def test_a_copy_is_a_new_draft_with_a_slug_and_unique_values_of_its_own(articles):
    item = await create(articles, publish=True, body="text", code="ABC", secret="s", related=None)
    copied = await articles.post(f"/content/{item['id']}/duplicate")
    assert copied.status == 201, copied.raw
    assert copied.headers["Location"] == f"/api/v1/content/{copied.json['id']}"
    assert copied.json["id"] != item["id"]
    assert (copied.json["slug"], copied.json["status"], copied.json["version"]) == ("hello-2", "draft", 1)
    assert copied.json["data"] == {"title": "Hello", "body": "text", "secret": "s"}
    about = copied.json["duplicate"]
    assert (about["of"], about["emptied"], about["suffixed"], about["left_out"]) == (item["id"], ["code"], [], [])
    other = {"slug": "other", "data": {"title": "Other", "code": "XYZ"}}
    again = await articles.post(f"/content/{item['id']}/duplicate", other)
    assert (again.json["slug"], again.json["data"]["title"], again.json["data"]["code"]) == ("other", "Other", "XYZ")
    assert again.json["duplicate"]["emptied"] == []
    assert (await articles.post(f"/content/{item['id']}/duplicate", {"data": {"code": "ABC"}})).code == "not_unique"


async def test_a_unique_value_that_must_be_there_gets_a_suffix(site):
    fields = [{"key": "sku", "type": "string", "required": True, "unique": True}]
    assert (await site.post("/content-types", {"key": "ware", "name": "Ware", "fields": fields})).status == 201
    item = (await site.post("/content", {"type": "ware", "data": {"sku": "A1"}})).json
    copies = [(await site.post(f"/content/{item['id']}/duplicate")).json for _ in range(2)]
    assert {copy["duplicate"]["suffixed"][0] for copy in copies} == {"sku"}
    values = [copy["data"]["sku"] for copy in copies]
    assert len(set(values)) == 2
    assert all(value.startswith("A1-") for value in values)


async def test_blocks_of_a_copy_have_ids_of_their_own(site):
    assert (await site.post("/content-types", PAGE)).status == 201
    blocks = [{"_type": "quote", "text": "a"}, {"_type": "line", "text": "b"}]
    item = (await site.post("/content", {"type": "page", "data": {"title": "t", "blocks": blocks}})).json
    copy = (await site.post(f"/content/{item['id']}/duplicate")).json
    old, new = ([block["_id"] for block in one["data"]["blocks"]] for one in (item, copy))
    assert len({*old, *new}) == 4
    assert [block["text"] for block in copy["data"]["blocks"]] == ["a", "b"]


async def test_a_copy_has_the_terms_of_the_original(articles):
    await articles.post("/taxonomies", {"key": "topics", "name": "Topics"})
    await articles.post("/taxonomies/topics/terms", {"name": "rust"})
    new = {"type": "article", "data": {"title": "x"}, "taxonomies": {"topics": ["rust"]}}
    item = (await articles.post("/content", new)).json
    copy = (await articles.post(f"/content/{item['id']}/duplicate")).json
    assert [term["slug"] for term in copy["taxonomies"]["topics"]] == ["rust"]


async def test_a_copy_has_nothing_that_the_caller_may_not_read(articles, granted):
    item = await create(articles, secret="hidden", body="text")
    writer = await granted(
        articles,
        "content:read",
        {"permission": "content:read_drafts", "fields": ["title", "body"]},
        {"permission": "content:create", "fields": ["title"]},
    )
    copied = await writer.post(f"/content/{item['id']}/duplicate")
    assert copied.status == 201, copied.raw
    assert copied.json["duplicate"]["left_out"] == ["body"]
    assert (await articles.get(f"/content/{copied.json['id']}")).json["data"] == {"title": "Hello"}
    blind = await granted(articles, "content:read", "content:create")
    assert (await blind.post(f"/content/{item['id']}/duplicate")).status == 404


@pytest.mark.parametrize("bounds", [{"content_types": ["other"]}, {"own_only": True}, {"locales": ["fr"]}])
async def test_the_trash_of_others_does_not_exist_for_whom_it_is_out_of_reach(articles, granted, bounds):
    item, archived = await create(articles), await create(articles)
    await articles.delete(f"/content/{item['id']}")
    await articles.post(f"/content/{archived['id']}/archive")
    somebody = await granted(
        articles,
        {"permission": "content:read_drafts", **bounds},
        {"permission": "content:delete", **bounds},
    )
    assert (await trashed(somebody)) == {"items": [], "total": 0, "page": 1, "page_size": 50}
    for id_, action in ((item["id"], "restore"), (archived["id"], "restore"), (archived["id"], "archive")):
        assert (await somebody.post(f"/content/{id_}/{action}")).status == 404
