"""Many operations in one request."""

import asyncio
from uuid import uuid4

import pytest

from tests.features.content.test_items import create

NEW = {"op": "create", "type": "article", "data": {"title": "Hello"}}


async def bulk(api, *operations, atomic=False, **given):
    return await api.post("/content/bulk", {"operations": list(operations), "atomic": atomic}, **given)


async def titles(api):
    items = (await api.get("/content?type=article&status=any&sort=data.title")).json["items"]
    return [item["data"]["title"] for item in items]


async def test_every_kind_of_operation_is_done_in_the_order_given(articles):
    one, two = await create(articles), await create(articles, publish=True)
    answer = await bulk(
        articles,
        {**NEW, "publish": True},
        {"op": "update", "id": one["id"], "data": {"title": "One", "count": 1}},
        {"op": "update", "id": one["id"], "data": {"title": "One again"}, "replace": True, "version": 2},
        {"op": "publish", "id": one["id"]},
        {"op": "unpublish", "id": two["id"]},
        {"op": "delete", "id": two["id"]},
    )
    assert answer.status == 200, answer.raw
    assert (answer.json["succeeded"], answer.json["failed"]) == (6, 0)
    results = answer.json["results"]
    assert [result["status"] for result in results] == [201, 200, 200, 200, 200, 204]
    assert results[0]["item"]["status"] == "published"
    assert len(results[0]["item"]["job_ids"]) == 1
    assert results[2]["item"]["data"] == {"title": "One again"}
    assert (await articles.get(f"/content/{one['id']}?status=published")).json["data"] == {"title": "One again"}
    assert (await articles.get(f"/content/{two['id']}")).status == 404


async def test_not_atomic_each_stands_for_itself_and_says_what_is_wrong_with_it(articles):
    item = await create(articles)
    answer = await bulk(
        articles,
        {"op": "update", "id": str(uuid4()), "data": {}},
        {"op": "create", "type": "article", "data": {"title": 5}},
        {"op": "update", "id": item["id"], "data": {"title": "Changed"}, "version": 9},
        {"op": "publish", "id": item["id"]},
    )
    assert answer.status == 200
    missing, wrong, stale, done = answer.json["results"]
    assert (missing["status"], missing["detail"]["code"]) == (404, "not_found")
    assert wrong["detail"]["errors"][0]["pointer"] == "/operations/1/data/title"
    assert (stale["status"], stale["detail"]["current_version"]) == (412, 1)
    assert (done["status"], done["item"]["status"]) == (200, "published")
    assert answer.json["failed"] == 3


async def test_atomic_all_or_none_and_the_error_points_at_the_operation(articles):
    item = await create(articles)
    answer = await bulk(
        articles,
        {"op": "update", "id": item["id"], "data": {"title": "Changed"}},
        {**NEW, "publish": True},
        {"op": "update", "id": item["id"], "data": {"count": -1}},
        atomic=True,
    )
    assert (answer.status, answer.code) == (422, "invalid")
    assert [error["pointer"] for error in answer.json["detail"]["errors"]] == ["/operations/2/data/count"]
    assert await titles(articles) == ["Hello"]
    assert (await articles.get(f"/content/{item['id']}")).json["version"] == 1
    conflict = await bulk(articles, NEW, {"op": "unpublish", "id": item["id"]}, atomic=True)
    assert (conflict.status, conflict.code) == (409, "not_published")
    assert conflict.json["detail"]["errors"][0]["pointer"] == "/operations/1"
    assert await titles(articles) == ["Hello"]


async def test_the_same_request_with_an_idempotency_key_is_done_once(articles):
    headers = {"Idempotency-Key": str(uuid4())}
    wrong = {"op": "publish", "id": str(uuid4())}
    first = await bulk(articles, NEW, wrong, headers=headers)
    again = await bulk(articles, NEW, wrong, headers=headers)
    assert first.json["succeeded"] == first.json["failed"] == 1
    assert again.raw == first.raw
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await titles(articles) == ["Hello"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"operations": []}, "/operations"),
        ({"operations": [NEW] * 101}, "/operations"),
        ({"operations": [NEW, {"op": "explode"}]}, "/operations/1"),
        ({"operations": ["create"]}, "/operations/0"),
        ({"operations": [{"op": "create", "type": "article"}]}, "/operations/0/data"),
        ({"operations": [{"op": "delete", "id": "no-id"}]}, "/operations/0/id"),
        ({"operations": [{**NEW, "extra": 1}]}, "/operations/0/extra"),
        ({"operations": [NEW], "atomic": "yes"}, "/atomic"),
    ],
)
async def test_what_is_no_bulk_is_refused_whole(articles, body, pointer):
    answer = await articles.post("/content/bulk", body)
    assert answer.status == 422
    assert answer.json["detail"]["errors"][0]["pointer"] == pointer
    assert await titles(articles) == []


async def test_a_hundred_operations_are_done(articles):
    answer = await bulk(articles, *[{**NEW, "slug": f"n{number}"} for number in range(100)], atomic=True)
    assert answer.json["succeeded"] == 100
    assert (await articles.get("/content?type=article&status=any&page_size=1")).json["total"] == 100


async def test_bulk_is_no_way_around_what_somebody_may_do(articles, granted):
    item = await create(articles, secret="hidden")
    writer = await granted(
        articles,
        "content:read",
        {"permission": "content:update", "fields": ["title"]},
        {"permission": "content:read_drafts", "fields": ["title"]},
    )
    answer = await bulk(
        writer,
        NEW,
        {"op": "update", "id": item["id"], "data": {"title": "Mine"}},
        {"op": "update", "id": item["id"], "data": {"secret": "known"}},
        {"op": "publish", "id": item["id"]},
        {"op": "delete", "id": item["id"]},
    )
    assert [result["status"] for result in answer.json["results"]] == [403, 200, 403, 403, 403]
    assert answer.json["results"][2]["detail"]["errors"][0]["pointer"] == "/operations/2/data/secret"
    assert b"hidden" not in answer.raw


async def test_atomic_bulks_over_the_same_items_in_any_order_do_not_wait_for_each_other_for_ever(articles):
    items = [(await create(articles, publish=True))["id"] for _ in range(8)]

    def operations(ids, number):
        return [{"op": "update", "id": id_, "data": {"count": number}} for id_ in ids] + [
            {"op": "publish", "id": id_} for id_ in reversed(ids)
        ]

    answers = await asyncio.gather(
        *(bulk(articles, *operations(items[n:] + items[:n], n), atomic=True) for n in range(8)),
        *(
            bulk(articles, *operations(items[n:] + items[:n], n), headers={"Idempotency-Key": str(uuid4())})
            for n in range(8)
        ),
    )
    assert [answer.json.get("failed") for answer in answers] == [0] * 16
    shown = (await articles.get("/content?type=article")).json["items"]
    assert len({item["data"]["count"] for item in shown}) == 1
    assert {item["version"] for item in shown} == {17}


async def test_items_look_as_after_the_same_operation_alone(articles):
    item = (await articles.post("/content", {"type": "article", "data": {"title": "One"}})).json
    operations = [
        {"op": "create", "type": "article", "data": {"title": "Two"}},
        {"op": "create", "type": "article", "data": {"title": "Three"}, "publish": True},
        {"op": "update", "id": item["id"], "data": {"title": "Four"}},
        {"op": "publish", "id": item["id"]},
        {"op": "unpublish", "id": item["id"]},
    ]
    results = (await articles.post("/content/bulk", {"operations": operations})).json["results"]
    path = f"/content/{item['id']}"
    alone = [
        await articles.post("/content", {"type": "article", "data": {"title": "Two"}}),
        await articles.post("/content", {"type": "article", "data": {"title": "Three"}, "publish": True}),
        await articles.patch(path, {"data": {"title": "Four"}}),
        await articles.post(f"{path}/publish"),
        await articles.post(f"{path}/unpublish"),
    ]
    assert [result["item"].keys() for result in results] == [answer.json.keys() for answer in alone]
