"""Keeps a process small: glibc gives each thread an arena of its own, which holds on to what it once used."""

import asyncio
import ctypes

M_ARENA_MAX = -8
M_TRIM_THRESHOLD = -1
TRIM_BYTES = 256 * 1024
_libc = ctypes.CDLL(None)


def keep_small() -> None:
    """One malloc arena, memory given back early (mallopt(3)); elsewhere than on glibc this has no effect."""
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(M_ARENA_MAX, 1)
        _libc.mallopt(M_TRIM_THRESHOLD, TRIM_BYTES)


def give_back() -> None:
    """Return what is free to the system, also between what is in use (malloc_trim(3)); a millisecond or so."""
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)


async def give_back_forever(seconds: float) -> None:
    """The same every so often, until cancelled: what a large request has left behind lies between what is in use."""
    while True:
        await asyncio.sleep(seconds)
        give_back()
