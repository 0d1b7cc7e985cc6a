"""The feed: everything once, in an order in which nothing comes in later, and only what one may read."""

import asyncio
from uuid import uuid4

from scaicms.features.taxonomies.events import TaxonomyCreated
from scaicms.infra import db
from scaicms.infra.events import chain, record
from scaicms.kit.principal import SYSTEM
from tests.features.content.test_items import create


async def linked():
    """All that has been written has its place: no transaction of anybody, in any database beside, is older any more."""
    async with asyncio.timeout(20):
        while await db.fetchval("SELECT EXISTS (SELECT FROM events WHERE hash IS NULL)"):
            if not await chain.seal():
                await asyncio.sleep(0.02)


async def told(api, query=""):
    """All that the feed has, page by page."""
    await linked()
    found, after = [], 0
    while True:
        answer = await api.get(f"/webhooks/events?after={after}{query}")
        assert answer.status == 200, answer.raw
        found, after = found + answer.json["items"], answer.json["next_after"]
        if not answer.json["has_more"]:
            return found


async def test_the_feed_tells_what_webhooks_get_at_once(articles):
    item = await create(articles, publish=True)
    events = await told(articles)
    assert [event["type"] for event in events] == ["content_type.created", "content.created", "content.published"]
    site_id = (await articles.get(f"/sites/{articles.site}")).json["id"]
    published = events[-1]
    assert set(published) == {"seq", "type", "timestamp", "id", "site_id", "version", "data"}
    assert (published["site_id"], published["data"]["id"]) == (site_id, item["id"])
    assert "secret" not in str(events)


async def test_the_feed_is_gone_on_with_by_seq_or_cursor(articles):
    for number in range(4):
        await create(articles, title=f"Number {number}")
    whole = await told(articles)
    assert await told(articles, "&page_size=2") == whole
    page = (await articles.get("/webhooks/events?page_size=2")).json
    rest = (await articles.get(f"/webhooks/events?cursor={page['next_cursor']}")).json
    assert page["items"] + rest["items"] == whole
    assert (page["has_more"], rest["has_more"]) == (True, False)
    # What the log does not have stands for what is greater.
    assert (await articles.get(f"/webhooks/events?after={whole[-1]['seq'] + 10**9}")).json["items"] == []
    end = (await articles.get(f"/webhooks/events?after={whole[-1]['seq']}")).json
    assert (end["items"], end["next_after"]) == ([], whole[-1]["seq"])
    await create(articles, title="New")
    await linked()
    (new,) = (await articles.get(f"/webhooks/events?after={end['next_after']}")).json["items"]
    assert new["data"]["slug"] == "new"


async def test_the_feed_is_narrowed_by_types(articles):
    await create(articles, publish=True)
    await articles.post("/taxonomies", {"key": "topics", "name": "Topics"})
    for types, wanted in (
        ("content.published", ["content.published"]),
        ("content.*", ["content.created", "content.published"]),
        ("taxonomy.*,content.created", ["content.created", "taxonomy.created"]),
    ):
        assert [event["type"] for event in await told(articles, f"&types={types}")] == wanted
    assert (await articles.get("/webhooks/events?types=user.created")).code == "unknown_event"
    assert (await articles.get("/webhooks/events?cursor=x&after=1")).status == 400
    assert (await articles.get("/webhooks/events?cursor=x")).code == "invalid_cursor"


async def test_what_commits_late_is_told_later_and_not_missed(articles):
    """A transaction draws its number, another one draws a later number and commits first."""
    site_id = (await articles.get(f"/sites/{articles.site}")).json["id"]
    written, commit = asyncio.Event(), asyncio.Event()
    await linked()

    async def late():
        async with db.transaction():
            await record(TaxonomyCreated(site_id=site_id, aggregate_id=uuid4(), key="late"), actor=SYSTEM)
            written.set()
            await commit.wait()

    working = asyncio.create_task(late())
    await written.wait()
    await create(articles)
    before = (await articles.get("/webhooks/events")).json
    # What was written after it waits for it: it could come in before.
    assert [event["type"] for event in before["items"]] == ["content_type.created"]
    commit.set()
    await working
    await linked()
    after = (await articles.get(f"/webhooks/events?after={before['next_after']}")).json["items"]
    assert [event["type"] for event in after] == ["taxonomy.created", "content.created"]


async def test_readers_are_told_what_they_may_read(articles, granted):
    note = {"key": "note", "name": "Note", "fields": [{"key": "title", "type": "string"}]}
    assert (await articles.post("/content-types", note)).status == 201
    await create(articles, publish=True)
    await articles.post("/content", {"type": "note", "data": {}, "publish": True})
    await articles.post("/taxonomies", {"key": "topics", "name": "Topics"})
    await articles.post("/content/releases", {"name": "secret plans", "items": []})

    async def read_with(*grants):
        reader = await granted(articles, "webhooks:read", *grants)
        return {(event["type"], event["data"].get("content_type")) for event in await told(reader)}

    assert await read_with() == set()
    assert await read_with("content:read") == {("content.published", "article"), ("content.published", "note")}
    narrow = {"permission": "content:read", "content_types": ["note"]}
    assert await read_with(narrow) == {("content.published", "note")}
    assert await read_with({"permission": "content:read", "locales": ["fr"]}) == set()
    assert await read_with({"permission": "content:read_drafts", "own_only": True}) == set()
    drafts = {"permission": "content:read_drafts", "content_types": ["article"]}
    assert await read_with(narrow, drafts) == {("content.published", "note"), ("content.created", "article")}
    assert await read_with("taxonomies:read") == {("taxonomy.created", None)}
    types = {"permission": "content_types:read", "content_types": ["note"]}
    assert await read_with(types) == {("content_type.created", None)}
    assert (await (await granted(articles, "content:read")).get("/webhooks/events")).status == 403


async def test_a_site_is_told_nothing_of_another(articles, admin):
    key = f"{articles.site}b"
    assert (await admin.post("/sites", {"key": key, "name": key})).status == 201
    await create(articles, publish=True)
    assert await told(admin.at(key)) == []


async def test_an_answer_looks_at_so_much_and_says_that_there_is_more(articles, monkeypatch):
    monkeypatch.setattr("scaicms.features.webhooks.feed.LOOKED_AT", 3)
    for number in range(5):
        await create(articles, title=f"Number {number}")
    await articles.post("/taxonomies", {"key": "topics", "name": "Topics"})
    await linked()
    answer = (await articles.get("/webhooks/events?types=taxonomy.*")).json
    assert (answer["items"], answer["has_more"], answer["next_after"] > 0) == ([], True, True)
    assert [event["type"] for event in await told(articles, "&types=taxonomy.*")] == ["taxonomy.created"]
