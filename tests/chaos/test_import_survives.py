"""Processes die and Redis forgets in the middle of an import; everything published is found in the end, once."""

import io
import json
import tarfile
import time

import pytest
import redis

from scaicms.embedded.valkey import EmbeddedValkey
from tests.e2e.test_commands import Running

POSTS = 600


def archive():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for n in range(POSTS):
            text = f"---\ntitle: Post {n}\n---\n\n{'Some words about marmalade. ' * 60}".encode()
            member = tarfile.TarInfo(f"post-{n}.md")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    return buffer.getvalue()


def multipart(content):
    head = b""
    for name, value in (("type", b"post"), ("publish", b"true")):
        head += b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value)
    head += b'--x\r\nContent-Disposition: form-data; name="file"; filename="p.tar.gz"\r\n\r\n'
    return head + content + b"\r\n--x--\r\n"


@pytest.mark.chaos
def test_kill_9_of_the_worker_and_flushall_lose_nothing(tmp_path):
    running = Running(tmp_path / "home")
    try:
        running.ready()
        job = running.ask(
            "/api/v1/content/import", multipart(archive()), {"Content-Type": "multipart/form-data; boundary=x"}
        )["job_id"]
        path = f"/api/v1/search/jobs/{job}"
        running.until(lambda: (running.ask(path)["progress"] or {}).get("done", 0) >= 50)
        for worker in running.children("worker"):
            worker.kill()
        redis.Redis.from_url(EmbeddedValkey(running.home).url).flushall()
        running.until(lambda: running.ask(path)["state"] == "done", 120)
        report = running.ask(path)["result"]
        assert (report["total"], report["created"], report["failed"]) == (POSTS, POSTS, 0)
        for worker in running.children("worker"):
            worker.kill()
        redis.Redis.from_url(EmbeddedValkey(running.home).url).flushall()
        search = "/api/v1/search?q=marmalade&page_size=1"
        running.until(lambda: running.ask(search)["total"] == POSTS, 120)
        # Both engines and everything else die at once; what was found is found again.
        running.process.kill()
        running.process.wait()
        time.sleep(6)
        running = Running(tmp_path / "home")
        running.ready()
        assert running.ask(search)["total"] == POSTS
        listed = running.ask("/api/v1/content?type=post&filter[data.title][starts_with]=Post&page_size=1")
        assert listed["total"] == POSTS
        queues = running.ask("/api/v1/search/queues")
        assert sum(queue["dead"] for queue in queues["items"]) == 0, json.dumps(queues)
    finally:
        running.stop()
