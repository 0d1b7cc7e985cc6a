"""Workflows: stages of items, who moves them where, and what may be published in which."""

import asyncio

from scaicms.infra import db
from tests.conftest import ARTICLE, role_with
from tests.features.content.schedules import LATER, come, create, listed, schedule
from tests.features.content.workflows import WORKFLOW, move, set_workflow, without


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
