"""Which members of a folder or archive become rows, under which key, in which order."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .rows import ReadLimits, RowError

MARKDOWN_SUFFIXES = (".md", ".markdown")
# What macOS adds to archives; like dot files, nobody wrote it as content.
_CRUFT = "__MACOSX"


@dataclass(frozen=True, slots=True)
class Member:
    """One file, folder or link as the container describes it; nothing of it is trusted yet."""

    name: str
    read: Callable[[], bytes]
    """The content. Raises `RowError` where this one member cannot be read."""
    is_folder: bool = False
    problem: RowError | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A member that becomes a row, or a bad row where it has a problem."""

    source: str
    key: str
    read: Callable[[], bytes]
    problem: RowError | None = None
    base: str = ""
    """The key without what it says of a locale; empty where nothing was asked of it."""
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    entries: list[Entry]
    """By depth, then by path."""
    ignored: list[str]
    """Paths of what is neither Markdown nor an error, sorted."""


@dataclass(frozen=True, slots=True)
class _Placed:
    member: Member
    parts: tuple[str, ...]


def list_members(
    members: Iterable[Member], limits: ReadLimits, *, strip_root: bool, telling: Callable[[str], object] | None = None
) -> Listing:
    """Judge each path and pick the Markdown.

    With `strip_root`, a top-level folder that holds everything is left out of the keys, so that a
    folder and the archive made of it give the same ones; but not one whose name is `telling`.
    """
    entries: list[Entry] = []
    placed: list[_Placed] = []
    for member in members:
        try:
            placed.append(_Placed(member, safe_parts(member.name, limits)))
        except RowError as error:
            entries.append(Entry(printable(member.name), member.name, member.read, error))
    root = _root(placed) if strip_root else 0
    if root and telling is not None and any(telling(item.parts[0]) for item in placed if item.parts):
        root = 0
    ignored: list[str] = []
    seen: set[str] = set()
    for item in placed:
        key = "/".join(item.parts[root:]) or "/".join(item.parts)
        if item.member.problem is None and (item.member.is_folder or not item.parts):
            continue
        if _is_hidden(item.parts) or (item.member.problem is None and not is_markdown(key)):
            ignored.append("/".join(item.parts))
        else:
            problem = item.member.problem or (_duplicate() if key in seen else None)
            seen.add(key)
            entries.append(Entry("/".join(item.parts), key, item.member.read, problem))
    entries.sort(key=lambda entry: (entry.key.count("/"), entry.key))
    return Listing(entries, sorted(ignored))


def is_markdown(name: str) -> bool:
    """Told by its suffix, in any letter case."""
    return name.lower().endswith(MARKDOWN_SUFFIXES)


def safe_parts(name: str, limits: ReadLimits) -> tuple[str, ...]:
    """The parts of a relative path, in Unicode's NFC; backslashes separate too.

    Raises `RowError` for paths that lead outside, and for names that no URL or database can hold.
    """
    path = unicodedata.normalize("NFC", name).replace("\\", "/")
    shown = printable(name)
    if any("\ud800" <= char <= "\udfff" for char in path):
        raise RowError("bad_path", f"The name {shown} is not UTF-8; rename the file.")
    if any(unicodedata.category(char) == "Cc" for char in path):
        raise RowError("bad_path", f"The name {shown} contains control characters; rename the file.")
    if len(path.encode()) > limits.path_bytes:
        raise RowError("bad_path", f"The path is longer than {limits.path_bytes} bytes; shorten it.")
    if path.startswith("/") or re.match(r"[A-Za-z]:/", path):
        raise RowError("absolute_path", f"The path {shown} is absolute; paths must be relative.")
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if ".." in parts:
        raise RowError("path_traversal", f"The path {shown} leads outside of the archive.")
    return parts


def printable(name: str) -> str:
    """The name for messages and reports: always UTF-8, no control characters, of bounded length."""
    shown = name[:300].encode("utf-8", "backslashreplace").decode()
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in shown)


def _root(placed: list[_Placed]) -> int:
    """How many leading folders all members share: 1 or 0."""
    if any(item.member.name.startswith("./") or item.member.name == "." for item in placed):
        return 0  # `tar -C folder .`: the dot is the root
    named = [item for item in placed if item.parts and not _is_hidden(item.parts[:1])]
    tops = {item.parts[0] for item in named}
    return int(len(tops) == 1 and all(len(item.parts) > 1 or item.member.is_folder for item in named))


def _is_hidden(parts: tuple[str, ...]) -> bool:
    return any(part == _CRUFT or part.startswith(".") for part in parts)


def _duplicate() -> RowError:
    return RowError("duplicate_path", "An earlier entry has the same path; only that one was read.")
