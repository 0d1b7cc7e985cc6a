"""Every type of field: what it takes, what it refuses and where, what leaves and what never does."""

import asyncio
from uuid import uuid4

import pytest

DOCUMENT = {"type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": "Hello"}]}]}
QUOTE = {
    "key": "quote",
    "fields": [
        {"key": "words", "type": "text", "required": True},
        {"key": "source", "type": "string", "private": True},
        {"key": "about", "type": "relation", "target": "page"},
    ],
}
COLUMNS = {
    "key": "columns",
    "fields": [
        {"key": "gap", "type": "integer", "default": 2, "min": 0, "max": 9},
        {"key": "cells", "type": "blocks", "allowed": ["quote", "columns"]},
    ],
}
SEO = {"key": "seo", "fields": [{"key": "title", "type": "string", "max_length": 60}]}
LINK = {
    "key": "link",
    "fields": [{"key": "href", "type": "url", "required": True}, {"key": "text", "type": "richtext"}],
}
PAGE = {
    "key": "page",
    "name": "Page",
    "fields": [
        {"key": "title", "type": "string", "required": True},
        {"key": "content", "type": "richtext"},
        {"key": "color", "type": "color", "unique": True, "localized": True},
        {"key": "place", "type": "geo"},
        {"key": "site", "type": "url"},
        {"key": "mail", "type": "email"},
        {"key": "short", "type": "slug"},
        {"key": "extra", "type": "json"},
        {"key": "size", "type": "select", "options": ["s", "m"], "default": "m"},
        {"key": "seo", "type": "component", "components": [SEO]},
        {"key": "links", "type": "components", "components": [LINK], "max_length": 3},
        {"key": "body", "type": "blocks", "components": [QUOTE, COLUMNS]},
        {"key": "notes", "type": "blocks", "allowed": ["quote", "columns"], "private": True},
    ],
}


@pytest.fixture
async def pages(site):
    answer = await site.post("/content-types", PAGE)
    assert answer.status == 201, answer.raw
    return site


async def create(api, *, publish=False, **data):
    answer = await api.post("/content", {"type": "page", "data": {"title": "Page", **data}, "publish": publish})
    assert answer.status == 201, answer.raw
    return answer.json


def define(*fields):
    return {"key": "t", "name": "T", "fields": list(fields)}


@pytest.mark.parametrize(
    "field",
    [
        {"key": "x", "type": "string", "accept": ["image/*"]},
        {"key": "x", "type": "asset", "accept": ["images"]},
        {"key": "x", "type": "asset", "accept": []},
        {"key": "x", "type": "asset", "accept": ["*/png"]},
        {"key": "x", "type": "asset", "target": "t"},
        {"key": "x", "type": "asset", "max_length": 2},
        {"key": "x", "type": "assets", "unique": True},
    ],
)
async def test_options_of_asset_fields_are_refused_where_they_make_no_sense(site, field):
    answer = await site.post("/content-types", define(field))
    assert answer.status == 422, answer.raw
    assert answer.json["detail"]["errors"][0]["pointer"].startswith("/fields/0")


@pytest.mark.parametrize(
    "fields",
    [
        [{"key": "x", "type": "string", "components": [SEO]}],
        [{"key": "x", "type": "string", "allowed": ["seo"]}],
        [{"key": "x", "type": "component"}],
        [{"key": "x", "type": "component", "components": [SEO, LINK]}],
        [{"key": "x", "type": "blocks", "allowed": ["nothing"]}],
        [{"key": "x", "type": "blocks", "components": [SEO], "allowed": ["seo"]}],
        [{"key": "x", "type": "blocks", "components": [SEO]}, {"key": "y", "type": "blocks", "components": [SEO]}],
        [{"key": "x", "type": "blocks", "components": [{"key": "c", "fields": [{"key": "_id", "type": "string"}]}]}],
        [{"key": "x", "type": "component", "components": [{"key": "c", "fields": [{"key": "a", "type": "json"}] * 2}]}],
        [{"key": "x", "type": "string"}, {"key": "x_html", "type": "string"}],
        [{"key": "x", "type": "string", "min_length": 5, "max_length": 2}],
        [{"key": "x", "type": "integer", "min": 5, "max": 2}],
        [{"key": "x", "type": "select", "options": ["a", "a"]}],
        [{"key": "x", "type": "geo", "unique": True}],
        [{"key": "x", "type": "geo", "default": {"lat": 100, "lon": 0}}],
        [{"key": "x", "type": "component", "components": [SEO], "default": {"nothing": 1}}],
        [{"key": "x", "type": "component", "components": [{"key": "c", "fields": [
            {"key": "a", "type": "integer", "default": "x"}]}]}],
        [{"key": "x", "type": "component", "components": [{"key": "c", "fields": [
            {"key": "a", "type": "component", "allowed": ["c"], "default": {}}]}]}],
        [{"key": f"f{n}", "type": "blocks", "components": [{"key": f"c{n}", "fields": [
            {"key": f"k{m}", "type": "boolean"} for m in range(190)]}]} for n in range(6)],
    ],
)  # fmt: skip
async def test_definitions_that_make_no_sense_are_refused(site, fields):
    answer = await site.post("/content-types", define(*fields))
    assert answer.status == 422, answer.raw
    assert answer.json["detail"]["errors"][0]["pointer"].startswith("/fields")


@pytest.mark.parametrize("option", ["unique", "indexed", "localized"])
async def test_what_needs_a_column_of_its_own_is_no_option_of_a_component_s_field(site, option):
    component = {"key": "c", "fields": [{"key": "a", "type": "string", option: True}]}
    answer = await site.post("/content-types", define({"key": "x", "type": "component", "components": [component]}))
    assert answer.status == 422


@pytest.mark.parametrize(
    ("data", "stored"),
    [
        ({"color": "#AABBCC"}, {"color": "#aabbcc"}),
        ({"color": "#aabbcc80"}, {"color": "#aabbcc80"}),
        ({"place": {"lat": 48, "lon": -2.5}}, {"place": {"lat": 48.0, "lon": -2.5}}),
        ({"extra": {"a": [1, None, "x"]}}, {"extra": {"a": [1, None, "x"]}}),
        ({"content": DOCUMENT}, {"content": DOCUMENT}),
        ({"content": {"type": "doc"}}, {"content": {"type": "doc"}}),
        ({"size": None}, {}),
        ({}, {"size": "m"}),
    ],
)
async def test_values_are_stored_as_they_are_meant(pages, data, stored):
    found = (await create(pages, **data))["data"]
    assert {key: found[key] for key in stored} == stored
    if data == {"size": None}:
        assert "size" not in found


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        ({"color": "red"}, "/data/color"),
        ({"color": "#abc"}, "/data/color"),
        ({"place": {"lat": 90.1, "lon": 0}}, "/data/place/lat"),
        ({"place": {"lat": "1", "lon": 0}}, "/data/place/lat"),
        ({"place": {"lat": 1, "lon": 0, "alt": 3}}, "/data/place/alt"),
        ({"place": [1, 2]}, "/data/place"),
        ({"site": "javascript:alert(1)"}, "/data/site"),
        ({"mail": "nobody"}, "/data/mail"),
        ({"short": "Not A Slug"}, "/data/short"),
        ({"extra": {"a\u0000": 1}}, "/data/extra"),
        ({"extra": ["\u0000"]}, "/data/extra"),
        ({"seo": {"title": "x" * 61}}, "/data/seo/title"),
        ({"seo": {"nothing": 1}}, "/data/seo/nothing"),
        ({"seo": {"_type": "link"}}, "/data/seo/_type"),
        ({"seo": "text"}, "/data/seo"),
        ({"links": [{"href": "/a"}, {}]}, "/data/links/1/href"),
        ({"links": [{"href": "/a"}] * 4}, "/data/links"),
        ({"links": [{"href": "/a", "text": {"type": "doc", "content": [{"type": "x"}]}}]},
         "/data/links/0/text/content/0/type"),
        ({"body": [{"words": "no type"}]}, "/data/body/0"),
        ({"body": [{"_type": "nothing"}]}, "/data/body/0"),
        ({"body": ["text"]}, "/data/body/0"),
        ({"body": [{"_type": "quote"}]}, "/data/body/0/words"),
        ({"body": [{"_type": "quote", "words": "x", "component quote": 1}]}, "/data/body/0/component quote"),
        ({"body": [{"_type": "columns", "cells": [{"_type": "quote", "words": 5}]}]}, "/data/body/0/cells/0/words"),
        ({"body": [{"_type": "columns", "gap": 10}]}, "/data/body/0/gap"),
        ({"body": [{"_type": "quote", "_id": "no good!", "words": "x"}]}, "/data/body/0/_id"),
        ({"body": [{"_type": "quote", "_id": "a", "words": "x"}] * 2}, "/data/body/1/_id"),
        ({"seo": {"_id": "a"}, "body": [{"_type": "columns", "cells": [{"_type": "quote", "_id": "a", "words": "x"}]}]},
         "/data/body/0/cells/0/_id"),
        ({"body": [{"_type": "quote", "words": "x", "about": str(uuid4())}]}, "/data/body/0/about"),
        ({"a/b~c": 1}, "/data/a~1b~0c"),
    ],
)  # fmt: skip
async def test_wrong_values_are_refused_where_they_stand(pages, data, pointer):
    answer = await pages.post("/content", {"type": "page", "data": {"title": "x", **data}})
    assert answer.status == 422, answer.raw
    assert [error["pointer"] for error in answer.json["detail"]["errors"]] == [pointer]


def nested(levels):
    block = {"_type": "quote", "words": "inmost"}
    for _ in range(levels - 1):
        block = {"_type": "columns", "cells": [block]}
    return [block]


async def test_components_nest_eight_levels_and_no_deeper(pages):
    assert (await create(pages, body=nested(8)))["data"]["body"][0]["cells"]
    answer = await pages.post("/content", {"type": "page", "data": {"title": "x", "body": nested(9)}})
    assert answer.status == 422
    assert answer.json["detail"]["errors"] == [
        {
            "pointer": "/data/body/0" + "/cells/0" * 8,
            "code": "too_deep",
            "message": "Components nest at most 8 levels.",
        }
    ]


async def test_components_get_ids_and_keep_them_over_saves(pages):
    quote = {"_type": "quote", "words": "one"}
    item = await create(pages, seo={"title": "x"}, body=[quote, {**quote, "words": "two", "_id": "mine"}, quote])
    ids = [block["_id"] for block in item["data"]["body"]]
    assert ids[1] == "mine"
    assert len({*ids, item["data"]["seo"]["_id"]}) == 4
    path = f"/content/{item['id']}"
    # Another field is saved; then the list comes back in another order, without ids and with a new one.
    assert (await pages.patch(path, {"data": {"title": "y"}})).json["data"]["body"] == item["data"]["body"]
    new = [{"_type": "quote", "words": "new"}, {"_type": "quote", "words": "two"}, quote]
    saved = (await pages.patch(path, {"data": {"body": new, "seo": {"title": "z"}}})).json["data"]
    assert saved["body"][0]["_id"] not in ids
    assert [block["_id"] for block in saved["body"][1:]] == ["mine", ids[0]]
    assert saved["seo"]["_id"] == item["data"]["seo"]["_id"]
    edited = [{**saved["body"][1], "words": "edited"}]
    assert (await pages.patch(path, {"data": {"body": edited}})).json["data"]["body"][0]["_id"] == "mine"


async def test_defaults_reach_into_components(pages):
    item = await create(pages, body=[{"_type": "columns", "cells": [{"_type": "columns"}]}])
    column = item["data"]["body"][0]
    assert (column["gap"], column["cells"][0]["gap"]) == (2, 2)


async def test_private_fields_never_leave_not_even_in_components(pages, services, drain):
    secret = "zymurgy"
    block = {"_type": "quote", "words": "open", "source": secret}
    item = await create(
        pages, publish=True, body=[block, {"_type": "columns", "cells": [block]}], notes=[{**block, "words": secret}]
    )
    await drain()
    for path in (
        f"/content/{item['id']}",
        "/content/by-slug/page/page",
        "/content?type=page",
        "/content?type=page&fields=data.body",
        f"/search?q={secret}",
    ):
        answer = await pages.get(path)
        assert answer.status == 200
        assert secret.encode() not in answer.raw.replace(f'"q":"{secret}"'.encode(), b"")
    assert (await pages.get(f"/search?q={secret}")).json["total"] == 0
    assert (await pages.get("/search?q=open")).json["total"] == 1
    for query in ("fields=data.notes", "filter[data.notes][exists]=true", "sort=data.notes", "filter[data.source]=x"):
        assert (await pages.get(f"/content?type=page&{query}")).status == 400
    draft = (await pages.get(f"/content/{item['id']}?status=draft")).json["data"]
    assert draft["body"][0]["source"] == secret


async def test_relations_in_components_are_of_the_site_and_reported_when_unpublished(pages):
    target = await create(pages)
    item = await create(pages, body=[{"_type": "quote", "words": "x", "about": target["id"]}])
    answer = await pages.post(f"/content/{item['id']}/publish?dry_run=true")
    assert answer.json["plan"]["unpublished_targets"] == [{"field": "body", "id": target["id"]}]


async def test_a_single_type_has_one_item_also_under_concurrency(site):
    home = {"key": "home", "name": "Home", "kind": "single", "fields": [{"key": "title", "type": "string"}]}
    assert (await site.post("/content-types", home)).status == 201
    new = {"type": "home", "data": {"title": "x"}}
    answers = await asyncio.gather(*(site.post("/content", {**new, "slug": f"s{n}"}) for n in range(6)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 5
    assert {answer.code for answer in answers if answer.status == 409} == {"single_exists"}
    made = next(answer for answer in answers if answer.status == 201)
    assert (await site.delete(f"/content/{made.json['id']}")).status == 204
    assert (await site.post("/content", new)).status == 201


async def test_unique_values_are_unique_in_each_locale_under_concurrency(pages):
    locales = {"locales": [{"code": "en"}, {"code": "de"}]}
    assert (await pages.patch(f"/sites/{pages.site}", locales)).status == 200
    await asyncio.sleep(0.1)
    # Numbered slugs would make them wait for each other before the values do.
    items = [
        (await pages.post("/content", {"type": "page", "slug": f"p{n}", "data": {"title": "x"}})).json for n in range(5)
    ]
    other = await pages.post("/content", {"type": "page", "slug": "d", "locale": "de", "data": {"title": "x"}})
    change = {"data": {"color": "#0a0b0c"}}
    answers = await asyncio.gather(
        *(pages.patch(f"/content/{item['id']}", change) for item in items),
        pages.patch(f"/content/{other.json['id']}?locale=de", {"data": {"color": "#0A0B0C"}}),
    )
    assert sorted(answer.status for answer in answers[:-1]) == [200] + [409] * 4
    assert answers[-1].status == 200
