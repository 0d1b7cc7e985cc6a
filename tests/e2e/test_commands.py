"""The commands as people run them: real processes, a fresh home, the README's own lines."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from scaicms.embedded.postgres import EmbeddedPostgres
from scaicms.embedded.valkey import EmbeddedValkey

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse battery"
pytestmark = pytest.mark.timeout(300)  # each command is a process that starts, a few seconds on a busy machine
SCAICMS = [sys.executable, "-m", "scaicms"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running:
    """A `scaicms dev` and what to ask it."""

    def __init__(self, home, **env):
        self.port, self.home = free_port(), home
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SCAICMS_", "DATABASE_", "REDIS_"))}
        self.env = {
            **kept,
            "SCAICMS_HOME": str(home),
            "SCAICMS_PORT": str(self.port),
            "SCAICMS_ADMIN_PASSWORD": PASSWORD,
            **env,
        }
        self.log = (home.parent / f"{home.name}.log").open("wb")
        self.process = subprocess.Popen(
            [*SCAICMS, "dev", "--no-reload"], env=self.env, stdout=self.log, stderr=self.log, cwd=ROOT
        )
        self.token = None

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path, body=None, headers=None):
        request = urllib.request.Request(f"{self.base}{path}", data=body, headers=dict(headers or {}))
        request.add_header("X-Site-ID", "demo")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        if body is not None and not request.has_header("Content-type"):
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=20) as response:
            return json.load(response)

    def until(self, condition, seconds=60):
        deadline = time.monotonic() + seconds
        while True:
            try:
                if condition():
                    return
            except OSError:
                pass
            assert time.monotonic() < deadline, Path(self.log.name).read_text(errors="replace")[-3000:]
            time.sleep(0.2)

    def ready(self):
        # The administrator and the demo site are made while the web tier comes up.
        self.until(lambda: b"Ready in" in Path(self.log.name).read_bytes())
        body = json.dumps({"email": "admin@example.com", "password": PASSWORD}).encode()
        self.token = self.ask("/api/v1/auth/login", body)["access_token"]

    def children(self, word):
        return [p for p in psutil.Process(self.process.pid).children() if word in p.cmdline()]

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(40)
        self.log.close()


@contextlib.contextmanager
def started(home):
    running = Running(home)
    try:
        running.ready()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    """One that all tests use, which leave it running."""
    with started(tmp_path_factory.mktemp("dev") / "home") as running:
        yield running


@pytest.fixture
def own_dev(tmp_path):
    """One that a test may stop."""
    with started(tmp_path / "home") as running:
        yield running


def posts(folder, number):
    folder.mkdir()
    for n in range(number):
        (folder / f"post-{n}.md").write_text(f"---\ntitle: Post {n}\n---\n\nWord{n} and marmalade.\n", encoding="utf-8")
    return folder


def run(dev, *arguments):
    return subprocess.run([*SCAICMS, *arguments], env=dev.env, capture_output=True, text=True, cwd=ROOT, check=False)


def test_the_readme_tour_works_and_everything_stops(own_dev):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    tour = re.search(r"<!-- tour.*?-->\n```sh\n(.*?)```", text, re.S)[1]
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", tour], env=own_dev.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Hello from curl" in done.stdout
    assert '"op":"changed","before":"Hello from curl","after":"Hello again"' in done.stdout
    assert '"restored_from":1' in done.stdout
    assert "An okapi" in done.stdout
    assert '"redis_depth"' in done.stdout
    children = psutil.Process(own_dev.process.pid).children(recursive=True)
    assert len(children) >= 4
    own_dev.stop()
    assert own_dev.process.returncode == 0
    assert psutil.wait_procs(children, 10)[1] == []


def test_import_and_the_other_commands(dev, tmp_path):
    folder = posts(tmp_path / "posts", 40)
    (folder / "bad.md").write_text("---\n: :\n---\n", encoding="utf-8")
    first = run(dev, "import", str(folder), "--type", "post", "--site", "demo")
    assert first.returncode == 1
    assert "40 created" in first.stdout
    assert "bad.md:" in first.stdout
    (folder / "bad.md").unlink()
    again = run(dev, "import", str(folder), "--type", "post", "--site", "demo")
    assert (again.returncode, "40 unchanged" in again.stdout) == (0, True)
    dev.until(lambda: dev.ask("/api/v1/search?q=marmalade")["total"] == 40)
    out = tmp_path / "out.ndjson"
    exported = run(dev, "export", str(out), "--site", "demo", "--type", "post")
    assert exported.returncode == 0, exported.stdout + exported.stderr
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    number = sum(line["kind"] == "item" for line in lines)
    assert f"{number} items" in exported.stdout + exported.stderr
    assert number == dev.ask("/api/v1/content?type=post&page_size=1")["total"]
    back = run(dev, "import", str(out), "--format", "export", "--site", "demo")
    assert f"{len(lines)} unchanged, 0 failed" in back.stdout, back.stdout + back.stderr
    assert run(dev, "import", str(out), "--format", "export", "--type", "post", "--site", "demo").returncode == 2
    assert run(dev, "export", str(tmp_path / "no"), "--site", "nothing").returncode == 2
    assert run(dev, "export", str(tmp_path / "no"), "--site", "demo", "--type", "nothing").returncode == 1
    assert [path.name for path in tmp_path.glob("no*")] == []
    assert run(dev, "import", str(folder), "--type", "nothing", "--site", "demo").returncode == 1
    assert run(dev, "import", str(folder), "--type", "post", "--site", "nothing").returncode == 2
    assert run(dev, "import", str(folder), "--type", "post", "--site", "demo", "--mapping", "[]").returncode == 2
    assert "Nothing to apply" in run(dev, "migrate").stdout
    assert run(dev, "migrate", "--check").returncode == 0
    assert run(dev, "user", "create-admin", "second@example.com").returncode == 0
    assert run(dev, "user", "create-admin", "second@example.com").returncode == 1
    assert json.loads(run(dev, "openapi").stdout)["openapi"] == "3.1.0"
    assert run(dev, "worker", "nothing").returncode == 2
    assert run(dev, "--version").stdout.strip()
    second = subprocess.run(
        [*SCAICMS, "dev"],
        env={**dev.env, "SCAICMS_PORT": str(free_port())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert "Another `scaicms dev`" in second.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop_while_it_starts_it_stops_everything_and_that_is_no_failure(tmp_path, number):
    running = Running(tmp_path / "home")
    try:
        running.until(lambda: b"Valkey is starting" in Path(running.log.name).read_bytes())
        children = psutil.Process(running.process.pid).children(recursive=True)
        running.process.send_signal(number)
        assert running.process.wait(40) == 0
        assert psutil.wait_procs(children, 10)[1] == []
    finally:
        running.stop()


def test_queues_and_jobs_in_the_terminal(dev):
    dev.ask("/api/v1/content", json.dumps({"type": "post", "data": {"title": "Quagga"}, "publish": True}).encode())
    dev.until(lambda: dev.ask("/api/v1/search?q=quagga")["total"] == 1)
    shown = run(dev, "queues").stdout
    assert all(word in shown for word in ("default", "webhooks", "workers"))
    listed = run(dev, "jobs", "list", "--queue", "search", "--state", "done").stdout
    job_id = re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", listed)[0]
    assert json.loads(run(dev, "jobs", "show", job_id).stdout)["state"] == "done"
    ended = run(dev, "jobs", "cancel", job_id)
    assert (ended.returncode, "job_ended" in ended.stderr) == (1, True)
    assert run(dev, "jobs", "list", "--state", "odd").returncode == 1
    assert run(dev, "jobs", "pause", "media").returncode == 0
    assert "(paused)" in run(dev, "queues").stdout
    assert run(dev, "jobs", "resume", "media").returncode == 0
    assert "0 jobs put back" in run(dev, "jobs", "retry").stdout


def test_several_web_processes_share_a_port_and_drain(dev):
    port = free_port()
    serving = subprocess.Popen([*SCAICMS, "serve", "--processes", "2", "--port", str(port)], env=dev.env, cwd=ROOT)
    try:
        url = f"http://127.0.0.1:{port}/readyz"
        dev.until(lambda: urllib.request.urlopen(url, timeout=2).status == 200)
        metrics = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read()
        assert b"scaicms_http_seconds" in metrics
        assert len(psutil.Process(serving.pid).children()) == 2
        # The same limits, and the same errors, as with one process.
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/search?q={'x' * 100_000}", timeout=5)
        assert json.load(refused.value)["detail"]["code"] == "query_too_long"
    finally:
        started = time.monotonic()
        serving.terminate()
        assert serving.wait(40) == 0
    assert time.monotonic() - started < 10, "an idle server stops without waiting out its drain"


def test_a_worn_worker_begins_anew_under_the_same_process_id(dev):
    port = free_port()
    env = {**dev.env, "SCAICMS_WORKER_MAX_AGE_SECONDS": "1", "SCAICMS_METRICS_PORT": str(port)}
    worker = subprocess.Popen([*SCAICMS, "worker", "ai", "media"], env=env, cwd=ROOT)

    def beat():
        workers = dev.ask("/api/v1/search/queues")["workers"]
        return next((found for found in workers if found["pid"] == worker.pid), None)

    try:
        dev.until(beat)
        first = beat()
        assert first["queues"] == ["ai", "media"]
        metrics = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read()
        assert b"scaicms_doorbells" in metrics
        dev.until(lambda: (beat() or first)["started_at"] > first["started_at"])
    finally:
        worker.terminate()
        assert worker.wait(30) == 0


def test_arqs_own_command_runs_a_queue(dev):
    """`arq workers.search.WorkerSettings`, while the worker of `scaicms dev` is stopped."""
    worker = dev.children("worker")[0]
    worker.suspend()
    arq = [str(Path(sys.executable).parent / "arq"), "workers.search.WorkerSettings"]
    environment = {**dev.env, "PYTHONPATH": str(ROOT)}
    with (dev.home.parent / "arq.log").open("wb") as log:
        running = subprocess.Popen(arq, env=environment, cwd=ROOT, stdout=log, stderr=log)
        try:
            body = json.dumps({"type": "post", "data": {"title": "Done by quokka"}, "publish": True}).encode()
            dev.ask("/api/v1/content", body)
            dev.until(lambda: dev.ask("/api/v1/search?q=quokka")["total"] == 1, 30)
        finally:
            running.terminate()
            running.wait(40)
            worker.resume()


def test_production_refuses_a_schema_it_does_not_know(tmp_path):
    with EmbeddedPostgres(tmp_path) as postgres, EmbeddedValkey(tmp_path) as valkey:
        env = {
            "PATH": os.environ["PATH"],
            "SCAICMS_SECRET": "x" * 40,
            "SCAICMS_HOME": str(tmp_path),
            "SCAICMS_PORT": str(free_port()),
            "DATABASE_URL": postgres.url,
            "REDIS_URL": valkey.url,
        }
        serve = [*SCAICMS, "serve"]
        done = subprocess.run(serve, env=env, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)
        assert done.returncode == 1
        assert "scaicms migrate" in done.stderr


def test_production_refuses_to_start_unsafe(tmp_path):
    env = {"PATH": os.environ["PATH"], "SCAICMS_SECRET": "short", "SCAICMS_HOME": str(tmp_path)}
    done = subprocess.run([*SCAICMS, "serve"], env=env, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1
    assert "SCAICMS_SECRET must have at least 32 bytes" in done.stderr
    assert "DATABASE_URL is not set" in done.stderr


def test_a_new_feature_can_be_made_anywhere(tmp_path):
    made = subprocess.run(
        [*SCAICMS, "new-feature", "link_lists", "--folder", str(tmp_path)], capture_output=True, check=False
    )
    assert made.returncode == 0
    for file in (tmp_path / "link_lists").glob("*.py"):
        compile(file.read_text(encoding="utf-8"), str(file), "exec")
    again = [*SCAICMS, "new-feature", "link_lists", "--folder", str(tmp_path)]
    assert subprocess.run(again, capture_output=True, check=False).returncode == 2
