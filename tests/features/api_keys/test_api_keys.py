"""What keys are limited by, and what becomes of them."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta

import pytest

from scaicms.features.api_keys import usage as usage_module
from scaicms.features.api_keys.limits import KeyLimits
from scaicms.features.api_keys.service import ApiKeyService
from scaicms.infra import db
from scaicms.infra.redis import open_redis
from scaicms.kit.errors import TooManyRequestsError
from scaicms.kit.ids import new_id


@pytest.fixture
def make(admin):
    async def make(api=admin, **given):
        body = {"name": "k", "permissions": ["permissions:read"], **given}
        answer = await api.post("/api-keys", body)
        assert answer.status == 201, answer.raw
        return answer.json, api.with_token(answer.json["key"])

    return make


async def test_a_key_works_from_its_networks_alone(admin, make):
    made, key = await make(allowed_ips=["192.0.2.0/24", "2001:db8::/32"])
    assert made["allowed_ips"] == ["192.0.2.0/24", "2001:db8::/32"]
    assert (await key.get("/permissions")).code == "address_not_allowed"
    path = f"/api-keys/{made['id']}"
    for wrong in (False, 7, "everywhere"):
        assert (await admin.patch(path, {"allowed_ips": [wrong]})).status == 422
    assert (await admin.patch(path, {"allowed_ips": ["127.0.0.0/8"]})).status == 200
    assert (await key.get("/permissions")).status == 200
    # Nobody believes what a caller writes about where they come from.
    await admin.patch(path, {"allowed_ips": ["192.0.2.1"]})
    spoofed = await key.get("/permissions", headers={"X-Forwarded-For": "192.0.2.1"})
    assert spoofed.code == "address_not_allowed"
    await admin.patch(path, {"allowed_ips": None})
    assert (await key.get("/permissions")).status == 200
    for wrong in (["not a network"], ["192.0.2.1/24"], []):
        assert (await admin.patch(path, {"allowed_ips": wrong})).status == 422


async def test_a_key_has_a_rate_and_says_when_to_come_again(make, admin):
    _, key = await make(rate_limit=5)
    answers = [await key.get("/permissions") for _ in range(9)]
    refused = [answer for answer in answers if answer.status == 429]
    assert len(refused) >= 3
    assert refused[-1].code == "too_many_requests"
    assert 1 <= int(refused[-1].headers["Retry-After"]) <= 60
    _, other = await make(rate_limit=5)
    assert (await other.get("/permissions")).status == 200
    for wrong in (0, -1, 10**9, "many", None):
        assert (
            await admin.post("/api-keys", {"name": "k", "permissions": ["roles:read"], "rate_limit": wrong})
        ).status == 422


async def test_two_processes_together_let_no_more_through_than_the_limit(database):
    """Also though each takes permits in batches and asks Redis far less often than it is asked."""
    redis = [open_redis(database.redis_url) for _ in range(2)]
    asked = 0

    def counting(limits):
        hit = limits._shared.hit

        async def counted(*given, **named):
            nonlocal asked
            asked += 1
            return await hit(*given, **named)

        limits._shared.hit = counted
        return limits

    both, key_id, through = [counting(KeyLimits(one)) for one in redis], new_id(), 0
    # A minute that ends meanwhile would give a part of its limit back.
    await asyncio.sleep(max(0, datetime.now(UTC).second - 50) and 61 - datetime.now(UTC).second)
    for _ in range(400):
        for limits in both:
            try:
                await limits.take(key_id, 600)
                through += 1
            except TooManyRequestsError:
                pass
    assert 540 <= through <= 600
    assert asked < 60
    for one in redis:
        await one.aclose()


async def test_without_redis_each_process_counts_for_itself(database):
    redis = open_redis("redis://127.0.0.1:1/0")
    limits, key_id = KeyLimits(redis), new_id()
    for _ in range(5):
        await limits.take(key_id, 5)
    with pytest.raises(TooManyRequestsError):
        for _ in range(3):
            await limits.take(key_id, 5)
    await redis.aclose()


async def test_rotation_gives_the_old_text_its_grace_and_no_more(admin, make):
    made, old = await make()
    path = f"/api-keys/{made['id']}/rotate"
    rotated = await admin.post(path, {"grace_seconds": 1})
    assert rotated.status == 200
    new = admin.with_token(rotated.json["key"])
    assert rotated.json["prefix"] != made["prefix"]
    assert [(await key.get("/permissions")).status for key in (old, new)] == [200, 200]
    await asyncio.sleep(1.1)
    assert [(await key.get("/permissions")).status for key in (old, new)] == [401, 200]
    at_once = await admin.post(path)
    assert (await new.get("/permissions")).code == "invalid_api_key"
    assert (await admin.with_token(at_once.json["key"]).get("/permissions")).status == 200
    third = await admin.post(path, {"grace_seconds": 60})
    assert (await admin.delete(f"/api-keys/{made['id']}")).status == 204
    for key in (at_once, third):
        assert (await admin.with_token(key.json["key"]).get("/permissions")).status == 401
    assert (await admin.post(path)).status == 404


async def test_use_is_shown_and_written_in_batches(admin, make, services, monkeypatch):
    made, key = await make()
    assert (made["last_used_at"], made["requests_24h"]) == (None, 0)
    written = []
    add = usage_module.repository.add_usage

    async def counted(*given):
        written.append(given)
        await add(*given)

    monkeypatch.setattr(usage_module.repository, "add_usage", counted)
    for _ in range(20):
        assert (await key.get("/permissions")).status == 200
    assert written == []
    await services.get(ApiKeyService).usage.flush()
    assert len(written) == 1
    shown = (await admin.get(f"/api-keys/{made['id']}")).json
    assert shown["requests_24h"] == 20
    assert shown["last_used_at"] is not None
    await db.execute("UPDATE api_key_usage SET hour = hour - interval '25 hours' WHERE key_id = $1", made["id"])
    assert (await admin.get(f"/api-keys/{made['id']}")).json["requests_24h"] == 0


async def test_a_key_that_expires_stops_by_itself(admin, make):
    outside = "9999-12-31T23:59:59-14:00"
    for wrong in (0.5, 4102444800, "tomorrow", "2100-01-01", "2100-01-01T00:00:00", outside):
        body = {"name": "k", "permissions": ["roles:read"], "expires_at": wrong}
        assert (await admin.post("/api-keys", body)).status == 422, wrong
    soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    _, key = await make(expires_at=soon)
    assert (await key.get("/permissions")).status == 200
    await asyncio.sleep(2.1)
    assert (await key.get("/permissions")).code == "invalid_api_key"


async def test_a_key_of_some_sites_has_nothing_elsewhere_and_nothing_global(admin, articles, make):
    site_id = (await admin.get(f"/sites/{articles.site}")).json["id"]
    refused = await admin.post("/api-keys", {"name": "k", "permissions": ["users:read"], "site_ids": [site_id]})
    assert refused.json["detail"]["errors"][0]["code"] == "global_permission"
    made, key = await make(permissions=["*"], site_ids=[site_id])
    assert (await key.at(articles.site).get("/content?type=article")).status == 200
    for path in ("/users", "/roles", "/api-keys", "/permissions"):
        assert (await key.get(path)).status == 403, path
    assert [item["id"] for item in (await key.get("/sites")).json["items"]] == [site_id]
    assert (await key.post("/sites", {"key": f"s{secrets.token_hex(4)}", "name": "S"})).status == 403
    # Nor does a change of the key give it more.
    path = f"/api-keys/{made['id']}"
    assert (await admin.patch(path, {"permissions": ["users:read"]})).status == 422


async def test_only_who_made_a_key_changes_and_rotates_it(admin, user, make):
    manager = await user("administrator")
    made, _ = await make()
    path = f"/api-keys/{made['id']}"
    assert (await manager.get(path)).status == 200
    assert (await manager.patch(path, {"rate_limit": 1})).code == "only_owner"
    assert (await manager.post(f"{path}/rotate")).code == "only_owner"
    _, key = await make(permissions=["api_keys:manage", "users:write"])
    assert (await key.post(f"{path}/rotate")).code == "only_people"
    assert (await key.patch(path, {"rate_limit": 1})).code == "only_people"
    assert (await manager.delete(path)).status == 204


async def test_a_key_goes_with_its_creator(admin, user, make):
    owner = await user("administrator")
    me = (await owner.get("/auth/profile")).json["id"]
    _, key = await make(owner)
    assert (await key.get("/permissions")).status == 200
    await admin.patch(f"/users/{me}", {"is_active": False})
    assert (await key.get("/permissions")).status == 401
    await admin.patch(f"/users/{me}", {"is_active": True})
    assert (await key.get("/permissions")).status == 200
    await admin.delete(f"/users/{me}")
    assert (await key.get("/permissions")).status == 401


async def test_a_key_has_its_creators_bounds(admin, articles, granted):
    bounded = {"permission": "content:read", "fields": ["title"]}
    owner = await granted(articles, bounded)
    me = (await owner.get("/auth/profile")).json
    manage = f"r{secrets.token_hex(5)}"
    await admin.post("/roles", {"key": manage, "name": "M"})
    await admin.put(f"/roles/{manage}/permissions", [{"permission": "api_keys:manage"}])
    await admin.put(f"/users/{me['id']}/roles", [*me["roles"], {"role": manage}])
    site_id = me["roles"][0]["site_id"]
    made = await owner.post("/api-keys", {"name": "k", "permissions": ["content:read"], "site_ids": [site_id]})
    item = await articles.post("/content", {"type": "article", "data": {"title": "T", "body": "B"}, "publish": True})
    read = await articles.with_token(made.json["key"]).get(f"/content/{item.json['id']}")
    assert read.json["data"] == {"title": "T"}
