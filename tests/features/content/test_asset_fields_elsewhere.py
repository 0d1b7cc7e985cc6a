"""Fields of assets by every other way: bulk, revisions, copies, plans, bundles, exports, imports, the past."""

import json

import pytest

from tests.features.assets.pictures import picture, ready
from tests.features.content.test_asset_fields import MISSING, PAGE, figure, image, make, note, pages
from tests.features.content.test_restore import export, restore, send

__all__ = ["image", "note", "pages"]


@pytest.fixture
async def other_image(site, drain):
    return await ready(site, drain, picture(44, 44, (1, 1, 1)), "other.png")


async def uses(api, asset):
    answer = await api.get(f"/assets/{asset['id']}/usage")
    assert answer.status == 200, answer.raw
    return [(item["id"], item["fields"]) for item in answer.json["items"]]


async def test_bulk_checks_as_single_writes_do(pages, image):
    create = {"op": "create", "type": "page", "data": {"title": "B", "hero": image["id"]}}
    wrong = {"op": "create", "type": "page", "data": {"title": "B", "hero": MISSING}}
    answer = (await pages.post("/content/bulk", {"operations": [create, wrong], "atomic": False})).json
    assert [result["status"] for result in answer["results"]] == [201, 422]
    assert len(await uses(pages, image)) == 1


async def test_revisions_tell_what_became_of_assets_and_bring_them_back(pages, image, other_image, note):
    item = await make(pages, publish=False, hero=image["id"], files=[note["id"], image["id"]])
    path = f"/content/{item['id']}"
    await pages.patch(path, {"data": {"hero": other_image["id"], "files": [image["id"], other_image["id"]]}})
    changed = (await pages.get(f"{path}/revisions/2/diff?against=1")).json["fields"]
    assert (changed["hero"]["before"], changed["hero"]["after"]) == (image["id"], other_image["id"])
    assert {(one["op"], one["id"]) for one in changed["files"]["elements"]} >= {
        ("removed", note["id"]), ("added", other_image["id"]),
    }  # fmt: skip
    back = await pages.post(f"{path}/revisions/1/restore", {})
    assert back.status == 200 and back.json["data"]["hero"] == image["id"]
    assert await uses(pages, other_image) == [] and len(await uses(pages, note)) == 1
    await pages.delete(f"/assets/{image['id']}?force=true")
    await pages.patch(path, {"data": {"hero": None, "files": None}})
    refused = await pages.post(f"{path}/revisions/1/restore", {})
    assert refused.status == 422
    assert {error["code"] for error in refused.json["detail"]["errors"]} == {"unknown_asset"}


async def test_the_past_shows_assets_as_they_are_now(pages, image, other_image):
    item = await make(pages, hero=image["id"])
    then = (await pages.get(f"/content/{item['id']}")).json["published_at"]
    await pages.patch(f"/content/{item['id']}", {"data": {"hero": other_image["id"]}})
    await pages.post(f"/content/{item['id']}/publish", {})
    for path in (f"/content/{item['id']}?", "/content?type=page&"):
        past = (await pages.get(f"{path}as_of={then}&include=hero")).json
        assert past["included"].keys() == {image["id"]}
    assert (await pages.delete(f"/assets/{image['id']}")).status == 204, "the past keeps nothing from going"
    assert (await pages.get(f"/content/{item['id']}?as_of={then}&include=hero")).json["included"] == {}


async def test_copies_use_what_the_original_uses(pages, image):
    item = await make(pages, publish=False, hero=image["id"], body=figure(image["id"]))
    copy = await pages.post(f"/content/{item['id']}/duplicate", {})
    assert copy.status == 201, copy.raw
    assert {one for one, _ in await uses(pages, image)} == {item["id"], copy.json["id"]}


async def test_a_translation_has_its_own_and_counts_as_use(pages, admin, image, other_image):
    changed = await admin.patch(f"/sites/{pages.site}", {"locales": [{"code": "en"}, {"code": "de"}]})
    assert changed.status == 200
    item = await make(pages, caption=image["id"])
    put = await pages.put(f"/content/{item['id']}/translations/de", {"data": {"caption": other_image["id"]}})
    assert put.status in (200, 201), put.raw
    assert len(await uses(pages, image)) == len(await uses(pages, other_image)) == 1
    wrong = await pages.patch(f"/content/{item['id']}/translations/de", {"data": {"caption": MISSING}})
    assert wrong.status == 422
    assert (await pages.delete(f"/content/{item['id']}/translations/de")).status == 204
    assert await uses(pages, other_image) == []


async def test_previews_name_assets_that_are_gone(pages, client, image, other_image):
    item = await make(pages, publish=False, hero=image["id"], caption=other_image["id"])
    assert (await pages.delete(f"/assets/{image['id']}?force=true")).status == 204
    token = (await pages.post(f"/content/{item['id']}/preview", {})).json["token"]
    shown = await pages.with_token(token).get(f"/content/{item['id']}")
    assert shown.status == 200, shown.raw
    assert shown.json["unpublished"] == [{"field": "hero", "id": image["id"]}]


async def planned(api, fields):
    answer = await api.post("/content-types/page/plan", {"fields": fields})
    assert answer.status == 200, answer.raw
    return answer.json


async def applied(api, drain, fields):
    plan = await planned(api, fields)
    answer = await api.post(f"/content-types/page/plan/{plan['plan_id']}/apply")
    assert answer.status == 202, answer.raw
    await drain()
    assert (await api.get(answer.headers["Location"])).json["state"] == "done"


async def fields_of(api, **replaced):
    found = (await api.get("/content-types/page")).json["fields"]
    return [{**field, **replaced.get(field["key"], {})} for field in found]


async def test_plans_carry_what_is_used_along(pages, drain, image, other_image):
    item = await make(pages, hero=image["id"], caption=other_image["id"])
    renamed = await fields_of(
        pages,
        hero={"key": "cover", "renamed_from": "hero", "type": "assets"},
        caption={"type": "string"},
    )
    await applied(pages, drain, renamed)
    now = (await pages.get(f"/content/{item['id']}?include=cover")).json
    assert now["data"]["cover"] == [image["id"]] and now["included"].keys() == {image["id"]}
    assert await uses(pages, image) == [(item["id"], ["cover"])] and await uses(pages, other_image) == []
    assert (await pages.delete(f"/assets/{image['id']}")).json["detail"]["usage"] == {"items": 1, "documents": 1}
    await applied(pages, drain, await fields_of(pages, caption={"type": "asset"}))
    assert await uses(pages, other_image) == [(item["id"], ["caption"])]
    assert (await pages.delete(f"/assets/{other_image['id']}")).status == 409


async def test_a_plan_about_one_locale_leaves_what_the_others_use(pages, admin, drain, image, other_image):
    changed = await admin.patch(f"/sites/{pages.site}", {"locales": [{"code": "en"}, {"code": "de"}]})
    assert changed.status == 200
    extra = [{"key": "own", "type": "asset", "localized": True}, {"key": "word", "type": "string", "localized": True}]
    widened = await pages.patch("/content-types/page", {"fields": [*PAGE["fields"], *extra]})
    assert widened.status == 200, widened.raw
    item = await make(pages, publish=False, caption=image["id"], word=image["id"])
    put = await pages.put(f"/content/{item['id']}/translations/de", {"data": {"own": other_image["id"]}})
    assert put.status in (200, 201), put.raw
    await applied(pages, drain, await fields_of(pages, caption={"key": "drawing", "renamed_from": "caption"}))
    assert await uses(pages, image) == [(item["id"], ["drawing"])]
    assert await uses(pages, other_image) == [(item["id"], ["own"])]
    await applied(pages, drain, await fields_of(pages, word={"type": "asset"}))
    assert await uses(pages, image) == [(item["id"], ["drawing", "word"])]
    assert await uses(pages, other_image) == [(item["id"], ["own"])]


async def test_plans_say_what_cannot_become_an_asset(pages, image):
    await make(pages, publish=False)
    failing = await planned(pages, await fields_of(pages, title={"type": "asset"}))
    change = next(change for change in failing["changes"] if change["field"] == "title")
    assert change["destructive"] and "id of an asset" in change["failing"][0]["message"]
    narrower = await pages.patch(
        "/content-types/page", {"fields": await fields_of(pages, hero={"accept": ["image/png"]})}
    )
    assert (narrower.status, narrower.code) == (409, "plan_required")
    wider = await fields_of(pages, hero={"accept": ["image/*", "video/*"]}, caption={"accept": None})
    assert (await pages.patch("/content-types/page", {"fields": wider})).status == 200


async def test_descriptions_say_that_assets_are_ids(pages):
    schema = (await pages.get("/content-types/page/schema")).json["properties"]
    assert json.dumps(schema["hero"]).count('"format": "uuid"') == 1
    assert '"maxItems": 3' in json.dumps(schema["files"])
    typescript = (await pages.get("/content-types/page/types?language=typescript")).raw.decode()
    assert "hero?: string;" in typescript and "files?: string[];" in typescript
    python = (await pages.get("/content-types/page/types?language=python")).raw.decode()
    assert '"files": NotRequired[list[str]]' in python


async def test_bundles_carry_fields_of_assets(pages, admin):
    bundle = (await pages.get("/content-types/bundle?parts=content_types")).json
    other = admin.at(f"{pages.site}b")
    assert (await admin.post("/sites", {"key": other.site, "name": "b"})).status == 201
    assert (await other.post("/content-types/bundle", bundle)).status == 200
    hero = next(f for f in (await other.get("/content-types/page")).json["fields"] if f["key"] == "hero")
    assert hero["accept"] == ["image/*"]
    assert (await other.post("/content-types/bundle?dry_run=true", bundle)).json["drift"] == []


async def test_exports_have_ids_and_are_taken_in_where_the_assets_are_and_where_not(pages, admin, drain, image):
    item = await make(pages, hero=image["id"])
    raw = await export(pages)
    assert (await pages.delete(f"/content/{item['id']}?permanent=true")).status == 204
    assert await uses(pages, image) == []
    report = await restore(pages, raw, drain)
    assert (report["created"], report["problems"]) == (1, [])
    assert await uses(pages, image) == [(item["id"], ["hero"])]
    assert "unpublished" not in (await pages.get(f"/content/{item['id']}")).json
    assert (await pages.delete(f"/content/{item['id']}?permanent=true")).status == 204
    other = admin.at(f"{pages.site}r")
    assert (await admin.post("/sites", {"key": other.site, "name": "r"})).status == 201
    bundle = (await pages.get("/content-types/bundle?parts=content_types")).json
    assert (await other.post("/content-types/bundle", bundle)).status == 200
    report = await restore(other, raw, drain)
    assert [problem["code"] for problem in report["problems"]] == ["dangling"]
    there = (await other.get(f"/content/{item['id']}?include=hero")).json
    assert there["unpublished"] == [{"field": "hero", "id": image["id"]}] and there["included"] == {}
    assert (await pages.get("/assets?unused=true")).json["total"] == 1, "another site's items are no use of it"
    assert (await pages.delete(f"/assets/{image['id']}")).status == 204


async def test_imports_take_ids_and_report_what_is_none(pages, drain, image):
    rows = [
        {"title": "One", "hero": image["id"]},
        {"title": "Two", "hero": MISSING},
        {"title": "Three", "hero": "x.png"},
    ]
    raw = "\n".join(json.dumps(row) for row in rows).encode()
    answer = await send(pages, raw, format="rows", type="page")
    assert answer.status == 202, answer.raw
    await drain()
    report = (await pages.get(f"/search/jobs/{answer.json['job_id']}")).json["result"]
    assert (report["created"], report["failed"]) == (1, 2)
    assert len(await uses(pages, image)) == 1
