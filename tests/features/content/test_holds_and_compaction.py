"""The past is thinned out after a time, but for what is held, current or published; holds keep items too."""

import asyncio
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from scaicms.features.content import compacting
from scaicms.features.content.jobs import COMPACT_HISTORY, CompactPayload
from scaicms.infra import db
from scaicms.infra.jobs import enqueue
from scaicms.kit.principal import SYSTEM
from scaicms.web.ports import SERVICES

DAY = timedelta(days=1)
# A day that is older than what is kept whole (30 days), at its first moment.
OLD = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - 40 * DAY


async def create(api, publish=True, **data):
    answer = await api.post("/content", {"type": "article", "data": {"title": "Hello", **data}, "publish": publish})
    assert answer.status == 201, answer.raw
    return answer.json


async def save(api, item, publish=True, **data):
    assert (await api.patch(f"/content/{item['id']}", {"data": data})).status == 200
    if publish:
        assert (await api.post(f"/content/{item['id']}/publish")).status == 200


async def numbers(api, item):
    return [r["number"] for r in (await api.get(f"/content/{item['id']}/revisions")).json["items"]]


async def saved_at(item, *times):
    """Make revisions 1, 2, … as old as these."""
    for number, moment in enumerate(times, 1):
        await db.execute(
            "UPDATE revisions SET created_at = $3 WHERE item_id = $1::text::uuid AND number = $2",
            item["id"],
            number,
            moment,
        )


async def delivered_at(item, *times, table="document_history"):
    """The same for what was delivered, each until the next."""
    rows = await db.fetch(f"SELECT id FROM {table} WHERE item_id = $1::text::uuid ORDER BY id", item["id"])
    assert len(rows) == len(times)
    for row, moment, following in zip(rows, times, [*times[1:], None], strict=True):
        await db.execute(
            f"UPDATE {table} SET valid_from = $2, valid_to = coalesce($3::timestamptz, 'infinity') WHERE id = $1",
            row["id"],
            moment,
            following,
        )


@pytest.fixture
async def compact(articles, drain):
    """Run the maintenance once; its result."""

    async def run():
        async with db.transaction():
            job_id = await enqueue(COMPACT_HISTORY.request(CompactPayload(), site_id=None))
        await drain()
        job = (await articles.get(f"/search/jobs/{job_id}")).json
        assert job["state"] == "done", job
        return job["result"]

    return run


async def title_at(api, item, moment):
    answer = await api.get(f"/content/{item['id']}?as_of={quote(moment.isoformat())}")
    return answer.json["data"]["title"] if answer.status == 200 else None


async def test_of_old_days_the_last_revision_stays(articles, compact):
    item = await create(articles, publish=False)
    for number in range(6):
        await save(articles, item, publish=False, count=number)
    hour = timedelta(hours=1)
    recent = datetime.now(UTC) - 5 * DAY
    await saved_at(item, OLD, OLD + hour, OLD + 23 * hour, OLD + DAY, OLD + 3 * DAY, recent, recent + hour)
    await compact()
    assert await numbers(articles, item) == [7, 6, 5, 4, 3]
    assert (await compact())["removed"] == 0


async def test_the_draft_and_what_is_published_stay_however_old(articles, compact):
    item = await create(articles)
    for number in range(3):
        await save(articles, item, publish=False, count=number)
    await saved_at(item, OLD, OLD, OLD, OLD)
    await compact()
    assert await numbers(articles, item) == [4, 1]
    assert (await articles.get(f"/content/{item['id']}/revisions/4/diff")).json["against"] == 1


async def test_old_days_are_read_as_they_ended_and_without_gaps(articles, compact):
    item = await create(articles, title="v1")
    for number in range(2, 8):
        await save(articles, item, title=f"v{number}")
    hour = timedelta(hours=1)
    times = [OLD, OLD + DAY + hour, OLD + DAY + 2 * hour, OLD + DAY + 3 * hour, OLD + DAY + 20 * hour, OLD + 5 * DAY]
    await delivered_at(item, *times, datetime.now(UTC) - DAY)
    await compact()
    asked = [OLD + hour, *(OLD + DAY + number * hour for number in (1.5, 2.5, 4, 21)), OLD + 2 * DAY, OLD + 6 * DAY]
    assert [await title_at(articles, item, moment) for moment in asked] == ["v1", "v1", "v1", "v1", "v5", "v5", "v6"]
    assert await title_at(articles, item, OLD - hour) is None
    assert await title_at(articles, item, datetime.now(UTC)) == "v7"
    left = await db.fetchval("SELECT count(*) FROM document_history WHERE item_id = $1::text::uuid", item["id"])
    assert left == 4


async def test_what_was_not_published_then_is_not_made_so(articles, compact):
    item = await create(articles, title="v1")
    for number in (2, 3):
        assert (await articles.post(f"/content/{item['id']}/unpublish")).status == 200
        await save(articles, item, title=f"v{number}")
    hour = timedelta(hours=1)
    rows = await db.fetch("SELECT id FROM document_history WHERE item_id = $1::text::uuid ORDER BY id", item["id"])
    spans = [(OLD, OLD + hour), (OLD + 2 * hour, OLD + 3 * hour), (OLD + 4 * hour, None)]
    for row, (start, end) in zip(rows, spans, strict=True):
        await db.execute(
            """UPDATE document_history SET valid_from = $2, valid_to = coalesce($3::timestamptz, 'infinity')
               WHERE id = $1""",
            row["id"], start, end,
        )  # fmt: skip
    await compact()
    asked = [OLD + number * hour for number in (0.5, 1.5, 2.5, 3.5, 4.5)]
    assert [await title_at(articles, item, moment) for moment in asked] == [None, None, None, None, "v3"]


async def test_terms_of_old_days_follow_the_documents(articles, compact):
    assert (await articles.post("/taxonomies", {"key": "topics", "name": "Topics"})).status == 201
    for name in ("a", "b", "c"):
        assert (await articles.post("/taxonomies/topics/terms", {"name": name})).status == 201
    item = await create(articles)
    for name in ("a", "b", "c"):
        await articles.patch(f"/content/{item['id']}", {"taxonomies": {"topics": [name]}})
        await articles.post(f"/content/{item['id']}/publish")
    hour = timedelta(hours=1)
    await delivered_at(item, OLD, OLD + hour, OLD + DAY, OLD + 2 * DAY)
    times = (OLD + hour, OLD + DAY, OLD + DAY + hour)
    await delivered_at(item, *times, table="document_term_history")
    await compact()
    found = []
    for moment in (OLD + 2 * hour, OLD + DAY + hour / 2, OLD + DAY + 2 * hour):
        as_of = quote(moment.isoformat())
        for name in ("a", "b", "c"):
            listed = await articles.get(f"/content?type=article&as_of={as_of}&filter[terms.topics]={name}")
            found += [name] * listed.json["total"]
    assert found == ["a", "a", "c"]


async def test_what_is_held_keeps_its_past(articles, compact):
    item = await create(articles)
    for number in range(3):
        await save(articles, item, count=number)
    await saved_at(item, OLD, OLD, OLD, OLD)
    await delivered_at(item, OLD, OLD, OLD, OLD)
    assert (await articles.put(f"/content/{item['id']}/hold", {"reason": "Case 14"})).status == 200
    await compact()
    assert await numbers(articles, item) == [4, 3, 2, 1]
    count = "SELECT count(*) FROM document_history WHERE item_id = $1::text::uuid"
    assert await db.fetchval(count, item["id"]) == 4
    assert (await articles.delete(f"/content/{item['id']}/hold")).status == 204
    await compact()
    assert await numbers(articles, item) == [4]
    assert await db.fetchval(count, item["id"]) == 1


async def test_compaction_goes_in_small_batches_and_goes_on_where_it_was(articles, compact, monkeypatch):
    monkeypatch.setattr(compacting, "BATCH", 2)
    item = await create(articles)
    for number in range(8):
        await save(articles, item, count=number)
    await saved_at(item, *[OLD + timedelta(minutes=minute) for minute in range(9)])
    await delivered_at(item, OLD - DAY, *[OLD + timedelta(minutes=minute) for minute in range(8)])
    # From what others left behind in the same database, batches of two would take long.
    first = {
        table: await db.fetchval(f"SELECT min(id) - 1 FROM {table} WHERE item_id = $1::text::uuid", item["id"])
        for table in ("revisions", "document_history")
    }
    service, steps = compacting.CompactionService, 0
    compactor = service(articles.client.app[SERVICES])
    for number, after in enumerate(first.values()):
        async for progress in compactor.batches(
            SYSTEM, checkpoint=no_checkpoint, resume={"table": number, "after": after}
        ):
            steps += 1
            if progress.table != number:
                break
    assert steps > 8
    assert await numbers(articles, item) == [9]
    moments = [OLD - DAY / 2, OLD + timedelta(minutes=3.5), OLD + timedelta(minutes=9)]
    reads = [await articles.get(f"/content/{item['id']}?as_of={quote(moment.isoformat())}") for moment in moments]
    assert [answer.json["version"] for answer in reads] == [1, 1, 9]


async def no_checkpoint(progress):
    """Nothing to go on from."""


async def test_a_held_item_cannot_be_removed_for_good(articles, admin):
    item = await create(articles)
    path = f"/content/{item['id']}"
    held = await articles.put(f"{path}/hold", {"reason": "Case 14"})
    me = (await admin.get("/auth/profile")).json["id"]
    assert (held.json["reason"], held.json["created_by"], held.json["item_id"]) == ("Case 14", me, item["id"])
    refused = await articles.delete(f"{path}?permanent=true")
    assert (refused.status, refused.code) == (409, "on_hold")
    assert (await articles.get(path)).json["status"] == "published"
    again = await articles.put(f"{path}/hold", {"reason": "Case 15"})
    assert (again.json["reason"], again.json["created_at"]) == ("Case 15", held.json["created_at"])
    assert (await articles.get(f"{path}/hold")).json == again.json
    assert (await articles.delete(f"{path}/hold")).status == 204
    for answer in (await articles.get(f"{path}/hold"), await articles.delete(f"{path}/hold")):
        assert (answer.status, answer.code) == (404, "not_held")
    assert (await articles.delete(f"{path}?permanent=true")).status == 204


async def test_a_hold_and_a_removal_at_once_do_not_both_succeed(articles):
    for _ in range(5):
        item = await create(articles)
        path = f"/content/{item['id']}"
        held, removed = await asyncio.gather(
            articles.put(f"{path}/hold", {"reason": "Case 14"}), articles.delete(f"{path}?permanent=true")
        )
        assert (held.status, removed.status) in ((200, 409), (404, 204))


async def test_holds_are_for_who_may_hold_all_of_the_item(articles, granted):
    item = await create(articles)
    path = f"/content/{item['id']}/hold"
    editor = await granted(articles, "content:read_drafts", "content:delete")
    assert (await editor.put(path, {"reason": "x"})).status == 403
    assert (await editor.delete(path)).status == 403
    for bound in ({"content_types": ["other"]}, {"own_only": True}):
        somebody = await granted(articles, {"permission": "content:hold", **bound})
        assert (await somebody.put(path, {"reason": "x"})).status == 404
        sees = await granted(articles, "content:read_drafts", {"permission": "content:hold", **bound})
        assert (await sees.put(path, {"reason": "x"})).status == 403
    lawyer = await granted(articles, {"permission": "content:hold", "content_types": ["article"]})
    assert (await lawyer.put(path, {"reason": "x"})).status == 200
    assert (await editor.get(path)).json["reason"] == "x"


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x" * 1001}, {"reason": "a\0b"}, {"reason": 1}])
async def test_a_hold_has_a_reason(articles, body):
    item = await create(articles)
    assert (await articles.put(f"/content/{item['id']}/hold", body)).status in (400, 422)


async def test_holds_are_events(articles, admin):
    item = await create(articles)
    await articles.put(f"/content/{item['id']}/hold", {"reason": "Case 14"})
    await articles.delete(f"/content/{item['id']}/hold")
    rows = await db.fetch(
        "SELECT type, payload::text FROM events WHERE aggregate_id = $1::text::uuid ORDER BY seq DESC LIMIT 2",
        item["id"],
    )
    assert [row["type"] for row in rows] == ["content.released", "content.held"]
    assert not any("Case 14" in row["payload"] for row in rows)
