"""Groups: what they give, to whom, and who may change that."""

import asyncio
import secrets
from uuid import uuid4

import pytest

from tests.conftest import role_with


def key():
    return f"g{secrets.token_hex(5)}"


@pytest.fixture
async def group(admin):
    made = await admin.post("/groups", {"key": key(), "name": "Newsroom"})
    assert made.status == 201
    return made.json


async def id_of(api):
    return (await api.get("/auth/profile")).json["id"]


async def test_a_group_lives_and_dies(admin):
    name = f"News {secrets.token_hex(5)}"
    made = await admin.post("/groups", {"name": name, "description": "They write"})
    assert made.status == 201
    assert made.json["key"] == name.lower().replace(" ", "-")
    assert (await admin.post("/groups", {"name": name})).code == "group_exists"
    path = f"/groups/{made.json['id']}"
    assert (await admin.get(f"/groups/{made.json['key']}")).json == (await admin.get(path)).json
    assert (await admin.patch(path, {"name": "Other"})).json["name"] == "Other"
    assert name.lower().split()[1] in (await admin.get(f"/groups?q={name.split()[1].upper()}")).raw.decode()
    assert (await admin.delete(path)).status == 204
    assert (await admin.get(path)).code == "group_not_found"
    assert (await admin.post("/groups", {"name": "日"})).status in (201, 422)
    assert (await admin.post("/groups", {"name": "!"})).json["detail"]["errors"][0]["pointer"] == "/key"


async def test_members_have_the_groups_roles_at_once_and_lose_them_at_once(admin, articles, user, group):
    member = (await user()).at(articles.site)
    me, path = await id_of(member), f"/groups/{group['id']}"
    site_id = (await admin.get(f"/sites/{articles.site}")).json["id"]
    assert (await member.get("/content?type=article")).code == "site_forbidden"
    given = await admin.put(f"{path}/roles", [{"role": "viewer", "site_id": site_id}])
    assert given.json == {"items": [{"role": "viewer", "site_id": site_id}], "total": 1}
    added = await admin.post(f"{path}/members", {"user_ids": [me]})
    assert [item["id"] for item in added.json["items"]] == [me]
    assert (await member.get("/content?type=article")).status == 200
    assert {"role": "viewer", "site_id": site_id} in (await member.get("/auth/profile")).json["roles"]
    await admin.put(f"{path}/roles", [])
    assert (await member.get("/content?type=article")).code == "site_forbidden"
    await admin.put(f"{path}/roles", [{"role": "viewer", "site_id": site_id}])
    assert (await admin.delete(f"{path}/members/{me}")).status == 204
    assert (await member.get("/content?type=article")).code == "site_forbidden"
    assert (await admin.delete(f"{path}/members/{me}")).code == "member_not_found"
    await admin.post(f"{path}/members", {"user_ids": [me]})
    assert (await member.get("/content?type=article")).status == 200
    assert (await admin.delete(path)).status == 204
    assert (await member.get("/content?type=article")).code == "site_forbidden"


async def test_users_show_and_are_found_by_their_roles_and_groups(admin, user, group):
    role = await role_with(admin, "content:read")
    member = await user("viewer")
    me = await id_of(member)
    before = await admin.get(f"/users/{me}")
    await admin.put(f"/groups/{group['id']}/roles", [{"role": role}])
    await admin.post(f"/groups/{group['id']}/members", {"user_ids": [me]})
    shown = await admin.get(f"/users/{me}")
    assert shown.headers["ETag"] != before.headers["ETag"]
    assert {"role": role, "site_id": None, "group_id": group["id"]} in shown.json["roles"]
    assert {"role": "viewer", "site_id": None, "group_id": None} in shown.json["roles"]
    assert shown.json["groups"] == [{"id": group["id"], "key": group["key"], "name": "Newsroom"}]
    for asked in (
        f"group={group['key']}",
        f"group={group['id']}",
        f"role={role}",
        f"group={group['key']}&is_active=true",
    ):
        listed = (await admin.get(f"/users?{asked}")).json
        assert ([item["id"] for item in listed["items"]], listed["total"]) == ([me], 1), asked
    assert listed["items"][0]["groups"] == shown.json["groups"]
    assert (await admin.get(f"/users?group={group['key']}&is_active=false")).json["total"] == 0
    assert (await admin.get(f"/groups/{group['id']}")).json["members"] == 1
    stale = {"If-Match": before.headers["ETag"]}
    assert (await admin.patch(f"/users/{me}", {"name": "N"}, headers=stale)).status == 412
    assert (await admin.delete(f"/users/{me}")).status == 204
    assert (await admin.get(f"/groups/{group['id']}/members")).json["total"] == 0


async def test_unknown_members_roles_and_sites_are_named_and_nothing_is_done(admin, user, group):
    somebody, path = await id_of(await user()), f"/groups/{group['id']}"
    answer = await admin.post(f"{path}/members", {"user_ids": [somebody, str(uuid4())]})
    assert answer.json["detail"]["errors"][0]["pointer"] == "/user_ids/1"
    assert (await admin.get(f"{path}/members")).json["total"] == 0
    answer = await admin.put(f"{path}/roles", [{"role": "viewer"}, {"role": "no-such"}])
    assert answer.json["detail"]["errors"][0]["pointer"] == "/1/role"
    answer = await admin.put(f"{path}/roles", [{"role": "viewer", "site_id": str(uuid4())}])
    assert answer.json["detail"]["errors"][0]["pointer"] == "/0/site_id"
    assert (await admin.get(path)).json["roles"] == []


async def test_nobody_gives_or_takes_by_a_group_what_they_do_not_hold(admin, user):
    role = await role_with(admin, "groups:read", "groups:write", "roles:assign", "roles:read")
    manager = await user(role)
    me = await id_of(manager)
    own = (await manager.post("/groups", {"name": key()})).json
    for wrong in ("administrator", "viewer"):
        assert (await manager.put(f"/groups/{own['id']}/roles", [{"role": wrong}])).code == "more_than_held"
    assert (await manager.put(f"/groups/{own['id']}/roles", [{"role": role}])).status == 200
    strong = (await admin.post("/groups", {"name": key()})).json
    await admin.put(f"/groups/{strong['id']}/roles", [{"role": "administrator"}])
    boss = await id_of(admin)
    await admin.post(f"/groups/{strong['id']}/members", {"user_ids": [boss]})
    for attempt in (
        manager.post(f"/groups/{strong['id']}/members", {"user_ids": [me]}),
        manager.delete(f"/groups/{strong['id']}/members/{boss}"),
        manager.put(f"/groups/{strong['id']}/roles", []),
        manager.delete(f"/groups/{strong['id']}"),
    ):
        assert (await attempt).code == "more_than_held"
    await admin.delete(f"/groups/{strong['id']}")


async def test_a_group_may_make_administrators_and_the_last_of_them_stays(alone, user):
    """Also when everything that could remove the last one is tried at once."""
    admin, boss = alone, await id_of(alone)
    group = (await admin.post("/groups", {"name": key()})).json
    path, role = f"/groups/{group['id']}", await role_with(admin, "*")
    await admin.put(f"{path}/roles", [{"role": role}])
    await admin.post(f"{path}/members", {"user_ids": [boss]})
    # Through the group, the administrator is one even without the role.
    assert (await admin.put(f"/users/{boss}/roles", [])).status == 200
    try:
        answers = await asyncio.gather(
            admin.put(f"{path}/roles", []),
            admin.delete(f"{path}/members/{boss}"),
            admin.delete(path),
            admin.put(f"/roles/{role}/permissions", [{"permission": "content:read"}]),
            admin.delete(f"/roles/{role}"),
            admin.patch(f"/users/{boss}", {"is_active": False}),
            admin.delete(f"/users/{boss}"),
        )
        assert [answer.code for answer in answers] == ["last_administrator"] * 7
    finally:
        assert (await admin.put(f"/users/{boss}/roles", [{"role": "administrator"}])).status == 200
        await admin.delete(path)


async def test_of_two_administrators_who_remove_each_other_one_stays(alone, user):
    admin, boss = alone, await id_of(alone)
    for _ in range(5):
        second = await user("administrator")
        other = await id_of(second)
        await admin.put(f"/users/{boss}/roles", [{"role": "administrator"}])
        answers = await asyncio.gather(admin.put(f"/users/{other}/roles", []), second.put(f"/users/{boss}/roles", []))
        assert sorted(answer.status for answer in answers) in ([200, 403], [200, 409])
        keeper = admin if answers[0].status == 200 else second
        assert (await keeper.put(f"/users/{boss}/roles", [{"role": "administrator"}])).status == 200
        assert (await admin.delete(f"/users/{other}")).status in (204, 404)


async def test_naming_a_sites_public_role_gives_it_to_everybody_and_needs_it_oneself(admin, granted, articles):
    manager = await granted(articles, "sites:read", "sites:update", "content:read")
    path = f"/sites/{articles.site}"
    assert (await manager.patch(path, {"settings": {"public_role": "administrator"}})).code == "more_than_held"
    assert (await manager.patch(path, {"settings": {"public_role": "editor"}})).code == "more_than_held"
    unknown = await manager.patch(path, {"settings": {"public_role": "no-such"}})
    assert unknown.json["detail"]["errors"][0]["code"] == "unknown_role"
    assert (await articles.anonymous().get("/content?type=article")).status == 401
    reader = await role_with(admin, "content:read")
    assert (await manager.patch(path, {"settings": {"public_role": reader}})).status == 200
    assert (await articles.anonymous().get("/content?type=article")).status == 200
    # Whoever is known has the public role too, and loses it with the site's setting.
    nobody = (await granted(articles, "sites:read")).at(articles.site)
    assert (await nobody.get("/content?type=article")).status == 200
    assert (await manager.patch(path, {"settings": {"public_role": "public"}})).status == 200
    assert (await nobody.get("/content?type=article")).status == 403
    assert (await articles.anonymous().get("/content?type=article")).status == 401


async def test_a_deleted_site_takes_what_was_given_there_with_it(admin, user):
    site = (await admin.post("/sites", {"key": key(), "name": "S"})).json
    member = await user("viewer", site=site["key"])
    me = await id_of(member)
    assert (await member.get("/content-types")).status == 200
    assert (await admin.delete(f"/sites/{site['id']}")).status == 204
    assert (await admin.get(f"/users/{me}")).json["roles"] == []
