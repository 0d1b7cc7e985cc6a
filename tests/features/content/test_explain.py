"""`explain=1`: which index finds what, and nothing of what is out of reach; queries that cost too much end."""

import pytest
import pytest_asyncio

from scaicms.features.content.delivery import DeliveryService
from scaicms.infra.db import open_share

FIELDS = [
    {"key": "title", "type": "string", "indexed": True},
    {"key": "price", "type": "number"},
    {"key": "tags", "type": "multiselect"},
    {"key": "next", "type": "relation", "target": "row", "indexed": True},
    {"key": "more", "type": "relations", "target": "row"},
]


@pytest_asyncio.fixture
async def rows(site, drain):
    assert (await site.post("/content-types", {"key": "row", "name": "Row", "fields": FIELDS})).status == 201
    await site.post("/taxonomies", {"key": "topics", "name": "Topics"})
    await site.post("/taxonomies/topics/terms", {"name": "rust"})
    for n in range(3):
        await site.post("/content", {"type": "row", "data": {"title": f"t{n}"}, "publish": True})
    await drain()
    return site


async def explained(api, query):
    answer = await api.get(f"/content?type=row&explain=1&{query}")
    assert answer.status == 200, answer.raw
    return answer.json["explain"]


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("filter[data.title]=x", "data.title"),
        ("filter[data.title][starts_with]=x", "data.title"),
        ("filter[data.title][exists]=true", "data.title"),
        ("filter[data.title][contains]=x", None),
        ("filter[data.title][ne]=x", None),
        ("filter[not][data.title]=x", None),
        ("filter[data.price]=1", "data"),
        ("filter[data.price][gt]=1", None),
        ("filter[data.tags][contains]=x", "data"),
        ("filter[data.tags][exists]=true", None),
        ("filter[terms.topics]=rust", "terms"),
        ("filter[slug]=x", "slug"),
        ("filter[version]=1", None),
        ("filter[published_at][gt]=2026-01-01", "published_at"),
        ("filter[data.next.data.title]=x", "data.next"),
        ("filter[data.more.data.title]=x", None),
        ("status=any&filter[data.title]=x", "data"),
        ("status=any&filter[data.title][gt]=x", None),
    ],
)
async def test_each_condition_has_its_index_or_the_reason_why_not(rows, query, index):
    (about,) = (await explained(rows, query))["filters"]
    assert about["index"] == index
    assert (about["reason"] is None) == (index is not None)
    assert about["estimated_rows"] >= 1
    assert about["path"] in query
    assert about["operator"] in (*query.replace("[", "]").split("]"), "eq")


async def test_an_index_that_is_being_built_is_said(rows, drain):
    fields = [{**field, "indexed": field["key"] in ("title", "price", "next")} for field in FIELDS]
    assert (await rows.patch("/content-types/row", {"fields": fields})).status == 200
    (about,) = (await explained(rows, "filter[data.price][gt]=1"))["filters"]
    assert (about["index"], about["reason"]) == (None, "The index of data.price is being built.")
    await drain()
    (about,) = (await explained(rows, "filter[data.price][gt]=1"))["filters"]
    assert (about["index"], about["reason"]) == ("data.price", None)


async def test_the_sort_and_the_plan_of_the_page_are_explained(rows):
    about = await explained(rows, "sort=-data.title&cursor=")
    assert about["sort"] == {"paths": ["-data.title", "-id"], "index": "data.title", "reason": None}
    assert (await explained(rows, ""))["sort"]["index"] == "published_at"
    assert (await explained(rows, "sort=data.price"))["sort"]["reason"] == "data.price is not marked as indexed."
    assert isinstance(about["indexes"], list)
    assert about["estimated_rows"] >= 1
    assert "explain" not in (await rows.get("/content?type=row")).json
    by_json = await rows.post("/content/query", {"type": "row", "explain": True, "filter": {"data.price": 1}})
    assert by_json.json["explain"]["filters"][0]["index"] == "data"


async def test_who_reads_a_part_learns_no_numbers_of_the_rest(rows, granted):
    reader = await granted(rows, {"permission": "content:read", "own_only": True})
    about = await explained(reader, "filter[data.title]=x")
    assert (about["estimated_rows"], about["filters"][0]["estimated_rows"], about["indexes"]) == (None, None, None)
    assert about["filters"][0]["index"] == "data.title"
    blind = await granted(rows, {"permission": "content:read", "fields": ["price"]})
    assert (await blind.get("/content?type=row&explain=1&filter[data.title]=x")).status == 403


async def test_a_query_that_takes_too_long_is_stopped_and_said(rows, services):
    pages, share = services.get(DeliveryService)._pages, services.resources.searches
    dsn = services.resources.settings.database_url
    impatient = pages._searches = await open_share("searches", dsn, size=1, statement_timeout=0.001)
    try:
        path = "data.more.data.more.data.more.data.title"
        asked = "&".join(f"filter[or][{n}][{path}][contains]={n}" for n in range(20))
        answer = await rows.get(f"/content?type=row&{asked}")
    finally:
        pages._searches = share
        impatient.terminate()
    assert answer.status == 503, answer.raw
    assert "took too long" in answer.json["detail"]["message"]
