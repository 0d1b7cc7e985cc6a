"""Changing fields that hold data: tried first, applied by workers, undone again, and nothing lost on the way."""

import pytest

from scaicms.infra import db
from tests.features.content_types.things import (
    BODY,
    COUNT,
    FIELDS,
    NOTE,
    TITLE,
    apply,
    create,
    document,
    done,
    draft,
    plan,
    replaced,
    roll_back,
    without,
)


async def test_a_dry_run_says_what_each_change_touches_and_changes_nothing(things):
    item = await create(things, note="keep", count=5)
    await create(things, publish=False, note="draft")
    before = (await things.get(f"/content/{item['id']}")).raw
    proposal = [
        {**TITLE, "key": "headline", "renamed_from": "title"},
        {"key": "count", "type": "string"},
        BODY,
        {"key": "tone", "type": "string", "default": "calm"},
        FIELDS[-1],
    ]
    made = await plan(things, proposal)
    found = {(change["op"], change["field"]): change for change in made["changes"]}
    assert set(found) == {("remove", "note"), ("rename", "headline"), ("retype", "count"), ("add", "tone")}
    # Two drafts and one document.
    assert found["rename", "headline"]["rows"] == 3
    assert found["remove", "note"]["rows"] == 3
    assert found["retype", "count"]["rows"] == 2
    assert found["add", "tone"]["rows"] == 3
    assert [op for op, _ in found if found[op, _]["destructive"]] == ["remove", "retype"]
    assert {change["lock"] for change in made["changes"]} == {"writes"}
    assert (made["rows_total"], made["rows_checked"], made["state"]) == (3, 3, "planned")
    assert (await things.get(f"/content/{item['id']}")).raw == before
    assert (await things.get("/content-types/thing")).json["version"] == 1


async def test_a_rename_keeps_the_data_of_drafts_and_documents(things, drain):
    item = await create(things, note="kept")
    await things.patch(f"/content/{item['id']}", {"data": {"note": "newer"}})
    old_tag = (await things.get(f"/content/{item['id']}?status=draft")).headers["ETag"]
    job = await apply(things, replaced("note", {**NOTE, "key": "remark", "renamed_from": "note"}), drain)
    assert (job["result"]["phase"], job["result"]["changed"], job["result"]["version"]) == ("done", 2, 2)
    assert await draft(things, item) == {"title": "One", "remark": "newer"}
    assert await document(things, item) == {"title": "One", "remark": "kept"}
    assert (await things.get("/content?type=thing&filter[data.remark]=kept")).json["total"] == 1
    assert (await things.get("/content?type=thing&filter[data.note]=kept")).status == 400
    # The answer is another one, so that no cache takes it for the old one; the version is that of the last save.
    stale = await things.get(f"/content/{item['id']}?status=draft", headers={"If-None-Match": old_tag})
    assert stale.status == 200
    assert (await things.patch(f"/content/{item['id']}", {"data": {"remark": "x"}})).json["version"] == 3
    assert (await things.patch(f"/content/{item['id']}", {"data": {"note": "x"}})).status == 422


async def test_names_may_be_exchanged(things, drain):
    item = await create(things, note="a", count=1)
    proposal = [TITLE, BODY, FIELDS[-1], {**NOTE, "key": "count", "renamed_from": "note"}]
    await apply(things, [*proposal, {**COUNT, "key": "note", "renamed_from": "count"}], drain)
    assert await draft(things, item) == {"title": "One", "count": "a", "note": 1}
    await roll_back(things, drain)
    assert await draft(things, item) == {"title": "One", "count": 1, "note": "a"}


async def test_fields_of_components_are_renamed_and_removed_like_others(things, drain):
    item = await create(things, body=[{"_type": "box", "words": "w", "hint": "h"}])
    box = {"key": "box", "fields": [{"key": "text", "type": "string", "renamed_from": "words"}]}
    made = await plan(things, replaced("body", {**BODY, "components": [box]}))
    assert {(change["op"], change["field"]) for change in made["changes"]} == {
        ("rename", "body.box.text"),
        ("remove", "body.box.hint"),
    }
    await apply(things, replaced("body", {**BODY, "components": [box]}), drain)
    block = (await draft(things, item))["body"][0]
    assert block == {"_type": "box", "_id": item["data"]["body"][0]["_id"], "text": "w"}
    assert (await document(things, item))["body"] == [block]
    await roll_back(things, drain)
    assert await draft(things, item) == item["data"]


async def test_new_fields_are_filled_and_private_ones_leave_the_documents(things, drain):
    item = await create(things, note="secret wombat")
    await drain()
    assert (await things.get("/search?q=wombat")).json["total"] == 1
    fields = replaced("note", {**NOTE, "private": True}, {"key": "tone", "type": "string", "default": "calm"})
    await apply(things, fields, drain)
    assert await draft(things, item) == {"title": "One", "note": "secret wombat", "tone": "calm"}
    assert await document(things, item) == {"title": "One", "tone": "calm"}
    assert (await things.get("/search?q=wombat")).json["total"] == 0


@pytest.mark.parametrize(
    ("old", "new", "value", "becomes"),
    [
        ({"type": "integer"}, {"type": "number"}, 3, 3.0),
        ({"type": "integer"}, {"type": "string"}, 3, "3"),
        ({"type": "string"}, {"type": "integer"}, "12", 12),
        ({"type": "string"}, {"type": "richtext"}, "a\nb", {"type": "doc", "content": [
            {"type": "paragraph", "content": [{"type": "text", "text": "a"}]},
            {"type": "paragraph", "content": [{"type": "text", "text": "b"}]}]}),
        ({"type": "date"}, {"type": "datetime"}, "2026-01-02", "2026-01-02T00:00:00Z"),
        ({"type": "datetime"}, {"type": "date"}, "2026-01-02T03:04:05Z", "2026-01-02"),
        ({"type": "string"}, {"type": "multiselect"}, "a", ["a"]),
        ({"type": "multiselect"}, {"type": "string"}, ["a"], "a"),
        ({"type": "boolean"}, {"type": "string"}, True, "true"),
        ({"type": "select", "options": ["a"]}, {"type": "json"}, "a", "a"),
    ],
)  # fmt: skip
async def test_values_are_converted_and_come_back_as_they_were(things, drain, old, new, value, becomes):
    await things.patch("/content-types/thing", {"fields": [*FIELDS, {"key": "x", **old}]})
    item = await create(things, x=value)
    await apply(things, [*FIELDS, {"key": "x", **new}], drain)
    assert (await draft(things, item))["x"] == becomes
    assert (await document(things, item))["x"] == becomes
    await roll_back(things, drain)
    assert (await draft(things, item))["x"] == value
    assert type((await document(things, item))["x"]) is type(value)


async def test_rows_that_would_not_fit_are_named_and_keep_the_plan_from_being_applied(things):
    bad = await create(things, note="a long note", count=7)
    await create(things, note="short")
    made = await plan(things, replaced("note", {**NOTE, "max_length": 5, "required": True}))
    (change,) = made["changes"]
    assert (change["op"], change["rows"], change["failing_total"]) == ("tighten", 4, 2)
    assert {(row["item_id"], row["row"], row["pointer"]) for row in change["failing"]} == {
        (bad["id"], "draft", "/data/note"),
        (bad["id"], "document", "/data/note"),
    }
    answer = await things.post(f"/content-types/thing/plan/{made['plan_id']}/apply")
    assert (answer.status, answer.code) == (409, "plan_fails")
    assert bad["id"] in answer.json["detail"]["errors"][0]["message"]


async def test_a_field_becomes_unique_only_if_its_values_are(things, drain):
    first, second = await create(things, note="same"), await create(things, note="same")
    unique = replaced("note", {**NOTE, "unique": True})
    made = await plan(things, unique)
    assert {row["item_id"] for row in made["changes"][0]["failing"]} == {first["id"], second["id"]}
    await things.patch(f"/content/{second['id']}", {"data": {"note": "other"}})
    fine = await plan(things, unique)
    answer = await things.post(f"/content-types/thing/plan/{fine['plan_id']}/apply")
    assert answer.status == 202
    # Between plan and exchange somebody makes it untrue: nothing changes, and it is said why.
    await things.patch(f"/content/{second['id']}", {"data": {"note": "same"}})
    await drain()
    job = (await things.get(answer.headers["Location"])).json
    assert job["state"] == "dead"
    assert "Another item has this value" in job["last_error"]
    assert (await things.get("/content-types/thing")).json["version"] == 1
    await things.patch(f"/content/{second['id']}", {"data": {"note": "other"}})
    await apply(things, unique, drain)
    assert (await things.patch(f"/content/{second['id']}", {"data": {"note": "same"}})).code == "not_unique"


async def test_what_is_written_while_a_plan_waits_is_changed_with_the_rest(things, drain):
    item = await create(things, note="before")
    made = await plan(things, replaced("note", {**NOTE, "key": "remark", "renamed_from": "note"}))
    answer = await things.post(f"/content-types/thing/plan/{made['plan_id']}/apply")
    await things.patch(f"/content/{item['id']}", {"data": {"note": "after"}})
    late = await create(things, note="late")
    await done(things, answer, drain)
    assert (await draft(things, item))["remark"] == "after"
    assert (await document(things, late))["remark"] == "late"


async def test_a_plan_is_used_once_and_only_on_the_version_it_was_made_for(things, drain):
    fields = replaced("note", {**NOTE, "key": "remark", "renamed_from": "note"})
    first, second = await plan(things, fields), await plan(things, fields)
    path = "/content-types/thing/plan/{}/apply"
    answer = await things.post(path.format(first["plan_id"]))
    assert answer.status == 202
    assert (await things.post(path.format(first["plan_id"]))).code == "plan_stale"
    assert (await things.post(path.format(second["plan_id"]))).code == "plan_in_progress"
    more = {"fields": [*FIELDS, {"key": "more", "type": "string"}]}
    assert (await things.patch("/content-types/thing", more)).code == "plan_in_progress"
    await done(things, answer, drain)
    assert (await things.post(path.format(second["plan_id"]))).code == "plan_stale"
    assert (await things.post(path.format("019a1b2c-3d4e-7f00-8a1b-2c3d4e5f6071"))).code == "plan_not_found"
    assert (await things.post(path.format("x"))).status == 404


async def test_a_rollback_brings_back_what_was_removed_but_for_what_was_written_since(things, drain):
    target = await create(things)
    item = await create(things, note="kept", count=4, link=target["id"])
    await apply(things, [TITLE, {"key": "count", "type": "string"}, BODY], drain)
    assert await document(things, item) == {"title": "One", "count": "4"}
    newer = await create(things, count="77")
    await things.patch(f"/content/{item['id']}", {"data": {"title": "Two"}})
    await roll_back(things, drain)
    assert await draft(things, item) == {"title": "Two", "note": "kept", "count": 4, "link": target["id"]}
    assert await document(things, item) == {"title": "One", "note": "kept", "count": 4, "link": target["id"]}
    assert await draft(things, newer) == {"title": "One", "count": 77}
    assert (await things.get("/content-types/thing")).json["fields"][0]["key"] == "title"
    # A rollback is a change like others.
    await roll_back(things, drain)
    assert await draft(things, item) == {"title": "Two", "count": "4"}
    versions = (await things.get("/content-types/thing/versions")).json
    assert ([v["version"] for v in versions["items"]], versions["total"]) == ([4, 3, 2, 1], 4)
    assert [len(v["fields"]) for v in versions["items"]] == [3, 5, 3, 5]


async def test_relations_of_what_was_removed_and_restored_are_known_again(things, drain):
    target = await create(things)
    await create(things, link=target["id"])
    references = "SELECT count(*) FROM content_references WHERE target_id = $1 AND field = $2"
    await apply(things, replaced("link", {**FIELDS[-1], "key": "to", "renamed_from": "link"}), drain)
    assert await db.fetchval(references, target["id"], "to") == 1
    await apply(things, without("link"), drain)
    assert await db.fetchval(references, target["id"], "to") == 0
    await roll_back(things, drain)
    assert await db.fetchval(references, target["id"], "to") == 1


async def test_a_change_that_was_made_at_once_is_rolled_back_too(things, drain):
    item = await create(things)
    assert (await things.post("/content-types/thing/rollback")).code == "nothing_to_roll_back"
    await things.patch("/content-types/thing", {"fields": [*FIELDS, {"key": "more", "type": "string"}]})
    await things.patch(f"/content/{item['id']}", {"data": {"more": "x"}})
    await roll_back(things, drain)
    assert await draft(things, item) == {"title": "One"}
    await roll_back(things, drain)
    assert await draft(things, item) == {"title": "One", "more": "x"}


async def test_a_rollback_that_newer_items_would_not_fit_is_refused(things, drain):
    await apply(things, without("title"), drain)
    made = await things.post("/content", {"type": "thing", "data": {"note": "no title"}})
    answer = await things.post("/content-types/thing/rollback")
    assert (answer.status, answer.code) == (409, "plan_fails")
    assert made.json["id"] in answer.json["detail"]["errors"][0]["message"]


@pytest.mark.parametrize(
    "fields",
    [
        [{**TITLE, "renamed_from": "nothing"}],
        [{**TITLE, "renamed_from": "note"}, {"key": "b", "type": "string", "renamed_from": "note"}],
        [{"key": "b", "type": "integer", "default": "x"}],
        [TITLE, TITLE],
    ],
)
async def test_proposals_that_make_no_sense_are_refused(things, fields):
    assert (await things.post("/content-types/thing/plan", {"fields": fields})).status == 422


async def test_a_rename_outside_a_plan_is_refused(things):
    renamed = replaced("note", {**NOTE, "key": "remark", "renamed_from": "note"})
    assert (await things.patch("/content-types/thing", {"fields": renamed})).code == "plan_required"
    answer = await things.post("/content-types", {"key": "other", "name": "Other", "fields": renamed})
    assert answer.json["detail"]["errors"][0]["code"] == "renamed_from"


async def test_editors_see_versions_and_plan_nothing(things, user):
    editor = await user("editor", site=things.site)
    assert (await editor.get("/content-types/thing/versions")).status == 200
    assert (await editor.post("/content-types/thing/plan", {"fields": FIELDS})).status == 403
    assert (await editor.post("/content-types/thing/rollback")).status == 403


async def test_documents_go_on_naming_unpublished_targets_when_the_relation_is_renamed_or_removed(things, drain):
    target = await create(things, publish=False, title="Target")
    item = await create(things, link=target["id"])

    async def named():
        return (await things.get(f"/content/{item['id']}?status=published")).json.get("unpublished")

    assert await named() == [{"field": "link", "id": target["id"]}]
    renamed = {"key": "leads_to", "type": "relation", "target": "thing", "renamed_from": "link"}
    await apply(things, replaced("link", renamed), drain)
    assert await named() == [{"field": "leads_to", "id": target["id"]}]
    await things.post(f"/content/{target['id']}/publish")
    await drain()
    assert await named() is None
    await things.post(f"/content/{target['id']}/unpublish")
    await drain()
    assert await named() == [{"field": "leads_to", "id": target["id"]}]
    await apply(things, without("link"), drain)
    assert await named() is None
    await roll_back(things, drain)
    assert await named() == [{"field": "leads_to", "id": target["id"]}]
