"""Fields that become shared by all locales of an item, or each locale's own: by plans, while others save, and back."""

import asyncio
import json

from scaicms.features.content_types import trying
from scaicms.infra import db
from tests.features.content.stories import STORY, draft, published, told, translated

TYPE = "/content-types/story"


def fields(**localized):
    """The fields of a story, these localized or not."""
    return [{**f, "localized": localized[f["key"]]} if f["key"] in localized else f for f in STORY["fields"]]


async def plan(api, proposal):
    answer = await api.post(f"{TYPE}/plan", {"fields": proposal})
    assert answer.status == 200, answer.raw
    return answer.json


async def start(api, made):
    answer = await api.post(f"{TYPE}/plan/{made['plan_id']}/apply")
    assert answer.status == 202, answer.raw
    return answer


async def done(api, answer, drain):
    await drain()
    job = (await api.get(answer.headers["Location"])).json
    assert job["state"] == "done", job


async def share(api, drain, *keys):
    await done(api, await start(api, await plan(api, fields(**dict.fromkeys(keys, False)))), drain)


async def roll_back(api, drain):
    answer = await api.post(f"{TYPE}/rollback")
    assert answer.status == 202, answer.raw
    await done(api, answer, drain)


async def drafts(api, item, key, locales=("en", "de", "fr")):
    return [(await draft(api, item, one))["data"].get(key) for one in locales]


async def document(api, item, locale):
    answer = await api.get(f"/content/{item['id']}?locale={locale}")
    assert answer.status == 200, answer.raw
    return answer.json


async def documents(api, item, key, locales=("en", "de", "fr")):
    return [(await document(api, item, one))["data"].get(key) for one in locales]


async def three(api, publish=False, **by_locale):
    """A story in three locales with titles of their own."""
    item = await told(api, publish=publish, title="Hello", **by_locale.get("en", {}))
    await translated(api, item, "de", publish, title="Hallo", **by_locale.get("de", {}))
    await translated(api, item, "fr", publish, title="Salut", **by_locale.get("fr", {}))
    return item


async def test_a_dry_run_counts_the_items_whose_locales_differ(stories):
    differs = await three(stories)
    await told(stories, title="Alone")
    alike = await told(stories, title="Alike")
    await translated(stories, alike, "de", title="Alike", body="Nur hier")
    made = await plan(stories, fields(title=False, body=False))
    found = {change["field"]: change for change in made["changes"]}
    assert {change["op"] for change in made["changes"]} == {"share"}
    title, body = found["title"], found["body"]
    assert (title["items"], title["rows"], title["destructive"], title["lock"]) == (1, 6, True, "writes")
    # Nobody loses the body, which one locale has and the other lacks.
    assert (body["items"], body["rows"], body["destructive"]) == (1, 1, False)
    assert made["locales"] == ["en", "de", "fr"]
    assert await drafts(stories, differs, "title") == ["Hello", "Hallo", "Salut"]
    assert (await stories.patch(TYPE, {"fields": fields(title=False)})).code == "plan_required"


async def test_all_locales_of_an_item_get_the_value_of_the_default_locale(stories, drain):
    items = [await three(stories, publish=True) for _ in range(3)]
    gone = await three(stories)
    assert (await stories.delete(f"/content/{gone['id']}")).status == 204
    before = {one: await draft(stories, items[0], one) for one in ("en", "de")}
    tag = (await stories.get(f"/content/{items[0]['id']}/translations/de")).headers["ETag"]
    await share(stories, drain, "title")
    for item in items:
        assert await drafts(stories, item, "title") == ["Hello"] * 3
        assert await documents(stories, item, "title") == ["Hello"] * 3
    assert (await stories.get("/content?type=story&locale=de&filter[data.title]=Hallo")).json["total"] == 0
    assert (await stories.get("/content?type=story&locale=de&filter[data.title]=Hello")).json["total"] == 3
    # As other plans do it: no new version, but another answer.
    now = await draft(stories, items[0], "de")
    assert (now["version"], now["status"]) == (before["de"]["version"], "published")
    path = f"/content/{items[0]['id']}/translations/de"
    assert (await stories.get(path, headers={"If-None-Match": tag})).status == 200
    # From now on it is one for all of them.
    assert (await stories.patch(path, {"data": {"title": "Moin"}})).status == 200
    assert await drafts(stories, items[0], "title") == ["Moin"] * 3
    # What lay in the trash is no exception.
    assert (await stories.post(f"/content/{gone['id']}/restore")).status == 200
    assert await drafts(stories, gone, "title") == ["Hello"] * 3


async def test_without_a_value_in_the_default_locale_the_next_one_in_the_sites_order_gives_it(stories, drain):
    item = await three(stories, fr={"body": "corps"}, de={"body": "Text"})
    only = await told(stories, locale="fr", title="Seul")
    await translated(stories, only, "de", title="Allein")
    none = await three(stories)
    await share(stories, drain, "title", "body")
    assert await drafts(stories, item, "body") == ["Text"] * 3
    assert await drafts(stories, only, "title", ("de", "fr")) == ["Allein"] * 2
    assert await drafts(stories, none, "body") == [None] * 3


async def test_documents_get_what_readers_know_and_drafts_what_editors_wrote(stories, drain):
    item = await three(stories, publish=True)
    await stories.patch(f"/content/{item['id']}/translations/en", {"data": {"title": "Not yet"}})
    hidden = await told(stories, title="Secret plan")
    await translated(stories, hidden, "de", True, title="Bekannt")
    await share(stories, drain, "title")
    assert await documents(stories, item, "title") == ["Hello"] * 3
    assert await drafts(stories, item, "title") == ["Not yet"] * 3
    assert await documents(stories, hidden, "title", ["de"]) == ["Bekannt"]
    # What is not what readers get any more says so, and what they get is kept as a revision.
    german = await draft(stories, item, "de")
    assert german["status"] == "changed"
    path = f"/content/{item['id']}/revisions"
    revisions = (await stories.get(f"{path}?locale=de")).json["items"]
    texts = {
        one["number"]: (await stories.get(f"{path}/{one['number']}?locale=de")).json["data"]["title"]
        for one in revisions
    }
    assert texts == {german["version"]: "Not yet", german["version"] - 1: "Hello"}
    assert (await stories.post(f"/content/{item['id']}/publish", {"locales": ["de"]})).status == 200
    assert await documents(stories, item, "title") == ["Hello", "Not yet", "Hello"]


async def test_what_stood_in_for_a_missing_value_is_every_locales_own_then_and_borrowed_again_after_a_rollback(
    stories, drain
):
    item = await three(stories, publish=True, fr={"body": "corps"})
    await drain()
    assert (await document(stories, item, "de"))["fallback_fields"] == {"body": "fr"}
    before = [await document(stories, item, one) for one in ("en", "de", "fr")]
    await share(stories, drain, "body")
    assert await documents(stories, item, "body") == ["corps"] * 3
    assert not (await document(stories, item, "de")).get("fallback_fields")
    # Rendering anew for other reasons takes nothing away.
    await published(stories, item, "fr")
    await drain()
    assert await documents(stories, item, "body") == ["corps"] * 3
    await roll_back(stories, drain)
    assert await drafts(stories, item, "body") == [None, None, "corps"]
    assert [await document(stories, item, one) for one in ("de",)] == before[1:2]
    await stories.patch(f"/content/{item['id']}/translations/fr", {"data": {"body": "neuf"}})
    await published(stories, item, "fr")
    await drain()
    assert (await document(stories, item, "de"))["data"]["body"] == "neuf"


async def test_a_rollback_brings_each_locales_own_value_back_but_for_what_was_written_since(stories, drain):
    item, other = await three(stories, publish=True), await three(stories, publish=True)
    await share(stories, drain, "title")
    await stories.patch(f"/content/{other['id']}/translations/de", {"data": {"title": "Later"}})
    await roll_back(stories, drain)
    assert await drafts(stories, item, "title") == ["Hello", "Hallo", "Salut"]
    assert await documents(stories, item, "title") == ["Hello", "Hallo", "Salut"]
    assert await drafts(stories, other, "title") == ["Later"] * 3
    assert (await stories.get(f"/content/{item['id']}/revisions/1?locale=de")).json["data"]["title"] == "Hallo"
    assert (await stories.patch(f"/content/{item['id']}/translations/de", {"data": {"title": "Moin"}})).status == 200
    assert await drafts(stories, item, "title") == ["Hello", "Moin", "Salut"]
    # Undone again: shared, and alike.
    await roll_back(stories, drain)
    for one in (item, other):
        assert len(set(await drafts(stories, one, "title"))) == 1


async def newest_revision(api, item, locale):
    path = f"/content/{item['id']}/revisions"
    number = max(one["number"] for one in (await api.get(f"{path}?locale={locale}")).json["items"])
    return (await api.get(f"{path}/{number}?locale={locale}")).json["data"]


async def test_the_newest_revision_is_the_draft_after_a_plan_and_after_its_rollback(stories, drain):
    item = await three(stories, publish=True)
    await stories.patch(f"/content/{item['id']}/translations/en", {"data": {"title": "Not yet"}})
    before = {one: await newest_revision(stories, item, one) for one in ("en", "de", "fr")}
    await share(stories, drain, "title")
    assert [(await newest_revision(stories, item, one))["title"] for one in before] == ["Not yet"] * 3
    await roll_back(stories, drain)
    for one, data in before.items():
        assert (await draft(stories, item, one))["data"] == data
        assert await newest_revision(stories, item, one) == data
    assert await documents(stories, item, "title") == ["Hello", "Hallo", "Salut"]


async def test_a_private_field_is_levelled_in_drafts_and_stays_out_of_documents(stories, drain):
    item = await three(stories, publish=True, en={"secret": "s"}, de={"secret": "g"})
    await share(stories, drain, "secret")
    assert await drafts(stories, item, "secret") == ["s"] * 3
    assert await documents(stories, item, "secret") == [None] * 3
    assert {(await draft(stories, item, one))["status"] for one in ("en", "de", "fr")} == {"published"}


async def test_what_the_dry_run_announced_happens_also_if_the_default_locale_is_another_by_then(stories, admin, drain):
    item = await three(stories)
    made = await plan(stories, fields(title=False))
    answer = await start(stories, made)
    assert (await admin.patch(f"/sites/{stories.site}", {"default_locale": "fr"})).status == 200
    await done(stories, answer, drain)
    assert await drafts(stories, item, "title") == ["Hello"] * 3


async def test_what_comes_back_shared_comes_back_to_locales_that_were_added_since(stories, drain):
    item = await told(stories, price=3)
    without = [f for f in STORY["fields"] if f["key"] != "price"]
    await done(stories, await start(stories, await plan(stories, without)), drain)
    await translated(stories, item, "de", title="Hallo")
    await roll_back(stories, drain)
    assert await drafts(stories, item, "price", ("en", "de")) == [3, 3]


async def test_more_rows_than_a_dry_run_looks_at_may_lose_something(stories, monkeypatch):
    for _ in range(3):
        await told(stories)
    monkeypatch.setattr(trying, "MAX_CHECKED", 1)
    monkeypatch.setattr(trying, "BATCH", 3)
    made = await plan(stories, fields(title=False))
    assert (made["rows_checked"], made["rows_total"]) == (1, 3)
    assert made["changes"][0]["destructive"] is True


async def test_a_shared_field_that_each_locale_gets_for_itself_keeps_its_value_everywhere(stories, drain):
    item = await three(stories, publish=True, en={"price": 3})
    await published(stories, item, "en", "de", "fr")
    assert (await stories.patch(TYPE, {"fields": fields(price=True)})).status == 200
    assert await drafts(stories, item, "price") == [3] * 3
    assert await documents(stories, item, "price") == [3] * 3
    await stories.patch(f"/content/{item['id']}/translations/de", {"data": {"price": 4}})
    assert await drafts(stories, item, "price") == [3, 4, 3]
    # And back: what is lost is said.
    made = await plan(stories, STORY["fields"])
    (change,) = made["changes"]
    assert (change["op"], change["field"], change["items"], change["destructive"]) == ("share", "price", 1, True)
    await roll_back(stories, drain)
    assert await drafts(stories, item, "price") == [3] * 3


async def test_a_rename_and_another_type_are_levelled_in_the_same_plan(stories, drain):
    item = await three(stories, publish=True)
    renamed = {"key": "headline", "type": "text", "renamed_from": "title", "required": True}
    proposal = [renamed, *(f for f in STORY["fields"] if f["key"] != "title")]
    made = await plan(stories, proposal)
    assert {change["op"] for change in made["changes"]} == {"rename", "share", "retype"}
    await done(stories, await start(stories, made), drain)
    assert await drafts(stories, item, "headline") == ["Hello"] * 3
    await roll_back(stories, drain)
    assert await drafts(stories, item, "title") == ["Hello", "Hallo", "Salut"]


async def test_a_unique_field_is_judged_by_the_values_that_stay(stories, drain):
    first, second = await told(stories, address="a"), await told(stories, address="b")
    await translated(stories, first, "de", address="c")
    await translated(stories, second, "de", address="a")
    made = await plan(stories, fields(address=False))
    assert made["changes"][0]["failing"] == []
    await done(stories, await start(stories, made), drain)
    assert await drafts(stories, first, "address", ("en", "de")) == ["a", "a"]
    assert (await stories.patch(f"/content/{second['id']}", {"data": {"address": "a"}})).code == "not_unique"


async def test_relations_are_known_again_by_what_all_locales_point_to(stories, drain):
    one, two = await told(stories, publish=True), await told(stories, publish=True)
    item = await told(stories, friend=one["id"], publish=True)
    await translated(stories, item, "de", True, friend=two["id"])
    await share(stories, drain, "friend")
    assert (await stories.get(f"/content/{two['id']}/usage")).json["total"] == 0
    assert (await stories.get(f"/content/{one['id']}/usage")).json["total"] == 1
    assert await documents(stories, item, "friend", ("en", "de")) == [one["id"]] * 2
    links = "SELECT count(*) FROM document_links WHERE item_id = $1 AND target_id = $2"
    assert await db.fetchval(links, item["id"], one["id"]) == 2
    await roll_back(stories, drain)
    assert (await stories.get(f"/content/{two['id']}/usage")).json["total"] == 1


async def test_what_only_one_locale_points_to_stays_known_when_a_plan_changes_another(stories, drain):
    target = await told(stories)
    item = await told(stories, friend=target["id"])
    await translated(stories, item, "de", body="Nur Deutsch")
    renamed = [f for f in STORY["fields"] if f["key"] != "body"]
    renamed.append({"key": "words", "type": "markdown", "localized": True, "renamed_from": "body"})
    await done(stories, await start(stories, await plan(stories, renamed)), drain)
    assert (await stories.get(f"/content/{target['id']}/usage")).json["total"] == 1


async def test_what_was_shared_is_no_work_for_translators_any_more(stories, drain):
    item = await three(stories, publish=True)
    await stories.patch(f"/content/{item['id']}/translations/en", {"data": {"title": "Newer"}})
    await published(stories, item, "en")
    missing = "/content/translations/missing?locale=de&type=story"
    assert (await stories.get(missing)).json["total"] == 1
    await share(stories, drain, "title")
    assert (await stories.get(missing)).json["total"] == 0


async def test_the_past_of_each_locale_stays_what_it_was_and_its_present_is_alike(stories, drain):
    item = await three(stories, publish=True)
    moment = await db.fetchval("SELECT clock_timestamp()")
    await asyncio.sleep(0.01)  # between what was and what is
    await stories.patch(f"/content/{item['id']}/translations/de", {"data": {"title": "Guten Tag"}})
    await published(stories, item, "de")
    await share(stories, drain, "title")
    path = f"/content/{item['id']}"
    past = moment.isoformat().replace("+00:00", "Z")
    assert (await stories.get(f"{path}?locale=de&as_of={past}")).json["data"]["title"] == "Hallo"
    now = (await db.fetchval("SELECT clock_timestamp()")).isoformat().replace("+00:00", "Z")
    assert (await stories.get(f"{path}?locale=de&as_of={now}")).json["data"]["title"] == "Hello"
    assert (await stories.get(f"{path}/revisions/1?locale=de")).json["data"]["title"] == "Hallo"
    assert (await stories.get(f"{path}/revisions/2?locale=de")).json["data"]["title"] == "Hello"


async def test_an_export_after_levelling_has_one_value_of_drafts_and_one_of_what_is_published(stories, drain):
    item = await three(stories, publish=True)
    for one in ("en", "de", "fr"):
        await stories.patch(f"/content/{item['id']}/translations/{one}", {"data": {"title": f"Draft {one}"}})
    await share(stories, drain, "title")
    (line,) = (await stories.get("/content/export")).raw.splitlines()
    entries = json.loads(line)["entries"]
    assert {entry["data"]["title"] for entry in entries} == {"Draft en"}
    assert {entry["published"]["data"]["title"] for entry in entries} == {"Hello"}
