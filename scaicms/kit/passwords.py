"""Password hashes: argon2id (RFC 9106) with OWASP's parameters, off the event loop, a bounded number at a time."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_BYTES, MAX_BYTES = 12, 1024
# argon2 releases the GIL; two at a time keep a login storm from taking every core.
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")
_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
# Verified against when there is no such account, so that the answer takes as long.
_NOBODY = _hasher.hash("nobody has this password, nobody at all")


async def hash_password(password: str) -> str:
    return await asyncio.get_running_loop().run_in_executor(_threads, _hasher.hash, password)


async def verify_password(stored: str | None, password: str) -> bool:
    """Whether it is the password; False, after the same time, when `stored` is None."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _verify, stored, password)


def _verify(stored: str | None, password: str) -> bool:
    try:
        return _hasher.verify(stored or _NOBODY, password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False
