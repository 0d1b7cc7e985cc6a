"""Roles, grants, users."""

import asyncio
import secrets
from uuid import uuid4


def key():
    return f"r{secrets.token_hex(5)}"


async def test_built_in_roles_are_there_and_public_is_empty(admin):
    for name in ("administrator", "editor", "author", "viewer", "public"):
        assert (await admin.get(f"/roles/{name}")).json["built_in"] is True
    assert (await admin.get("/roles/public/permissions")).json["total"] == 0
    assert (await admin.delete("/roles/public")).code == "role_built_in"


async def test_a_role_lives_and_dies(admin):
    name = key()
    made = await admin.post("/roles", {"key": name, "name": "R"})
    assert (await admin.post("/roles", {"key": name, "name": "R"})).code == "role_exists"
    assert (await admin.patch(f"/roles/{name}", {"name": "S"})).json["name"] == "S"
    assert (await admin.get(f"/roles/{made.json['id']}")).json["name"] == "S"
    granted = await admin.post(f"/roles/{name}/permissions", [{"permission": "content:read"}])
    assert (granted.status, granted.json["total"]) == (201, 1)
    grant = granted.json["items"][0]["id"]
    assert (await admin.delete(f"/roles/{name}/permissions/{grant}")).status == 204
    assert (await admin.delete(f"/roles/{name}/permissions/{grant}")).code == "grant_not_found"
    assert (await admin.delete(f"/roles/{name}")).status == 204
    assert (await admin.get(f"/roles/{name}")).code == "role_not_found"


async def test_unknown_permissions_and_bounds_that_nothing_would_enforce_are_refused(admin):
    for wrong, pointer, code in (
        ({"permission": "content:fly"}, "/1/permission", "unknown_permission"),
        ({"permission": "users:write", "locales": ["en"]}, "/1/locales", "not_narrowable"),
        ({"permission": "content:publish", "fields": ["title"]}, "/1/fields", "not_narrowable"),
        ({"permission": "*", "own_only": True}, "/1/own_only", "not_narrowable"),
        ({"permission": "content:read", "content_types": []}, "/1/content_types", "too_short"),
        ({"permission": "content:read", "sites": ["x"]}, "/1/sites", "unknown_field"),
    ):
        answer = await admin.put("/roles/viewer/permissions", [{"permission": "content:read"}, wrong])
        assert answer.status == 422
        found = answer.json["detail"]["errors"][0]
        assert (found["pointer"], found["code"]) == (pointer, code)


async def test_narrowed_grants_are_kept_as_given_and_the_same_one_once(admin):
    name = key()
    await admin.post("/roles", {"key": name, "name": "R"})
    narrowed = {"permission": "content:update", "content_types": ["page", "article"], "fields": ["title"]}
    first = await admin.put(
        f"/roles/{name}/permissions", [narrowed, {"permission": "content:update", "own_only": True}]
    )
    again = await admin.post(
        f"/roles/{name}/permissions", [{**narrowed, "content_types": ["article", "page", "article"]}]
    )
    assert again.json == first.json
    assert again.json["total"] == 2
    kept = next(item for item in again.json["items"] if item["content_types"])
    assert kept == {
        **narrowed, "id": kept["id"], "content_types": ["article", "page"], "locales": None, "own_only": False
    }  # fmt: skip
    long = [f"{'x' * 58}{n}" for n in range(200)]
    assert (await admin.put(f"/roles/{name}/permissions", [{**narrowed, "content_types": long}])).status == 200


async def test_permissions_are_listed(admin):
    listed = (await admin.get("/permissions")).json
    assert {"code": "content:publish", "resource": "content", "action": "publish"}.items() <= next(
        item for item in listed["items"] if item["code"] == "content:publish"
    ).items()


async def test_nobody_grants_more_than_they_hold(admin, user):
    name = key()
    await admin.post("/roles", {"key": name, "name": "Managers"})
    held = ["roles:read", "roles:write", "roles:assign", "users:read", "users:write"]
    await admin.put(f"/roles/{name}/permissions", [{"permission": code} for code in held])
    manager = await user(name)
    assert (await manager.put("/roles/viewer/permissions", [{"permission": "*"}])).code == "more_than_held"
    assert (await manager.put("/roles/public/permissions", [{"permission": "content:read"}])).code == "more_than_held"
    me = (await manager.get("/auth/profile")).json["id"]
    assert (await manager.put(f"/users/{me}/roles", [{"role": "administrator"}])).code == "more_than_held"
    boss = (await admin.get("/auth/profile")).json["id"]
    assert (await manager.patch(f"/users/{boss}", {"password": "a new password!"})).code == "stronger_user"
    assert (await manager.delete(f"/users/{boss}")).code == "stronger_user"
    assert (await manager.put(f"/users/{boss}/roles", [])).code == "more_than_held"


async def test_nobody_grants_further_than_they_reach_themselves(admin, user):
    """Narrowing must not be shaken off by granting oneself the wider right."""
    narrow = {"permission": "content:update", "content_types": ["article"], "fields": ["title", "body"]}
    name, other = key(), key()
    await admin.post("/roles", {"key": name, "name": "Managers"})
    await admin.post("/roles", {"key": other, "name": "Other"})
    codes = ["roles:read", "roles:write", "roles:assign", "users:read"]
    await admin.put(f"/roles/{name}/permissions", [narrow, *({"permission": code} for code in codes)])
    manager = await user(name)
    path = f"/roles/{other}/permissions"
    for wider in (
        {"permission": "content:update"},
        {**narrow, "content_types": None},
        {**narrow, "content_types": ["article", "page"]},
        {**narrow, "fields": None},
        {"permission": "content:update", "own_only": True},
    ):
        assert (await manager.put(path, [wider])).code == "more_than_held", wider
    for narrower in (narrow, {**narrow, "fields": ["body"]}, {**narrow, "own_only": True, "locales": ["en"]}):
        assert (await manager.put(path, [narrower])).status == 200, narrower
    # Nor by taking a role whose grants are wider, nor by changing one.
    await admin.put(path, [{"permission": "content:update"}])
    me = (await manager.get("/auth/profile")).json["id"]
    assert (await manager.put(f"/users/{me}/roles", [{"role": name}, {"role": other}])).code == "more_than_held"
    assert (await manager.put(path, [])).code == "more_than_held"
    grant = (await admin.get(path)).json["items"][0]["id"]
    assert (await manager.delete(f"{path}/{grant}")).code == "more_than_held"
    assert (await manager.delete(f"/roles/{other}")).code == "more_than_held"


async def test_the_last_administrator_stays_also_in_a_race(alone):
    admin = alone
    boss = (await admin.get("/auth/profile")).json["id"]
    answers = await asyncio.gather(
        admin.put(f"/users/{boss}/roles", []),
        admin.patch(f"/users/{boss}", {"is_active": False}),
        admin.delete(f"/users/{boss}"),
        admin.put("/roles/administrator/permissions", []),
    )
    assert {answer.code for answer in answers} == {"last_administrator"}
    assert (await admin.get("/users")).status == 200


async def test_assignments_name_real_roles_sites_and_users(admin):
    boss = (await admin.get("/auth/profile")).json["id"]
    for wrong in ({"role": "nothing"}, {"role": "editor", "site_id": str(uuid4())}):
        assert (await admin.put(f"/users/{boss}/roles", [wrong])).status == 422
    assert (await admin.put(f"/users/{uuid4()}/roles", [])).code == "user_not_found"


async def test_users_are_listed_and_filtered(admin, user):
    name = key()
    await admin.post("/roles", {"key": name, "name": "R"})
    await user(name)
    assert (await admin.get(f"/users?role={name}")).json["total"] == 1
    assert (await admin.get("/users?q=admin%40example")).json["total"] == 1
    assert (await admin.get("/users?is_active=false&q=nobody-has-this")).json["total"] == 0
    assert (await admin.get("/users?q=%25")).status == 200


async def test_an_address_is_taken_once_whatever_its_case(admin):
    new = {"email": f"{key()}@example.com", "name": "x", "password": "long enough password"}
    made = await admin.post("/users", new)
    assert made.status == 201
    assert (await admin.post("/users", {**new, "email": new["email"].upper()})).code == "email_taken"
    path = f"/users/{made.json['id']}"
    assert (await admin.patch(path, {"email": "admin@example.com"})).code == "email_taken"
    assert (await admin.patch(path, {"name": "y"}, headers={"If-Match": '"old"'})).status == 412
    assert (await admin.post("/users", {**new, "email": "no address"})).status == 422
