"""While an item is on legal hold nothing of its past goes: not by its type, and not by its assets."""

import secrets

import pytest
from aiohttp import FormData

HELD_FIELDS = {
    "key": "record",
    "name": "Record",
    "fields": [
        {"key": "title", "type": "string"},
        {"key": "proof", "type": "string"},
        {"key": "scan", "type": "asset"},
        {"key": "scans", "type": "assets"},
        {
            "key": "blocks",
            "type": "blocks",
            "components": [
                {"key": "page", "fields": [{"key": "scan", "type": "asset"}, {"key": "n", "type": "string"}]}
            ],
        },
    ],
}


@pytest.fixture
async def record_type(site):
    assert (await site.post("/content-types", HELD_FIELDS)).status == 201
    return site


async def held(site, **data):
    item = (await site.post("/content", {"type": "record", "data": {"title": "x", **data}, "publish": True})).json
    assert (await site.put(f"/content/{item['id']}/hold", {"reason": "Case 14"})).status == 200
    return f"/content/{item['id']}"


async def uploaded(site):
    form = FormData()
    form.add_field("file", secrets.token_bytes(30), filename="scan.bin")
    return (await site.call("POST", "/assets", data=form)).json["id"]


def without_proof(**change):
    fields = [field for field in HELD_FIELDS["fields"] if field["key"] != "proof"]
    return [*fields, *([{"key": "proof", "type": "string", **change}] if change else [])]


LOSSES = {
    "a removed field": without_proof(),
    "a converted field": without_proof(type="integer"),
    "a tightened field": without_proof(max_length=2),
    "a field of a component": [
        {**field, "components": [{"key": "page", "fields": [{"key": "scan", "type": "asset"}]}]}
        if field["key"] == "blocks"
        else field
        for field in HELD_FIELDS["fields"]
    ],
}


@pytest.mark.parametrize("change", LOSSES)
async def test_no_change_of_its_type_takes_values_of_a_held_item_away(record_type, drain, change):
    path = await held(record_type, proof="12", blocks=[{"_type": "page", "n": "1"}])
    before = (await record_type.get(f"{path}/revisions/1")).json
    plan = (await record_type.post("/content-types/record/plan", {"fields": LOSSES[change]})).json
    refused = await record_type.post(f"/content-types/record/plan/{plan['plan_id']}/apply")
    assert (refused.status, refused.code, refused.json["detail"]["held"]) == (409, "on_hold", 1)
    await drain()
    assert (await record_type.get(f"{path}/revisions/1")).json == before
    assert (await record_type.delete(f"{path}/hold")).status == 204
    assert (await record_type.post(f"/content-types/record/plan/{plan['plan_id']}/apply")).status == 202


async def test_a_hold_that_comes_after_a_plan_was_handed_over_counts(record_type, drain):
    made = (await record_type.post("/content", {"type": "record", "data": {"title": "x", "proof": "y"}})).json
    plan = (await record_type.post("/content-types/record/plan", {"fields": without_proof()})).json
    applied = await record_type.post(f"/content-types/record/plan/{plan['plan_id']}/apply")
    assert (await record_type.put(f"/content/{made['id']}/hold", {"reason": "Case 14"})).status == 200
    await drain()
    job = (await record_type.get(f"/search/jobs/{applied.json['job_id']}")).json
    assert (job["state"], "legal hold" in job["last_error"]) == ("dead", True), job
    assert (await record_type.get(f"/content/{made['id']}/revisions/1")).json["data"]["proof"] == "y"
    assert (await record_type.patch("/content-types/record", {"name": "Again"})).status == 200


async def test_a_rollback_takes_no_values_of_a_held_item_away(record_type, drain):
    fields = [*HELD_FIELDS["fields"], {"key": "later", "type": "string"}]
    assert (await record_type.patch("/content-types/record", {"fields": fields})).status == 200
    path = await held(record_type, later="proof")
    refused = await record_type.post("/content-types/record/rollback")
    assert (refused.status, refused.code) == (409, "on_hold")
    assert (await record_type.get(f"{path}/revisions/1")).json["data"]["later"] == "proof"


async def test_changes_that_lose_nothing_go_on_while_items_are_held(record_type, drain):
    path = await held(record_type, proof="y")
    fields = [*without_proof(), {"key": "evidence", "type": "text", "renamed_from": "proof"}]
    plan = (await record_type.post("/content-types/record/plan", {"fields": fields})).json
    assert (await record_type.post(f"/content-types/record/plan/{plan['plan_id']}/apply")).status == 202
    await drain()
    assert (await record_type.get(f"{path}/revisions/1")).json["data"]["evidence"] == "y"


@pytest.mark.parametrize("place", ["scan", "scans", "blocks"])
@pytest.mark.parametrize("now", ["shown", "not any more", "in the trash"])
async def test_what_a_held_item_shows_or_has_shown_is_not_deleted(record_type, place, now):
    asset, other = await uploaded(record_type), await uploaded(record_type)
    values = {"scan": asset, "scans": [asset], "blocks": [{"_type": "page", "scan": asset}]}
    path = await held(record_type, **{place: values[place]})
    if now != "shown":
        assert (await record_type.patch(path, {"data": {place: None}})).status == 200
        assert (await record_type.post(f"{path}/publish")).status == 200
    if now == "in the trash":
        assert (await record_type.delete(path)).status == 204
    for way in ("", "?force=true"):
        refused = await record_type.delete(f"/assets/{asset}{way}")
        assert (refused.status, refused.code) == (409, "on_hold"), refused.raw
    assert (await record_type.get(f"/assets/{asset}/file")).status == 200
    assert (await record_type.delete(f"/assets/{other}")).status == 204
    if now != "in the trash":
        assert (await record_type.delete(f"{path}/hold")).status == 204
        assert (await record_type.delete(f"/assets/{asset}?force=true")).status == 204
