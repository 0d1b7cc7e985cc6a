"""Scheduling things in tests, and letting the time come."""

from datetime import UTC, datetime, timedelta

from scaicms.infra import db

LATER = "2099-01-01T00:00:00Z"


def soon(seconds=3600.0):
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def create(api, **data):
    answer = await api.post("/content", {"type": "article", "data": {"title": "Hello", **data}})
    assert answer.status == 201, answer.raw
    return answer.json


async def schedule(api, item, action="publish", at=LATER, **body):
    answer = await api.post(f"/content/{item['id']}/{action}", {"at": at, **body})
    assert answer.status == 200, answer.raw
    return answer.json


async def listed(api, item, **query):
    answer = await api.get("/content/schedule", params={"item": item["id"], **query})
    assert answer.status == 200, answer.raw
    return answer.json["items"]


async def come(item_id, seconds=1.0):
    """Let what is scheduled for an item have been due for a while: rows and jobs alike."""
    await db.execute(
        """WITH due AS (UPDATE content_schedule SET due_at = now() - $2 * interval '1 second'
                        WHERE item_id = $1::uuid AND state = 'pending' RETURNING job_id, due_at)
           UPDATE jobs SET run_at = due.due_at FROM due WHERE jobs.id = due.job_id AND jobs.state = 'pending'""",
        item_id,
        seconds,
    )


async def events(item_id, kind):
    sql = "SELECT count(*) FROM events WHERE aggregate_id = $1::uuid AND type = $2"
    return await db.fetchval(sql, item_id, kind)


async def job_of(schedule_id):
    return await db.fetchval("SELECT job_id FROM content_schedule WHERE id = $1::uuid", schedule_id)
