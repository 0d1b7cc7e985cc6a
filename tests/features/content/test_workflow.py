"""Workflows: stages of items, who moves them where, and what may be published in which."""

import asyncio
import json
import secrets

import pytest
import pytest_asyncio
from aiohttp import FormData

from scaicms.infra import db
from tests.conftest import ARTICLE, role_with
from tests.features.content.schedules import LATER, come, create, listed, schedule

WORKFLOW = {
    "initial": "writing",
    "stages": [
        {"key": "writing", "name": "Writing"},
        {"key": "review", "name": "Review", "roles": ["author", "editor"]},
        {"key": "ready", "name": "Ready", "permission": "content:publish", "publishable": True},
    ],
}


@pytest_asyncio.fixture
async def staged(site):
    """A site whose articles go through stages."""
    answer = await site.post("/content-types", {**ARTICLE, "workflow": WORKFLOW})
    assert answer.status == 201, answer.raw
    return site


async def move(api, item, stage, **body):
    return await api.post(f"/content/{item['id']}/move", {"stage": stage, **body})


async def set_workflow(api, workflow):
    return await api.patch("/content-types/article", {"workflow": workflow})


def without(key):
    return {**WORKFLOW, "stages": [stage for stage in WORKFLOW["stages"] if stage["key"] != key]}


async def test_items_begin_in_the_first_stage_and_are_published_in_one_that_is_for_it(staged):
    item = await create(staged)
    assert item["stage"] == "writing"
    refused = await staged.post(f"/content/{item['id']}/publish")
    assert (refused.status, refused.code, refused.json["detail"]["stage"]) == (409, "not_publishable", "writing")
    assert "Writing" in refused.json["detail"]["message"]
    assert (await staged.post(f"/content/{item['id']}/publish?dry_run=true")).status == 409
    at_once = await staged.post("/content", {"type": "article", "data": {"title": "x"}, "publish": True})
    assert at_once.code == "not_publishable"
    assert (await staged.get("/content?type=article&status=any")).json["total"] == 1
    moved = await move(staged, item, "ready", comment="Good.")
    assert (moved.status, moved.json["stage"], moved.json["version"]) == (200, "ready", 1)
    assert (await staged.post(f"/content/{item['id']}/publish")).json["status"] == "published"
    assert "stage" not in (await staged.get(f"/content/{item['id']}?status=published")).json


async def test_moving_back_keeps_what_is_published_and_refuses_the_next(staged):
    item = await create(staged)
    await move(staged, item, "ready")
    assert (await staged.post(f"/content/{item['id']}/publish")).status == 200
    assert (await move(staged, item, "writing")).json["status"] == "published"
    assert (await staged.get(f"/content/{item['id']}?status=published")).status == 200
    assert (await staged.post(f"/content/{item['id']}/publish")).code == "not_publishable"
    assert (await staged.post(f"/content/{item['id']}/unpublish")).status == 200


async def test_moves_are_kept_as_events_with_their_comments(staged, admin):
    item = await create(staged)
    await move(staged, item, "review", comment="Please look.")
    await move(staged, item, "review")
    await move(staged, item, "ready")
    log = (await admin.get(f"/users/audit?target={item['id']}&action=content.moved")).json["items"]
    assert [(e["data"]["from_stage"], e["data"]["to_stage"], e["data"]["comment"]) for e in reversed(log)] == [
        ("writing", "review", "Please look."),
        ("review", "ready", None),
    ]


async def test_each_stage_says_who_moves_items_there(staged, user, granted, admin):
    item = await create(staged)
    editor, author = await user("editor", site=staged.site), await user("author", site=staged.site)
    mine = await create(author)
    assert (await move(author, mine, "review")).status == 200
    refused = await move(author, mine, "ready")
    assert (refused.status, refused.code) == (403, "forbidden")
    assert "content:publish" in refused.json["detail"]["message"]
    assert (await move(author, mine, "writing")).status == 200
    assert (await move(editor, mine, "ready")).status == 200
    changes = await granted(staged, "content:update", "content:read_drafts", "content:read")
    assert (await move(changes, item, "review")).status == 403
    reader = await granted(staged, "content:read_drafts")
    assert (await move(reader, item, "writing")).status == 403
    assert (await move(staged.anonymous(), item, "writing")).status == 401
    elsewhere = await role_with(admin, "content:update", "content:read_drafts")
    far = await user(elsewhere, site=staged.site)
    me = (await far.get("/auth/profile")).json
    other = (await admin.post("/sites", {"key": f"z{me['id'][:8]}", "name": "Other"})).json["id"]
    both = [*me["roles"], {"role": "editor", "site_id": other}]
    assert (await admin.put(f"/users/{me['id']}/roles", both)).status == 200
    assert (await move(far, item, "review")).status == 403


async def test_narrowed_rights_bound_moves(staged, granted):
    theirs = await create(staged)
    own = await granted(staged, {"permission": "content:update", "own_only": True}, "content:create")
    assert (await move(own, theirs, "writing")).status == 404
    fields = {"permission": "content:update", "fields": ["title"]}
    narrow = await granted(staged, fields, "content:read_drafts")
    answer = await move(narrow, theirs, "writing")
    assert (answer.status, answer.code) == (403, "field_forbidden")
    publishes = {"permission": "content:publish", "content_types": ["page"]}
    other_type = await granted(staged, publishes, "content:update", "content:read_drafts")
    assert (await move(other_type, theirs, "ready")).status == 403


async def test_wrong_moves_are_refused(staged):
    item = await create(staged)
    unknown = await move(staged, item, "nowhere")
    assert (unknown.status, unknown.json["detail"]["errors"][0]["code"]) == (422, "unknown_stage")
    assert (await move(staged, item, "ready", colour="red")).status == 422
    stale = await staged.post(f"/content/{item['id']}/move", {"stage": "ready"}, headers={"If-Match": '"v7"'})
    assert stale.status == 412


async def test_types_without_a_workflow_have_no_stages(articles):
    item = await create(articles)
    assert "stage" not in item
    answer = await move(articles, item, "review")
    assert (answer.status, answer.code) == (409, "no_workflow")
    assert (await articles.get("/content?type=article&status=any&stage=review")).code == "invalid_filter"
    assert (await articles.get("/content-types/article")).json["workflow"] is None


async def test_drafts_are_listed_by_stage(staged):
    items = [await create(staged, title=f"Number {n}") for n in range(3)]
    await move(staged, items[1], "review")

    async def found(stage, status="any"):
        answer = await staged.get(f"/content?type=article&status={status}&stage={stage}&sort=slug")
        return [item["id"] for item in answer.json["items"]] if answer.status == 200 else answer.code

    assert await found("writing") == [items[0]["id"], items[2]["id"]]
    assert await found("review", "draft") == [items[1]["id"]]
    assert await found("ready") == []
    assert await found("nowhere") == "invalid_filter"
    assert await found("ready", "published") == "invalid_filter"


async def test_the_etag_of_a_draft_follows_its_stage_and_its_times(staged):
    item = await create(staged)
    path = f"/content/{item['id']}?status=draft"
    tags = [(await staged.get(path)).headers["ETag"]]
    await move(staged, item, "ready")
    tags.append((await staged.get(path)).headers["ETag"])
    await schedule(staged, item)
    tags.append((await staged.get(path)).headers["ETag"])
    assert len(set(tags)) == 3
    assert (await staged.get(path, headers={"If-None-Match": tags[-1]})).status == 304
    patched = await staged.patch(f"/content/{item['id']}", {"data": {"count": 1}}, headers={"If-Match": tags[-1]})
    assert patched.status == 200


async def test_what_is_due_in_a_stage_that_is_not_for_it_fails_and_names_it(staged, drain):
    item = await create(staged)
    await schedule(staged, item)
    await come(item["id"])
    await drain()
    [row] = await listed(staged, item)
    assert (row["state"], "Writing" in row["error"]) == ("failed", True)
    await schedule(staged, item, at=LATER)
    await move(staged, item, "ready")
    await come(item["id"])
    await drain()
    assert (await staged.get(f"/content/{item['id']}?status=published")).status == 200


async def test_a_workflow_that_makes_no_sense_is_refused(site):
    def changed(**change):
        return {**WORKFLOW, "stages": [WORKFLOW["stages"][0], {**WORKFLOW["stages"][1], **change}]}

    for workflow, pointer in (
        ({**WORKFLOW, "initial": "nowhere"}, "/workflow"),
        ({**WORKFLOW, "stages": []}, "/workflow/stages"),
        (changed(key="writing"), "/workflow"),
        (changed(roles=["author", "nobody_has_this"]), "/workflow/stages/1/roles/1"),
        (changed(permission="content:nothing"), "/workflow/stages/1/permission"),
        (changed(colour="red"), "/workflow/stages/1/colour"),
        (changed(name=""), "/workflow/stages/1/name"),
    ):
        answer = await site.post("/content-types", {**ARTICLE, "workflow": workflow})
        assert answer.status == 422, workflow
        assert answer.json["detail"]["errors"][0]["pointer"] == pointer


async def test_a_stage_with_items_cannot_be_taken_away(staged):
    item = await create(staged)
    await move(staged, item, "review")
    refused = await set_workflow(staged, without("review"))
    assert (refused.status, refused.code) == (409, "stage_in_use")
    assert refused.json["detail"]["errors"][0]["message"] == "Items in the stage review: 1."
    await move(staged, item, "writing")
    assert (await set_workflow(staged, without("review"))).status == 200
    assert (await move(staged, item, "review")).status == 422


async def test_a_stage_is_not_taken_away_while_an_item_is_moved_there(staged):
    for _ in range(6):
        assert (await set_workflow(staged, WORKFLOW)).status == 200
        item = await create(staged)
        moved, changed = await asyncio.gather(move(staged, item, "review"), set_workflow(staged, without("review")))
        there = await db.fetchval("SELECT stage FROM items WHERE id = $1::uuid", item["id"])
        assert (there == "review") == (moved.status == 200)
        assert changed.status == (409 if there == "review" else 200)
        assert (await staged.delete(f"/content/{item['id']}")).status == 204


async def test_a_workflow_comes_and_goes_with_its_type_and_in_bundles(staged, admin):
    item = await create(staged)
    bundle = (await staged.get("/content-types/bundle?parts=content_types")).json
    [entry] = bundle["content_types"]
    assert entry["workflow"]["initial"] == "writing"
    other = await admin.post("/sites", {"key": f"y{item['id'][-8:]}", "name": "Other"})
    there = admin.at(other.json["key"])
    assert (await there.post("/content-types/bundle", bundle)).status == 200
    assert (await there.get("/content-types/article")).json["workflow"] == (
        (await staged.get("/content-types/article")).json["workflow"]
    )
    assert (await set_workflow(staged, None)).json["workflow"] is None
    assert (await staged.post(f"/content/{item['id']}/publish")).status == 200
    named = await staged.patch("/content-types/article", {"name": "Post"})
    assert named.json["workflow"] is None
    assert (await set_workflow(staged, WORKFLOW)).status == 200
    assert (await staged.get(f"/content/{item['id']}?status=draft")).json["stage"] == "writing"


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
