"""The embedded engines: they start, keep data, mend themselves and outlive nobody."""

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time

import asyncpg
import psutil
import pytest
import redis

from scaicms.embedded.engine import EngineError, package_folder, socket_folder
from scaicms.embedded.guardian import Guardian
from scaicms.embedded.lock import HomeInUseError, locked
from scaicms.embedded.postgres import EmbeddedPostgres
from scaicms.embedded.valkey import EmbeddedValkey

KILLED = """
import sys, time
from pathlib import Path
from scaicms.embedded.postgres import EmbeddedPostgres
from scaicms.embedded.valkey import EmbeddedValkey
home, guarded = Path(sys.argv[1]), sys.argv[2] == "guarded"
engines = [EmbeddedPostgres(home), EmbeddedValkey(home)]
for engine in engines:
    engine.__enter__() if guarded else engine.start()
print(*(engine.process.pid for engine in engines), flush=True)
time.sleep(60)
"""

NOBODY = 65534
AS_NOBODY = f"""
import os, sys
from pathlib import Path
from scaicms.embedded.postgres import EmbeddedPostgres
from scaicms.embedded.valkey import EmbeddedValkey
if os.geteuid() == 0:  # only now, because the interpreter may lie where only root may look
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
engines = [EmbeddedPostgres(Path(sys.argv[1])), EmbeddedValkey(Path(sys.argv[1]))]
for engine in engines:
    engine.start()
print(*(engine.is_ready() for engine in engines), os.geteuid())
for engine in engines:
    engine.stop()
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as several users")


def start_and_kill(home, how):
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(home), how], stdout=subprocess.PIPE)
    pids = [int(pid) for pid in process.stdout.readline().split()]
    assert len(pids) == 2
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


def working_in(folder):
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(str(folder)):
                found.append(process)
        except psutil.Error:
            continue
    return found


async def test_data_survives_a_restart(tmp_path):
    for expected in (None, 1):
        with EmbeddedPostgres(tmp_path) as postgres, EmbeddedValkey(tmp_path) as valkey:
            connection = await asyncpg.connect(postgres.url)
            assert await connection.fetchval("SELECT to_regclass('t')::text IS NOT NULL") is (expected is not None)
            await connection.execute("CREATE TABLE IF NOT EXISTS t (x int)")
            await connection.close()
            client = redis.Redis.from_url(valkey.url)
            assert (client.get("k") == b"v") is (expected is not None)
            client.set("k", "v")
            client.close()
    assert working_in(tmp_path) == []


async def test_the_database_compares_by_code_point_and_knows_letters(tmp_path, monkeypatch):
    for locales in (None, (["--locale=no_SUCH.UTF-8"], ["--locale=C", "--locale-provider=builtin"])):
        home = tmp_path / ("with" if locales is None else "without")
        if locales is not None:
            _, own = locales
            monkeypatch.setattr("scaicms.embedded.postgres.LOCALES", (locales[0], [*own, "--builtin-locale=C.UTF-8"]))
        with EmbeddedPostgres(home, durable=False) as postgres:
            connection = await asyncpg.connect(postgres.url)
            assert await connection.fetchval("SELECT 'Z' < 'a' AND upper('é') = 'É'")
            assert await connection.fetchval("SHOW server_encoding") == "UTF8"
            await connection.close()


def test_a_killed_parent_leaves_no_orphan(tmp_path):
    assert gone(start_and_kill(tmp_path, "guarded"))


@pytest.fixture
def home(tmp_path, request):
    yield tmp_path / request.param
    # Not below tmp_path for all of them.
    shutil.rmtree(socket_folder(tmp_path / request.param))


@pytest.mark.parametrize("home", ["short", "long" * 30], indirect=True)
def test_the_next_start_mends_what_a_killed_run_left(home):
    left = start_and_kill(home, "unguarded")
    assert not gone(left, 0.2)
    with EmbeddedPostgres(home) as postgres, EmbeddedValkey(home) as valkey:
        assert postgres.is_ready()
        assert valkey.is_ready()
        assert gone(left, 1)


def test_a_killed_server_is_mended_too_and_a_strange_process_left_alone(tmp_path):
    left = start_and_kill(tmp_path, "unguarded")
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert gone(left)
    # The ids in the files have meanwhile been given to somebody else.
    for file in (tmp_path / "postgres" / "postmaster.pid", tmp_path / "valkey" / "valkey.pid"):
        file.write_text(f"{os.getpid()}\n")
    with EmbeddedPostgres(tmp_path) as postgres, EmbeddedValkey(tmp_path) as valkey:
        assert postgres.is_ready()
        assert valkey.is_ready()


def test_a_start_that_was_killed_while_it_made_the_cluster_is_begun_again(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), "unguarded"], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while not list(tmp_path.glob("postgres*/PG_VERSION")):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert not (tmp_path / "postgres").exists()
    with EmbeddedPostgres(tmp_path, durable=False) as postgres:
        assert postgres.is_ready()
    with EmbeddedPostgres(tmp_path, durable=False) as postgres:
        assert [path.name for path in tmp_path.glob("postgres*") if path.is_dir()] == ["postgres"]


@pytest.mark.parametrize("home", ["long" * 30, "a b,c%20'd?#é"], indirect=True)
async def test_any_home_gets_a_plain_private_socket(home):
    with EmbeddedPostgres(home, durable=False) as postgres, EmbeddedValkey(home) as valkey:
        assert len(valkey.url) < 108
        assert redis.Redis.from_url(valkey.url).ping()
        assert stat.S_IMODE(postgres.sockets.stat().st_mode) == 0o700
        assert stat.S_IMODE(postgres.sockets.parent.stat().st_mode) & 0o066 == 0
        connection = await asyncpg.connect(postgres.url)
        await connection.close()


async def test_pgport_of_another_server_does_not_matter(tmp_path, monkeypatch):
    monkeypatch.setenv("PGPORT", "5999")
    with EmbeddedPostgres(tmp_path, durable=False) as postgres:
        connection = await asyncpg.connect(postgres.url)
        assert await connection.fetchval("SHOW port") == "5432"
        await connection.close()


def test_a_server_that_does_not_start_says_why_and_leaves_nothing(tmp_path):
    postgres = EmbeddedPostgres(tmp_path, settings={"shared_buffers": "plenty"})
    with pytest.raises(EngineError, match="invalid value for parameter"):
        postgres.start()
    assert working_in(tmp_path) == []
    with EmbeddedPostgres(tmp_path) as mended:
        assert mended.is_ready()


def test_data_of_another_version_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("15\n")
    with pytest.raises(EngineError, match=r"PostgreSQL 15, this is 18.*SCAICMS_HOME"):
        EmbeddedPostgres(tmp_path).prepare()


def test_a_folder_that_is_no_cluster_is_left_alone(tmp_path):
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "thesis.txt").write_text("years of work")
    with pytest.raises(EngineError, match="SCAICMS_HOME"):
        EmbeddedPostgres(tmp_path).prepare()
    assert (tmp_path / "postgres" / "thesis.txt").read_text() == "years of work"


def test_one_supervisor_a_home(tmp_path):
    with locked(tmp_path), pytest.raises(HomeInUseError, match=str(os.getpid())), locked(tmp_path):
        pass


def test_a_running_server_is_not_taken_for_a_leftover(tmp_path):
    with EmbeddedValkey(tmp_path) as valkey:
        with pytest.raises(HomeInUseError, match=f"process {os.getpid()}"):
            EmbeddedValkey(tmp_path).start()
        assert valkey.is_ready()


def test_a_home_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(HomeInUseError, match="SCAICMS_HOME"), locked(tmp_path / "file" / "home"):
        pass


def test_a_missing_wheel_is_said():
    with pytest.raises(EngineError, match="not installed"):
        package_folder("no_such_package")


def test_another_guardian_takes_over_when_one_is_killed(tmp_path):
    code = (
        "import subprocess, sys, signal, time; import psutil; from scaicms.embedded.guardian import Guardian\n"
        "def child():\n"
        "    made = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        "    guardian.watch(made.pid, signal.SIGTERM)\n"
        "    return made.pid\n"
        "guardian = Guardian()\n"
        "first = child()\n"
        "[other] = [p for p in psutil.Process().children() if p.pid != first]\n"
        "other.kill()\n"
        "other.wait()\n"
        "print(first, child(), flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    assert not gone(pids, 0.2)
    parent.kill()
    parent.wait()
    assert gone(pids)


def test_a_guardian_that_is_dismissed_stops_nobody():
    child = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        guardian = Guardian()
        guardian.watch(child.pid, signal.SIGTERM)
        guardian.dismiss()
        assert not gone([child.pid], 0.3)
    finally:
        child.kill()
        child.wait()


def reachable_by_all(folder):
    for parent in folder.parents:
        if "pytest" in str(parent):
            parent.chmod(0o755)


def as_nobody(home):
    return subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(home)], capture_output=True, text=True, check=False, timeout=60
    )


@as_root
def test_it_works_for_a_normal_user_too_and_for_root_after_that(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    reachable_by_all(home)
    done = as_nobody(home)
    assert done.stdout.strip() == f"True True {NOBODY}", done.stderr
    with EmbeddedPostgres(home) as postgres:
        assert psutil.Process(postgres.process.pid).uids().effective == NOBODY


@as_root
def test_data_of_another_account_is_refused_with_what_to_do(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o777)
    reachable_by_all(home)
    (home / "postgres").mkdir(mode=0o700)
    done = as_nobody(home)
    assert done.returncode == 1
    assert "belongs to root" in done.stderr
    assert "SCAICMS_HOME" in done.stderr


@as_root
def test_root_gets_a_server_of_another_account_without_opening_more_than_the_way(tmp_path, caplog):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for _ in range(2):
        with EmbeddedPostgres(closed / "home") as postgres:
            account = pwd.getpwuid(psutil.Process(postgres.process.pid).uids().effective)
            assert account.pw_name in ("postgres", "nobody")
            assert postgres.data.stat().st_uid == account.pw_uid
    assert stat.S_IMODE(closed.stat().st_mode) == 0o701
    assert stat.S_IMODE(postgres.data.stat().st_mode) == 0o700
    assert sum(str(closed) in record.message for record in caplog.records) == 1


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
