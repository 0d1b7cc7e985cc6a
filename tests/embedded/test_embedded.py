"""The embedded engines: they start, keep data, mend themselves and outlive nobody."""

import os
import socket
import subprocess
import sys
import time

import asyncpg
import psutil
import pytest

from scaicms.embedded.engine import EngineError, package_folder
from scaicms.embedded.lock import HomeInUseError, locked
from scaicms.embedded.postgres import EmbeddedPostgres
from scaicms.embedded.valkey import EmbeddedValkey

KILLED = """
import sys, time
from pathlib import Path
from scaicms.embedded.guardian import Guardian
from scaicms.embedded.postgres import EmbeddedPostgres
from scaicms.embedded.valkey import EmbeddedValkey
home, guarded = Path(sys.argv[1]), sys.argv[2] == "guarded"
engines = [EmbeddedPostgres(home), EmbeddedValkey(home)]
guardian = Guardian() if guarded else None
for engine in engines:
    engine.start()
    if guardian:
        guardian.watch(engine.process.pid, engine.stop_signal)
print(*(engine.process.pid for engine in engines), flush=True)
time.sleep(60)
"""


def start_and_kill(home, how):
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(home), how], stdout=subprocess.PIPE)
    pids = [int(pid) for pid in process.stdout.readline().split()]
    process.kill()
    process.wait()
    return pids


def gone(pids, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids):
            return True
        time.sleep(0.05)
    return False


async def test_data_survives_a_restart(tmp_path):
    for expected in (None, 1):
        with EmbeddedPostgres(tmp_path) as postgres:
            connection = await asyncpg.connect(postgres.url)
            assert await connection.fetchval("SELECT to_regclass('t')::text IS NOT NULL") is (expected is not None)
            await connection.execute("CREATE TABLE IF NOT EXISTS t (x int)")
            await connection.close()


def test_a_killed_parent_leaves_no_orphan(tmp_path):
    assert gone(start_and_kill(tmp_path, "guarded"))


def test_the_next_start_mends_what_a_killed_run_left(tmp_path):
    left = start_and_kill(tmp_path, "unguarded")
    assert not gone(left, 0.2)
    with EmbeddedPostgres(tmp_path) as postgres, EmbeddedValkey(tmp_path) as valkey:
        assert postgres.is_ready()
        assert valkey.is_ready()
        assert gone(left, 1)


def test_a_long_home_gets_short_sockets(tmp_path):
    home = tmp_path / ("long" * 30)
    home.mkdir()
    with EmbeddedValkey(home) as valkey:
        assert len(valkey.url) < 108
        assert valkey.is_ready()


def test_one_supervisor_a_home(tmp_path):
    with locked(tmp_path), pytest.raises(HomeInUseError, match=str(os.getpid())), locked(tmp_path):
        pass


def test_a_missing_wheel_is_said():
    with pytest.raises(EngineError, match="not installed"):
        package_folder("no_such_package")


def others_can_run_python():
    if os.geteuid() != 0:
        return False
    try:
        return subprocess.run([sys.executable, "-c", ""], user=65534, check=False).returncode == 0
    except PermissionError:
        return False


@pytest.mark.skipif(not others_can_run_python(), reason="not root, or the interpreter lies where only root may look")
def test_it_works_for_a_normal_user_too(tmp_path):
    os.chown(tmp_path, 65534, 65534)
    for folder in tmp_path.parents:
        if folder.owner() == "root" and "pytest" in str(folder):
            folder.chmod(0o755)
    code = (
        "import sys; from pathlib import Path; from scaicms.embedded.postgres import EmbeddedPostgres as P\n"
        "with P(Path(sys.argv[1])) as p: print(p.is_ready())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        user=65534,
        group=65534,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "True", done.stderr


def environment(home, port):
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("SCAICMS", "DATABASE_", "REDIS_"))
    }
    return {
        **clean,
        "SCAICMS_HOME": str(home),
        "SCAICMS_PORT": str(port),
        "SCAICMS_ADMIN_PASSWORD": "correct horse battery",
    }


def test_a_used_port_is_a_clear_message(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "scaicms", "dev"],
            env=environment(tmp_path, port),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert f"Port {port} is in use" in done.stdout
    assert "SCAICMS_PORT" in done.stdout
