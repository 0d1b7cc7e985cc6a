"""Queues and jobs for operators: what they see, what they may do, within their site or everywhere."""

import asyncio
import json
from uuid import UUID, uuid4

import pytest

from scaicms.features.search.jobs import INDEX_CONTENT, IndexPayload
from scaicms.infra import db
from scaicms.infra.jobs import enqueue
from tests.conftest import API


@pytest.fixture
async def site_id(site):
    return (await site.get(f"/sites/{site.site}")).json["id"]


async def add(site_id, state=None):
    async with db.transaction():
        job_id = await enqueue(INDEX_CONTENT.request(IndexPayload(item_id=uuid4()), site_id=site_id))
    if state is not None:
        await db.execute("UPDATE jobs SET state = $2, finished_at = now() WHERE id = $1", job_id, state)
    return job_id


async def test_a_dead_job_is_retried_and_done(site, site_id, drain):
    job_id = await add(site_id, "dead")
    listed = (await site.get("/search/jobs?state=dead")).json
    assert str(job_id) in {job["id"] for job in listed["items"]}
    again = await site.post(f"/search/jobs/{job_id}/retry")
    assert (again.status, again.json["state"]) == (202, "due")
    assert again.headers["Location"] == f"{API}/search/jobs/{job_id}"
    await drain()
    assert (await site.get(f"/search/jobs/{job_id}")).json["state"] == "done"
    assert (await site.post(f"/search/jobs/{job_id}/retry")).code == "job_not_ended"
    assert (await site.post(f"/search/jobs/{job_id}/cancel")).code == "job_ended"
    assert (await site.post(f"/search/jobs/{uuid4()}/retry")).code == "job_not_found"


async def test_a_waiting_job_is_cancelled(site, site_id):
    job_id = await add(site_id)
    done = await site.post(f"/search/jobs/{job_id}/cancel")
    assert (done.status, done.json["state"]) == (202, "cancelled")


async def test_who_operates_a_site_reaches_its_jobs_alone(site, site_id, admin, user, drain):
    other = (await admin.post("/sites", {"key": f"o{uuid4().hex[:10]}", "name": "Other"})).json
    mine, foreign = await add(site_id, "dead"), await add(other["id"], "dead")
    role = f"r{uuid4().hex[:10]}"
    assert (await admin.post("/roles", {"key": role, "name": role})).status == 201
    granted = [{"permission": "search:operate"}, {"permission": "search:queues"}]
    assert (await admin.put(f"/roles/{role}/permissions", granted)).status == 200
    operator = await user(role, site=site.site)
    assert (await operator.post(f"/search/jobs/{foreign}/retry")).code == "job_not_found"
    replayed = await operator.post("/search/jobs/retry", {"queue": "search"})
    assert replayed.json == {"retried": 1}
    assert (await operator.get(f"/search/jobs/{mine}")).json["state"] == "due"
    assert await db.fetchval("SELECT state FROM jobs WHERE id = $1", foreign) == "dead"
    assert (await operator.post("/search/queues/search/pause")).status == 403
    viewer = await user("editor", site=site.site)
    assert (await viewer.post(f"/search/jobs/{mine}/cancel")).status == 403
    await drain()


async def test_a_queue_is_paused_and_resumed(site, site_id, drain):
    paused = await site.post("/search/queues/search/pause")
    assert (paused.status, paused.json["paused"]) == (200, True)
    try:
        job_id = await add(site_id)
        await drain()
        assert (await site.get(f"/search/jobs/{job_id}")).json["state"] == "due"
    finally:
        resumed = await site.post("/search/queues/search/resume")
    assert resumed.json["paused"] is False
    await drain()
    assert (await site.get(f"/search/jobs/{job_id}")).json["state"] == "done"
    assert (await site.post("/search/queues/nothing/pause")).code == "queue_not_found"


async def test_what_operators_do_is_recorded(site, site_id):
    job_id = await add(site_id)
    await site.post(f"/search/jobs/{job_id}/cancel")
    event = await db.fetchrow("SELECT type, actor_kind, actor_id FROM events WHERE aggregate_id = $1", job_id)
    assert (event["type"], event["actor_kind"]) == ("job.cancelled", "user")
    assert event["actor_id"] is not None


async def test_figures_are_streamed(site, site_id):
    headers = {"Authorization": f"Bearer {site.token}", "X-Site-ID": site.site}
    async with site.client.get(f"{API}/search/queues/stream", headers=headers) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        assert response.headers["X-Request-ID"]
        events = []
        while len(events) < 2:
            line = (await asyncio.wait_for(response.content.readline(), 5)).decode()
            if line.startswith("data: "):
                events.append(json.loads(line.removeprefix("data: ")))
    assert [item["queue"] for item in events[0]["items"]] == [item["queue"] for item in events[1]["items"]]
    assert events[0]["total"] == 5
    refused = await site.anonymous().get("/search/queues/stream")
    assert refused.status == 401


async def test_the_fleet_is_told_to_prometheus(site, site_id, client):
    await add(site_id)
    text = await (await client.get("/metrics")).text()
    due = next(line for line in text.splitlines() if line.startswith('scaicms_queue_due{queue="search"}'))
    assert float(due.split()[1]) >= 1
    assert "scaicms_fleet_up 1.0" in text


async def test_jobs_are_found_by_what_they_are_and_not_only_by_what_is_stored(site, site_id, services):
    moments = {
        "due": "run_at = now() - interval '1 second'",
        "deferred": "run_at = now() + interval '1 hour'",
        "running": "lease_until = now() + interval '10 seconds'",
        "dead": "state = 'dead', finished_at = now()",
    }
    ids = {}
    for state, change in moments.items():
        ids[state] = await add(site_id)
        await db.execute(f"UPDATE jobs SET {change} WHERE id = $1", ids[state])
    lapsed = await add(site_id)  # its worker is gone and nobody has noticed: it is due again
    await db.execute("UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = $1", lapsed)
    mine = UUID(site_id)
    for state, job_id in ids.items():
        page = (await site.get(f"/search/jobs?state={state}")).json
        rows = [row for row in page["items"] if row["site_id"] == site_id]
        found = {UUID(row["id"]) for row in rows}
        assert found == ({job_id, lapsed} if state == "due" else {job_id}), state
        assert {row["state"] for row in rows} == {state}
    assert (await site.get("/search/jobs?name=due")).json["total"] == 0
    await db.execute("DELETE FROM jobs WHERE site_id = $1", mine)
