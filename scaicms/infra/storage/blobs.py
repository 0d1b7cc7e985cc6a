"""What lies in a store, seen as a list."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

_PART = re.compile(r"#\d+$")
"""obstore writes a local file under its name with a number, and renames it when it is whole."""


@dataclass(frozen=True, slots=True)
class Blob:
    """`part`: of an upload that is being written, or whose process was killed. `folder`: an empty one."""

    key: str
    size: int
    modified: datetime
    kind: Literal["blob", "part", "folder"] = "blob"


def walk(folder: Path, prefix: str, after: str = "") -> Iterator[Blob]:
    """Everything in a local folder below a prefix and behind a key, ordered by the parts of the keys."""
    top = folder / prefix
    if top.is_dir():
        behind = tuple(after.split("/")) if after else ()
        for name in _names(top):
            yield from _entries(folder, top / name, behind)


def _entries(folder: Path, path: Path, behind: tuple[str, ...]) -> Iterator[Blob]:
    parts = path.relative_to(folder).parts
    if parts < behind[: len(parts)]:
        return
    with suppress(FileNotFoundError):  # gone since it was listed
        status = path.stat(follow_symlinks=False)
        modified = datetime.fromtimestamp(status.st_mtime, UTC)
        key = "/".join(parts)
        if not path.is_dir():
            if parts > behind:
                yield Blob(key, status.st_size, modified, "part" if _PART.search(path.name) else "blob")
            return
        names = _names(path)
        if not names and parts > behind:
            yield Blob(key, 0, modified, "folder")
        for name in names:
            yield from _entries(folder, path / name, behind)


def _names(path: Path) -> list[str]:
    return sorted(child.name for child in path.iterdir())


def remove_local(folder: Path, blobs: Sequence[Blob]) -> None:
    """Remove files and the folders that become empty by it. A folder into which something was written stays."""
    for blob in blobs:
        path = folder / blob.key
        with suppress(OSError):
            if blob.kind == "folder":
                path.rmdir()
            else:
                path.unlink()
        with suppress(OSError):
            if path.parent != folder:
                path.parent.rmdir()
