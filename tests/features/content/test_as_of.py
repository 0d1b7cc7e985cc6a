"""Reading the past: single items, lists with their filters and terms, relations as they were."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from urllib.parse import quote

import pytest

from scaicms.infra import db
from tests.features.content.stories import story_site, told, translated
from tests.features.content_types.things import BODY, COUNT, FIELDS, NOTE, TITLE, apply, replaced, roll_back

ARTICLES = "/content?type=article"
LINK = FIELDS[-1]


def written(moment):
    return quote(moment.isoformat())


async def now():
    """A moment that nothing else happens in."""
    await asyncio.sleep(0.01)
    moment = datetime.now(UTC)
    await asyncio.sleep(0.01)
    return written(moment)


async def create(api, **data):
    body = {"type": "article", "data": {"title": "Hello", **data}, "publish": True}
    answer = await api.post("/content", body)
    assert answer.status == 201, answer.raw
    return answer.json


async def republish(api, item, **data):
    assert (await api.patch(f"/content/{item['id']}", {"data": data})).status == 200
    assert (await api.post(f"/content/{item['id']}/publish")).status == 200


async def listed(api, moment, query=""):
    answer = await api.get(f"{ARTICLES}&as_of={moment}{query}")
    assert answer.status == 200, answer.raw
    return [item["data"]["title"] for item in answer.json["items"]], answer.json["total"]


async def test_an_item_is_read_as_it_was_at_any_time(articles):
    before = await now()
    item = await create(articles)
    first = await now()
    await republish(articles, item, title="Second")
    second = await now()
    await articles.patch(f"/content/{item['id']}", {"data": {"title": "Never published"}})
    assert (await articles.post(f"/content/{item['id']}/unpublish")).status == 200
    away = await now()
    await articles.post(f"/content/{item['id']}/publish")
    path = f"/content/{item['id']}?as_of="
    for moment, title, version in ((first, "Hello", 1), (second, "Second", 2), (await now(), "Never published", 3)):
        read = (await articles.get(path + moment)).json
        assert (read["data"]["title"], read["version"], read["status"]) == (title, version, "published")
    assert [(await articles.get(path + moment)).status for moment in (before, away)] == [404, 404]


async def test_what_was_read_then_is_what_is_read_of_then(articles):
    item = await create(articles, body="text", count=1)
    then = await articles.get(f"/content/{item['id']}")
    moment = await now()
    await republish(articles, item, title="Other", body=None)
    again = await articles.get(f"/content/{item['id']}?as_of={moment}")
    assert (again.raw, again.headers["ETag"]) == (then.raw, then.headers["ETag"])
    tag = {"If-None-Match": again.headers["ETag"]}
    assert (await articles.get(f"/content/{item['id']}?as_of={moment}", headers=tag)).status == 304


async def test_an_item_is_there_at_the_very_time_it_shows(articles):
    item = await create(articles)
    shown = (await articles.get(f"/content/{item['id']}")).json["published_at"]
    await republish(articles, item, title="Other")
    assert (await articles.get(f"/content/{item['id']}?as_of={shown}")).json["data"]["title"] == "Hello"


async def test_slugs_are_found_where_they_were(articles):
    item = await create(articles)
    first = await now()
    await articles.patch(f"/content/{item['id']}", {"slug": "renamed"})
    await articles.post(f"/content/{item['id']}/publish")
    second = await now()
    other = await create(articles)
    assert other["slug"] == "hello"
    path = "/content/by-slug/article/"
    assert (await articles.get(f"{path}hello?as_of={first}")).json["id"] == item["id"]
    assert (await articles.get(f"{path}hello?as_of={second}")).status == 404
    assert (await articles.get(f"{path}renamed?as_of={second}")).json["id"] == item["id"]
    assert (await articles.get(f"{path}hello?as_of={await now()}")).json["id"] == other["id"]


async def test_lists_are_as_they_were_with_filters_sorts_and_totals(articles):
    await create(articles, title="B", count=2)
    a = await create(articles, title="A", count=1)
    first = await now()
    await republish(articles, a, count=5, title="Z")
    await create(articles, title="C", count=3)
    second = await now()
    await articles.delete(f"/content/{a['id']}")
    assert await listed(articles, first) == (["A", "B"], 2)
    assert await listed(articles, second) == (["C", "Z", "B"], 3)
    assert await listed(articles, await now()) == (["C", "B"], 2)
    assert await listed(articles, first, "&sort=data.title") == (["A", "B"], 2)
    assert await listed(articles, first, "&filter[data.count]=1") == (["A"], 1)
    assert await listed(articles, second, "&filter[data.count][gte]=3&sort=-data.count") == (["Z", "C"], 2)
    assert await listed(articles, second, "&page_size=1&page=2&sort=data.title") == (["C"], 3)
    assert await listed(articles, second, "&filter[data.count]=1") == ([], 0)
    projected = await articles.get(f"{ARTICLES}&as_of={first}&fields=id,data.count&sort=data.title")
    assert projected.json["items"][0] == {"id": a["id"], "data": {"count": 1}}


async def test_terms_are_as_they_were(articles, drain):
    taxonomy = {"key": "topics", "name": "Topics", "hierarchical": True}
    assert (await articles.post("/taxonomies", taxonomy)).status == 201
    ids = {}
    for name in ("top", "low", "other"):
        parent = ids.get("top") if name == "low" else None
        answer = await articles.post("/taxonomies/topics/terms", {"name": name, "parent_id": parent})
        ids[name] = answer.json["id"]
    item = await create(articles)
    bare = await now()
    path = f"/content/{item['id']}"
    await articles.patch(path, {"taxonomies": {"topics": ["low"]}})
    await articles.post(f"{path}/publish")
    low = await now()
    moved = await articles.post(f"/taxonomies/topics/terms/{ids['low']}/move", {"parent_id": None, "position": 0})
    assert moved.status == 200, moved.raw
    apart = await now()
    await articles.patch(path, {"taxonomies": {"topics": ["other"]}})
    await articles.post(f"{path}/publish")
    other = await now()
    await articles.patch(f"/taxonomies/topics/terms/{ids['other']}", {"name": "Renamed"})
    await drain()
    found = {
        (moment, query): (await listed(articles, when, f"&filter[terms.topics]{query}"))[1]
        for moment, when in (("bare", bare), ("low", low), ("apart", apart), ("other", other))
        for query in ("=low", "[under]=top", "=other", "[exists]=true")
    }
    assert {key for key, total in found.items() if total} == {
        ("low", "=low"),
        ("low", "[under]=top"),
        ("low", "[exists]=true"),
        ("apart", "=low"),
        ("apart", "[exists]=true"),
        ("other", "=other"),
        ("other", "[exists]=true"),
    }
    names = [(await articles.get(f"{path}?as_of={when}")).json["taxonomies"] for when in (bare, other, await now())]
    assert [[term["name"] for term in shown.get("topics", [])] for shown in names] == [[], ["other"], ["Renamed"]]


async def test_relations_are_as_they_were(articles):
    one, two = await create(articles, title="one"), await create(articles, title="two")
    item = await create(articles, related=one["id"])
    moment = await now()
    await republish(articles, item, related=two["id"])
    path = f"/content/{item['id']}"
    assert (await articles.get(f"{path}?as_of={moment}")).json["data"]["related"] == one["id"]
    assert await listed(articles, moment, f"&filter[data.related]={one['id']}") == (["Hello"], 1)
    assert await listed(articles, moment, f"&filter[data.related]={two['id']}") == ([], 0)


@pytest.mark.parametrize(
    "moment",
    [
        "nonsense",
        "1700000000",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-02-31T12:00:00Z",
        "0001-01-01T00:00:00%2B14:00",
        "9999-12-31T23:59:59-14:00",
        "infinity",
        "2026-01-31T12:00:00Z'--",
        "2999-01-31T12:00:00Z",
        "",
    ],
)
async def test_what_is_no_time_or_lies_in_the_future_is_refused(articles, moment):
    item = await create(articles)
    for path in (f"/content/{item['id']}?", "/content/by-slug/article/hello?", f"{ARTICLES}&"):
        answer = await articles.get(f"{path}as_of={moment}")
        assert (answer.status, answer.code) == (400, "invalid_parameter"), (path, answer.raw)


async def test_times_may_have_any_offset(articles):
    item = await create(articles)
    here = datetime.now(timezone(timedelta(hours=-7))) + timedelta(milliseconds=5)
    await asyncio.sleep(0.02)
    assert (await articles.get(f"/content/{item['id']}?as_of={written(here)}")).status == 200
    assert (await articles.get(f"/content/{item['id']}?as_of=0001-01-01T00:00:00Z")).status == 404


async def test_the_past_is_read_only_and_of_what_was_published(articles):
    item = await create(articles)
    moment = await now()
    for query in ("&status=draft", "&status=any"):
        assert (await articles.get(f"/content/{item['id']}?as_of={moment}{query}")).status == 400
        assert (await articles.get(f"{ARTICLES}&as_of={moment}{query}")).status == 400
    assert (await articles.patch(f"/content/{item['id']}?as_of={moment}", {"data": {}})).status == 400


async def test_what_is_published_no_more_is_for_who_may_read_drafts(articles, granted):
    item = await create(articles, body="hidden", secret="private")
    await republish(articles, item, body="new")
    moment = await now()
    await articles.post(f"/content/{item['id']}/unpublish")
    paths = (f"/content/{item['id']}?as_of={moment}", f"/content/by-slug/article/hello?as_of={moment}")
    reader = await granted(articles, "content:read")
    for path in (*paths, f"{ARTICLES}&as_of={moment}"):
        assert (await reader.get(path)).status == 403, path
        assert (await articles.anonymous().get(path)).status in (401, 403), path
    for bound in ({"content_types": ["other"]}, {"locales": ["xx"]}, {"own_only": True}):
        somebody = await granted(articles, "content:read", {"permission": "content:read_drafts", **bound})
        assert {(await somebody.get(path)).status for path in paths} == {404}, bound
        assert (await somebody.get(f"{ARTICLES}&as_of={moment}")).json["items"] == [], bound
    some = {"permission": "content:read_drafts", "fields": ["title", "secret"]}
    somebody = await granted(articles, "content:read", some)
    for path in paths:
        assert (await somebody.get(path)).json["data"] == {"title": "Hello"}
    assert (await somebody.get(f"{ARTICLES}&as_of={moment}&filter[data.body]=new")).status == 403
    # What was private then and now is in no document.
    assert (await articles.get(f"{ARTICLES}&as_of={moment}&filter[data.secret]=private")).status == 400


async def test_the_past_of_another_site_does_not_exist(articles, admin):
    item = await create(articles)
    moment = await now()
    assert (await admin.post("/sites", {"key": f"x{item['id'][-12:]}", "name": "X"})).status == 201
    elsewhere = admin.at(f"x{item['id'][-12:]}")
    assert (await elsewhere.get(f"/content/{item['id']}?as_of={moment}")).status == 404


async def test_the_past_is_found_by_the_names_that_fields_have_now(site, drain):
    fields = [TITLE, NOTE, COUNT, BODY]
    assert (await site.post("/content-types", {"key": "thing", "name": "Thing", "fields": fields})).status == 201
    made = await site.post("/content", {"type": "thing", "data": {"title": "T", "note": "then"}, "publish": True})
    path = f"/content/{made.json['id']}"
    moment = await now()
    await site.patch(path, {"data": {"note": "later"}})
    await site.post(f"{path}/publish")
    await apply(site, [TITLE, COUNT, BODY, {**NOTE, "key": "remark", "renamed_from": "note"}], drain)
    for when, value in ((moment, "then"), (await now(), "later")):
        assert (await site.get(f"{path}?as_of={when}")).json["data"] == {"title": "T", "remark": value}
        found = await site.get(f"/content?type=thing&as_of={when}&filter[data.remark]={value}")
        assert found.json["total"] == 1
    # A plan is no new version of what is delivered.
    versions = await db.fetchval(
        "SELECT count(*) FROM document_history WHERE item_id = $1::text::uuid", made.json["id"]
    )
    assert versions == 2
    await roll_back(site, drain)
    assert (await site.get(f"{path}?as_of={moment}")).json["data"] == {"title": "T", "note": "then"}


@pytest.mark.parametrize("changed", [{"key": "friend", "renamed_from": "link"}, None])
async def test_the_past_names_unpublished_targets_by_the_fields_of_now(site, drain, changed):
    assert (await site.post("/content-types", {"key": "thing", "name": "Thing", "fields": FIELDS})).status == 201
    target = (await site.post("/content", {"type": "thing", "data": {"title": "T"}})).json["id"]
    data = {"title": "T", "note": "then", "link": target}
    made = await site.post("/content", {"type": "thing", "data": data, "publish": True})
    path = f"/content/{made.json['id']}"
    moment = await now()
    await site.post(f"/content/{target}/publish")
    await drain()
    await apply(site, replaced("link", *([{**LINK, **changed}] if changed else ())), drain)
    was = (await site.get(f"{path}?as_of={moment}")).json
    assert was.get("unpublished") == ([{"field": "friend", "id": target}] if changed else None)
    assert was["data"]["note"] == "then"
    if changed:
        await roll_back(site, drain)
        was = (await site.get(f"{path}?as_of={moment}")).json
        assert was["unpublished"] == [{"field": "link", "id": target}]


async def test_a_removed_item_has_no_past(articles):
    item = await create(articles)
    moment = await now()
    await articles.delete(f"/content/{item['id']}")
    assert (await articles.get(f"/content/{item['id']}?as_of={moment}")).status == 200
    other = await create(articles)
    moment = await now()
    assert (await articles.delete(f"/content/{other['id']}?permanent=true")).status == 204
    assert (await articles.get(f"/content/{other['id']}?as_of={moment}")).status == 404
    for table in ("revisions", "document_history", "document_term_history"):
        left = await db.fetchval(f"SELECT count(*) FROM {table} WHERE item_id = $1::text::uuid", other["id"])
        assert left == 0, table


async def test_versions_never_overlap_however_many_publish_at_once(articles):
    item = await create(articles, count=0)
    await asyncio.gather(*(articles.post(f"/content/{item['id']}/publish") for _ in range(4)))
    await asyncio.gather(*(republish(articles, item, count=number) for number in range(8)))
    rows = await db.fetch(
        """SELECT valid_from, valid_to FROM document_history WHERE item_id = $1::text::uuid
           ORDER BY valid_from, valid_to""",
        item["id"],
    )
    assert len(rows) >= 2
    assert all(left["valid_to"] == right["valid_from"] for left, right in pairwise(rows))


async def test_locales_fall_back_as_they_did(admin, site):
    stories = await story_site(admin, site)
    item = await told(stories, body="English")
    base = f"/content/{item['id']}"
    assert (await stories.post(f"{base}/publish")).status == 200
    english = await now()
    await translated(stories, item, "de", title="Titel", body="Deutsch")
    assert (await stories.post(f"{base}/publish", {"locales": ["de"]})).status == 200
    german = await now()
    for moment, locale in ((english, "en"), (german, "de")):
        query = f"locale=de&fallback=en&as_of={moment}"
        assert (await stories.get(f"{base}?{query}")).json["locale"] == locale
        assert (await stories.get(f"/content/by-slug/story/{item['slug']}?{query}")).json["locale"] == locale
        listed = (await stories.get(f"/content?type=story&{query}")).json
        assert ([one["locale"] for one in listed["items"]], listed["total"]) == ([locale], 1)
    assert (await stories.get(f"{base}?locale=de&as_of={english}")).status == 404


async def test_what_relations_lead_to_is_as_it_was(articles):
    target = await create(articles, title="then")
    item = await create(articles, related=target["id"])
    moment = await now()
    await republish(articles, target, title="later")
    base = f"/content/{item['id']}?include=related"
    for as_of, title in ((f"&as_of={moment}", "then"), ("", "later")):
        assert (await articles.get(base + as_of)).json["included"][target["id"]]["data"]["title"] == title
        page = (await articles.get(f"{ARTICLES}&include=related{as_of}")).json
        assert page["included"][target["id"]]["data"]["title"] == title
    for title, found in (("then", ["Hello"]), ("later", [])):
        assert (await listed(articles, moment, f"&filter[data.related.data.title]={title}"))[0] == found
