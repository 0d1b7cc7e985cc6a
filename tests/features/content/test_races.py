"""What is done at the same moment is done, both of it: what PostgreSQL ends for a deadlock is done again."""

import asyncio

from aiohttp import FormData

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


ITEM = "SELECT 1 FROM items WHERE id = $1::uuid FOR UPDATE"
NAME = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"


async def lose_deadlock(services, begin, first, second, lock=ITEM):
    """Do something that takes the first of these, then the second, and have it lose them to somebody who takes them the
    other way."""
    async with elsewhere(services) as connection:
        async with connection.transaction():
            await connection.execute(lock, second)
            task = asyncio.create_task(begin())
            await until(lambda: waiting(services, 1), seconds=30)
            await connection.execute(lock, first)
        return await task


async def imported(articles, content, filename, **parts):
    data = FormData()
    for name, value in parts.items():
        data.add_field(name, value)
    data.add_field("file", content, filename=filename)
    answer = await articles.call("POST", "/content/import", data=data)
    assert answer.status == 202, answer.raw
    return answer.json["job_id"]


async def both(articles):
    """The ids of two items that have been imported, in the order of their rows."""
    return [(await articles.get(f"/content/by-slug/article/{n}?status=draft")).json["id"] for n in ("a", "b")]


def rows(version):
    return "\n".join(f'{{"slug": "{slug}", "title": "{version} {slug}"}}' for slug in "ab").encode()


async def test_a_batch_of_an_import_that_lost_a_deadlock_is_done_again_in_the_same_attempt(articles, services, drain):
    await imported(articles, rows("First"), "rows.ndjson", type="article")
    await drain()
    job_id = await imported(articles, rows("Second"), "rows.ndjson", type="article")
    await lose_deadlock(services, drain, *await both(articles))
    job = (await articles.get(f"/search/jobs/{job_id}")).json
    assert (job["state"], job["attempts"]) == ("done", 1)
    assert (job["result"]["done"], job["result"]["updated"], job["result"]["problems"]) == (2, 2, [])
    titles = [
        (await articles.get(f"/content/{one}?status=draft")).json["data"]["title"] for one in await both(articles)
    ]
    assert titles == ["Second a", "Second b"]


async def test_so_is_one_of_scaicms_import(articles, services, command, tmp_path):
    file = tmp_path / "rows.ndjson"
    asked = ("import", str(file), "--site", articles.site, "--type", "article", "--no-publish")
    file.write_bytes(rows("First"))
    code, said = await command(*asked)
    assert (code, "2 created" in said) == (0, True), said
    file.write_bytes(rows("Second"))
    code, said = await lose_deadlock(services, lambda: command(*asked), *await both(articles))
    assert (code, "2 updated" in said, "0 failed, of 2" in said) == (0, True, True), said


async def test_so_is_one_of_a_restored_export(articles, services, drain):
    data = [{"title": code, "code": code} for code in ("AAA", "BBB")]
    ids = [(await articles.post("/content", {"type": "article", "data": one})).json["id"] for one in data]
    export = (await articles.get("/content/export")).raw
    for one in ids:
        assert (await articles.delete(f"/content/{one}?permanent=true")).status == 204
    type_id = (await articles.get("/content-types/article")).json["id"]
    names = ["\x1f".join(("unique", type_id, "*", "code", one["code"])) for one in data]
    job_id = await imported(articles, export, "export.ndjson", format="export")
    await lose_deadlock(services, drain, *names, lock=NAME)
    job = (await articles.get(f"/search/jobs/{job_id}")).json
    assert (job["state"], job["attempts"]) == ("done", 1)
    assert (job["result"]["created"], job["result"]["problems"]) == (2, [])
    assert [(await articles.get(f"/content/{one}?status=draft")).status for one in ids] == [200, 200]
