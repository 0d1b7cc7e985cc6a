"""What is done at the same moment is done, both of it: what PostgreSQL ends for a deadlock is done again."""

import asyncio

from tests.features.content.test_schedule_races import elsewhere, waiting
from tests.infra.jobs_at_hand import until

ROUNDS = 25


async def pair(articles):
    """Two drafts that point at each other."""
    first = (await articles.post("/content", {"type": "article", "data": {"title": "First"}})).json
    data = {"title": "Second", "related": first["id"]}
    second = (await articles.post("/content", {"type": "article", "data": data})).json
    answer = await articles.patch(f"/content/{first['id']}", {"data": {"related": second["id"]}})
    assert answer.status == 200, answer.raw
    return [first["id"], second["id"]]


async def test_items_that_point_at_each_other_are_published_at_the_same_moment(articles):
    for round_ in range(ROUNDS):
        ids = await pair(articles)
        answers = await asyncio.gather(*(articles.post(f"/content/{one}/publish") for one in ids))
        assert [answer.status for answer in answers] == [200, 200], (round_, [answer.raw for answer in answers])


async def test_they_are_published_anew_under_new_slugs_at_the_same_moment(articles):
    ids = await pair(articles)
    for one in ids:
        assert (await articles.post(f"/content/{one}/publish")).status == 200
    for round_ in range(ROUNDS):
        for number, one in enumerate(ids):
            answer = await articles.patch(f"/content/{one}", {"slug": f"slug-{round_}-{number}"})
            assert answer.status == 200, answer.raw
        answers = await asyncio.gather(*(articles.post(f"/content/{one}/publish") for one in ids))
        assert [answer.status for answer in answers] == [200, 200], (round_, [answer.raw for answer in answers])


async def lost_race(articles, services, **given):
    """Publish an item that points at another, and lose a deadlock against somebody who takes both the other way."""
    first, second = await pair(articles)
    assert (await articles.post(f"/content/{second}/publish")).status == 200
    async with elsewhere(services) as connection:
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM documents WHERE item_id = $1::uuid FOR UPDATE", second)
            asked = asyncio.create_task(articles.post(f"/content/{first}/publish", **given))
            await until(lambda: waiting(services, 1))
            # Who has waited longer is the one whom PostgreSQL ends.
            await connection.execute("SELECT 1 FROM items WHERE id = $1::uuid FOR UPDATE", first)
        return first, await asked


async def test_who_loses_a_deadlock_is_served_by_another_try(articles, services):
    first, answer = await lost_race(articles, services)
    assert answer.status == 200, answer.raw
    assert (await articles.get(f"/content/{first}")).status == 200


async def test_so_is_who_sends_an_idempotency_key(articles, services):
    headers = {"Idempotency-Key": "once"}
    first, answer = await lost_race(articles, services, headers=headers)
    assert answer.status == 200, answer.raw
    repeated = await articles.post(f"/content/{first}/publish", headers=headers)
    assert (repeated.raw, repeated.headers["Idempotent-Replayed"]) == (answer.raw, "true")


async def test_what_comes_after_a_bulk_operation_that_lost_a_deadlock_is_done_once(articles, services):
    """Each operation is a transaction of its own: what has committed before is not done again."""
    first, second = await pair(articles)
    assert (await articles.post(f"/content/{second}/publish")).status == 200
    create = {"op": "create", "type": "article", "data": {"title": "Only once"}}
    operations = [create, {"op": "publish", "id": first}, create]
    async with elsewhere(services) as connection:
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM documents WHERE item_id = $1::uuid FOR UPDATE", second)
            body = {"operations": operations, "atomic": False}
            asked = asyncio.create_task(articles.post("/content/bulk", body))
            await until(lambda: waiting(services, 1))
            await connection.execute("SELECT 1 FROM items WHERE id = $1::uuid FOR UPDATE", first)
        answer = await asked
    assert [result["status"] for result in answer.json["results"]] == [201, 200, 201], answer.raw
    assert (await articles.get("/content?type=article&status=any")).json["total"] == 4
