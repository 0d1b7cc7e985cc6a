"""Temporary folders of jobs, and those that killed workers have left on this host."""

import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

PREFIX = "scaicms-job-"
ABANDONED_SECONDS = 3600.0
"""No attempt at a job takes nearly as long."""


def job_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for one attempt at a job; removed at the end of its `with` block."""
    return tempfile.TemporaryDirectory(prefix=PREFIX)


def remove_abandoned() -> int:
    """Remove folders of jobs on this host that nobody has written to for an hour; how many."""
    removed = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            status = folder.lstat()
            is_ours = status.st_uid == os.geteuid() and folder.is_dir() and not folder.is_symlink()
            if is_ours and time.time() - status.st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(folder)
                removed += 1
    return removed
