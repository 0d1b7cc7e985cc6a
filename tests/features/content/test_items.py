"""Items: drafts, publishing, delivery."""

import asyncio
from uuid import uuid4

import pytest


async def create(api, publish=False, **data):
    answer = await api.post("/content", {"type": "article", "data": {"title": "Hello", **data}, "publish": publish})
    assert answer.status == 201, answer.raw
    return answer.json


async def test_a_new_item_is_a_draft_that_only_editors_see(articles, admin):
    item = await create(articles)
    assert item["status"] == "draft"
    assert item["slug"] == "hello"
    assert (await articles.get(f"/content/{item['id']}")).json["data"]["title"] == "Hello"
    assert (await articles.get(f"/content/{item['id']}?status=published")).status == 404
    assert (await articles.get("/content?type=article")).json["total"] == 0
    assert (await articles.get("/content?type=article&status=any")).json["total"] == 1


async def test_created_answers_with_its_location_and_version(articles):
    answer = await articles.post("/content", {"type": "article", "data": {"title": "x"}})
    assert answer.headers["Location"] == f"/api/v1/content/{answer.json['id']}"
    assert answer.headers["ETag"] == '"v1"'


async def test_publishing_makes_the_document_that_delivery_returns(articles):
    item = await create(articles, body="# Hi", price=1.5)
    published = await articles.post(f"/content/{item['id']}/publish")
    assert published.status == 200
    assert published.json["status"] == "published"
    assert published.json["plan"] == {"unpublished_targets": []}
    assert len(published.json["job_ids"]) == 1
    read = await articles.get(f"/content/{item['id']}")
    assert read.json["data"] == {
        "title": "Hello",
        "body": "# Hi",
        "body_html": '<h1 id="hi">Hi</h1>\n',
        "price": 1.5,
    }
    assert read.json["published_at"].endswith("Z")


async def test_a_saved_draft_does_not_change_what_is_published_until_it_is_published(articles):
    item = await create(articles, publish=True)
    changed = await articles.patch(f"/content/{item['id']}", {"data": {"title": "Changed"}})
    assert changed.json["status"] == "changed"
    assert (await articles.get(f"/content/{item['id']}")).json["data"]["title"] == "Hello"
    assert (await articles.get(f"/content/{item['id']}?status=draft")).json["data"]["title"] == "Changed"
    await articles.post(f"/content/{item['id']}/publish")
    assert (await articles.get(f"/content/{item['id']}")).json["data"]["title"] == "Changed"


async def test_patch_merges_by_field_and_null_removes(articles):
    item = await create(articles, body="text", count=3)
    patched = await articles.patch(f"/content/{item['id']}", {"data": {"count": 4, "body": None}})
    assert patched.json["data"] == {"title": "Hello", "count": 4}
    assert patched.json["version"] == 2


async def test_put_replaces_the_data(articles):
    item = await create(articles, body="text")
    put = await articles.put(f"/content/{item['id']}", {"data": {"title": "Only this"}})
    assert put.json["data"] == {"title": "Only this"}


async def test_unpublish_takes_it_out_of_delivery_and_keeps_the_draft(articles):
    item = await create(articles, publish=True)
    assert (await articles.post(f"/content/{item['id']}/unpublish")).json["status"] == "draft"
    assert (await articles.get(f"/content/{item['id']}?status=published")).status == 404
    assert (await articles.post(f"/content/{item['id']}/unpublish")).code == "not_published"


async def test_unpublish_takes_out_only_the_version_that_was_seen(articles):
    item = (await articles.post("/content", {"type": "article", "data": {"title": "Seen"}, "publish": True})).json
    path = f"/content/{item['id']}"
    assert (await articles.patch(path, {"data": {"title": "Changed"}})).status == 200
    stale = await articles.post(f"{path}/unpublish", headers={"If-Match": '"v1"'})
    assert (stale.status, stale.code) == (412, "precondition_failed")
    assert (await articles.get(f"{path}?status=published")).status == 200
    assert (await articles.post(f"{path}/unpublish", headers={"If-Match": '"v2"'})).status == 200


@pytest.mark.parametrize("query", ["", "?permanent=true"])
async def test_a_deleted_item_is_gone_and_frees_its_slug(articles, query):
    item = await create(articles, publish=True)
    assert (await articles.delete(f"/content/{item['id']}{query}")).status == 204
    assert (await articles.get(f"/content/{item['id']}")).status == 404
    assert (await articles.get("/content/by-slug/article/hello")).status == 404
    assert (await create(articles, publish=True))["slug"] == "hello"


async def test_slugs_are_made_unique_when_made_and_refused_when_given(articles):
    assert [(await create(articles))["slug"] for _ in range(3)] == ["hello", "hello-2", "hello-3"]
    answer = await articles.post("/content", {"type": "article", "slug": "hello", "data": {"title": "x"}})
    assert (answer.status, answer.code) == (409, "slug_taken")


async def test_the_slug_of_a_published_document_stays_taken_while_its_draft_has_another(articles):
    item = await create(articles, publish=True)
    assert (await articles.patch(f"/content/{item['id']}", {"slug": "renamed"})).status == 200
    answer = await articles.post("/content", {"type": "article", "slug": "hello", "data": {"title": "x"}})
    assert answer.code == "slug_taken"
    assert (await articles.get("/content/by-slug/article/hello")).json["id"] == item["id"]


async def test_by_slug_finds_documents_and_for_editors_drafts(articles):
    item = await create(articles)
    assert (await articles.get("/content/by-slug/article/hello")).json["status"] == "draft"
    await articles.post(f"/content/{item['id']}/publish")
    assert (await articles.get("/content/by-slug/article/hello")).json["status"] == "published"
    assert (await articles.get("/content/by-slug/article/nothing")).status == 404
    assert (await articles.get("/content/by-slug/nothing/hello")).code == "content_type_not_found"


async def test_conditional_reads_and_writes(articles):
    item = await create(articles, publish=True)
    path = f"/content/{item['id']}"
    etag = (await articles.get(path)).headers["ETag"]
    assert (await articles.get(path, headers={"If-None-Match": etag})).status == 304
    assert (await articles.patch(path, {"data": {"count": 1}}, headers={"If-Match": etag})).status == 200
    stale = await articles.patch(path, {"data": {"count": 2}}, headers={"If-Match": etag})
    assert (stale.status, stale.json["detail"]["current_version"]) == (412, 2)
    assert (await articles.delete(path, headers={"If-Match": '"other"'})).status == 412


async def test_one_of_two_writers_on_the_same_version_loses(articles):
    item = await create(articles)
    path = f"/content/{item['id']}"
    answers = await asyncio.gather(
        *(articles.patch(path, {"data": {"count": n}}, headers={"If-Match": '"v1"'}) for n in range(8))
    )
    assert sorted(answer.status for answer in answers) == [200] + [412] * 7


async def test_a_unique_value_stays_unique_under_concurrency(articles):
    new = {"type": "article", "data": {"title": "x", "code": "ABC"}}
    answers = await asyncio.gather(*(articles.post("/content", new) for _ in range(6)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 5
    refused = next(answer for answer in answers if answer.status == 409)
    assert refused.json["detail"]["errors"][0]["pointer"] == "/data/code"


async def test_relations_must_exist_and_unpublished_targets_are_said(articles):
    target = await create(articles)
    wrong = await articles.post("/content", {"type": "article", "data": {"title": "x", "related": str(uuid4())}})
    assert wrong.json["detail"]["errors"][0]["code"] == "unknown_target"
    item = await create(articles, related=target["id"], others=[target["id"]])
    dry = await articles.post(f"/content/{item['id']}/publish?dry_run=true")
    assert dry.json["plan"]["unpublished_targets"] == [
        {"field": "related", "id": target["id"]},
        {"field": "others", "id": target["id"]},
    ]
    assert dry.json["status"] == "draft"
    assert (await articles.post(f"/content/{target['id']}/publish")).status == 200
    assert (await articles.post(f"/content/{item['id']}/publish")).json["plan"] == {"unpublished_targets": []}


async def test_private_fields_never_leave_through_delivery(articles):
    item = await create(articles, publish=True, secret="hidden")
    for path in (f"/content/{item['id']}", "/content/by-slug/article/hello", "/content?type=article"):
        assert b"hidden" not in (await articles.get(path)).raw
    assert (await articles.get("/content?type=article&filter[data.secret]=hidden")).code == "invalid_filter"
    assert (await articles.get(f"/content/{item['id']}?status=draft")).json["data"]["secret"] == "hidden"


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        ({}, "/data/title"),
        ({"title": 5}, "/data/title"),
        ({"title": "x", "count": 1.5}, "/data/count"),
        ({"title": "x", "count": -1}, "/data/count"),
        ({"title": "x", "count": True}, "/data/count"),
        ({"title": "x", "price": "1"}, "/data/price"),
        ({"title": "x", "featured": 1}, "/data/featured"),
        ({"title": "x", "day": "2026-02-30"}, "/data/day"),
        ({"title": "x", "at": "2026-02-01T10:00:00"}, "/data/at"),
        ({"title": "x", "colour": "blue"}, "/data/colour"),
        ({"title": "x", "code": "abc"}, "/data/code"),
        ({"title": "x", "tags": "one"}, "/data/tags"),
        ({"title": "x", "related": "no-id"}, "/data/related"),
        ({"title": "x\u0000"}, "/data/title"),
        ({"title": "x" * 201}, "/data/title"),
        ({"title": "x", "nothing": 1}, "/data/nothing"),
    ],
)
async def test_wrong_data_is_refused_with_a_pointer(articles, data, pointer):
    answer = await articles.post("/content", {"type": "article", "data": data})
    assert answer.status == 422
    assert pointer in [error["pointer"] for error in answer.json["detail"]["errors"]]


async def test_times_are_kept_in_utc(articles):
    item = await create(articles, at="2026-02-01T10:00:00+02:00")
    assert item["data"]["at"] == "2026-02-01T08:00:00Z"


async def test_an_unknown_locale_is_refused(articles):
    answer = await articles.post("/content", {"type": "article", "locale": "fr", "data": {"title": "x"}})
    assert answer.json["detail"]["errors"][0]["code"] == "unknown_locale"


async def test_an_idempotency_key_repeats_the_first_answer(articles):
    new, headers = {"type": "article", "data": {"title": "Once"}}, {"Idempotency-Key": str(uuid4())}
    first = await articles.post("/content", new, headers=headers)
    second = await articles.post("/content", new, headers=headers)
    assert (second.status, second.raw) == (201, first.raw)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.headers["Location"] == first.headers["Location"]
    other = await articles.post("/content", {**new, "slug": "other"}, headers=headers)
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert (await articles.get("/content?type=article&status=any")).json["total"] == 1


async def test_of_concurrent_requests_with_one_key_one_is_done(articles):
    new, headers = {"type": "article", "data": {"title": "Once"}}, {"Idempotency-Key": str(uuid4())}
    answers = await asyncio.gather(*(articles.post("/content", new, headers=headers) for _ in range(6)))
    assert {answer.status for answer in answers} <= {201, 409}
    assert (await articles.get("/content?type=article&status=any")).json["total"] == 1


async def test_an_item_of_another_site_does_not_exist(articles, admin):
    item = await create(articles, publish=True)
    answer = await admin.post("/sites", {"key": f"o{uuid4().hex[:8]}", "name": "Other"})
    other = admin.at(answer.json["key"])
    missing = await other.get(f"/content/{uuid4()}", headers={"X-Request-ID": "same"})
    foreign = await other.get(f"/content/{item['id']}", headers={"X-Request-ID": "same"})
    assert foreign.status == 404
    assert foreign.raw == missing.raw
    for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/publish"), ("POST", "/unpublish")):
        body = {"data": {}} if method == "PATCH" else None
        assert (await other.call(method, f"/content/{item['id']}{path}", json=body)).status == 404


async def test_an_item_in_another_locale_alone_is_changed_published_and_deleted(articles):
    locales = {"locales": [{"code": "en"}, {"code": "de"}]}
    assert (await articles.patch(f"/sites/{articles.site}", locales)).status == 200
    await asyncio.sleep(0.1)
    made = await articles.post("/content", {"type": "article", "locale": "de", "data": {"title": "Hallo"}})
    path = f"/content/{made.json['id']}"
    assert (await articles.patch(path, {"data": {"title": "Tag"}})).json["locale"] == "de"
    assert (await articles.patch(f"{path}?locale=en", {"data": {"title": "x"}})).status == 404
    assert (await articles.post(f"{path}/publish")).json["status"] == "published"
    assert (await articles.get(f"{path}?locale=de&status=published")).json["data"]["title"] == "Tag"
    assert (await articles.post(f"{path}/unpublish")).json["status"] == "draft"
    assert (await articles.delete(path)).status == 204
