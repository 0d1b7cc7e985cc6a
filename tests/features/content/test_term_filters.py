"""Lists filtered by terms: what they find, what they refuse, and by which indexes."""

import json
import re
from contextlib import asynccontextmanager
from functools import partial
from types import SimpleNamespace

import pytest
import pytest_asyncio

from scaicms.features.content.delivery import DeliveryService
from scaicms.infra import db

TERMS = "/taxonomies/topics/terms"
ARTICLES = {
    "Ferris": ["rust"],
    "Loops": ["asyncio", "news"],
    "Snakes": ["python"],
    "Babel": ["languages"],
    "Paper": ["news"],
    "Nothing": [],
}


@pytest_asyncio.fixture
async def site(articles):
    await articles.post("/taxonomies", {"key": "topics", "name": "Topics"})
    await articles.post("/taxonomies", {"key": "moods", "name": "Moods"})
    ids = {None: None}
    for slug, parent in (
        ("languages", None), ("rust", "languages"), ("python", "languages"), ("asyncio", "python"), ("news", None),
    ):  # fmt: skip
        ids[slug] = (await articles.post(TERMS, {"name": slug, "parent_id": ids[parent]})).json["id"]
    articles.ids = ids
    for title, terms in ARTICLES.items():
        new = {"type": "article", "data": {"title": title}, "taxonomies": {"topics": terms}, "publish": True}
        assert (await articles.post("/content", new)).status == 201
    return articles


async def titles(api, query):
    answer = await api.get(f"/content?type=article&sort=data.title&{query}")
    assert answer.status == 200, answer.raw
    assert answer.json["total"] == len(answer.json["items"])
    return [item["data"]["title"] for item in answer.json["items"]]


@pytest.mark.parametrize("status", ["published", "any"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("filter[terms.topics]=rust", ["Ferris"]),
        ("filter[terms.topics][eq]=languages", ["Babel"]),
        ("filter[terms.topics][under]=languages", ["Babel", "Ferris", "Loops", "Snakes"]),
        ("filter[terms.topics][under]=python", ["Loops", "Snakes"]),
        ("filter[terms.topics][under]=python,news", ["Loops", "Paper", "Snakes"]),
        ("filter[terms.topics][in]=rust,news", ["Ferris", "Loops", "Paper"]),
        ("filter[terms.topics][nin]=rust,news", ["Babel", "Nothing", "Snakes"]),
        ("filter[terms.topics][ne]=news", ["Babel", "Ferris", "Nothing", "Snakes"]),
        ("filter[terms.topics][exists]=false", ["Nothing"]),
        ("filter[terms.topics][exists]=true&filter[terms.topics][nin]=news", ["Babel", "Ferris", "Snakes"]),
        ("filter[terms.topics][under]=languages&filter[terms.topics]=news", ["Loops"]),
        ("filter[terms.topics][under]=languages&filter[data.title][starts_with]=S", ["Snakes"]),
        ("filter[terms.moods][exists]=true", []),
    ],
)
async def test_filters_find_what_has_the_terms(site, query, expected, status):
    assert await titles(site, f"status={status}&{query}") == expected


async def test_terms_are_named_by_slug_or_id(site):
    assert await titles(site, f"filter[terms.topics]={site.ids['rust']}") == ["Ferris"]


async def test_drafts_are_found_by_their_own_terms(site):
    item = (await site.get("/content/by-slug/article/ferris")).json
    await site.patch(f"/content/{item['id']}", {"taxonomies": {"topics": ["news"]}})
    assert await titles(site, "filter[terms.topics]=rust") == ["Ferris"]
    assert await titles(site, "status=any&filter[terms.topics]=rust") == []
    assert await titles(site, "status=draft&filter[terms.topics]=news") == ["Ferris"]


async def test_a_moved_term_is_found_below_its_new_parent_at_once(site):
    await site.post(f"{TERMS}/{site.ids['python']}/move", {"parent_id": site.ids["news"]})
    assert await titles(site, "filter[terms.topics][under]=languages") == ["Babel", "Ferris"]
    assert await titles(site, "filter[terms.topics][under]=news") == ["Loops", "Paper", "Snakes"]


async def test_terms_that_are_gone_filter_nothing_even_before_workers_have_come(site):
    await site.delete(f"{TERMS}/{site.ids['news']}?force=true")
    assert await titles(site, "filter[terms.topics][exists]=false") == ["Nothing", "Paper"]


@pytest.mark.parametrize(
    "query",
    [
        "filter[terms.nothing]=rust",
        "filter[terms.topics]=cobol",
        "filter[terms.topics][in]=rust,cobol",
        "filter[terms.moods]=rust",
        "filter[terms.topics]=",
        "filter[terms.topics][under]=",
        "filter[terms.topics][like]=rust",
        "filter[terms.topics][exists]=maybe",
        "filter[terms]=rust",
        "filter[terms.]=rust",
        "filter[terms.topics;x]=rust",
        "filter[terms.topics]=rust' OR true --",
        "filter[terms.topics][in]=" + ",".join(["rust"] * 201),
        "&".join(["filter[terms.topics][ne]=rust"] * 21),
        "&".join(["filter[terms.topics][ne]=rust"] * 11 + ["filter[data.title][ne]=x"] * 10),
        "sort=terms.topics",
    ],
)
async def test_what_is_unknown_or_too_much_is_refused(site, query):
    answer = await site.get(f"/content?type=article&{query}")
    assert answer.status == 400, answer.raw


class Recorded:
    """A pool of connections that keeps what it was asked last."""

    def __init__(self, pool):
        self.pool = pool
        self.asked = None

    async def fetch(self, sql, *arguments):
        self.asked = (sql, arguments)
        return await self.pool.fetch(sql, *arguments)

    async def fetchval(self, sql, *arguments):
        return await self.pool.fetchval(sql, *arguments)

    @asynccontextmanager
    async def acquire(self):
        yield self

    async def prepare(self, sql, *, name):
        assert name == ""
        return SimpleNamespace(fetch=partial(self.fetch, sql))


MANY = """
WITH made AS (SELECT gen_random_uuid() AS id, n FROM generate_series(1, 20000) n),
     items AS (INSERT INTO items (id, site_id, type_id, slug, created_at) SELECT id, $1, $2, 's' || n, now() FROM made),
     docs AS (INSERT INTO documents (item_id, locale, site_id, type_id, slug, version, etag, body, data, created_at,
                                     updated_at, published_at)
              SELECT id, 'en', $1, $2, 's' || n, 1, 'e', '{}', '{}', now(), now(), now() - n * interval '1 s' FROM made
              RETURNING item_id)
INSERT INTO document_terms (item_id, locale, site_id, terms, under, stale)
SELECT made.id, 'en', $1, ARRAY[t.id], t.path || $4::uuid, false
FROM made JOIN terms t ON t.id = ($3::uuid[])[CASE WHEN n % 1000 = 0 THEN 1 WHEN n % 4 = 0 THEN 2 ELSE 3 END]
"""


async def test_filters_by_terms_are_answered_by_indexes_among_many_rows(site, services):
    """`rust` is rare, `asyncio` frequent: neither makes PostgreSQL read whole tables for a page of the newest."""
    sql = "SELECT t.id, t.site_id FROM content_types t JOIN sites s ON s.id = t.site_id AND s.key = $1"
    row = await db.fetchrow(sql, site.site)
    taxonomy = (await site.get("/taxonomies/topics")).json["id"]
    await db.execute(
        MANY, row["site_id"], row["id"], [site.ids[slug] for slug in ("rust", "asyncio", "news")], taxonomy
    )
    for table in ("items", "documents", "document_terms", "terms"):
        await db.execute(f"VACUUM ANALYZE {table}")
    delivery = services.get(DeliveryService)
    recorded = delivery._reads = Recorded(delivery._reads)
    try:
        for query in ("=rust", "=asyncio", "[under]=rust", "[under]=asyncio", "[under]=languages", "[in]=rust,asyncio"):
            answer = await site.get(f"/content?type=article&count=none&filter[terms.topics]{query}")
            assert (answer.status, len(answer.json["items"])) == (200, 21 if query.endswith("=rust") else 50)
            await check_plan(query, *recorded.asked)
    finally:
        delivery._reads = recorded.pool


async def check_plan(query, sql, arguments):
    plan = json.loads(await db.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *arguments))[0]
    whole = re.findall(r"'Node Type': 'Seq Scan'.*?'Relation Name': '(\w+)'", str(plan))
    assert not {"documents", "document_terms"} & set(whole), (query, plan)
    rows = max(float(found) for found in re.findall(r"'Actual Rows': ([\d.]+)", str(plan)))
    assert rows < 1000, (query, plan)
