"""An approval is for what was approved: it ends with a change by somebody who may not give it."""

import json
import secrets

import pytest
import pytest_asyncio
from aiohttp import FormData

from scaicms.infra import db
from tests.conftest import ARTICLE
from tests.features.content.schedules import come, create, listed, schedule
from tests.features.content.workflows import WORKFLOW, move, set_workflow


async def approved(staged, **more):
    """An item in the stage `ready`, with a second revision."""
    item = await create(staged, **more)
    assert (await staged.patch(f"/content/{item['id']}", {"data": {"body": "second"}})).status == 200
    assert (await move(staged, item, "ready")).status == 200
    return item


async def stage_of(api, item):
    return (await api.get(f"/content/{item['id']}?status=any")).json["stage"]


def patch(api, item):
    return api.patch(f"/content/{item['id']}", {"data": {"title": "changed"}})


def put(api, item):
    return api.put(f"/content/{item['id']}", {"data": {"title": "changed"}})


def rename(api, item):
    return api.patch(f"/content/{item['id']}", {"data": {}, "slug": f"s-{secrets.token_hex(4)}"})


def merge(api, item):
    return api.patch(f"/content/{item['id']}?merge=true", {"data": {"count": 3}}, headers={"If-Match": '"v1"'})


def bulk(api, item):
    operation = {"op": "update", "id": item["id"], "data": {"title": "changed"}}
    return api.post("/content/bulk", {"operations": [operation]})


def restore(api, item):
    return api.post(f"/content/{item['id']}/revisions/1/restore", {})


def translate(api, item):
    return api.put(f"/content/{item['id']}/translations/de", {"data": {"title": "anders"}})


CHANGES = [patch, put, rename, merge, bulk, restore, translate]


@pytest_asyncio.fixture
async def staged_in_two(site):
    """A site in two languages whose articles go through stages."""
    answer = await site.patch(f"/sites/{site.site}", {"locales": [{"code": "en"}, {"code": "de"}]})
    assert answer.status == 200, answer.raw
    fields = [{**f, "localized": True} if f["key"] in ("title", "body") else f for f in ARTICLE["fields"]]
    answer = await site.post("/content-types", {**ARTICLE, "fields": fields, "workflow": WORKFLOW})
    assert answer.status == 201, answer.raw
    return site


@pytest.mark.parametrize("change", CHANGES)
async def test_an_approval_lapses_with_a_change_by_somebody_who_may_not_give_it(staged_in_two, granted, admin, change):
    staged = staged_in_two
    item = await approved(staged)
    writer = await granted(staged, "content:update", "content:read_drafts", "content:read")
    answer = await change(writer, item)
    assert answer.status in (200, 201), answer.raw
    body = answer.json["results"][0]["item"] if change is bulk else answer.json
    assert (body["stage"], body["lapsed_stage"]) == ("writing", "ready")
    assert await stage_of(staged, item) == "writing"
    assert (await staged.post(f"/content/{item['id']}/publish")).code == "not_publishable"
    (moved,) = [
        entry["data"]
        for entry in (await admin.get(f"/users/audit?target={item['id']}&action=content.moved")).json["items"]
        if entry["data"]["lapsed"]
    ]
    assert (moved["from_stage"], moved["to_stage"]) == ("ready", "writing")


@pytest.mark.parametrize("change", CHANGES)
async def test_an_approval_stays_with_a_change_by_somebody_who_may_give_it(staged_in_two, granted, change):
    staged = staged_in_two
    item = await approved(staged)
    editor = await granted(staged, "content:update", "content:read_drafts", "content:read", "content:publish")
    answer = await change(editor, item)
    assert answer.status in (200, 201), answer.raw
    assert await stage_of(staged, item) == "ready"


async def test_a_lapse_goes_back_to_the_nearest_stage_that_the_writer_may_move_to(staged, user):
    item = await approved(staged)
    author = await user("author", site=staged.site)
    mine = await create(author)
    await move(staged, mine, "ready")
    assert (await patch(author, mine)).json["stage"] == "review"
    assert (await author.patch(f"/content/{item['id']}", {"data": {"title": "x"}})).status in (403, 404)
    assert await stage_of(staged, item) == "ready"


async def test_a_save_that_changes_nothing_and_a_workflow_that_says_so_keep_the_approval(staged, granted):
    item = await approved(staged)
    writer = await granted(staged, "content:update", "content:read_drafts")
    same = await writer.patch(f"/content/{item['id']}", {"data": {"body": "second"}})
    assert (same.json["stage"], "lapsed_stage" in same.json) == ("ready", False)
    assert (await set_workflow(staged, {**WORKFLOW, "approval_lapses": False})).status == 200
    assert (await patch(writer, item)).json["stage"] == "ready"


async def test_terms_and_removed_locales_end_an_approval(staged_in_two, granted):
    staged = staged_in_two
    assert (await staged.post("/taxonomies", {"key": "topics", "name": "Topics"})).status == 201
    term = (await staged.post("/taxonomies/topics/terms", {"name": "Rust"})).json
    writer = await granted(staged, "content:update", "content:delete", "content:read_drafts", "content:read")
    item = await approved(staged)
    given = await writer.post(f"/taxonomies/topics/terms/{term['id']}/content", {"content_ids": [item["id"]]})
    assert given.status == 200, given.raw
    assert await stage_of(staged, item) == "writing"
    assert (await translate(staged, item)).status == 201
    await move(staged, item, "ready")
    assert (await writer.delete(f"/content/{item['id']}/translations/de")).status == 204
    assert await stage_of(staged, item) == "writing"


async def test_a_scheduled_publication_of_a_lapsed_approval_fails_and_says_so(staged, granted, drain):
    item = await approved(staged)
    await schedule(staged, item)
    writer = await granted(staged, "content:update", "content:read_drafts")
    assert (await patch(writer, item)).json["stage"] == "writing"
    await come(item["id"])
    await drain()
    (failed,) = await listed(staged, item, state="failed")
    assert "Writing" in failed["error"]
    assert (await staged.get(f"/content/{item['id']}?status=published")).status == 404


async def take_in(api, drain, name, raw, **parts):
    """Import a file and wait; the job's report."""
    form = FormData()
    for key, value in parts.items():
        form.add_field(key, value)
    form.add_field("file", raw, filename=name)
    answer = await api.call("POST", "/content/import", data=form)
    assert answer.status == 202, answer.raw
    await drain()
    return (await db.fetchrow("SELECT state, result FROM jobs WHERE id = $1::uuid", answer.json["job_id"]))["result"]


async def test_an_import_ends_an_approval_and_reports_it(staged, granted, drain):
    writer = await granted(
        staged, "content:import", "content:create", "content:update", "content:read_drafts", "content:read"
    )
    row = {"slug": "one", "title": "First"}
    await take_in(writer, drain, "a.ndjson", json.dumps(row).encode(), type="article")
    (item,) = (await staged.get("/content?type=article&status=any")).json["items"]
    await move(staged, item, "ready")
    report = await take_in(writer, drain, "a.ndjson", json.dumps({**row, "title": "Second"}).encode(), type="article")
    assert await stage_of(staged, item) == "writing"
    assert "no longer in the stage ready" in str(report)


async def test_an_export_that_is_taken_in_gives_no_approval_that_its_sender_may_not_give(site, granted, drain):
    known = {**WORKFLOW, "stages": [*WORKFLOW["stages"][:2], {"key": "ready", "name": "R", "roles": ["administrator"]}]}
    await site.post("/content-types", {**ARTICLE, "workflow": known})
    item = await create(site)
    await move(site, item, "ready")
    raw = (await site.get("/content/export")).raw
    assert (await site.delete(f"/content/{item['id']}?permanent=true")).status == 204
    everything = ("content:import", "content:create", "content:update", "content:publish", "content:read_drafts")
    sender = await granted(site, *everything, "content:read", "taxonomies:write", "taxonomies:read")
    await take_in(sender, drain, "export.ndjson", raw, format="export")
    assert await stage_of(site, item) == "writing"
