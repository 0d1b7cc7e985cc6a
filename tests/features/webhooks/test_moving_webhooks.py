"""Values of headers go to the origin that they were given for, and to no other, by whichever way it is moved."""

import pytest

from tests.features.content.test_items import create
from tests.features.webhooks.receiver import deliveries, hooked, receiving

VALUE = "Bearer planted-value"
URL = "https://receiver.example.com/hook"


@pytest.fixture
async def other():
    async with receiving() as one:
        yield one


def heard(*receivers):
    return str([(got.headers, got.body) for receiver in receivers for got in receiver.got])


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example.com/hook", "http://receiver.example.com/hook", "https://receiver.example.com:8443/hook",
        "https://receiver.example.com.evil.example/hook", "https://receiver.example.co/hook",
        "https://sub.receiver.example.com/hook", "https://receiver.example.com./hook",
    ],
)  # fmt: skip
@pytest.mark.parametrize("headers", [None, {"Authorization": "***"}, {"authorization": "***", "X-New": "1"}])
async def test_another_origin_needs_the_values_anew(site, url, headers):
    hook = await hooked(site, URL, headers={"Authorization": VALUE})
    path = f"/webhooks/{hook['id']}"
    change = {"url": url} if headers is None else {"url": url, "headers": headers}
    refused = await site.patch(path, change)
    assert (refused.status, refused.code) == (422, "headers_required"), refused.raw
    assert refused.json["detail"]["errors"][0]["pointer"].startswith("/headers")
    assert (await site.get(path)).json == {name: value for name, value in hook.items() if name != "secret"}
    assert (await site.patch(path, {"url": url, "headers": None})).code == "headers_required"
    for given in ({}, {"Authorization": "Bearer of-the-new-one"}):
        assert (await site.patch(path, {"url": URL, "headers": {"Authorization": VALUE}})).status == 200
        moved = await site.patch(path, {"url": url, "headers": given})
        assert (moved.status, moved.json["url"], moved.json["headers"]) == (200, url, dict.fromkeys(given, "***"))


@pytest.mark.parametrize(
    "url", [f"{URL}/2", "https://receiver.example.com:443/else?x=1", "HTTPS://RECEIVER.example.com/"]
)
async def test_within_the_origin_values_stay(site, url):
    hook = await hooked(site, URL, headers={"Authorization": VALUE})
    for change in ({"url": url}, {"url": URL, "headers": {"Authorization": "***"}}):
        moved = await site.patch(f"/webhooks/{hook['id']}", change)
        assert (moved.status, moved.json["headers"]) == (200, {"Authorization": "***"}), moved.raw


async def test_a_webhook_without_headers_moves_as_ever(site):
    hook = await hooked(site, URL)
    assert (await site.patch(f"/webhooks/{hook['id']}", {"url": "https://other.example.com/"})).status == 200


async def test_nothing_that_a_moved_webhook_sends_has_the_old_values(articles, receiver, other, drain):
    hook = await hooked(articles, receiver.url, headers={"Authorization": VALUE})
    path = f"/webhooks/{hook['id']}"
    receiver.answers += [500, 200]
    await create(articles)
    await drain()  # one delivery that waits for its second attempt, frozen before the move
    await create(articles)  # and one whose job waits
    assert (await articles.patch(path, {"url": other.url})).code == "headers_required"
    bundle = (await articles.get("/content-types/bundle?parts=webhooks")).json
    bundle["webhooks"][0]["url"] = other.url
    for query in ("?dry_run=true", ""):
        (drift,) = (await articles.post(f"/content-types/bundle{query}", bundle)).json["drift"]
        assert "values of Authorization are removed" in drift["notes"][0]
        assert "set Authorization" in drift["notes"][1]
    assert (await articles.get(path)).json["headers"] == {}
    await articles.post(f"{path}/test")
    await articles.post(f"{path}/replay", {"since": "2020-01-01T00:00:00Z"})
    for delivery in await deliveries(articles, hook):
        assert (await articles.post(f"{path}/deliveries/{delivery['id']}/redeliver")).status == 202
    assert (await articles.post(f"{path}/rotate-secret", {"grace_seconds": 60})).status == 200
    await drain()
    assert len(other.got) >= 3
    assert "planted-value" not in heard(other)
    assert "planted-value" in heard(receiver)
    assert hook["secret"].removeprefix("whsec_") not in heard(receiver, other)


async def test_a_bundle_that_stays_within_the_origin_keeps_the_values(articles, receiver, drain):
    await hooked(articles, receiver.url, headers={"Authorization": VALUE})
    bundle = (await articles.get("/content-types/bundle?parts=webhooks")).json
    bundle["webhooks"][0]["url"] += "/2"
    (drift,) = (await articles.post("/content-types/bundle", bundle)).json["drift"]
    assert drift["notes"] == []
    await create(articles)
    await drain()
    assert receiver.got[-1].headers["authorization"] == VALUE
