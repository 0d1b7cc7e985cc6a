"""What can be permitted, who may do what, and why: explanations agree with what really happens."""

import itertools
import secrets
from uuid import uuid4

import pytest

from tests.conftest import role_with


async def id_of(api):
    return (await api.get("/auth/profile")).json["id"]


async def site_id_of(admin, site):
    return (await admin.get(f"/sites/{site.site}")).json["id"]


@pytest.fixture
def ask(admin):
    async def ask(principal, action, **target):
        answer = await admin.post("/permissions/explain", {"principal": principal, "action": action, "target": target})
        assert answer.status == 200, answer.raw
        return answer.json

    return ask


async def test_the_catalogue_says_what_grants_can_be_narrowed_by(admin):
    items = {item["code"]: item for item in (await admin.get("/permissions")).json["items"]}
    assert items["content:update"]["bounds"] == ["content_types", "locales", "fields", "own_only"]
    assert (items["users:write"]["scope"], items["users:write"]["bounds"]) == ("global", [])
    assert {"groups:read", "groups:write", "audit:read"} <= set(items)


async def test_effective_permissions_are_the_union_of_roles_groups_and_the_public_role(admin, articles, user):
    site_id = await site_id_of(admin, articles)
    narrow = {"permission": "content:update", "fields": ["title"], "content_types": ["article"]}
    mine, groups, everybodys = [
        await role_with(admin, *grants) for grants in ((narrow, "content_types:read"), ("content:read_drafts",),
                                                      ("content:read",))
    ]  # fmt: skip
    member = await user(mine, site=articles.site)
    me = await id_of(member)
    group = (await admin.post("/groups", {"name": f"G {groups}"})).json["id"]
    await admin.put(f"/groups/{group}/roles", [{"role": groups}])
    await admin.post(f"/groups/{group}/members", {"user_ids": [me]})
    await admin.patch(f"/sites/{articles.site}", {"settings": {"public_role": everybodys}})
    listed = (await admin.get(f"/permissions/effective?user_id={me}&site_id={site_id}")).json
    bounds = {"content_types": ["article"], "locales": None, "fields": ["title"], "own_only": False}
    assert {(i["permission"], i["site_id"], str(i["bounds"])) for i in listed["items"]} == {
        ("content:read", site_id, "None"),
        ("content:read_drafts", None, "None"),
        ("content_types:read", site_id, "None"),
        ("content:update", site_id, str([bounds])),
    }
    # Everybody may ask about themselves, and nobody else's without the permission.
    assert (await member.get(f"/permissions/effective?user_id={me}")).status == 200
    assert (await member.get("/permissions/effective")).json["total"] == 3
    boss = await id_of(admin)
    assert (await member.get(f"/permissions/effective?user_id={boss}")).status == 403
    assert (await admin.get(f"/permissions/effective?user_id={uuid4()}")).code == "principal_not_found"
    assert (await admin.anonymous().get("/permissions/effective")).status == 401
    everything = (await admin.get("/permissions/effective")).json
    assert everything["total"] == (await admin.get("/permissions")).json["total"]
    await admin.patch(f"/users/{me}", {"is_active": False})
    assert (await admin.get(f"/permissions/effective?user_id={me}&site_id={site_id}")).json["total"] == 0


async def test_an_explanation_names_the_rules_that_decided(admin, articles, user, ask):
    site_id = await site_id_of(admin, articles)
    role = await role_with(admin, {"permission": "content:update", "content_types": ["page"]},
                           {"permission": "content:update", "own_only": True})  # fmt: skip
    member = await user(role, site=articles.site)
    me = {"kind": "user", "id": await id_of(member)}
    theirs = (await articles.post("/content", {"type": "article", "data": {"title": "T"}})).json["id"]
    found = await ask(me, "content:update", site_id=site_id, content_id=theirs)
    assert not found["allowed"]
    assert [reason["effect"] for reason in found["because"]] == ["does_not_reach"] * 2
    assert {"not for the content type article", "only for what is their own"} == {
        reason["message"].partition(", but ")[2].rstrip(".") for reason in found["because"]
    }
    assert all(reason["role"] == role and reason["bounds"] for reason in found["because"])
    assert (await ask(me, "content:update", site_id=site_id, content_type="page"))["allowed"]
    other = (await admin.post("/sites", {"key": f"s{secrets.token_hex(5)}", "name": "S"})).json["id"]
    elsewhere = await ask(me, "content:update", site_id=other, content_type="page")
    assert not elsewhere["allowed"]
    assert "that is another site" in elsewhere["because"][0]["message"]
    nothing = await ask(me, "users:write")
    assert [(r["effect"], r["message"]) for r in nothing["because"]] == [
        ("denies", "No role of theirs grants users:write.")
    ]
    await admin.patch(f"/users/{me['id']}", {"is_active": False})
    barred = await ask(me, "content:update", site_id=site_id, content_type="page")
    assert (barred["allowed"], barred["because"][0]["message"]) == (False, "The account is deactivated.")


async def test_an_explanation_of_a_key_says_what_limits_it(admin, articles, ask):
    site_id = await site_id_of(admin, articles)
    made = (await admin.post("/api-keys", {"name": "k", "permissions": ["content:read"], "site_ids": [site_id]})).json
    key = {"kind": "api_key", "id": made["id"]}
    found = await ask(key, "content:read", site_id=site_id)
    assert found["allowed"]
    assert [reason["effect"] for reason in found["because"]] == ["allows", "limits", "limits"]
    assert found["because"][0]["role"] == "administrator"
    assert not (await ask(key, "content:publish", site_id=site_id))["allowed"]
    assert not (await ask(key, "users:read"))["allowed"]
    await admin.delete(f"/api-keys/{made['id']}")
    assert (await ask(key, "content:read", site_id=site_id))["because"][0]["message"] == "The key was revoked."


async def test_questions_that_make_no_sense_are_refused(admin, articles, user):
    site_id, me = await site_id_of(admin, articles), {"kind": "user", "id": await id_of(admin)}
    for body, status in (
        ({"principal": me, "action": "content:fly"}, 422),
        ({"principal": me, "action": "content:read"}, 422),
        ({"principal": {"kind": "user", "id": str(uuid4())}, "action": "users:read"}, 404),
        ({"principal": {"kind": "anonymous", "id": str(uuid4())}, "action": "users:read"}, 422),
        ({"principal": {"kind": "api_key"}, "action": "users:read"}, 422),
        ({"principal": me, "action": "content:read", "target": {"site_id": str(uuid4())}}, 404),
        ({"principal": me, "action": "content:read", "target": {"site_id": site_id, "content_id": str(uuid4())}}, 404),
        ({"principal": me, "action": "content:read", "target": {"colour": "red"}}, 422),
    ):
        assert (await admin.post("/permissions/explain", body)).status == status, body
    asked = {"principal": me, "action": "users:read"}
    assert (await (await user("editor")).post("/permissions/explain", asked)).status == 403


async def test_explanations_agree_with_what_happens(admin, articles, granted, ask):
    """Every combination of bounds, asked about and tried."""
    site_id = await site_id_of(admin, articles)
    assert (await articles.post("/content-types", {"key": "page", "name": "P", "fields": [
        {"key": "title", "type": "string"}, {"key": "body", "type": "markdown"}]})).status == 201  # fmt: skip
    theirs = {
        key: (await articles.post("/content", {"type": key, "data": {"title": "T"}})).json["id"]
        for key in ("article", "page")
    }
    tried = 0
    for types, fields, own in itertools.product((None, ["article"]), (None, ["title"]), (False, True)):
        bounds = {"content_types": types, "fields": fields, "own_only": own}
        writer = await granted(
            articles, "content:read", "content:read_drafts", "content:create",
            {"permission": "content:update", **bounds},
        )  # fmt: skip
        me = {"kind": "user", "id": await id_of(writer)}
        for key, field, mine in itertools.product(("article", "page"), ("title", "body"), (True, False)):
            item = theirs[key]
            if mine:
                item = (await writer.post("/content", {"type": key, "data": {"title": "T"}})).json["id"]
            said = await ask(me, "content:update", site_id=site_id, content_id=item, field=field)
            done = await writer.patch(f"/content/{item}", {"data": {field: secrets.token_hex(4)}})
            assert said["allowed"] == (done.status == 200), (bounds, key, field, mine, said, done.status)
            tried += 1
    assert tried == 64
