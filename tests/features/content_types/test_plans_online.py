"""Readers and writers go on while a plan is applied."""

import asyncio
import json

from scaicms import registry
from scaicms.infra import db
from scaicms.infra.jobs.runner import Runner
from tests.features.content_types.things import (
    NOTE,
    create,
    draft,
    plan,
    replaced,
)

MANY = 5_000


async def fill(item):
    """Copies of a published item, by SQL."""
    await db.execute(
        """WITH new AS (SELECT gen_random_uuid() AS id, n FROM generate_series(1, $2) n),
           i AS (INSERT INTO items (id, site_id, type_id, slug, created_at)
                 SELECT new.id, o.site_id, o.type_id, 'copy-' || n, now() FROM new, items o WHERE o.id = $1),
           e AS (INSERT INTO entries (id, item_id, locale, data, version, published_version, updated_at)
                 SELECT gen_random_uuid(), new.id, o.locale, o.data, 1, 1, now()
                 FROM new, entries o WHERE o.item_id = $1)
           INSERT INTO documents (item_id, locale, site_id, type_id, slug, version, etag, body, data, created_at,
                                  updated_at, published_at)
           SELECT new.id, o.locale, o.site_id, o.type_id, 'copy-' || n, 1, o.etag,
                  convert_to(jsonb_set(convert_from(o.body, 'UTF8')::jsonb, '{id}', to_jsonb(new.id))::text, 'UTF8'),
                  o.data, now(), now(), now() FROM new, documents o WHERE o.item_id = $1""",
        item["id"],
        MANY,
    )


async def test_readers_see_five_thousand_renamed_at_once_while_somebody_writes(things, services):
    item = await create(things, note="here")
    await fill(item)
    made = await plan(things, replaced("note", {**NOTE, "key": "remark", "renamed_from": "note"}))
    answer = await things.post(f"/content-types/thing/plan/{made['plan_id']}/apply")
    seen, statuses, written = [], [], 0

    async def read(path, pick):
        while not worker.done():
            await asyncio.sleep(0.01)
            got = await things.get(path)
            statuses.append(got.status)
            names = {"note" if "note" in data else "remark" if "remark" in data else "?" for data in pick(got.json)}
            seen.append((path, *sorted(names)))

    async def write():
        nonlocal written
        while not worker.done():
            data = (await draft(things, item)).keys()
            key = "remark" if "remark" in data else "note"
            got = await things.patch(f"/content/{item['id']}", {"data": {key: f"{written}"}})
            # The names may change between looking and writing. Who writes waits for the exchange, and on a busy machine
            # longer than a statement may take; readers never do.
            assert got.status in (200, 503) or (got.status, key) == (422, "note"), got.raw
            written += got.status == 200
            await asyncio.sleep(0.01)

    async def work():
        runner = Runner(registry.tasks(), services, "tests")
        while await runner.run_due("default", 10):
            pass

    worker = asyncio.create_task(work())
    await asyncio.gather(
        read("/content?type=thing&page_size=100&count=none", lambda page: [i["data"] for i in page["items"]]),
        read(
            "/content?type=thing&page_size=50&status=any&sort=slug&count=none",
            lambda p: [i["data"] for i in p["items"]],
        ),
        read(f"/content/{item['id']}", lambda one: [one["data"]]),
        write(),
        worker,
    )
    assert (await things.get(answer.headers["Location"])).json["state"] == "done"
    assert set(statuses) == {200}
    for path in {path for path, *_ in seen}:
        names = [found for where, *found in seen if where == path]
        # Each page has one name throughout, and once the new one is seen the old one never is again.
        assert ["note"] in names
        assert set(map(tuple, names)) <= {("note",), ("remark",)}
        assert names == sorted(names)
    assert written > 10
    assert (await draft(things, item))["remark"] == f"{written - 1}"
    left = "SELECT count(*) FROM documents WHERE data ? 'note' AND type_id = (SELECT type_id FROM items WHERE id = $1)"
    assert await db.fetchval(left, item["id"]) == 0
    bodies = await db.fetch(
        "SELECT body, data FROM documents WHERE type_id = (SELECT type_id FROM items WHERE id = $1)", item["id"]
    )
    assert len(bodies) == MANY + 1
    assert all(json.loads(row["body"])["data"] == json.loads(row["data"]) for row in bodies)
