"""Keeps a process small: glibc gives each thread an arena of its own, which holds on to what it once used."""

import ctypes

M_ARENA_MAX = -8
M_TRIM_THRESHOLD = -1
TRIM_BYTES = 256 * 1024


def keep_small() -> None:
    """One malloc arena, memory given back early (mallopt(3)); elsewhere than on glibc this has no effect."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return
    mallopt(M_ARENA_MAX, 1)
    mallopt(M_TRIM_THRESHOLD, TRIM_BYTES)
