"""Totals of lists are exact at every moment, though hardly ever counted."""

import asyncio
import random

import pytest_asyncio

from scaicms.features.content.delivery import DeliveryService
from scaicms.infra import db


async def put(api, title="x", **given):
    answer = await api.post("/content", {"type": "article", "data": {"title": title}, "publish": True, **given})
    assert answer.status == 201, answer.raw
    return answer.json["id"]


async def total(api, query=""):
    answer = await api.get(f"/content?type=article&page_size=1&{query}")
    assert answer.status == 200, answer.raw
    return answer.json["total"]


@pytest_asyncio.fixture
async def tagged(articles):
    await articles.post("/taxonomies", {"key": "topics", "name": "Topics"})
    await articles.post("/taxonomies/topics/terms", {"name": "rust"})
    return articles


async def test_totals_follow_every_change_at_once(tagged):
    seen = []
    first = await put(tagged, "a", taxonomies={"topics": ["rust"]})
    queries = ("", "filter[data.title]=a", "filter[terms.topics]=rust", "filter[data.related.data.title]=a",
               "filter[data.title]=a&cursor=")  # fmt: skip

    async def totals():
        counted = [await total(tagged, query) for query in queries]
        assert counted == [await total(tagged, query) for query in queries]
        seen.append(counted)

    await totals()
    second = await put(tagged, "b", data={"title": "b", "related": first})
    await totals()
    await tagged.patch(f"/content/{first}", {"data": {"title": "c"}})
    await totals()
    await tagged.post(f"/content/{first}/publish")
    await totals()
    await tagged.patch(f"/content/{second}", {"data": {"title": "a"}, "taxonomies": {"topics": ["rust"]}})
    await tagged.post(f"/content/{second}/publish")
    await totals()
    term = (await tagged.get("/taxonomies/topics/terms")).json["items"][0]["id"]
    await tagged.delete(f"/taxonomies/topics/terms/{term}?force=true")
    await tagged.post("/taxonomies/topics/terms", {"name": "rust"})
    await totals()
    await tagged.post(f"/content/{second}/unpublish")
    await totals()
    await tagged.delete(f"/content/{first}?force=true")
    await totals()
    assert seen == [
        [1, 1, 1, 0, 1], [2, 1, 1, 1, 1], [2, 1, 1, 1, 1], [2, 0, 1, 0, 0], [2, 1, 2, 0, 1], [2, 1, 0, 0, 1],
        [1, 0, 0, 0, 0], [0, 0, 0, 0, 0],
    ]  # fmt: skip


async def test_a_list_is_counted_again_only_when_something_changed(articles, services):
    delivery = services.get(DeliveryService)
    for n in range(3):
        await put(articles, f"x{n}")
    asked = "filter[data.title][starts_with]=x"
    delivery._pages._totals._known.clear()
    assert [await total(articles, asked) for _ in range(3)] == [3, 3, 3]
    (before,) = delivery._pages._totals._known.values()
    assert before[1] == (3, False)
    await put(articles, "y")
    assert await total(articles, asked) == 3
    (after,) = delivery._pages._totals._known.values()
    assert before[0] != after[0]


async def test_changes_that_are_rolled_back_count_for_nothing(articles):
    await put(articles)
    try:
        async with db.transaction():
            await db.execute("DELETE FROM documents")
            raise RuntimeError
    except RuntimeError:
        pass
    assert await total(articles) == 1


async def test_totals_are_exact_under_concurrent_writers_and_the_ledger_stays_short(articles):
    ids = [await put(articles, f"n{n}") for n in range(10)]
    random.seed(7)

    async def writer(item):
        for _ in range(30):
            assert (
                await articles.post(f"/content/{item}/{random.choice(['publish', 'publish', 'unpublish'])}")
            ).status in (200, 409)

    async def reader():
        for _ in range(60):
            answer = (await articles.get("/content?type=article")).json
            assert answer["total"] == len(answer["items"])

    await asyncio.gather(*(writer(item) for item in ids), reader(), reader())
    there = await db.fetchrow(
        """SELECT (SELECT count(*) FROM documents d WHERE d.type_id = t.id) AS counted,
                  (SELECT sum(number) FROM document_counts c WHERE c.type_id = t.id) AS said,
                  (SELECT count(*) FROM document_counts c WHERE c.type_id = t.id) AS rows
           FROM content_types t JOIN sites s ON s.id = t.site_id WHERE s.key = $1""",
        articles.site,
    )
    assert there["counted"] == there["said"] == await total(articles)
    assert there["rows"] <= 310


async def test_the_ledger_is_put_together_as_it_grows(articles):
    await put(articles)
    sql = """DO $$ BEGIN FOR n IN 1..100 LOOP
                 UPDATE documents d SET version = version FROM sites s WHERE s.id = d.site_id AND s.key = '{}';
             END LOOP; END $$"""
    for _ in range(15):
        await db.execute(sql.format(articles.site))
    sql = """SELECT count(*) FROM document_counts c JOIN sites s ON s.id = c.site_id AND s.key = $1"""
    assert await db.fetchval(sql, articles.site) < 1500
    assert await total(articles) == 1


async def test_totals_may_be_guessed_but_not_about_what_others_have(articles, granted):
    for n in range(3):
        await put(articles, f"x{n}")
    assert (await total(articles, "count=estimate")) >= 1
    assert await total(articles, "count=none") is None
    reader = await granted(articles, {"permission": "content:read", "own_only": True})
    assert await total(reader, "count=estimate") == 0
    named = await granted(articles, {"permission": "content:read", "fields": ["title"]})
    assert await total(named, "count=estimate&filter[data.title]=x1") == 1
    assert await total(named, "count=estimate&page=9") == 3
