"""Half-open connections: nobody closed them, nothing comes through. The process finds out and goes on."""

import asyncio
import time

import pytest

from scaicms.infra.db import notices
from tests.chaos.run import API, Ground

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]
# The notices' check and answer, reconnecting, and a margin for a busy machine.
RECOVERY_SECONDS = notices.CHECK_SECONDS + notices.ANSWER_SECONDS + notices.RECONNECT_SECONDS + 12


async def test_a_web_process_with_half_open_database_connections_answers_again_soon(tmp_path):
    async with Ground.prepared(tmp_path, webs=1, workers=0) as ground:
        client, headers = ground.client("editor"), {"X-Site-ID": "one"}
        reading = [client.ask("GET", f"{API}/content?type=note", headers=headers) for _ in range(20)]
        assert {answer.status for answer in await asyncio.gather(*reading)} == {200}
        assert ground.engines.database_door.go_silent() > 2
        began = time.monotonic()
        client.deadline = asyncio.get_running_loop().time() + 60
        await asyncio.sleep(1)
        ground.engines.database_door.speak_again()
        body = {"type": "note", "data": {"title": "after the silence"}}
        made = await asyncio.gather(
            *(
                client.ask("POST", f"{API}/content", json=body, headers={**headers, "Idempotency-Key": f"k{n}"})
                for n in range(20)
            )
        )
        assert {answer.status for answer in made} == {201}
        assert time.monotonic() - began < RECOVERY_SECONDS
        assert await ground.engines.fetchval("SELECT count(*) FROM items") == 20
        assert ground.seen.broken == []


async def test_a_worker_with_half_open_database_connections_works_again_soon(tmp_path):
    async with Ground.prepared(tmp_path, webs=1, workers=1) as ground:
        client = ground.client("jobs")
        jobs = [{"name": "chaos.effect", "seconds": 0.5} for _ in range(20)]
        await client.ask("POST", "/chaos/jobs", json={"jobs": jobs})
        await ground.rest()
        await client.ask("POST", "/chaos/jobs", json={"jobs": jobs})
        await asyncio.sleep(0.3)
        ground.engines.database_door.go_silent()
        began = time.monotonic()
        await asyncio.sleep(1)
        ground.engines.database_door.speak_again()
        # Jobs that were begun wait for their lease, and for the server to give up the sessions that nobody speaks on.
        await ground.rest(90)
        assert time.monotonic() - began < 15 + 60 + RECOVERY_SECONDS
        counts = """SELECT count(f.step) AS n FROM jobs j LEFT JOIN chaos_effects f ON f.job_id = j.id
                    WHERE j.name = 'chaos.effect' GROUP BY j.id"""
        assert [row["n"] for row in await ground.engines.fetch(counts)] == [1] * 40
