"""A small file system for the files of a run, which can be filled. Mounting one needs root."""

import os
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

SIZE_MB = 48
FILLER = "filler"


class SmallDisk:
    """A tmpfs at `folder`; an ordinary folder where mounting is not allowed."""

    def __init__(self, folder: Path, size_mb: int = SIZE_MB) -> None:
        self.folder = folder
        self._size_mb = size_mb
        self.is_mounted = False

    def mount(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={self._size_mb}m", "tmpfs", str(self.folder)]
        self.is_mounted = (
            os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0
        )

    def fill(self) -> None:
        """Until nothing more goes in."""
        with (self.folder / FILLER).open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(64 * 1024))
            except OSError:
                pass

    def clear(self) -> None:
        (self.folder / FILLER).unlink(missing_ok=True)

    def unmount(self) -> None:
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=False, capture_output=True)

    def age(self, keys: Iterable[str], seconds: float) -> None:
        """Let files look as if they were written so long ago."""
        past = time.time() - seconds
        for key in keys:
            os.utime(self.folder / key, (past, past))

    def files(self) -> list[str]:
        """What is stored, as keys."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.folder)) for path in found if path.name != FILLER)
