"""What somebody may do is known without asking the database, and forgotten in every process when it changes."""

import asyncio
import time

import asyncpg.pool
import pytest

from tests.conftest import Api, role_with


async def becomes(ask, wanted, within=0.5):
    """How long until the answer has this status; it must not come back to the old one."""
    started = time.monotonic()
    while (answer := await ask()).status != wanted:
        assert time.monotonic() - started < within, (answer.status, answer.raw)
        await asyncio.sleep(0.005)
    return time.monotonic() - started


async def id_of(api):
    return (await api.get("/auth/profile")).json["id"]


async def test_every_change_of_authority_reaches_the_other_process(admin, articles, user, elsewhere):
    site_id = (await admin.get(f"/sites/{articles.site}")).json["id"]
    role = await role_with(admin, "content:read")
    member = (await user("viewer", site=articles.site)).at(articles.site)
    me = await id_of(member)
    there = Api(elsewhere, member.token, articles.site)
    group = f"/groups/{(await admin.post('/groups', {'name': f'G {role}'})).json['id']}"

    def listed():
        return there.get("/content?type=article")

    await becomes(listed, 200, 5)
    here = {"role": role, "site_id": site_id}
    for change, wanted in (
        (lambda: admin.put(f"/users/{me}/roles", []), 403),
        (lambda: admin.put(f"/users/{me}/roles", [here]), 200),
        (lambda: admin.put(f"/roles/{role}/permissions", [{"permission": "sites:read"}]), 403),
        (lambda: admin.put(f"/roles/{role}/permissions", [{"permission": "content:read"}]), 200),
        (lambda: admin.put(f"/roles/{role}/permissions",
                           [{"permission": "content:read", "content_types": ["other"]}]), 404),
        (lambda: admin.put(f"/users/{me}/roles", []), 403),
        (lambda: admin.put(f"/roles/{role}/permissions", [{"permission": "content:read"}]), 403),
        (lambda: admin.put(f"{group}/roles", [here]), 403),
        (lambda: admin.post(f"{group}/members", {"user_ids": [me]}), 200),
        (lambda: admin.put(f"{group}/roles", []), 403),
        (lambda: admin.put(f"{group}/roles", [here]), 200),
        (lambda: admin.delete(f"{group}/members/{me}"), 403),
        (lambda: admin.post(f"{group}/members", {"user_ids": [me]}), 200),
        (lambda: admin.delete(group), 403),
        (lambda: admin.patch(f"/sites/{articles.site}", {"settings": {"public_role": role}}), 200),
        (lambda: admin.patch(f"/sites/{articles.site}", {"settings": {"public_role": "public"}}), 403),
        (lambda: admin.put(f"/users/{me}/roles", [here]), 200),
        (lambda: admin.delete(f"/roles/{role}"), 403),
        (lambda: admin.put(f"/users/{me}/roles", [{"role": "viewer", "site_id": site_id}]), 200),
        (lambda: admin.patch(f"/users/{me}", {"is_active": False}), 401),
    ):  # fmt: skip
        answer = await change()
        assert answer.status < 300, answer.raw
        await becomes(listed, wanted)


async def test_anonymous_callers_lose_and_get_rights_in_the_other_process(admin, articles, elsewhere):
    role = await role_with(admin, "content:read")
    there = Api(elsewhere, None, articles.site)

    def listed():
        return there.get("/content?type=article")

    await becomes(listed, 401, 5)
    await admin.patch(f"/sites/{articles.site}", {"settings": {"public_role": role}})
    await becomes(listed, 200)
    await admin.put(f"/roles/{role}/permissions", [])
    await becomes(listed, 401)


async def test_a_key_ends_and_shrinks_in_the_other_process(admin, articles, user, elsewhere):
    owner = await user("administrator")
    me = await id_of(owner)
    made = (await owner.post("/api-keys", {"name": "k", "permissions": ["content:read"]})).json
    there = Api(elsewhere, made["key"], articles.site)

    def listed():
        return there.get("/content?type=article")

    await becomes(listed, 200, 5)
    await admin.put(f"/users/{me}/roles", [])
    await becomes(listed, 403)
    await admin.put(f"/users/{me}/roles", [{"role": "administrator"}])
    await becomes(listed, 200)
    await owner.delete(f"/api-keys/{made['id']}")
    await becomes(listed, 401)


@pytest.fixture
def queries(monkeypatch):
    """How often a connection is taken, from whichever pool."""
    taken = []
    acquire = asyncpg.pool.Pool.acquire

    def counted(self, *given, **named):
        taken.append(self)
        return acquire(self, *given, **named)

    monkeypatch.setattr(asyncpg.pool.Pool, "acquire", counted)
    return taken


async def test_a_warm_request_asks_the_database_nothing(articles, admin, queries):
    item = await articles.post("/content", {"type": "article", "data": {"title": "T"}, "publish": True})
    key = (await admin.post("/api-keys", {"name": "k", "permissions": ["content:read", "permissions:read"]})).json[
        "key"
    ]
    for api in (articles, articles.with_token(key)):
        for path in ("/permissions", f"/content/{item.json['id']}"):
            assert (await api.get(path)).status == 200  # warm
            queries.clear()
            assert (await api.get(path)).status == 200
            assert not queries, path
