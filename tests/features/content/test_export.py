"""Taking content out."""

import asyncio
import json
from uuid import uuid4

import psutil
import pytest
from aiohttp import ClientPayloadError

from scaicms.infra import db
from scaicms.web.ports import DRAINING
from tests.features.content.test_items import create

MIB = 1024 * 1024


async def exported(api, query=""):
    answer = await api.get(f"/content/export{query}")
    assert answer.status == 200, answer.raw
    return [json.loads(line) for line in answer.raw.splitlines()]


def items(lines):
    return [line for line in lines if line["kind"] == "item"]


async def test_an_export_has_everything_of_an_item(articles):
    await articles.post("/taxonomies", {"key": "topics", "name": "Topics"})
    top = (await articles.post("/taxonomies/topics/terms", {"name": "Languages"})).json
    await articles.post("/taxonomies/topics/terms", {"name": "Rust", "parent_id": top["id"]})
    target = await create(articles)
    new = {
        "type": "article",
        "data": {"title": "Hello", "secret": "s", "related": target["id"]},
        "taxonomies": {"topics": ["rust"]},
        "publish": True,
    }
    item = (await articles.post("/content", new)).json
    await articles.patch(f"/content/{item['id']}", {"data": {"title": "Changed"}, "taxonomies": {"topics": None}})
    lines = await exported(articles)
    assert [line["kind"] for line in lines] == ["taxonomy", "term", "term", "item", "item"]
    assert (lines[2]["slug"], lines[2]["parent"]) == ("rust", "languages")
    line = lines[4]
    assert (line["id"], line["type"], line["slug"]) == (item["id"], "article", item["slug"])
    assert line["taxonomies"] == {}
    (entry,) = line["entries"]
    assert (entry["locale"], entry["version"]) == ("en", 2)
    assert entry["data"] == {"title": "Changed", "secret": "s", "related": target["id"]}
    published = entry["published"]
    assert published["data"] == {"title": "Hello", "secret": "s", "related": target["id"]}
    assert (published["version"], published["taxonomies"]) == (1, {"topics": ["rust"]})
    # Of what was published before there were revisions, there is what readers get.
    await db.execute("DELETE FROM revisions WHERE item_id = $1", item["id"])
    (entry,) = (await exported(articles))[4]["entries"]
    assert entry["published"]["data"] == {"title": "Hello", "related": target["id"]}


async def test_an_export_is_narrowed_by_type_status_and_locale(articles):
    note = {"key": "note", "name": "Note", "fields": [{"key": "title", "type": "string"}]}
    assert (await articles.post("/content-types", note)).status == 201
    draft, live, archived, gone = [await create(articles, publish=number == 1) for number in range(4)]
    await articles.post(f"/content/{archived['id']}/archive")
    await articles.delete(f"/content/{gone['id']}")
    noted = (await articles.post("/content", {"type": "note", "data": {"title": "n"}})).json
    for query, wanted in (
        ("", [draft, live, archived, noted]),
        ("?type=article", [draft, live, archived]),
        ("?type=note", [noted]),
        ("?type=article&status=draft", [draft]),
        ("?status=published", [live]),
        ("?status=archived", [archived]),
        ("?locale=en&type=note", [noted]),
    ):
        assert [line["id"] for line in items(await exported(articles, query))] == [one["id"] for one in wanted], query
    for query, status in (("?type=nothing", 404), ("?locale=fr", 422), ("?status=x", 400), ("?page=1", 400)):
        assert (await articles.get(f"/content/export{query}")).status == status, query


async def test_an_export_has_nothing_that_the_caller_may_not_read(articles, granted):
    mine = await create(articles, secret="hidden")
    narrow = await granted(articles, {"permission": "content:read_drafts", "fields": ["title"]})
    (line,) = await exported(narrow)
    assert line["entries"][0]["data"] == {"title": "Hello"}
    for bounds in ({"content_types": ["other"]}, {"locales": ["fr"]}, {"own_only": True}):
        somebody = await granted(articles, {"permission": "content:read_drafts", **bounds})
        assert await exported(somebody) == [], bounds
    reader = await granted(articles, "content:read")
    assert (await reader.get("/content/export")).status == 403
    assert mine["id"] in str(await exported(articles))


@pytest.fixture
async def many(articles):
    """20,000 items of 3 KB each."""
    type_ = (await articles.get("/content-types")).json["items"][0]
    row = await db.fetchrow("SELECT site_id, id FROM content_types WHERE id = $1", type_["id"])
    for first in range(1, 20_000, 2_000):
        await db.execute(
            """WITH made AS (INSERT INTO items (id, site_id, type_id, slug, created_at)
                             SELECT gen_random_uuid(), $1, $2, 'many-' || n, now()
                             FROM generate_series($3::int, $3::int + 1999) n RETURNING id)
               INSERT INTO entries (id, item_id, locale, data, version, updated_at)
               SELECT gen_random_uuid(), id, 'en', jsonb_build_object('title', 'x', 'body', repeat('words ', 500)), 1,
                      now() FROM made""",
            row["site_id"],
            row["id"],
            first,
        )
    return articles


async def test_an_export_of_any_size_holds_the_memory_of_a_small_one(many):
    headers = {"Authorization": f"Bearer {many.token}", "X-Site-ID": many.site}
    process, seen, lines, base, peak = psutil.Process(), 0, 0, 0, 0
    async with many.client.get("/api/v1/content/export", headers=headers) as response:
        async for chunk in response.content.iter_chunked(MIB):
            seen += len(chunk)
            lines += chunk.count(b"\n")
            if seen > 4 * MIB:
                rss = process.memory_info().rss
                base, peak = base or rss, max(peak, rss)
    assert (lines, seen > 60 * MIB) == (20_000, True)
    assert peak - base < 12 * MIB


async def test_an_export_is_of_one_moment(many):
    headers = {"Authorization": f"Bearer {many.token}", "X-Site-ID": many.site}
    async with many.client.get("/api/v1/content/export", headers=headers) as response:
        first = await response.content.readline()
        await db.execute("UPDATE entries SET data = '{\"title\": \"changed\"}' WHERE data->>'body' LIKE 'words%'")
        rest = await response.content.read()
    assert b"changed" not in first + rest
    assert rest.count(b"\n") == 19_999


async def test_who_leaves_gives_the_connection_back_and_too_many_are_told(many):
    headers = {"Authorization": f"Bearer {many.token}", "X-Site-ID": many.site}
    running = [await many.client.get("/api/v1/content/export", headers=headers) for _ in range(2)]
    try:
        refused = await many.get("/content/export")
        assert (refused.status, refused.code) == (429, "too_many_streams")
        assert int(refused.headers["Retry-After"]) > 0
    finally:
        for response in running:
            response.close()
    for _ in range(50):
        await asyncio.sleep(0.05)
        if (await many.get("/content/export?type=article&status=archived&locale=en")).status == 200:
            break
    else:
        raise AssertionError("the connections of clients that left are never given back")


async def test_a_process_that_ends_cuts_exports_off(many):
    headers = {"Authorization": f"Bearer {many.token}", "X-Site-ID": many.site}
    draining = many.client.app[DRAINING]
    async with many.client.get("/api/v1/content/export", headers=headers) as response:
        await response.content.readline()
        draining.set()
        try:
            with pytest.raises(ClientPayloadError):
                await response.content.read()
        finally:
            draining.clear()
    assert (await many.get(f"/content/{uuid4()}")).status == 404
