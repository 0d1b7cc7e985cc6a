"""Bundles carry the configuration of a site elsewhere, say how it drifts, and change all of it or nothing."""

import secrets

import pytest

from tests.conftest import ARTICLE
from tests.features.content_types.test_fields import PAGE


@pytest.fixture
async def source(articles):
    """A site with two types, a taxonomy and a role."""
    assert (await articles.post("/content-types", PAGE)).status == 201
    assert (await articles.post("/taxonomies", {"key": "topics", "name": "Topics", "localized": True})).status == 201
    articles.role = f"r{secrets.token_hex(6)}"
    await articles.post("/roles", {"key": articles.role, "name": "Writers"})
    grants = [{"permission": "content:update", "content_types": ["article"], "own_only": True}]
    grants.append({"permission": "content:read"})
    assert (await articles.put(f"/roles/{articles.role}/permissions", grants)).status == 200
    return articles


@pytest.fixture
async def target(admin):
    key = f"t{secrets.token_hex(6)}"
    assert (await admin.post("/sites", {"key": key, "name": key})).status == 201
    return admin.at(key)


async def bundle_of(api, query=""):
    answer = await api.get(f"/content-types/bundle{query}")
    assert answer.status == 200, answer.raw
    return answer.json


async def test_a_round_trip_is_identity(source, target):
    bundle = await bundle_of(source)
    assert [entry["key"] for entry in bundle["content_types"]] == ["article", "page"]
    entry = next(entry for entry in bundle["roles"] if entry["key"] == source.role)
    assert {"permission": "content:read"} in entry["permissions"]
    assert "administrator" not in [role["key"] for role in bundle["roles"]]
    answer = await target.post("/content-types/bundle", bundle)
    assert answer.status == 200, answer.raw
    parts = {(d["part"], d["op"]) for d in answer.json["drift"]}
    assert parts == {("content_types", "create"), ("taxonomies", "create")}
    assert await bundle_of(target) == bundle
    assert (await target.post("/content-types/bundle?dry_run=true", bundle)).json == {"dry_run": True, "drift": []}
    fields = (await target.get("/content-types/page")).json["fields"]
    assert fields == (await source.get("/content-types/page")).json["fields"]


async def test_a_role_that_was_lost_or_changed_comes_back(source):
    bundle = await bundle_of(source, "?parts=roles")
    assert set(bundle) == {"version", "roles"}
    await source.put(f"/roles/{source.role}/permissions", [{"permission": "content:delete"}])
    drift = (await source.post("/content-types/bundle?dry_run=true", bundle)).json["drift"]
    assert [(d["key"], d["op"], d["changes"]) for d in drift] == [(source.role, "update", ["permissions"])]
    assert (await source.delete(f"/roles/{source.role}")).status == 204
    assert (await source.post("/content-types/bundle", bundle)).json["drift"][0]["op"] == "create"
    assert await bundle_of(source, "?parts=roles") == bundle


async def test_a_dry_run_says_how_a_site_drifts_and_changes_nothing(source):
    bundle = await bundle_of(source, "?parts=content_types")
    (article, page) = bundle["content_types"]
    changed = {**article, "name": "Articles", "fields": [*article["fields"], {"key": "more", "type": "string"}]}
    new = {"key": "note", "name": "Note", "fields": []}
    before = await bundle_of(source)
    answer = await source.post("/content-types/bundle?dry_run=true", {"version": 1, "content_types": [changed, new]})
    assert [(d["key"], d["op"], d["changes"]) for d in answer.json["drift"]] == [
        ("article", "update", ["name", "fields"]),
        ("note", "create", []),
        ("page", "extra", []),
    ]
    assert await bundle_of(source) == before
    assert (await source.post("/content-types/bundle", {"content_types": [changed, new]})).status == 200
    after = await bundle_of(source)
    assert [entry["key"] for entry in after["content_types"]] == ["article", "note", "page"]
    assert after["content_types"][2] == page


async def test_a_taxonomy_is_brought_into_line_and_keeps_its_terms(source):
    term = (await source.post("/taxonomies/topics/terms", {"name": {"en": "Rust"}})).json
    bundle = await bundle_of(source, "?parts=taxonomies")
    bundle["taxonomies"][0]["description"] = "What it is about"
    (drift,) = (await source.post("/content-types/bundle", bundle)).json["drift"]
    assert (drift["part"], drift["key"], drift["op"], drift["changes"]) == (
        "taxonomies", "topics", "update", ["description"]
    )  # fmt: skip
    assert (await source.get("/taxonomies/topics")).json["description"] == "What it is about"
    assert (await source.get(f"/taxonomies/topics/terms/{term['id']}")).status == 200
    before = await bundle_of(source)
    below = {"name": {"en": "Async"}, "parent_id": term["id"]}
    assert (await source.post("/taxonomies/topics/terms", below)).status == 201
    bundle["taxonomies"][0]["hierarchical"] = False
    assert (await source.post("/content-types/bundle", bundle)).status == 409
    assert await bundle_of(source) == before


async def test_what_needs_a_plan_blocks_the_whole_bundle(source):
    before = await bundle_of(source)
    fewer = {**before["content_types"][0], "fields": before["content_types"][0]["fields"][:1]}
    bundle = {"content_types": [{"key": "a_note", "name": "Note", "fields": []}, fewer]}
    drift = (await source.post("/content-types/bundle?dry_run=true", bundle)).json["drift"]
    assert any("field body: is removed" in reason for reason in drift[1]["hindrances"])
    answer = await source.post("/content-types/bundle", bundle)
    assert (answer.status, answer.code) == (409, "bundle_blocked")
    assert answer.json["detail"]["errors"][0]["pointer"] == "/content_types/article"
    assert await bundle_of(source) == before


async def test_a_bundle_that_fails_on_the_way_leaves_nothing(source, target):
    unknown = {"key": f"r{secrets.token_hex(6)}", "name": "x", "permissions": [{"permission": "nothing:at_all"}]}
    both = {"content_types": [{"key": "note", "name": "Note", "fields": []}], "roles": [unknown]}
    assert (await target.post("/content-types/bundle", both)).status == 422
    bad = {"content_types": [{"key": "note", "name": "N", "fields": []}, {"key": "x", "name": "X", "fields": [
        {"key": "a", "type": "integer", "default": "no"}]}]}  # fmt: skip
    assert (await target.post("/content-types/bundle", bad)).status == 422
    assert (await bundle_of(target, "?parts=content_types"))["content_types"] == []


@pytest.mark.parametrize(
    ("bundle", "pointer"),
    [
        ({"nothing": []}, "/nothing"),
        ({"content_types": {}}, "/content_types"),
        ({"content_types": [{"key": "a", "name": "A", "fields": [{"key": "x", "type": "y"}]}]},
         "/content_types/0/fields/0/type"),
        ({"content_types": [{"key": "a", "name": "A", "fields": [], "id": 1}]}, "/content_types/0/id"),
        ({"content_types": [{"key": "a", "name": "A", "fields": []}] * 2}, "/content_types/1/key"),
        ({"version": 2}, "/version"),
    ],
)  # fmt: skip
async def test_a_bundle_that_cannot_be_read_is_refused_where_it_is_wrong(target, bundle, pointer):
    answer = await target.post("/content-types/bundle", bundle)
    assert answer.status == 422, answer.raw
    assert answer.json["detail"]["errors"][0]["pointer"] == pointer


async def test_no_type_is_called_as_the_bundle_is(source):
    answer = await source.post("/content-types", {"key": "bundle", "name": "B", "fields": []})
    assert answer.json["detail"]["errors"][0]["pointer"] == "/key"


async def test_each_part_needs_the_right_to_it(source, user):
    editor = await user("editor", site=source.site)
    assert (await editor.get("/content-types/bundle?parts=content_types")).status == 200
    assert (await editor.get("/content-types/bundle?parts=content_types,roles")).status == 403
    partial = await bundle_of(editor)
    assert (partial["left_out"], "roles" in partial) == (["roles", "webhooks"], False)
    assert (await source.post("/content-types/bundle?dry_run=true", partial)).json["drift"] == []
    assert (await editor.post("/content-types/bundle", {"content_types": [ARTICLE]})).status == 403
    assert (await source.get("/content-types/bundle?parts=nothing")).code == "unknown_part"
