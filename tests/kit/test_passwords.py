"""Hashes are computed by processes that come, go and are replaced without anybody noticing."""

import signal
import subprocess
import sys
import time

import psutil
import pytest

from scaicms.kit.passwords import hash_password, verify_password
from tests.checkers import checkers

PASSWORD = "correct horse battery"
ONE_HASH_THEN_WAIT = """
import asyncio, time
from scaicms.kit import passwords
from tests.checkers import checkers
asyncio.run(passwords.hash_password("correct horse battery"))
print(*(checker.pid for checker in checkers()), flush=True)
time.sleep({seconds})
"""


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ends(pid: int) -> bool:
    """Within five seconds; nobody tells of a process that is not a child of ours, so it is asked for."""
    for _ in range(500):
        if not runs(pid):
            return True
        time.sleep(0.01)
    return False


async def test_a_process_that_is_killed_is_replaced_within_the_same_check():
    stored = await hash_password(PASSWORD)
    killed = checkers()
    for checker in killed:
        checker.kill()
    assert await verify_password(stored, PASSWORD)
    assert not await verify_password(stored, "another password")
    assert killed
    assert not {checker.pid for checker in killed} & {checker.pid for checker in checkers()}


@pytest.mark.parametrize("seconds", [0, 600])
def test_it_ends_with_whoever_started_it_also_if_that_is_killed(seconds):
    code = ONE_HASH_THEN_WAIT.format(seconds=seconds)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as starter:
        pid = int(starter.stdout.readline())
        assert seconds == 0 or runs(pid)
        if seconds:
            starter.kill()
        assert starter.wait(30) == (-signal.SIGKILL if seconds else 0)
    assert ends(pid)


async def test_what_a_password_holds_cannot_end_the_line_it_is_sent_in():
    for password in (
        'quote " backslash \\ end',
        "line\nline\r\nline\u2028line",
        "nul\0 and \x1f and more",
        "é🦀" * 100,
    ):
        stored = await hash_password(password)
        assert await verify_password(stored, password)
        assert not await verify_password(stored, password + "!")
