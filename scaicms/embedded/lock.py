"""One supervisor a home, and one owner of each engine in it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class HomeInUseError(RuntimeError):
    """The home is not to be had: another live process works in it, or it belongs to another account."""


@contextmanager
def locked(home: Path, *, engine: str | None = None) -> Iterator[None]:
    """Hold `home`, or one engine in it, while the block runs. The kernel lets go when the process dies, however.

    Raises:
        HomeInUseError: somebody else holds it, or we may not write there; the message says who and what to do.
    """
    try:
        home.mkdir(mode=0o755, parents=True, exist_ok=True)
        file = (home / (f"{engine}.lock" if engine else "lock")).open("a+")
    except OSError as error:
        message = f"Cannot write in {home} ({error.strerror}: {error.filename}). Choose another folder: SCAICMS_HOME."
        raise HomeInUseError(message) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            who, what = ("program", f"{engine} in {home}") if engine else ("`scaicms dev`", str(home))
            message = f"Another {who} (process {holder}) uses {what}. Stop it, or set SCAICMS_HOME."
            raise HomeInUseError(message) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
