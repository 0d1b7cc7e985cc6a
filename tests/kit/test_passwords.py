"""Hashes are computed by processes that come, go and are replaced without anybody noticing."""

import os
import signal
import subprocess
import sys
import time

import pytest

from scaicms.kit import passwords
from scaicms.kit.passwords import hash_password, verify_password

PASSWORD = "correct horse battery"
ONE_HASH_THEN_WAIT = """
import asyncio, time
from scaicms.kit import passwords
asyncio.run(passwords.hash_password("correct horse battery"))
print(passwords._threads.submit(lambda: passwords._of_thread.process.pid).result(), flush=True)
time.sleep({seconds})
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def gone(pid: int) -> bool:
    for _ in range(500):
        if not alive(pid):
            return True
        time.sleep(0.01)
    return False


async def test_a_process_that_is_killed_is_replaced_within_the_same_check():
    stored = await hash_password(PASSWORD)
    processes = [
        passwords._threads.submit(lambda: passwords._of_thread.process.pid) for _ in range(passwords.PROCESSES)
    ]
    for pid in {process.result() for process in processes}:
        os.kill(pid, signal.SIGKILL)
    assert await verify_password(stored, PASSWORD)
    assert not await verify_password(stored, "another password")


@pytest.mark.parametrize("seconds", [0, 600])
def test_it_ends_with_whoever_started_it_also_if_that_is_killed(seconds):
    code = ONE_HASH_THEN_WAIT.format(seconds=seconds)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as starter:
        pid = int(starter.stdout.readline())
        assert seconds == 0 or alive(pid)
        if seconds:
            starter.kill()
        assert starter.wait(30) == (-signal.SIGKILL if seconds else 0)
    assert gone(pid)


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
