"""`indexed_within`: lists of one value of a field, sorted by another, are read off one index."""

import pytest

from scaicms.infra import db

KINDS = [f"kind{n}" for n in range(20)]
FIELDS = [
    {"key": "kind", "type": "select", "options": KINDS, "indexed": True},
    {"key": "price", "type": "number", "indexed": True, "indexed_within": ["kind"]},
    {"key": "hidden", "type": "string", "indexed": True, "private": True},
    {"key": "plain", "type": "string"},
    {"key": "words", "type": "text", "indexed": True},
]
KIND_AND_PRICE = "data.kind,data.price"


@pytest.fixture
async def rows(site, drain):
    """Ten thousand published items of twenty kinds, some without a price."""
    made = await site.post("/content-types", {"key": "row", "name": "Row", "fields": FIELDS})
    assert made.status == 201, made.raw
    item = await site.post("/content", {"type": "row", "data": {"kind": "kind0", "price": 0}, "publish": True})
    await db.execute(
        """INSERT INTO documents (item_id, locale, site_id, type_id, slug, version, etag, body, data, created_at,
                                  updated_at, published_at)
           SELECT gen_random_uuid(), locale, site_id, type_id, 'row-' || n, 1, etag,
                  convert_to(jsonb_build_object('version', 1, 'data', made.data)::text, 'UTF8'), made.data,
                  now(), now(), now()
           FROM documents, generate_series(1, 10000) n, LATERAL (SELECT jsonb_strip_nulls(jsonb_build_object(
               'kind', 'kind' || n % 20, 'price', CASE WHEN n % 7 > 0 THEN n * 7907 % 100003 END)) AS data) made
           WHERE item_id = $1""",
        item.json["id"],
    )
    await drain()
    return site


async def asked(api, query):
    answer = await api.get(f"/content?type=row&page_size=200&{query}")
    assert answer.status == 200, answer.raw
    return answer.json


@pytest.mark.parametrize(
    "query", ["sort=-data.price", "sort=data.price", "sort=-data.price&filter[data.price][lt]=900"]
)
async def test_one_kind_in_the_order_of_prices_is_read_off_one_index(rows, drain, query):
    query = f"filter[data.kind]=kind3&count=none&{query}"
    found = await asked(rows, f"{query}&explain=1")
    assert found["explain"]["indexes"] == [KIND_AND_PRICE]
    plain = [{**field, "indexed_within": None} for field in FIELDS]
    assert (await rows.patch("/content-types/row", {"fields": plain})).status == 200
    await drain()
    without = await asked(rows, f"{query}&explain=1")
    assert KIND_AND_PRICE not in without["explain"]["indexes"]
    assert without["items"] == found["items"]
    assert {item["data"]["kind"] for item in found["items"]} == {"kind3"}


async def test_cursors_walk_down_it_and_what_has_no_price_comes_last(rows):
    cursor, prices = "", []
    while cursor is not None:
        page = await asked(rows, f"filter[data.kind]=kind3&sort=-data.price&cursor={cursor}")
        prices += [item["data"].get("price") for item in page["items"]]
        cursor = page["next_cursor"]
    known = [price for price in prices if price is not None]
    assert (len(prices), page["total"]) == (500, 500)
    assert known == sorted(known, reverse=True)
    assert prices[len(known) :] == [None] * (500 - len(known))
    assert 0 < len(known) < 500


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ({"indexed": True, "indexed_within": ["nothing"]}, "nothing is none"),
        ({"indexed": True, "indexed_within": ["price"]}, "price is none"),
        ({"indexed": True, "indexed_within": ["hidden"]}, "hidden is none"),
        ({"indexed": True, "indexed_within": ["plain"]}, "plain is none"),
        ({"indexed": True, "indexed_within": ["words"]}, "words is none"),
        ({"indexed": False, "indexed_within": ["kind"]}, "belongs to fields that are indexed"),
        ({"indexed": True, "indexed_within": []}, "at least 1"),
    ],
)
async def test_only_other_indexed_fields_with_single_values_are_taken(site, field, says):
    fields = [{**one, **(field if one["key"] == "price" else {})} for one in FIELDS]
    answer = await site.post("/content-types", {"key": "row", "name": "Row", "fields": fields})
    assert answer.status == 422
    assert says in answer.raw.decode()


async def test_a_field_that_others_are_indexed_within_is_renamed_with_them(rows, drain):
    kind, price, *rest = FIELDS
    renamed = {**kind, "key": "sort_of", "renamed_from": "kind"}
    refused = await rows.post("/content-types/row/plan", {"fields": [renamed, price, *rest]})
    assert (refused.status, "kind is none" in refused.raw.decode()) == (422, True)
    planned = await rows.post(
        "/content-types/row/plan", {"fields": [renamed, {**price, "indexed_within": ["sort_of"]}, *rest]}
    )
    assert (await rows.post(f"/content-types/row/plan/{planned.json['plan_id']}/apply")).status == 202
    await drain()
    found = await asked(rows, "filter[data.sort_of]=kind3&sort=-data.price&count=none&explain=1")
    assert found["explain"]["indexes"] == ["data.sort_of,data.price"]
    assert len(found["items"]) == 200
