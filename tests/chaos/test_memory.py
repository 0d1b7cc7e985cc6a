"""What web and worker hold after a large import: each under 120 MiB, libraries that they share included."""

import io
import random
import tarfile
import time

import pytest

from tests.chaos.test_import_survives import multipart
from tests.e2e.test_commands import Running

POSTS = 750
LIMIT_BYTES = 120 * 1024 * 1024
BEATS_SECONDS = 12  # workers give free memory back with their heartbeat


def archive():
    """As many posts, as long and as varied, as those of a blog of ten years."""
    chosen = random.Random(754)
    words = ["".join(chosen.choices("abcdefghijklmnopqrstuvwxyz", k=chosen.randint(3, 10))) for _ in range(3000)]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for n in range(POSTS):
            body = " ".join(chosen.choices(words, k=1000))
            text = f"---\ntitle: Post {n}\n---\n\n# A heading\n\n{body}\n\n```rust\nfn main() {{}}\n```\n".encode()
            member = tarfile.TarInfo(f"post-{n}.md")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    return buffer.getvalue()


@pytest.mark.chaos
def test_web_and_worker_stay_small_after_an_import(tmp_path):
    running = Running(tmp_path / "home")
    try:
        running.ready()
        multipart_type = {"Content-Type": "multipart/form-data; boundary=x"}
        job = running.ask("/api/v1/content/import", multipart(archive()), multipart_type)["job_id"]
        running.until(lambda: running.ask(f"/api/v1/search/jobs/{job}")["state"] == "done", 120)
        for page in range(1, 16):
            assert running.ask(f"/api/v1/content?type=post&page={page}")["total"] >= POSTS
        time.sleep(BEATS_SECONDS)
        held = {name: running.children(name)[0].memory_info().rss for name in ("serve", "worker")}
        assert max(held.values()) < LIMIT_BYTES, held
    finally:
        running.stop()
