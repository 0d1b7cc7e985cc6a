"""One supervisor a home."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class HomeInUseError(RuntimeError):
    """Another live process works in this home."""


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Hold `home` while the block runs. The kernel lets go when the process dies, however it dies.

    Raises:
        HomeInUseError: somebody else holds it; the message names the process.
    """
    home.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (home / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            message = f"Another `scaicms dev` (process {holder}) uses {home}. Stop it, or set SCAICMS_HOME."
            raise HomeInUseError(message) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
