"""PostgreSQL and Valkey go down and come back under an import; web and worker live through it, and nothing is lost."""

import json
import signal

import psutil
import pytest

from scaicms.embedded.guardian import Guardian
from scaicms.embedded.postgres import EmbeddedPostgres
from scaicms.embedded.valkey import EmbeddedValkey
from tests.chaos.test_import_survives import POSTS, archive, multipart
from tests.e2e.test_commands import Running


@pytest.fixture
def engines(tmp_path):
    home, guardian = tmp_path / "engines", Guardian()
    home.mkdir(mode=0o755)
    engines = EmbeddedPostgres(home), EmbeddedValkey(home)
    try:
        for engine in engines:
            engine.start(guardian=guardian)
        yield *engines, guardian
    finally:
        for engine in reversed(engines):
            engine.stop()
        guardian.dismiss()


def down(engine, by):
    engine.process.send_signal(by)
    engine.process.wait(30)


@pytest.mark.chaos
@pytest.mark.timeout(400)
def test_engines_that_restart_in_the_middle_of_an_import_lose_nothing(engines, tmp_path):
    postgres, valkey, guardian = engines
    running = Running(tmp_path / "home", DATABASE_URL=postgres.url, REDIS_URL=valkey.url)
    try:
        running.ready()
        children = {name: running.children(name)[0].pid for name in ("serve", "worker")}
        upload = multipart(archive())
        job = running.ask("/api/v1/content/import", upload, {"Content-Type": "multipart/form-data; boundary=x"})
        path = f"/api/v1/search/jobs/{job['job_id']}"

        def done():
            return (running.ask(path)["progress"] or {}).get("done", 0)

        running.until(lambda: done() >= 50)
        down(postgres, signal.SIGQUIT)  # what `pg_ctl restart -m immediate` sends: no checkpoint, nobody waited for
        postgres.start(guardian=guardian)
        running.until(lambda: done() >= 200, 120)
        down(valkey, signal.SIGKILL)
        valkey.start(guardian=guardian)
        running.until(lambda: done() >= 350, 120)
        down(valkey, signal.SIGKILL)
        down(postgres, signal.SIGKILL)
        for engine in (postgres, valkey):
            engine.start(guardian=guardian)

        running.until(lambda: running.ask(path)["state"] == "done", 120)
        report = running.ask(path)["result"]
        assert (report["total"], report["created"], report["failed"]) == (POSTS, POSTS, 0)
        search = "/api/v1/search?q=marmalade&page_size=1"
        running.until(lambda: running.ask(search)["total"] == POSTS, 120)
        running.until(lambda: sum(q["due"] + q["running"] for q in queues(running)) == 0, 60)
        assert running.ask(search)["total"] == POSTS
        listed = running.ask("/api/v1/content?type=post&filter[data.title][starts_with]=Post&page_size=1")
        assert listed["total"] == POSTS
        assert sum(queue["dead"] for queue in queues(running)) == 0, json.dumps(queues(running))
        assert all(psutil.pid_exists(pid) for pid in children.values()), "web and worker outlive their engines"
    finally:
        running.stop()


def queues(running):
    return running.ask("/api/v1/search/queues")["items"]
