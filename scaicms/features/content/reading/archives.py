"""Folders, zip and tar files as lists of members. Nothing is ever written under a name they give."""

from __future__ import annotations

import io
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, NoReturn

from .bounded import CappedFile, ForwardReader, Gunzip, PackedReader
from .paths import Member, is_markdown
from .rows import MIB, BrokenSourceError, LimitExceededError, ReadLimits, RowError

_CHUNK = 64 * 1024
_SPOOL_IN_MEMORY = 8 * MIB
# Names and extra fields of a zip's directory: more than this on average is no archive of posts.
_ZIP_DIRECTORY_BYTES_PER_ENTRY = 256
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ZIP_ENCRYPTED = 0x1
_ZIP_UTF8 = 0x800
# What the parsers are seen to raise for damaged input, beyond their own exceptions.
_DAMAGE = (EOFError, ValueError, IndexError, OverflowError, RecursionError, struct.error, zlib.error)


@contextmanager
def open_folder(path: Path, limits: ReadLimits) -> Iterator[list[Member]]:
    """The files below a folder. Links are not followed; hidden folders are not entered."""
    members: list[Member] = []
    for parent, folders, files in os.walk(path):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in (*files, *links):
            file = Path(parent, name)
            members.append(_file_member(file.relative_to(path).as_posix(), file, limits))
            _check_entries(len(members), limits)
    yield members


@contextmanager
def open_file(path: Path, limits: ReadLimits, *, name: str) -> Iterator[list[Member]]:
    """A single file, called `name`; a suffix that says Markdown is added where there is none."""
    name = name if is_markdown(name) else f"{name}.md"
    yield [_file_member(name, path, limits, follow=True)]


def _file_member(name: str, path: Path, limits: ReadLimits, *, follow: bool = False) -> Member:
    problem = None
    size = 0
    try:
        status = path.stat(follow_symlinks=follow)
        size, problem = status.st_size, _kind_problem(status.st_mode)
    except OSError as error:
        problem = RowError("unreadable", f"The file cannot be read: {error.strerror}.")
    problem = problem or _size_problem(name, size, limits)
    return Member(name, partial(_read_file, path, limits), problem=problem)


def _read_file(path: Path, limits: ReadLimits) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limits.row_bytes + 1)
    except OSError as error:
        raise RowError("unreadable", f"The file cannot be read: {error.strerror}.") from error
    if problem := _size_problem(path.name, len(data), limits):  # it grew since it was listed
        raise problem
    return data


@contextmanager
def open_zip(path: Path, limits: ReadLimits) -> Iterator[list[Member]]:
    """The members of a zip file, read from it on demand.

    Raises `BrokenSourceError`, or `LimitExceededError` for a bomb: sizes are checked as the directory
    declares them, which is safe because reading stops at the declared size.
    """
    # At least what the search for the directory's end reads: its longest comment.
    single_read = max(2 * _CHUNK, limits.entries * _ZIP_DIRECTORY_BYTES_PER_ENTRY)
    with CappedFile(path, single_read=single_read) as file:
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError, *_DAMAGE) as error:
            _broken(error, path)
        with archive:
            infos = archive.infolist()
            _check_entries(len(infos), limits)
            _check_expanded(sum(info.file_size for info in infos), limits)
            yield [_zip_member(archive, info, limits) for info in infos]


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limits: ReadLimits) -> Member:
    name = _zip_name(info)
    _check_ratio(name, info.file_size, info.compress_size, limits)
    problem = _kind_problem(info.external_attr >> 16)
    is_folder = name.endswith("/")
    if problem is None and not is_folder and is_markdown(name):
        if info.flag_bits & _ZIP_ENCRYPTED:
            problem = RowError("encrypted", "The file is encrypted; import an archive without a password.")
        elif info.compress_type not in _ZIP_METHODS:
            problem = RowError("unsupported_compression", "Only stored and deflated files can be read.")
        problem = problem or _size_problem(name, info.file_size, limits)
    return Member(name, partial(_read_zip, archive, info), is_folder=is_folder, problem=problem)


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Names without the UTF-8 flag are code page 437 by the standard, and UTF-8 in practice."""
    if info.flag_bits & _ZIP_UTF8:
        return info.orig_filename
    try:
        return info.orig_filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.orig_filename


def _read_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(info)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, *_DAMAGE) as error:
        raise RowError("damaged_entry", f"The file is damaged in the archive: {error}.") from error


@contextmanager
def open_tar(path: Path, limits: ReadLimits, *, keep: bool = True) -> Iterator[list[Member]]:
    """The members of a tar file, plain or gzipped, in one pass and bounded memory.

    A tar file has no directory and gzip no random access, so the Markdown is spooled to an unnamed
    temporary file, to be read again in order; with `keep=False` (for counting) it is skipped.
    Raises `BrokenSourceError`, or `LimitExceededError` for a bomb.
    """
    with path.open("rb") as file, SpooledTemporaryFile(max_size=_SPOOL_IN_MEMORY) as spool:
        packed = PackedReader(file)
        is_gzip = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        unpacked: io.BufferedIOBase | io.RawIOBase = packed
        if is_gzip:
            unpacked = Gunzip(packed, members=limits.entries)
        reader = ForwardReader(unpacked, total=limits.expanded_bytes, single_read=MIB)
        try:
            members = list(_scan_tar(reader, packed, spool if keep else None, limits))
        except (tarfile.TarError, *_DAMAGE) as error:
            _broken(error, path)
        yield members


def _scan_tar(
    reader: ForwardReader, packed: PackedReader, spool: IO[bytes] | None, limits: ReadLimits
) -> Iterator[Member]:
    count = 0
    with tarfile.open(fileobj=reader, mode="r:") as archive:
        for count, info in enumerate(archive, start=1):
            _check_entries(count, limits)
            start = packed.taken
            problem = _tar_problem(info) or _size_problem(info.name, info.size, limits)
            read: Callable[[], bytes] = bytes
            if problem is None and info.isreg() and is_markdown(info.name) and spool is not None:
                read = _spooled(archive, info, spool)
            else:
                reader.skip_to(info.offset_data + (info.size if info.isreg() and not info.issparse() else 0))
            # Both sides read ahead, by a block of packed and a buffer of unpacked bytes.
            _check_ratio(info.name, info.size - 2 * _CHUNK, packed.taken - start + PackedReader.BLOCK, limits)
            yield Member(info.name, read, is_folder=info.isdir(), problem=problem)
    if reader.last.strip(b"\0"):  # tarfile takes a header that it cannot read for the end
        raise tarfile.ReadError(f"the entry after the {count}th has a damaged header")
    reader.drain()  # gzip's checksum and length stand at the very end


def _spooled(archive: tarfile.TarFile, info: tarfile.TarInfo, spool: IO[bytes]) -> Callable[[], bytes]:
    source = archive.extractfile(info)
    offset = spool.seek(0, os.SEEK_END)
    left = info.size
    while source is not None and (chunk := source.read(min(_CHUNK, left))):
        spool.write(chunk)
        left -= len(chunk)
    if left:
        raise tarfile.ReadError(f"{info.name} is cut short")
    return partial(_read_spool, spool, offset, info.size)


def _read_spool(spool: IO[bytes], offset: int, size: int) -> bytes:
    spool.seek(offset)
    return spool.read(size)


def _tar_problem(info: tarfile.TarInfo) -> RowError | None:
    if info.issym() or info.islnk():
        return _kind_problem(stat.S_IFLNK)
    if info.isdir() or (info.isreg() and not info.issparse()):
        return None
    return _kind_problem(stat.S_IFIFO)


def _kind_problem(mode: int) -> RowError | None:
    """`mode` as in `stat`; 0 where the archive was made by a system without modes."""
    if stat.S_ISLNK(mode):
        return RowError("link", "The entry is a link; links are never followed. Put the file itself there.")
    if stat.S_IFMT(mode) in (0, stat.S_IFREG, stat.S_IFDIR):
        return None
    return RowError("special_file", "The entry is a device, a pipe or another special file, not a document.")


def _size_problem(name: str, size: int, limits: ReadLimits) -> RowError | None:
    if is_markdown(name) and size > limits.row_bytes:
        return RowError("too_large", f"The file has {size} bytes; at most {limits.row_bytes} are read.")
    return None


def _check_entries(count: int, limits: ReadLimits) -> None:
    if count > limits.entries:
        raise LimitExceededError(f"There are more than {limits.entries} entries; import fewer at once.")


def _check_expanded(size: int, limits: ReadLimits) -> None:
    if size > limits.expanded_bytes:
        raise LimitExceededError(f"The archive expands to more than {limits.expanded_bytes} bytes.")


def _check_ratio(name: str, size: int, packed: int, limits: ReadLimits) -> None:
    if size > limits.ratio_from_bytes and size > limits.ratio * packed:
        raise LimitExceededError(
            f"The entry {name[:200]!a} expands to more than {limits.ratio} times its packed size: "
            "it looks like a decompression bomb, so nothing was read."
        )


def _broken(error: BaseException, path: Path) -> NoReturn:
    if isinstance(error, LimitExceededError):
        raise error
    why = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    raise BrokenSourceError(f"{path.name} is damaged or cut short: {why}.") from error
