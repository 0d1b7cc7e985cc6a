"""Ways around narrowed rights that once were open: what is shared, imported, counted and repeated."""

import json

import pytest
from aiohttp import ClientSession, FormData, TCPConnector

from tests.conftest import role_with
from tests.features.content.stories import draft, story_site, told, translated
from tests.features.content.test_narrowing import READS, made, on

IMPORTING = ("content:read", "content:read_drafts", "content:create", "content:update")


@pytest.fixture
async def importing(articles, drain):
    """Import a row as somebody; the report."""

    async def run(api, **row):
        form = FormData()
        form.add_field("type", "article")
        form.add_field("file", json.dumps(row), filename="rows.ndjson")
        started = await api.call("POST", "/content/import", data=form)
        assert started.status == 202, started.raw
        await drain()
        report = (await articles.get(f"/search/jobs/{started.json['job_id']}")).json["result"]
        return [problem["code"] for problem in report["problems"]], {
            name: report[name] for name in ("created", "updated", "unchanged") if report[name]
        }

    return run


@pytest.mark.parametrize("trashed", [False, True], ids=["there", "trashed"])
async def test_an_import_does_not_take_over_what_somebody_else_has_imported(articles, granted, importing, trashed):
    owner = await granted(articles, *IMPORTING, "content:import")
    thief = await granted(articles, *(on(code, own_only=True) for code in IMPORTING), "content:import")
    assert await importing(owner, slug="plans", title="Plans", body="secret") == ([], {"created": 1})
    item = (await owner.get("/content?type=article&status=any")).json["items"][0]["id"]
    if trashed:
        assert (await articles.delete(f"/content/{item}")).status == 204
    # Neither a source nor an equal row tells that it is there: both become items of the thieves.
    other = await granted(articles, *(on(code, own_only=True) for code in IMPORTING), "content:import")
    assert await importing(thief, slug="plans", title="Plans", body="secret") == ([], {"created": 1})
    assert await importing(other, slug="plans", title="Mine") == ([], {"created": 1})
    assert await importing(thief, slug="plans", title="Mine too") == ([], {"updated": 1})
    assert await importing(thief, slug="plans", title="Mine too") == ([], {"unchanged": 1})
    _, outcome = await importing(owner, slug="plans", title="Plans", body="more secrets")
    assert outcome == ({"created": 1} if trashed else {"updated": 1})
    titles = [item["data"]["title"] for item in (await thief.get("/content?type=article&status=any")).json["items"]]
    assert titles == ["Mine too"]
    assert await importing(thief, slug="mine", title="Mine") == ([], {"created": 1})
    assert await importing(thief, slug="mine", title="Mine again") == ([], {"updated": 1})


async def test_who_writes_one_locale_changes_nothing_that_all_share(admin, site, granted):
    await story_site(admin, site)
    assert (await site.post("/taxonomies", {"key": "topics", "name": "Topics"})).status == 201
    assert (await site.post("/taxonomies/topics/terms", {"name": "rust"})).status == 201
    item = await told(site, slug="one")
    await translated(site, item, "de")
    german = await granted(site, *READS, on("content:update", locales=["de"]))
    path, before = f"/content/{item['id']}", await draft(site, item, "en")
    topics = {"topics": ["rust"]}
    for method, way, body in (
        ("PATCH", f"{path}?locale=de", {"slug": "mine"}),
        ("PATCH", f"{path}?locale=de", {"taxonomies": topics}),
        ("PUT", f"{path}?locale=de", {"data": {"title": "X"}, "slug": "mine"}),
        ("PATCH", f"{path}?locale=de", {"data": {"price": 7}}),
    ):
        refused = await german.call(method, way, json=body)
        assert (refused.status, refused.code) == (403, "field_forbidden"), body
    operation = {"op": "update", "id": item["id"], "locale": "de", "data": {}, "taxonomies": topics}
    bulk = await german.post("/content/bulk", {"operations": [operation, {**operation, "slug": "mine"}]})
    assert [one["status"] for one in bulk.json["results"]] == [403, 403]
    assert await draft(site, item, "en") == before
    # What says nothing new is no change.
    assert (await german.patch(f"{path}?locale=de", {"slug": "one", "data": {"title": "Neu"}})).status == 200


@pytest.mark.parametrize("bounds", [None, {"content_types": ["page"]}, {"own_only": True}, {"locales": ["de"]}])
async def test_terms_do_not_count_what_is_out_of_reach(articles, granted, bounds):
    assert (await articles.post("/taxonomies", {"key": "topics", "name": "Topics"})).status == 201
    assert (await articles.post("/taxonomies/topics/terms", {"name": "rust"})).status == 201
    await made(articles, taxonomies={"topics": ["rust"]})
    reader = await granted(articles, "taxonomies:read", *([on("content:read", **bounds)] if bounds else []))
    assert (await reader.get("/taxonomies/topics/terms")).status == 200
    for query in ("counts=true", "counts=true&tree=true"):
        assert (await reader.get(f"/taxonomies/topics/terms?{query}")).status == 403


async def test_an_export_has_no_item_without_a_locale_that_is_read(admin, site, granted):
    await story_site(admin, site)
    item = await told(site, slug="one")
    await translated(site, item, "de")
    german = await granted(site, *(on(code, locales=["de"]) for code in READS))
    lines = {query: (await german.get(f"/content/export?{query}")).raw for query in ("locale=en", "locale=de")}
    assert lines["locale=en"] == b""
    assert [entry["locale"] for entry in json.loads(lines["locale=de"])["entries"]] == ["de"]


async def test_a_list_in_a_locale_out_of_reach_names_no_fields_that_are_hidden(admin, site, granted):
    await story_site(admin, site)
    reader = await granted(site, on("content:read", locales=["de"], fields=["title"]))
    for locale in ("de", "en"):
        path = f"/content?type=story&locale={locale}"
        assert (await reader.get(f"{path}&fields=data.title")).json["items"] == []
        assert (await reader.get(f"{path}&fields=data.body")).status == 403
        unknown = await reader.get(f"{path}&fields=data.nothing")
        assert (unknown.status, "data.body" in unknown.raw.decode()) == (400, False)


async def test_rights_to_a_field_reach_its_html_and_no_field_that_is_called_so(site, granted):
    fields = {"rich": [{"key": "intro", "type": "richtext"}], "plain": [{"key": "intro_html", "type": "string"}]}
    data = {"rich": {"intro": {"type": "doc", "content": []}}, "plain": {"intro_html": "classified"}}
    ids = {}
    for kind in fields:
        made_type = await site.post("/content-types", {"key": kind, "name": kind, "fields": fields[kind]})
        assert made_type.status == 201, made_type.raw
        ids[kind] = (await made(site, type=kind, data=data[kind]))["id"]
    codes = ("content:read", "content:read_drafts", "content:update")
    reader = await granted(site, *(on(code, fields=["intro"]) for code in codes))
    assert set((await reader.get(f"/content/{ids['rich']}")).json["data"]) == {"intro", "intro_html"}
    for query in ("", "?status=draft"):
        assert (await reader.get(f"/content/{ids['plain']}{query}")).json["data"] == {}
    assert (await reader.patch(f"/content/{ids['plain']}", {"data": {"intro_html": "mine"}})).status == 403


async def test_the_trash_names_no_locale_out_of_reach(admin, site, granted):
    await story_site(admin, site)
    item = await told(site, slug="one")
    await translated(site, item, "de")
    assert (await site.delete(f"/content/{item['id']}")).status == 204
    german = await granted(site, *(on(code, locales=["de"]) for code in (*READS, "content:delete")))
    for reader, locales in ((site, ["de", "en"]), (german, ["de"])):
        assert [one["locales"] for one in (await reader.get("/content/trash")).json["items"]] == [locales]


async def test_what_is_outdated_does_not_tell_of_fields_that_another_type_alone_lets_one_read(admin, site, granted):
    await story_site(admin, site)
    item = await told(site, publish=True, body="old")
    await translated(site, item, "de", publish=True, body="alt")
    by_fields = on("content:read_drafts", content_types=["story"], fields=["title"])
    reader = await granted(site, "content:read", by_fields, on("content:read_drafts", content_types=["page"]))
    path = f"/content/{item['id']}"
    for change, expected in (({"body": "new"}, 0), ({"title": "New"}, 1)):
        assert (await site.patch(path, {"data": change})).status == 200
        assert (await site.post(f"{path}/publish")).status == 200
        assert (await reader.get("/content/translations/missing?locale=de")).json["total"] == expected


async def test_a_query_leaves_nothing_behind_that_strangers_could_fill_the_database_with(articles):
    key, body = {"Idempotency-Key": "1"}, {"type": "article"}
    assert (await articles.post("/content/query", body, headers=key)).json["total"] == 0
    await made(articles)
    again = await articles.post("/content/query", body, headers=key)
    assert (again.json["total"], "Idempotent-Replayed" in again.headers) == (1, False)


async def test_strangers_do_not_get_each_others_answers(admin, articles, client):
    role = await role_with(admin, "content:create")
    assert (await admin.patch(f"/sites/{articles.site}", {"settings": {"public_role": role}})).status == 200
    key, body = {"Idempotency-Key": "1"}, {"type": "article", "data": {"title": "A"}}
    stranger = articles.anonymous()
    first = await stranger.post("/content", body, headers=key)
    again = await stranger.post("/content", body, headers=key)
    assert (again.json["id"], again.headers["Idempotent-Replayed"]) == (first.json["id"], "true")
    elsewhere = TCPConnector(local_addr=("127.0.0.2", 0))
    async with ClientSession(connector=elsewhere) as session:
        url, headers = client.make_url("/api/v1/content"), {**key, "X-Site-ID": articles.site}
        async with session.post(url, json=body, headers=headers) as answer:
            assert (answer.status, "Idempotent-Replayed" in answer.headers) == (201, False)
