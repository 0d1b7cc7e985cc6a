"""An Idempotency-Key counts once, however the request names the site, the thing or the caller."""

from uuid import uuid4

import pytest

NEW = {"type": "article", "data": {"title": "Once"}}


async def names_of(api):
    """All that `X-Site-ID` may be to name one site."""
    site_id = (await api.get(f"/sites/{api.site}")).json["id"]
    return [api.site, site_id, site_id.upper(), f"  {api.site}  ", f"\t{site_id}"]


@pytest.fixture
async def callers(articles):
    """The same site, by somebody who is logged in, and by a key."""
    made = await articles.post("/api-keys", {"name": "k", "permissions": ["content:create", "content:read_drafts"]})
    return [articles, articles.with_token(made.json["key"])]


async def test_a_key_counts_once_however_the_site_is_named(articles, callers):
    for number, caller in enumerate(callers, 1):
        key, raws = str(uuid4()), set()
        for header in ("Idempotency-Key", "idempotency-key", "IDEMPOTENCY-KEY"):
            for name in await names_of(articles):
                answer = await caller.at(name).post("/content", NEW, headers={header: f" {key} "})
                assert answer.status == 201, answer.raw
                raws.add(answer.raw)
        assert len(raws) == 1
        assert (await articles.get("/content?type=article&status=any")).json["total"] == number


async def test_a_key_counts_once_however_an_id_is_written(articles):
    item = (await articles.post("/content", NEW)).json
    headers = {"Idempotency-Key": str(uuid4())}
    first = await articles.post(f"/content/{item['id']}/duplicate", headers=headers)
    again = await articles.post(f"/content/{item['id'].upper()}/duplicate", headers=headers)
    assert (first.status, again.raw) == (201, first.raw)


async def test_a_key_counts_for_each_site_and_thing(articles, admin):
    headers = {"Idempotency-Key": str(uuid4())}
    made = [(await articles.post("/content", {**NEW, "slug": slug})).json["id"] for slug in ("one", "two")]
    copies = [await articles.post(f"/content/{item_id}/duplicate", headers=headers) for item_id in made]
    assert len({copy.json["id"] for copy in copies}) == 2
    key = f"o{uuid4().hex[:8]}"
    assert (await admin.post("/sites", {"key": key, "name": key})).status == 201
    assert "Idempotent-Replayed" not in (await admin.at(key).post("/content", NEW, headers=headers)).headers
