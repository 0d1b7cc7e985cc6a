"""Password hashes: argon2id (RFC 9106) with OWASP's parameters, off the event loop, a bounded number at a time."""

import asyncio
import os
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from scaicms.kit.errors import UnavailableError

MIN_BYTES, MAX_BYTES = 12, 1024
THREADS = max(1, (os.cpu_count() or 2) // 2)
# At some 40 checks a second and thread: nobody waits longer than a client does.
MAX_WAITING = 100 * THREADS
NICENESS = 10
ResultT = TypeVar("ResultT")


def _give_way() -> None:
    """Let the event loop go first where cores are few. Priorities belong to threads on Linux alone."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


# argon2 releases the GIL; half of the cores at a time, so that a login storm leaves the others to delivery.
_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2", initializer=_give_way)
_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
# Verified against when there is no such account, so that the answer takes as long.
_NOBODY = _hasher.hash("nobody has this password, nobody at all")
# What an account without a password stores: no hash of anything, so nothing matches it.
UNUSABLE = "!"


class _Gate:
    """Counts who waits for a thread."""

    waiting = 0


async def hash_password(password: str) -> str:
    """The hash to store.

    Raises:
        UnavailableError: more callers wait than can be served soon.
    """
    return await _run(_hasher.hash, _normal(password))


async def verify_password(stored: str | None, password: str) -> bool:
    """Whether it is the password; False, after the same time, when there is none stored.

    Raises:
        UnavailableError: more callers wait than can be served soon.
    """
    return await _run(_verify, stored, _normal(password))


def needs_rehash(stored: str) -> bool:
    """Whether a hash that was just verified was made with other parameters than today's."""
    return _hasher.check_needs_rehash(stored)


async def _run(work: Callable[..., ResultT], *arguments: object) -> ResultT:
    if _Gate.waiting >= MAX_WAITING:
        raise UnavailableError("Too many passwords are being checked at the moment; try again.")
    _Gate.waiting += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads, work, *arguments)
    finally:
        _Gate.waiting -= 1


def _normal(password: str) -> str:
    """NFC (RFC 8265 §4.2): the same password whichever way a keyboard composes its letters."""
    return unicodedata.normalize("NFC", password)


def _verify(stored: str | None, password: str) -> bool:
    usable = stored is not None and stored.startswith("$argon2id$")
    try:
        return _hasher.verify(stored if stored is not None and usable else _NOBODY, password) and usable
    except (VerificationError, InvalidHashError):
        return False
