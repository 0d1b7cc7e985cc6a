"""Hostile input: one bad entry is one bad row, a bomb ends the reading, nothing else ever escapes."""

from __future__ import annotations

import os
import stat
import tarfile
import time
import tracemalloc
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import write_folder, write_tar, write_tar_members, write_zip

from scaicms.features.content.reading.rows import BadRow, LimitExceededError, ReadLimits, Row, SourceError
from scaicms.features.content.reading.sources import count, open_source

GOOD = {"site/good.md": b"Good.", "site/other.md": b"Good too."}


def split(path: Path, limits: ReadLimits | None = None) -> tuple[list[str], dict[str, str]]:
    """The keys of the rows, and the code of each bad row by its source."""
    found = list(open_source(path, limits=limits))
    good = [row.key for row in found if isinstance(row, Row)]
    return good, {row.source: row.code for row in found if isinstance(row, BadRow)}


def tar_entry(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info, b""


UNSAFE = {
    "../up.md": "path_traversal",
    "a/../../up.md": "path_traversal",
    "a\\..\\..\\up.md": "path_traversal",
    "/etc/cron.md": "absolute_path",
    "C:/boot.md": "absolute_path",
    "line\nbreak.md": "bad_path",
    "x" * 2000 + ".md": "bad_path",
}


@pytest.mark.parametrize(("name", "code"), UNSAFE.items())
def test_an_unsafe_path_is_a_bad_row_and_the_rest_is_read(tmp_path: Path, name: str, code: str) -> None:
    tree = {**GOOD, name: b"evil"}
    for path in (write_zip(tmp_path / "a.zip", tree), write_tar(tmp_path / "a.tgz", tree)):
        good, bad = split(path)
        assert good == ["good.md", "other.md"]
        assert list(bad.values()) == [code]


def test_links_and_devices_in_a_tar_are_bad_rows(tmp_path: Path) -> None:
    members = [
        (tarfile.TarInfo("site/good.md"), b"Good."),
        tar_entry("site/soft.md", tarfile.SYMTYPE, "/etc/passwd"),
        tar_entry("site/hard.md", tarfile.LNKTYPE, "site/good.md"),
        tar_entry("site/folder", tarfile.SYMTYPE, "/etc"),
        tar_entry("site/pipe.md", tarfile.FIFOTYPE),
        tar_entry("site/disk.md", tarfile.BLKTYPE),
    ]
    good, bad = split(write_tar_members(tmp_path / "a.tgz", members))
    assert good == ["good.md"]
    assert bad == {
        "site/soft.md": "link",
        "site/hard.md": "link",
        "site/folder": "link",
        "site/pipe.md": "special_file",
        "site/disk.md": "special_file",
    }


def test_links_in_a_zip_are_bad_rows(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", GOOD)
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("site/link.md")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert split(path)[1] == {"site/link.md": "link"}


def test_links_and_pipes_in_a_folder_are_bad_rows(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "site", {"good.md": b"Good."})
    (folder / "link.md").symlink_to("/etc/passwd")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.md")
    good, bad = split(folder)
    assert good == ["good.md"]
    assert bad == {"link.md": "link", "loop": "link", "pipe.md": "special_file"}


def test_a_path_that_occurs_twice_is_read_once_and_said(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = write_zip(tmp_path / "a.zip", GOOD)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("site/good.md", "Again.")
    good, bad = split(path)
    assert good == ["good.md", "other.md"]
    assert bad == {"site/good.md": "duplicate_path"}


def test_a_file_over_the_row_limit_is_a_bad_row(tmp_path: Path) -> None:
    tree = {**GOOD, "site/big.md": os.urandom(3000)}
    limits = ReadLimits(row_bytes=2000)
    for path in (
        write_zip(tmp_path / "a.zip", tree),
        write_tar(tmp_path / "a.tgz", tree),
        write_folder(tmp_path / "folder", tree),
    ):
        assert split(path, limits)[1] == {"site/big.md": "too_large"}


@pytest.mark.parametrize("name", ["bomb.md", "bomb.png"])
def test_a_decompression_bomb_ends_the_reading(tmp_path: Path, name: str) -> None:
    tree = {**GOOD, f"site/{name}": bytes(5_000_000)}
    for path in (write_zip(tmp_path / "a.zip", tree), write_tar(tmp_path / "a.tgz", tree)):
        with pytest.raises(LimitExceededError, match=r"bomb.*decompression bomb"):
            list(open_source(path))


def test_text_that_packs_well_is_no_bomb(tmp_path: Path) -> None:
    words = b"".join(b"Line %d of a long but honest text.\n" % number for number in range(60_000))
    assert len(words) > 2_000_000
    tree = {"long.md": words, "short.md": b"Short."}
    for path in (write_zip(tmp_path / "a.zip", tree), write_tar(tmp_path / "a.tgz", tree)):
        assert len(split(path)[0]) == 2


def test_more_bytes_than_allowed_in_all_end_the_reading(tmp_path: Path) -> None:
    tree = {f"{number}.png": os.urandom(40_000) for number in range(5)}
    limits = ReadLimits(expanded_bytes=150_000)
    for path in (write_zip(tmp_path / "a.zip", tree), write_tar(tmp_path / "a.tgz", tree)):
        with pytest.raises(LimitExceededError, match="more than 150000 bytes"):
            list(open_source(path, limits=limits))


def test_100_000_entries_are_refused_quickly_and_in_bounded_memory(tmp_path: Path) -> None:
    tree = {f"{number}.md": b"" for number in range(100_000)}
    for path in (write_zip(tmp_path / "a.zip", tree), write_tar(tmp_path / "a.tgz", tree)):
        started = time.monotonic()
        with pytest.raises(LimitExceededError):
            count(path)
        assert time.monotonic() - started < 10


def test_a_tar_header_of_enormous_length_is_not_loaded(tmp_path: Path) -> None:
    header, _ = tar_entry("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    path = write_tar_members(tmp_path / "a.tgz", [(header, bytes(20_000_000))])
    tracemalloc.start()
    with pytest.raises(LimitExceededError, match="header of 2000"):
        list(open_source(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_tar_is_read_in_bounded_memory(tmp_path: Path) -> None:
    tree = {f"{number}.md": os.urandom(500_000).hex().encode() for number in range(30)}
    path = write_tar(tmp_path / "a.tgz", tree)
    tracemalloc.start()
    assert sum(1 for _ in open_source(path)) == 30
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000 < sum(map(len, tree.values()))


def test_an_encrypted_file_in_a_zip_is_a_bad_row(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a.md": b"a", "b.md": b"b"})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    assert split(path) == (["b.md"], {"a.md": "encrypted"})


def test_a_file_with_a_wrong_checksum_in_a_zip_is_a_bad_row(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a.md": b"a", "b.md": b"b"})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 16] ^= 0xFF
    path.write_bytes(content)
    assert split(path) == (["b.md"], {"a.md": "damaged_entry"})


def test_zip_names_in_utf8_without_the_flag_are_read_as_utf8(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"xx.md": b"a"})
    path.write_bytes(path.read_bytes().replace(b"xx.md", "é.md".encode()))
    assert split(path)[0] == ["é.md"]


def test_names_that_are_not_utf8_are_bad_rows(tmp_path: Path) -> None:
    info = tarfile.TarInfo("caf\udce9.md")
    path = write_tar_members(tmp_path / "a.tgz", [(info, b"x"), (tarfile.TarInfo("ok.md"), b"x")])
    good, bad = split(path)
    assert good == ["ok.md"]
    assert list(bad.values()) == ["bad_path"]
    assert "".join(bad).encode()


BASE = {"a/x.md": b"+++\nt = 1\n+++\nbody", "a/y.png": b"\x89PNG" * 50, "a/" + "long" * 40 + ".md": b"z"}


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["zip", "tar", "tgz"]),
    edits=st.lists(st.tuples(st.integers(0, 20_000), st.binary(min_size=1, max_size=12)), max_size=5),
    cut=st.integers(0, 20_000),
)
def test_a_mangled_archive_raises_nothing_but_source_errors(
    kind: str, edits: list[tuple[int, bytes]], cut: int
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, f"a.{kind}")
        if kind == "zip":
            write_zip(path, BASE)
        else:
            write_tar(path, BASE, mode="w" if kind == "tar" else "w:gz")
        content = bytearray(path.read_bytes())
        for place, junk in edits:
            start = place % len(content)
            content[start : start + len(junk)] = junk
        path.write_bytes(content[: cut % len(content)] if cut % 4 == 0 else content)
        try:
            found = list(open_source(path, limits=ReadLimits(expanded_bytes=10_000_000)))
        except SourceError as error:
            assert str(error).endswith(".")
        else:
            assert all(isinstance(row, Row | BadRow) for row in found)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["md", "ndjson", "csv", "zip", "tar"]), st.binary(max_size=300))
def test_any_bytes_under_any_name_raise_nothing_but_source_errors(suffix: str, content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, f"a.{suffix}")
        path.write_bytes(content)
        try:
            rows = list(open_source(path))
        except SourceError:
            return
        assert count(path) == len(rows)
