"""The supervisor of `scaicms dev`: a small program made of its classes is run, watched, signalled and killed."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

PROGRAM = """
import asyncio, sys
from pathlib import Path
from rich.console import Console
from scaicms.embedded.guardian import Guardian
from scaicms.embedded.supervisor import ChildFailedError, ChildSpec, Supervisor
from scaicms.embedded.valkey import EmbeddedValkey

home = Path(sys.argv[1])

def python(name):
    return [sys.executable, "-u", str(home / f"{name}.py")]

async def main():
    supervisor = Supervisor(Console(width=200), Guardian())
    try:
        await supervisor.start_engine(EmbeddedValkey(home), "magenta")
        await supervisor.start(ChildSpec("web", python("web"), "green", reload=True))
        await supervisor.start(ChildSpec("worker", python("worker"), "yellow", env={"WORD": "hello"}, reload=True))
        # Runs once `run` waits: from then on signals are its business.
        asyncio.get_running_loop().call_soon(lambda: print("running", flush=True))
        await supervisor.run(watch=[home / "sources"])
    finally:
        await supervisor.stop()

try:
    asyncio.run(main())
except ChildFailedError as error:
    print(error)
    sys.exit(1)
"""

WEB = "import time; print('serving'); time.sleep(100)"
WORKER = """
import os, signal, sys, time
def drain(*_):
    print("drained")
    sys.exit(0)
signal.signal(signal.SIGTERM, drain)
print(os.environ["WORD"], "from the worker")
time.sleep(100)
"""
STUBBORN = """
import signal, subprocess, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen(["sleep", "100"])
print("serving")
time.sleep(100)
"""


class Running:
    def __init__(self, home, web=WEB):
        (home / "sources").mkdir()
        (home / "web.py").write_text(web)
        (home / "worker.py").write_text(WORKER)
        self.home, self.log = home, home / "out.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(home)], stdout=log, stderr=log)
        self.seen = set()

    @property
    def lines(self):
        return [line.rstrip() for line in self.log.read_text().splitlines()]

    def until(self, condition, seconds=15):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)

    def until_line(self, text, times=1):
        self.until(lambda: sum(text in line for line in self.lines) >= times)

    def ready(self):
        for text in ("serving", "from the worker", "running"):
            self.until_line(text)
        self.seen |= {p.pid for p in psutil.Process(self.process.pid).children(recursive=True)}

    def child(self, word):
        [found] = [p for p in psutil.Process(self.process.pid).children() if word in " ".join(p.cmdline())]
        return found

    def end(self):
        self.process.kill()
        self.process.wait()
        self.until(lambda: not self.left())

    def left(self):
        return [pid for pid in self.seen if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]


@pytest.fixture
def start(tmp_path):
    started = []

    def begin(**given):
        started.append(Running(tmp_path, **given))
        started[0].ready()
        return started[0]

    yield begin
    for running in started:
        running.end()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_all_in_reverse_order_with_code_0(start, number):
    running = start()
    begin = time.monotonic()
    running.process.send_signal(number)
    assert running.process.wait(10) == 0
    assert time.monotonic() - begin < 5
    assert running.left() == []
    text = running.log.read_text()
    assert 0 < text.index("drained") < text.index("Valkey is now ready to exit")


def test_each_line_bears_the_name_of_its_child(start):
    lines = start().lines
    assert "web      serving" in lines
    assert "worker   hello from the worker" in lines


def test_ctrl_c_of_the_terminal_reaches_only_the_supervisor(start):
    running = start()
    assert len({os.getsid(pid) for pid in [running.process.pid, *running.seen]}) == 1 + len(running.seen)


def test_a_second_ctrl_c_kills_at_once(start):
    running = start(web=STUBBORN)
    running.process.send_signal(signal.SIGINT)
    running.until_line("drained")
    begin = time.monotonic()
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(10) == 0
    assert time.monotonic() - begin < 3
    assert running.left() == []


def test_a_child_that_does_not_stop_is_killed_with_its_own_children(start):
    running = start(web=STUBBORN)
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(12) == 0
    assert running.left() == []


def test_kill_9_leaves_no_orphan(start):
    running = start()
    assert len(running.seen) == 4  # the guardian, the engine, two children
    running.end()


def test_a_crashed_child_starts_again_ever_more_slowly(start):
    running = start()
    running.child("worker.py").kill()
    running.until_line("worker was ended by SIGKILL; again in 0.5 s")
    running.until_line("hello from the worker", 2)
    running.child("worker.py").kill()
    running.until_line("worker was ended by SIGKILL; again in 1 s")
    running.until_line("hello from the worker", 3)
    assert running.process.poll() is None


def test_a_crash_is_seen_though_a_grandchild_holds_the_output(start):
    running = start(web=STUBBORN)
    killed = running.child("web.py")
    killed.kill()
    running.until_line("serving", 2)
    assert running.child("web.py").pid != killed.pid
    running.seen |= {p.pid for p in psutil.Process(running.process.pid).children(recursive=True)}


def test_the_end_of_an_engine_ends_the_run_and_says_so(start):
    running = start()
    running.child("valkey-server").kill()
    assert running.process.wait(10) == 1
    assert running.lines[-1] == "valkey was ended by SIGKILL; its lines above say why"
    assert running.left() == []


def test_a_changed_source_restarts_web_and_worker_but_no_engine(start):
    running = start()
    engine = running.child("valkey-server").pid
    time.sleep(0.5)  # the watcher says nothing when it has begun to watch
    (running.home / "sources" / "models.py").write_text("changed = True")
    running.until_line("models.py changed: restarting")
    running.until_line("serving", 2)
    running.until_line("hello from the worker", 2)
    assert running.child("valkey-server").pid == engine
    assert sum("drained" in line for line in running.lines) == 1


def test_a_line_too_long_to_show_does_not_stop_the_child(start):
    running = start(web="import time; print('x' * 3_000_000); print('serving'); time.sleep(100)")
    assert any("is not shown" in line for line in running.lines)


def test_a_child_that_the_guardian_was_not_told_of_does_not_outlive_us_either(tmp_path):
    """Killed between starting a child and announcing it."""
    program = """
import os, signal, subprocess, sys
from scaicms.embedded.guardian import Guardian
guardian = Guardian()
child = subprocess.Popen(["sleep", "100"], env={**os.environ, **guardian.environment}, start_new_session=True)
print(child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    child = int(done.stdout)
    deadline = time.monotonic() + 10
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)
