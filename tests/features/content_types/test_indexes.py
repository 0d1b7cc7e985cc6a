"""Fields marked `indexed` get indexes that lists use; others lose theirs."""

from contextlib import asynccontextmanager
from functools import partial
from types import SimpleNamespace

import pytest

from scaicms.features.content.service import DeliveryService
from scaicms.infra import db

FIELDS = [
    {"key": "title", "type": "string", "indexed": True},
    {"key": "price", "type": "number", "indexed": True},
    {"key": "day", "type": "date", "indexed": True},
    {"key": "tags", "type": "multiselect", "indexed": True},
    {"key": "secret", "type": "string", "indexed": True, "private": True},
    {"key": "plain", "type": "string"},
]
MANY = 10_000
FEW = 100


async def fill(site, drain, count):
    """A type with indexes that workers have built, and many items."""
    made = await site.post("/content-types", {"key": "row", "name": "Row", "fields": FIELDS})
    assert made.status == 201, made.raw
    data = {"title": "Seven", "price": 7, "day": "2026-01-01", "plain": "x"}
    item = await site.post("/content", {"type": "row", "data": data, "publish": True})
    await db.execute(
        """INSERT INTO documents (item_id, locale, site_id, type_id, slug, version, etag, body, data, created_at,
                                  updated_at, published_at)
           SELECT gen_random_uuid(), locale, site_id, type_id, 'row-' || n, 1, etag, body,
                  data || jsonb_build_object('title', 'Row ' || n, 'price', n + 0.5, 'day', date '2000-01-01' + n),
                  now(), now(), now()
           FROM documents, generate_series(1, $2) n WHERE item_id = $1""",
        item.json["id"],
        count,
    )
    await drain()
    site.type_id = made.json["id"]
    return site


@pytest.fixture
async def rows(site, drain):
    return await fill(site, drain, FEW)


async def indexes(type_id):
    found = await db.fetch(
        """SELECT c.relname AS name, pg_get_indexdef(c.oid) AS definition, i.indisvalid AS valid
           FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relname LIKE $1""",
        f"dx\\_{type_id.replace('-', '')}\\_%",
    )
    assert all(row["valid"] for row in found)
    return {row["name"]: row["definition"] for row in found}


class Recorder:
    """The read pool, remembering what it was asked."""

    def __init__(self, pool):
        self.pool, self.asked = pool, []

    async def fetch(self, sql, *arguments):
        self.asked.append((sql, arguments))
        return await self.pool.fetch(sql, *arguments)

    @asynccontextmanager
    async def acquire(self):
        yield self

    async def prepare(self, sql, *, name):
        assert name == ""
        return SimpleNamespace(fetch=partial(self.fetch, sql))

    def __getattr__(self, name):
        return getattr(self.pool, name)


async def plan_of(api, services, query):
    """The list that the API answers, and how PostgreSQL found it."""
    delivery = services.get(DeliveryService)
    recorder = delivery._reads = Recorder(delivery._reads)
    try:
        answer = await api.get(f"/content?type=row&count=none&page_size=5&{query}")
    finally:
        delivery._reads = recorder.pool
    assert answer.status == 200, answer.raw
    (sql, arguments) = recorder.asked[-1]
    lines = await recorder.pool.fetch(f"EXPLAIN {sql}", *arguments)
    return answer.json["items"], "\n".join(line[0] for line in lines)


async def test_workers_build_an_index_for_each_direction_of_each_field_that_has_an_order(rows):
    definitions = await indexes(rows.type_id)
    for key in ("title", "price", "day"):
        assert len([d for d in definitions.values() if f"'{key}'" in d]) == 2
    assert len(definitions) == 6


QUERIES = [
    "sort=data.price",
    "sort=-data.price",
    "sort=data.title",
    "sort=-data.day",
    "sort=-published_at",
    "filter[data.price]=7",
    "filter[data.price][between]=10,20&sort=data.price",
    "filter[data.price][gt]=9990",
    "filter[data.title]=Row 77",
    "filter[data.title][gte]=Seven",
    "filter[data.day][lt]=2000-01-05",
]


async def test_lists_use_the_indexes_of_ten_thousand(site, drain, services):
    rows = await fill(site, drain, MANY)
    for query in QUERIES:
        items, explained = await plan_of(rows, services, query)
        assert items
        wanted = "documents_newest" if query == "sort=-published_at" else f"dx_{rows.type_id.replace('-', '')}"
        assert wanted in explained, f"{query}\n{explained}"
        assert "Sort" not in explained or "sort=" not in query, f"{query}\n{explained}"


async def test_what_lists_find_is_the_same_with_and_without_indexes(rows, services, drain):
    queries = [
        "filter[data.title]=Row 77",
        "filter[data.title][ne]=Row 77&sort=data.title",
        "filter[data.title][gt]=Row 9&sort=data.title",
        "filter[data.title][lte]=Row 1&sort=data.title",
        "filter[data.price][between]=10,12&sort=-data.price",
        "filter[data.price][nin]=1.5,2.5&sort=data.price",
        "filter[data.day][in]=2000-01-02,2000-01-03&sort=data.day",
    ]
    ask = "/content?type=row&page_size=20&fields=data.title,data.price&"
    with_indexes = [(await rows.get(ask + query)).raw for query in queries]
    plain = [{**field, "indexed": False} for field in FIELDS]
    assert (await rows.patch("/content-types/row", {"fields": plain})).status == 200
    await drain()
    assert await indexes(rows.type_id) == {}
    assert [(await rows.get(ask + query)).raw for query in queries] == with_indexes


async def test_texts_of_any_length_can_be_indexed(rows):
    def beginning(end):
        return "é" * 990 + end

    for end in ("a", "b", "c"):
        made = await rows.post("/content", {"type": "row", "data": {"title": beginning(end)}, "publish": True})
        assert made.status == 201
    for operator, ends in (("eq", "b"), ("gt", "c"), ("lte", "ab")):
        query = f"filter[data.title][{operator}]={beginning('b')}&filter[data.title][starts_with]=é"
        found = (await rows.get(f"/content?type=row&{query}")).json["items"]
        assert "".join(sorted(item["data"]["title"][-1] for item in found)) == ends


async def test_an_index_that_was_left_half_built_is_built_again(rows, drain):
    name = next(iter(await indexes(rows.type_id)))
    await db.execute(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{name}'::regclass")
    more = [*FIELDS, {"key": "more", "type": "integer", "indexed": True}]
    assert (await rows.patch("/content-types/row", {"fields": more})).status == 200
    await drain()
    definitions = await indexes(rows.type_id)
    assert (len(definitions), name in definitions) == (8, True)


async def test_indexes_follow_a_plan_and_go_with_the_type(rows, drain):
    # What was an index of numbers must not refuse the texts that take their place.
    fields = [field for field in FIELDS if field["key"] not in ("price", "day")]
    proposal = [*fields, {"key": "price", "type": "string", "indexed": True}]
    planned = await rows.post("/content-types/row/plan", {"fields": proposal})
    assert (await rows.post(f"/content-types/row/plan/{planned.json['plan_id']}/apply")).status == 202
    await drain()
    definitions = await indexes(rows.type_id)
    assert len(definitions) == 4
    assert all("numeric" not in definition for definition in definitions.values())
    for item in (await rows.get("/content?type=row&status=any")).json["items"]:
        await rows.delete(f"/content/{item['id']}?permanent=true")
    await db.execute("DELETE FROM documents WHERE type_id = $1", rows.type_id)
    assert (await rows.delete("/content-types/row")).status == 204
    await drain()
    assert await indexes(rows.type_id) == {}
