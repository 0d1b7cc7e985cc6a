"""Relations of published documents: targets that are not published are named, as long as they are not."""

import asyncio

import pytest

from scaicms import registry
from scaicms.infra.jobs.runner import Runner
from tests.features.content.schedules import LATER, create, events


async def publish(api, item, **body):
    answer = await api.post(f"/content/{item['id']}/publish", body)
    assert answer.status == 200, answer.raw
    return answer.json


async def document(api, item):
    answer = await api.get(f"/content/{item['id']}?status=published")
    assert answer.status == 200, answer.raw
    return answer


def named(*targets):
    return [{"field": field, "id": item["id"]} for field, item in targets]


async def test_a_document_names_its_unpublished_targets_until_they_are_published(articles, drain):
    target = await create(articles, title="Target")
    item = await create(articles, related=target["id"], others=[target["id"]])
    plan = (await publish(articles, item))["plan"]
    before = await document(articles, item)
    assert before.json["unpublished"] == named(("related", target), ("others", target))
    assert plan["unpublished_targets"] == before.json["unpublished"]
    assert before.json["data"]["related"] == target["id"]
    await publish(articles, target)
    await drain()
    after = await document(articles, item)
    assert "unpublished" not in after.json
    assert after.headers["ETag"] != before.headers["ETag"]
    assert (after.json["version"], after.json["published_at"]) == (before.json["version"], before.json["published_at"])
    [listed] = (await articles.get("/content?type=article&filter[slug]=hello")).json["items"]
    assert listed == after.json


@pytest.mark.parametrize("end", ["unpublish", "trash", "remove"])
async def test_a_target_that_goes_is_named_from_then_on(articles, drain, end):
    target = await create(articles, title="Target")
    await publish(articles, target)
    item = await create(articles, related=target["id"])
    await publish(articles, item)
    assert "unpublished" not in (await document(articles, item)).json
    path = f"/content/{target['id']}"
    gone = await {
        "unpublish": lambda: articles.post(f"{path}/unpublish"),
        "trash": lambda: articles.delete(f"{path}?force=true"),
        "remove": lambda: articles.delete(f"{path}?permanent=true&force=true"),
    }[end]()
    assert gone.status in (200, 204)
    await drain()
    assert (await document(articles, item)).json["unpublished"] == named(("related", target))


async def test_healing_follows_what_is_published_and_not_the_draft(articles, drain):
    first, second = await create(articles, title="First"), await create(articles, title="Second")
    item = await create(articles, related=first["id"])
    await publish(articles, item)
    assert (await articles.patch(f"/content/{item['id']}", {"data": {"related": second["id"]}})).status == 200
    await publish(articles, first)
    await drain()
    assert "unpublished" not in (await document(articles, item)).json
    await publish(articles, item)
    assert (await document(articles, item)).json["unpublished"] == named(("related", second))


async def test_healing_again_changes_nothing(articles, drain, services):
    target = await create(articles, title="Target")
    item = await create(articles, related=target["id"])
    await publish(articles, item)
    await publish(articles, target)
    await drain()
    before, refreshed = await document(articles, item), await events(item["id"], "content.refreshed")
    assert refreshed == 1
    for _ in range(2):
        await articles.post(f"/content/{target['id']}/unpublish")
        await publish(articles, target)
        await drain()
    assert (await document(articles, item)).raw == before.raw
    assert await events(item["id"], "content.refreshed") == 1


async def test_items_that_point_to_each_other_are_healed(articles, drain):
    first = await create(articles, title="First")
    second = await create(articles, title="Second", related=first["id"])
    assert (await articles.patch(f"/content/{first['id']}", {"data": {"related": second["id"]}})).status == 200
    await publish(articles, first)
    await publish(articles, second)
    await drain()
    for item in (first, second):
        assert "unpublished" not in (await document(articles, item)).json


async def test_private_and_hidden_relations_are_not_named(site, granted):
    kind = {
        "key": "page",
        "name": "Page",
        "fields": [
            {"key": "title", "type": "string"},
            {"key": "open", "type": "relation", "target": "page"},
            {"key": "hidden", "type": "relation", "target": "page", "private": True},
        ],
    }
    assert (await site.post("/content-types", kind)).status == 201

    async def page(**data):
        return (await site.post("/content", {"type": "page", "data": {"title": "x", **data}})).json

    target, other = await page(), await page()
    item = await page(open=target["id"], hidden=other["id"])
    assert len((await publish(site, item))["plan"]["unpublished_targets"]) == 2
    assert (await document(site, item)).json["unpublished"] == named(("open", target))
    narrow = await granted(site, {"permission": "content:read", "fields": ["title"]})
    seen = await document(narrow, item)
    assert target["id"].encode() not in seen.raw
    wanted = (await site.get("/content?type=page&fields=id,unpublished")).json["items"]
    assert wanted == [{"id": item["id"], "unpublished": named(("open", target))}]


async def test_targets_are_published_with_an_item_in_one_transaction(articles, drain):
    deep = await create(articles, title="Deep")
    target = await create(articles, title="Target", related=deep["id"])
    back = await create(articles, title="Back")
    item = await create(articles, related=target["id"], others=[back["id"], target["id"]])
    assert (await articles.patch(f"/content/{back['id']}", {"data": {"related": item["id"]}})).status == 200
    answer = await publish(articles, item, with_targets=True)
    assert answer["plan"] == {"unpublished_targets": []}
    await drain()
    for one in (deep, target, back, item):
        read = (await document(articles, one)).json
        assert "unpublished" not in read
        assert await events(one["id"], "content.published") == 1


async def test_a_dry_run_publishes_no_targets_and_a_time_takes_none(articles):
    target = await create(articles, title="Target")
    item = await create(articles, related=target["id"])
    plan = await articles.post(f"/content/{item['id']}/publish?dry_run=true", {"with_targets": True})
    assert plan.json["plan"]["unpublished_targets"] == named(("related", target))
    assert (await articles.get("/content?type=article")).json["total"] == 0
    wrong = await articles.post(f"/content/{item['id']}/publish", {"with_targets": True, "at": LATER})
    assert (wrong.status, wrong.json["detail"]["errors"][0]["pointer"]) == (422, "/with_targets")


async def test_targets_that_the_caller_may_not_publish_stay_in_the_plan(articles, granted):
    theirs = await create(articles, title="Theirs")
    own = {"permission": "content:publish", "own_only": True}
    somebody = await granted(articles, own, "content:create", "content:read", "content:read_drafts")
    mine = await create(somebody, related=theirs["id"])
    answer = await publish(somebody, mine, with_targets=True)
    assert answer["plan"]["unpublished_targets"] == named(("related", theirs))
    assert (await articles.get(f"/content/{theirs['id']}")).json["status"] == "draft"
    assert (await document(articles, mine)).json["unpublished"] == named(("related", theirs))


async def test_more_than_a_hundred_targets_are_too_many(articles):
    targets = [(await create(articles, title=f"Number {n}"))["id"] for n in range(101)]
    item = await create(articles, others=targets)
    answer = await articles.post(f"/content/{item['id']}/publish", {"with_targets": True})
    assert (answer.status, answer.code) == (409, "too_many_targets")
    assert (await articles.patch(f"/content/{item['id']}", {"data": {"others": targets[:100]}})).status == 200
    assert (await publish(articles, item, with_targets=True))["plan"] == {"unpublished_targets": []}
    assert (await articles.get("/content?type=article")).json["total"] == 101


async def test_whatever_comes_and_goes_at_the_same_time_documents_end_right(articles, services, drain):
    """Targets and what points to them are published and unpublished all at once, while workers heal."""
    targets = [await create(articles, title=f"Target {n}") for n in range(4)]
    ids = [target["id"] for target in targets]
    items = [await create(articles, title=f"Item {n}", others=ids[n % 2 :]) for n in range(4)]
    workers = [Runner(registry.tasks(), services, f"w{n}") for n in range(2)]
    for round_ in range(4):
        changes = [articles.post(f"/content/{item['id']}/publish") for item in items]
        for number, target in enumerate(targets):
            action = "unpublish" if (round_ + number) % 2 else "publish"
            changes.append(articles.post(f"/content/{target['id']}/{action}"))
        answers = await asyncio.gather(*changes, *(one.run_due("default", 10) for one in workers))
        assert all(getattr(answer, "status", 200) in (200, 409) for answer in answers)
    await drain()
    there = {
        target["id"]
        for target in targets
        if (await articles.get(f"/content/{target['id']}?status=published")).status == 200
    }
    assert 0 < len(there) < 4
    for item in items:
        read = (await document(articles, item)).json
        missing = [target for target in read["data"]["others"] if target not in there]
        assert [entry["id"] for entry in read.get("unpublished", [])] == missing


async def test_what_a_document_takes_from_another_locale_is_named_too(site, drain):
    locales = {"locales": [{"code": "en"}, {"code": "de", "fallback": ["en"]}]}
    assert (await site.patch(f"/sites/{site.site}", locales)).status == 200
    await asyncio.sleep(0.1)
    fields = [
        {"key": "title", "type": "string", "localized": True},
        {"key": "author", "type": "relation", "target": "page", "localized": True},
    ]
    assert (await site.post("/content-types", {"key": "page", "name": "Page", "fields": fields})).status == 201
    author = (await site.post("/content", {"type": "page", "data": {"title": "Author"}})).json
    new = {"type": "page", "data": {"title": "Hello", "author": author["id"]}, "publish": True}
    item = (await site.post("/content", new)).json
    path = f"/content/{item['id']}"
    assert (await site.put(f"{path}/translations/de", {"data": {"title": "Hallo"}})).status in (200, 201)
    await publish(site, item, locales=["de"])
    german = (await site.get(f"{path}?locale=de&status=published")).json
    assert german["fallback_fields"] == {"author": "en"}
    assert german["unpublished"] == named(("author", author))
    await publish(site, author)
    await drain()
    for locale in ("en", "de"):
        assert "unpublished" not in (await site.get(f"{path}?locale={locale}&status=published")).json
    await site.post(f"/content/{author['id']}/unpublish")
    await site.post(f"{path}/unpublish", {"locales": ["en"]})
    await site.post(f"{path}/publish", {"locales": ["en"]})
    await drain()
    for locale in ("en", "de"):
        read = (await site.get(f"{path}?locale={locale}&status=published")).json
        assert read["unpublished"] == named(("author", author)), locale


async def test_a_target_that_loses_its_only_published_locale_is_named(articles, drain):
    locales = {"locales": [{"code": "en"}, {"code": "de"}]}
    assert (await articles.patch(f"/sites/{articles.site}", locales)).status == 200
    await asyncio.sleep(0.1)
    target = await create(articles, title="Target")
    translated = await articles.put(f"/content/{target['id']}/translations/de", {"data": {"title": "Ziel"}})
    assert translated.status in (200, 201), translated.raw
    await publish(articles, target, locales=["de"])
    item = await create(articles, related=target["id"])
    await publish(articles, item)
    assert "unpublished" not in (await document(articles, item)).json
    assert (await articles.delete(f"/content/{target['id']}/translations/de")).status == 204
    await drain()
    assert (await document(articles, item)).json["unpublished"] == named(("related", target))
