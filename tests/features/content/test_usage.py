"""What links to an item, and deleting what others link to."""

from uuid import uuid4

from tests.features.content.test_items import create


async def usage(api, item, query=""):
    answer = await api.get(f"/content/{item['id']}/usage{query}")
    assert answer.status == 200, answer.raw
    return answer.json


async def test_usage_lists_what_links_here_with_its_fields_and_state(articles):
    target = await create(articles)
    draft = await create(articles, related=target["id"], others=[target["id"]])
    live = await create(articles, publish=True, related=target["id"])
    changed = await create(articles, publish=True, related=target["id"])
    await articles.patch(f"/content/{changed['id']}", {"data": {"count": 1}})
    archived = await create(articles, related=target["id"])
    await articles.post(f"/content/{archived['id']}/archive")
    due = await create(articles, related=target["id"])
    await articles.post(f"/content/{due['id']}/publish", {"at": "2099-01-01T00:00:00Z"})
    gone = await create(articles, related=target["id"])
    await articles.delete(f"/content/{gone['id']}")
    await articles.patch(f"/content/{target['id']}", {"data": {"related": target["id"]}})
    found = await usage(articles, target)
    shown = [(item["id"], item["fields"], item["published"], item["status"]) for item in found["items"]]
    assert shown == [
        (due["id"], ["related"], False, "scheduled"),
        (archived["id"], ["related"], False, "archived"),
        (changed["id"], ["related"], True, "changed"),
        (live["id"], ["related"], True, "published"),
        (draft["id"], ["others", "related"], False, "draft"),
    ]
    assert found["total"] == 5
    second = await usage(articles, target, "?page=2&page_size=4")
    assert ([item["id"] for item in second["items"]], second["total"]) == ([draft["id"]], 5)
    assert await usage(articles, draft) == {"items": [], "total": 0, "page": 1, "page_size": 50}
    assert (await articles.get(f"/content/{uuid4()}/usage")).status == 404


async def test_links_in_components_are_usage_too(articles):
    fields = [
        {
            "key": "blocks",
            "type": "blocks",
            "components": [{"key": "card", "fields": [{"key": "to", "type": "relation", "target": "article"}]}],
        }
    ]
    assert (await articles.post("/content-types", {"key": "page", "name": "Page", "fields": fields})).status == 201
    target = await create(articles)
    data = {"blocks": [{"_type": "card", "to": target["id"]}]}
    page = await articles.post("/content", {"type": "page", "data": data})
    found = (await usage(articles, target))["items"]
    assert [(item["id"], item["type"], item["fields"]) for item in found] == [(page.json["id"], "page", ["blocks"])]


async def test_what_others_link_to_is_not_deleted_by_mistake(articles):
    target = await create(articles)
    user = await create(articles, related=target["id"])
    path = f"/content/{target['id']}"
    for query in ("", "?permanent=true"):
        refused = await articles.delete(path + query)
        assert (refused.status, refused.code) == (409, "item_in_use")
        told = refused.json["detail"]["usage"]
        assert (told["total"], told["items"][0]["id"]) == (1, user["id"])
    refused, forced = [
        (await articles.post("/content/bulk", {"operations": [{"op": "delete", "id": target["id"], **more}]})).json
        for more in ({}, {"force": True})
    ]
    assert refused["results"][0]["detail"]["code"] == "item_in_use"
    assert forced["succeeded"] == 1
    assert (await articles.post(f"/content/{user['id']}/publish")).status == 422
    assert (await articles.post(f"{path}/restore")).status == 200
    assert (await articles.post(f"/content/{user['id']}/publish")).status == 200
    assert (await articles.delete(f"{path}?force=true")).status == 204


async def test_what_links_to_something_deleted_can_still_be_saved(articles):
    target, other = [await create(articles) for _ in range(2)]
    path = f"/content/{(await create(articles, related=target['id']))['id']}"
    for query in ("?force=true", "?force=true&permanent=true"):
        assert (await articles.delete(f"/content/{target['id']}{query}")).status in (204, 404)
        saved = await articles.patch(path, {"data": {"title": "Again"}})
        assert (saved.status, saved.json["data"]["related"]) == (200, target["id"]), saved.raw
        assert (await articles.post(f"{path}/publish")).json["detail"]["errors"][0]["code"] == "unknown_target"
        new = await articles.patch(path, {"data": {"others": [target["id"]], "related": None}})
        assert (new.status, new.json["data"]["others"]) == (200, [target["id"]])
        assert (await articles.patch(path, {"data": {"related": target["id"]}})).status == 200
    assert (await articles.patch(path, {"data": {"related": None, "others": [other["id"]]}})).status == 200
    gone = await articles.patch(path, {"data": {"related": target["id"]}})
    assert gone.json["detail"]["errors"][0]["pointer"] == "/data/related"


async def test_what_no_more_links_here_is_no_reason(articles):
    target = await create(articles)
    user = await create(articles, related=target["id"])
    await articles.patch(f"/content/{user['id']}", {"data": {"related": None}})
    assert (await articles.delete(f"/content/{target['id']}")).status == 204


async def test_usage_tells_nothing_of_what_the_caller_may_not_read(articles, granted):
    target = await create(articles)
    await create(articles, related=target["id"], others=[target["id"]])
    by_field = await granted(
        articles,
        "content:read",
        "content:delete",
        {"permission": "content:read_drafts", "fields": ["title", "others"]},
    )
    assert [item["fields"] for item in (await usage(by_field, target))["items"]] == [["others"]]
    only_title = await granted(
        articles, "content:read", "content:delete", {"permission": "content:read_drafts", "fields": ["title"]}
    )
    assert (await usage(only_title, target))["total"] == 0
    own = await granted(articles, "content:create", {"permission": "content:read_drafts", "own_only": True})
    assert (await own.get(f"/content/{target['id']}/usage")).status == 404
    reader = await granted(articles, "content:read")
    assert (await reader.get(f"/content/{target['id']}/usage")).status == 403
    assert (await only_title.delete(f"/content/{target['id']}")).status == 204
