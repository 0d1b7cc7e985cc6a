"""Content types: what can be declared, and what may change at once."""

import pytest

from tests.conftest import ARTICLE


async def test_a_type_is_created_read_listed_and_deleted(articles):
    listed = (await articles.get("/content-types")).json
    assert [item["key"] for item in listed["items"]] == ["article"]
    read = await articles.get("/content-types/article")
    assert read.json["fields"][0]["key"] == "title"
    assert (await articles.get("/content-types/article", headers={"If-None-Match": read.headers["ETag"]})).status == 304
    assert (await articles.delete("/content-types/article")).status == 204
    assert (await articles.get("/content-types/article")).code == "content_type_not_found"


async def test_a_key_is_taken_once(articles):
    assert (await articles.post("/content-types", ARTICLE)).code == "content_type_exists"


async def test_a_type_with_content_is_not_deleted(articles):
    await articles.post("/content", {"type": "article", "data": {"title": "x"}})
    assert (await articles.delete("/content-types/article")).code == "content_type_in_use"


@pytest.mark.parametrize(
    "field",
    [
        {"key": "Bad", "type": "string"},
        {"key": "x", "type": "nothing"},
        {"key": "x", "type": "select"},
        {"key": "x", "type": "string", "options": ["a"]},
        {"key": "x", "type": "relation"},
        {"key": "x", "type": "string", "target": "article"},
        {"key": "x", "type": "string", "min": 1},
        {"key": "x", "type": "number", "min_length": 1},
        {"key": "x", "type": "string", "pattern": "(?=a)"},
        {"key": "x", "type": "string", "pattern": "("},
        {"key": "x", "type": "number", "pattern": "a"},
        {"key": "x", "type": "json", "unique": True},
        {"key": "x", "type": "integer", "default": "one"},
        {"key": "x", "type": "string", "colour": "red"},
    ],
)
async def test_fields_that_make_no_sense_are_refused(site, field):
    answer = await site.post("/content-types", {"key": "t", "name": "T", "fields": [field]})
    assert answer.status == 422, answer.raw


async def test_field_keys_are_unique(site):
    twice = [{"key": "x", "type": "string"}] * 2
    assert (await site.post("/content-types", {"key": "t", "name": "T", "fields": twice})).status == 422


async def test_harmless_changes_apply_at_once_and_others_need_a_plan(articles):
    fields = [*ARTICLE["fields"], {"key": "extra", "type": "string", "default": "none"}]
    changed = await articles.patch("/content-types/article", {"fields": fields, "name": "Articles"})
    assert (changed.json["version"], changed.json["name"]) == (2, "Articles")
    made = await articles.post("/content", {"type": "article", "data": {"title": "x"}})
    assert made.json["data"]["extra"] == "none"
    for unsafe in (fields[1:], [*fields, {"key": "must", "type": "string", "required": True}]):
        answer = await articles.patch("/content-types/article", {"fields": unsafe})
        assert (answer.status, answer.code) == (409, "plan_required")
    tighter = [{**fields[0], "max_length": 10}, *fields[1:]]
    assert (
        "max_length" in (await articles.patch("/content-types/article", {"fields": tighter})).json["detail"]["message"]
    )
    looser = [{**fields[0], "max_length": 300, "required": False}, *fields[1:]]
    assert (await articles.patch("/content-types/article", {"fields": looser})).status == 200


async def test_a_stale_change_is_412(articles):
    answer = await articles.patch("/content-types/article", {"name": "x"}, headers={"If-Match": '"old"'})
    assert answer.status == 412


async def test_the_json_schema_describes_data(articles):
    answer = await articles.get("/content-types/article/schema")
    assert answer.json["$schema"].endswith("2020-12/schema")
    assert answer.json["required"] == ["title"]
    assert answer.json["properties"]["colour"]["anyOf"][0]["enum"] == ["red", "green"]


async def test_editors_see_types_and_do_not_change_them(articles, user):
    editor = await user("editor", site=articles.site)
    assert (await editor.get("/content-types")).status == 200
    assert (await editor.delete("/content-types/article")).status == 403
