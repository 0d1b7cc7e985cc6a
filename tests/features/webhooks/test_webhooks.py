"""Creating, changing and deleting webhooks."""

import secrets

import pytest

from tests.features.webhooks.receiver import hooked

URL = "https://receiver.example.com/hook"


async def test_the_secret_is_shown_when_it_is_made_and_never_again(site):
    made = await hooked(site, URL, headers={"Authorization": "Bearer x1234567"})
    assert made["secret"].startswith("whsec_")
    assert made["headers"] == {"Authorization": "***"}
    read = await site.get(f"/webhooks/{made['id']}")
    assert "secret" not in read.json
    assert read.json == {name: value for name, value in made.items() if name != "secret"}
    (listed,) = (await site.get("/webhooks")).json["items"]
    assert listed == read.json
    rotated = await site.post(f"/webhooks/{made['id']}/rotate-secret", {"grace_seconds": 60})
    assert rotated.json["secret"] not in (made["secret"], None)
    assert rotated.json["previous_secret_until"] is not None
    assert made["secret"].encode() not in (await site.get(f"/webhooks/{made['id']}")).raw


async def test_a_change_needs_the_version_that_was_read(site):
    made = await hooked(site, URL)
    read = await site.get(f"/webhooks/{made['id']}")
    etag = read.headers["ETag"]
    assert (await site.get(f"/webhooks/{made['id']}", headers={"If-None-Match": etag})).status == 304
    changed = await site.patch(f"/webhooks/{made['id']}", {"name": "other"}, headers={"If-Match": etag})
    assert (changed.status, changed.json["name"]) == (200, "other")
    for call in (site.patch(f"/webhooks/{made['id']}", {"name": "x"}, headers={"If-Match": etag}),
                 site.delete(f"/webhooks/{made['id']}", headers={"If-Match": etag})):  # fmt: skip
        assert (await call).status == 412
    assert (await site.delete(f"/webhooks/{made['id']}", headers={"If-Match": changed.headers["ETag"]})).status == 204
    assert (await site.get(f"/webhooks/{made['id']}")).code == "webhook_not_found"


async def test_a_name_is_taken_once_a_site(site):
    await hooked(site, URL)
    assert (await site.post("/webhooks", {"name": "hook", "url": URL, "events": ["*"]})).code == "webhook_exists"
    second = await hooked(site, URL, name="second")
    assert (await site.patch(f"/webhooks/{second['id']}", {"name": "hook"})).code == "webhook_exists"


async def test_values_of_headers_stay_where_stars_stand(site):
    made = await hooked(site, URL, headers={"X-One": "1", "X-Two": "2"})
    path = f"/webhooks/{made['id']}"
    assert (await site.patch(path, {"headers": {"x-one": "***", "X-Three": "3"}})).json["headers"] == {
        "x-one": "***",
        "X-Three": "***",
    }
    wrong = await site.patch(path, {"headers": {"X-Two": "***"}})
    assert wrong.json["detail"]["errors"][0]["pointer"] == "/headers/X-Two"
    assert (
        await site.post("/webhooks", {"name": "n", "url": URL, "events": ["*"], "headers": {"X": "***"}})
    ).status == 422
    assert (await site.patch(path, {"headers": {}})).json["headers"] == {}


@pytest.mark.parametrize(
    ("member", "value", "pointer"),
    [
        ("events", [], "/events"),
        ("events", ["content.nothing"], "/events/0"),
        ("events", ["content.*", "nothing.*"], "/events/1"),
        ("events", ["user.created"], "/events/0"),
        ("events", ["user.*"], "/events/0"),
        ("events", ["content.preview_opened"], "/events/0"),
        ("content_types", ["nothing"], "/content_types/0"),
        ("headers", {"Host": "x"}, "/headers"),
        ("headers", {"content-length": "1"}, "/headers"),
        ("headers", {"Transfer-Encoding": "chunked"}, "/headers"),
        ("headers", {"Connection": "close"}, "/headers"),
        ("headers", {"webhook-id": "x"}, "/headers"),
        ("headers", {"X-A": "a\r\nX-B: b"}, "/headers"),
        ("headers", {"X-A": "a\nb"}, "/headers"),
        ("headers", {"X A": "a"}, "/headers"),
        ("headers", {"X-A:": "a"}, "/headers"),
        ("headers", {"X-A": "1", "x-a": "2"}, "/headers"),
        ("name", " ", "/name"),
        ("name", "\0", "/name"),
        ("more", 1, "/more"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_refused_where_it_is(site, member, value, pointer):
    body = {"name": "n", "url": URL, "events": ["content.*"], member: value}
    answer = await site.post("/webhooks", body)
    assert answer.status == 422, answer.raw
    assert answer.json["detail"]["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://0/",
        "http://10.0.0.1/", "http://192.168.1.1/", "http://172.16.0.1/", "http://169.254.169.254/latest/meta-data/",
        "http://[fe80::1]/", "http://[fc00::1]/", "http://[64:ff9b::a00:1]/", "http://[2002:a00:1::]/",
        "http://100.64.0.1/", "http://0.0.0.0/", "http://[::]/", "https://user@example.com/",
        "https://user:word@example.com/", "https://example.com:8443/", "http://example.com:443/",
        "https://example.com:22/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/",
        "//example.com/",
        "example.com", "https://", "javascript:alert(1)", "http://[::1", "https://exa mple.com/",
    ],
)  # fmt: skip
async def test_addresses_that_are_never_called_are_refused_at_once(site, database, monkeypatch, url):
    monkeypatch.setattr(database, "webhook_reach", "public")
    answer = await site.post("/webhooks", {"name": "n", "url": url, "events": ["*"]})
    assert answer.status == 422, answer.raw
    assert answer.json["detail"]["errors"][0] | {"message": ""} == {
        "pointer": "/url", "code": "url_not_allowed", "message": ""
    }  # fmt: skip
    made = await hooked(site, URL)
    assert (await site.patch(f"/webhooks/{made['id']}", {"url": url})).status == 422


async def test_a_reader_sees_and_does_not_change(site, granted):
    made = await hooked(site, URL)
    reader = await granted(site, "webhooks:read")
    path = f"/webhooks/{made['id']}"
    assert (await reader.get(path)).status == 200
    for answer in (
        await reader.post("/webhooks", {"name": "n", "url": URL, "events": ["*"]}),
        await reader.patch(path, {"name": "x"}),
        await reader.delete(path),
        await reader.post(f"{path}/rotate-secret", {}),
        await reader.post(f"{path}/test"),
        await reader.post(f"{path}/replay", {"since": "2026-01-01T00:00:00Z"}),
    ):
        assert answer.status == 403, answer.raw


async def test_nobody_asks_for_what_they_may_not_read(articles, granted):
    manager = await granted(articles, "webhooks:read", "webhooks:manage", "content:read")
    refused = await manager.post("/webhooks", {"name": "n", "url": URL, "events": ["content.published", "term.*"]})
    assert (refused.status, refused.code) == (403, "events_forbidden")
    assert "term.*" in refused.json["detail"]["message"]
    made = await hooked(manager, URL, "content.published")
    assert (await manager.patch(f"/webhooks/{made['id']}", {"events": ["content.created"]})).status == 403


async def test_whoever_says_where_it_goes_owns_it(site, granted):
    made = await hooked(site, URL)
    manager = await granted(site, "webhooks:read", "webhooks:manage", "content:read")
    me = (await manager.get("/auth/profile")).json["id"]
    path = f"/webhooks/{made['id']}"
    assert (await manager.patch(path, {"name": "new", "is_active": False})).json["owner"] == made["owner"]
    same = {name: made[name] for name in ("url", "events", "content_types", "headers")}
    assert (await manager.patch(path, same)).json["owner"] == made["owner"]
    assert (await manager.patch(path, {"url": f"{URL}/2"})).json["owner"] == {"kind": "user", "id": me}
    assert (await site.patch(path, {"is_active": True})).json["owner"] == made["owner"]


async def test_event_types_are_those_that_may_leave(site):
    types = {one["type"]: one for one in (await site.get("/webhooks/event-types")).json["items"]}
    assert {"content.published", "term.created", "asset.processed", "content_type.updated", "taxonomy.deleted"} <= set(
        types
    )
    assert not [name for name in types if name.split(".")[0] in ("user", "auth", "api_key", "role", "webhook", "job")]
    published = types["content.published"]
    assert published["permission"] == "content:read"
    assert set(published["data_schema"]["properties"]) == {"id", "content_type", "slug", "locale", "item_version"}
    codes = {one["code"] for one in (await site.get("/permissions")).json["items"]}
    assert {one["permission"] for one in types.values()} <= codes


async def test_there_are_only_so_many_a_site(site, monkeypatch):
    monkeypatch.setattr("scaicms.features.webhooks.service.MAX_WEBHOOKS", 1)
    await hooked(site, URL)
    answer = await site.post("/webhooks", {"name": secrets.token_hex(4), "url": URL, "events": ["*"]})
    assert answer.code == "too_many_webhooks"
