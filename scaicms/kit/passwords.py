"""Password hashes: argon2id, in processes beside the event loop's, a bounded number at a time."""

import asyncio
import atexit
import json
import os
import subprocess
import sys
import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import IO, cast

from scaicms.kit import password_process
from scaicms.kit.errors import UnavailableError

MIN_BYTES, MAX_BYTES = 12, 1024
# Half of the cores, so that a login storm leaves the others to delivery.
PROCESSES = max(1, (os.cpu_count() or 2) // 2)
# At some 40 checks a second and process: nobody waits longer than a client does.
MAX_WAITING = 100 * PROCESSES
# What an account without a password stores: no hash of anything, so nothing matches it.
UNUSABLE = "!"


class _Process:
    """A process that computes, for the one thread that waits for it.

    In a thread of the server itself argon2 releases the GIL, but the steps around it take it, and a thread that gives
    way to the event loop on the processor then makes the event loop wait for it.
    """

    def __init__(self) -> None:
        # -P: beside the script lie modules that are named like the standard library's.
        command = [sys.executable, "-P", password_process.__file__]
        self._popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        atexit.register(self.end)

    def ask(self, question: bytes) -> bytes:
        """The line it answers; an empty one when it has ended."""
        to, fro = cast(IO[bytes], self._popen.stdin), cast(IO[bytes], self._popen.stdout)
        try:
            to.write(question)
            to.flush()
        except BrokenPipeError:
            return b""
        return fro.readline()

    def end(self) -> None:
        """Let it see that nobody asks any more, and wait until it has gone."""
        atexit.unregister(self.end)
        self._popen.communicate()


_threads = ThreadPoolExecutor(PROCESSES, thread_name_prefix="argon2")
_of_thread = threading.local()


class _Gate:
    """Counts who waits for a thread."""

    waiting = 0


async def hash_password(password: str) -> str:
    """The hash to store.

    Raises:
        UnavailableError: more callers wait than can be served soon, or none can be.
    """
    return str(await _ask({"password": _normal(password)}))


async def verify_password(stored: str | None, password: str) -> bool:
    """Whether it is the password; False, after the same time, when there is none stored.

    Raises:
        UnavailableError: more callers wait than can be served soon, or none can be.
    """
    return await _ask({"stored": stored, "password": _normal(password)}) is True


def needs_rehash(stored: str) -> bool:
    """Whether a hash that was just verified was made with other parameters than today's."""
    return password_process.HASHER.check_needs_rehash(stored)


async def _ask(question: dict[str, str | None]) -> object:
    if _Gate.waiting >= MAX_WAITING:
        raise UnavailableError("Too many passwords are being checked at the moment; try again.")
    _Gate.waiting += 1
    try:
        line = json.dumps(question, ensure_ascii=False).encode() + b"\n"
        return json.loads(await asyncio.get_running_loop().run_in_executor(_threads, _exchange, line))
    finally:
        _Gate.waiting -= 1


def _exchange(question: bytes) -> bytes:
    """Ask the process of this thread, or another in its place if it was killed."""
    for _ in range(2):
        process: _Process | None = getattr(_of_thread, "process", None)
        if process is None:
            process = _of_thread.process = _Process()
        if answer := process.ask(question):
            return answer
        process.end()
        _of_thread.process = None
    raise UnavailableError("Passwords cannot be checked at the moment; try again.")


def _normal(password: str) -> str:
    """NFC (RFC 8265 §4.2): the same password whichever way a keyboard composes its letters."""
    return unicodedata.normalize("NFC", password)
