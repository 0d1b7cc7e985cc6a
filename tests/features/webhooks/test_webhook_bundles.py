"""Webhooks in bundles: carried without secrets, started by hand."""

import pytest

from tests.features.webhooks.receiver import hooked

URL = "https://receiver.example.com/hook"


@pytest.fixture
async def target(articles, admin):
    key = f"{articles.site}t"
    assert (await admin.post("/sites", {"key": key, "name": key})).status == 201
    return admin.at(key)


async def bundle_of(api):
    return (await api.get("/content-types/bundle?parts=webhooks")).json


async def test_a_bundle_has_neither_secrets_nor_values_of_headers(articles):
    hook = await hooked(articles, URL, "content.*", content_types=["article"], headers={"X-Key": "planted"})
    answer = await articles.get("/content-types/bundle")
    assert answer.json["webhooks"] == [
        {"key": "hook", "url": URL, "events": ["content.*"], "content_types": ["article"], "header_names": ["X-Key"]}
    ]
    assert b"planted" not in answer.raw
    assert hook["secret"].encode() not in answer.raw


async def test_a_new_webhook_starts_inactive_and_the_answer_says_what_to_do(articles, target):
    await hooked(articles, URL, headers={"X-Key": "planted"})
    bundle = await bundle_of(articles)
    dry = await target.post("/content-types/bundle?dry_run=true", bundle)
    answer = await target.post("/content-types/bundle", bundle)
    assert (answer.status, answer.json["drift"]) == (200, dry.json["drift"])
    (drift,) = answer.json["drift"]
    assert (drift["part"], drift["key"], drift["op"]) == ("webhooks", "hook", "create")
    assert "starts inactive" in drift["notes"][0]
    assert "set X-Key" in drift["notes"][1]
    (hook,) = (await target.get("/webhooks")).json["items"]
    assert (hook["is_active"], hook["headers"], hook["url"]) == (False, {}, URL)
    # However often it is applied, it turns nothing on, and goes on saying so.
    again = (await target.post("/content-types/bundle", bundle)).json["drift"]
    assert [(d["op"], d["changes"]) for d in again] == [("update", ["header_names", "is_active"])]
    assert "a bundle activates nothing" in again[0]["notes"][0]
    path = f"/webhooks/{hook['id']}"
    assert not (await target.get(path)).json["is_active"]
    await target.patch(path, {"is_active": True, "headers": {"X-Key": "theirs"}})
    assert (await target.post("/content-types/bundle?dry_run=true", bundle)).json["drift"] == []


async def test_a_webhook_is_brought_into_line_by_its_name_and_keeps_its_secret(articles):
    hook = await hooked(articles, URL)
    await hooked(articles, URL, name="extra")
    bundle = {"webhooks": [{"key": "hook", "url": f"{URL}/2", "events": ["content.published"], "is_active": False}]}
    drift = (await articles.post("/content-types/bundle", bundle)).json["drift"]
    assert [(d["key"], d["op"], d["changes"]) for d in drift] == [
        ("hook", "update", ["url", "events", "is_active"]),
        ("extra", "extra", []),
    ]
    read = (await articles.get(f"/webhooks/{hook['id']}")).json
    assert (read["url"], read["events"], read["is_active"]) == (f"{URL}/2", ["content.published"], False)
    assert (await bundle_of(articles))["webhooks"][1] == {**bundle["webhooks"][0]}


async def test_what_webhooks_refuse_bundles_refuse(articles, granted):
    for entry, status in (
        ({"key": "h", "url": URL, "events": ["user.*"]}, 422),
        ({"key": "h", "url": "ftp://example.com/", "events": ["*"]}, 422),
        ({"key": "h", "url": URL, "events": ["*"], "secret": "x"}, 422),
    ):
        assert (await articles.post("/content-types/bundle", {"webhooks": [entry]})).status == status
    grants = ("content_types:read", "content_types:write", "webhooks:read", "webhooks:manage", "content:read")
    narrow = await granted(articles, *grants)
    bundle = {"webhooks": [{"key": "h", "url": URL, "events": ["term.*"]}]}
    assert (await narrow.post("/content-types/bundle", bundle)).code == "events_forbidden"
    assert (await articles.get("/webhooks")).json["total"] == 0
