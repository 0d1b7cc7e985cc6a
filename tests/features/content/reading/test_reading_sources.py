"""Folders, files and archives give the same rows, in the same order, under the same keys."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import write_folder, write_tar, write_zip

from scaicms.features.content.reading.rows import (
    BadRow,
    BrokenSourceError,
    LimitExceededError,
    ReadLimits,
    Row,
    SourceError,
    UnknownFormatError,
)
from scaicms.features.content.reading.sources import Kind, count, open_source

POSTS = {
    "b.md": b'+++\ntitle = "B"\n+++\nText of b.\n',
    "a/index.md": b"---\ntitle: A\n---\n\nText of a.\n",
    "a/deep/er.markdown": b"Only a body.\n",
    "a/photo.png": b"\x89PNG",
    "LICENSE": b"Free.",
}


def rows(path: Path, **options: object) -> list[Row]:
    found = list(open_source(path, **options))  # type: ignore[arg-type]  # options are its own
    assert not [row for row in found if isinstance(row, BadRow)]
    return [row for row in found if isinstance(row, Row)]


def identity(path: Path) -> list[tuple[str, str, str]]:
    return [(row.key, row.digest, row.slug) for row in rows(path)]


def test_a_folder_gives_its_markdown_by_depth_then_by_path(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "site", POSTS)
    assert [row.key for row in rows(folder)] == ["b.md", "a/index.md", "a/deep/er.markdown"]


def test_a_row_has_the_front_matter_the_body_and_the_digest_of_the_file(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, {"b.md": POSTS["b.md"]})
    (row,) = rows(folder)
    assert (row.values, row.body, row.slug, row.line) == ({"title": "B"}, "Text of b.", "b", 1)
    assert row.digest == hashlib.sha256(POSTS["b.md"]).hexdigest()


def test_files_that_are_not_markdown_are_named_as_ignored(tmp_path: Path) -> None:
    for path in (
        write_folder(tmp_path / "site", POSTS),
        write_zip(tmp_path / "s.zip", POSTS),
        write_tar(tmp_path / "s.tgz", POSTS),
    ):
        source = open_source(path)
        assert source.count() == len(list(source)) == 3
        assert source.ignored == ["LICENSE", "a/photo.png"]


def test_hidden_files_and_what_macos_adds_are_ignored_not_errors(tmp_path: Path) -> None:
    tree = {"post/a.md": b"A", "post/._a.md": b"\0\5", "__MACOSX/post/._a.md": b"\0\5", "post/.git/x.md": b""}
    source = open_source(write_zip(tmp_path / "mac.zip", tree))
    assert [row.key for row in source if isinstance(row, Row)] == ["a.md"]
    assert len(source.ignored) == 3


@pytest.mark.parametrize("prefix", ["site/", "./"])
def test_an_archive_has_the_keys_of_the_folder_that_it_was_made_of(tmp_path: Path, prefix: str) -> None:
    expected = identity(write_folder(tmp_path / "site", POSTS))
    packed = write_tar(tmp_path / "s.tar.gz", POSTS, prefix=prefix)
    plain = write_tar(tmp_path / "s.tar", POSTS, prefix=prefix, mode="w")
    zipped = write_zip(tmp_path / "s.zip", POSTS, prefix=prefix)
    for archive in (packed, plain, zipped):
        assert identity(archive) == expected


def test_the_kind_is_told_by_the_content_not_by_the_name(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "upload.md", POSTS)
    archive = write_zip(tmp_path / "upload.csv", POSTS)
    text = write_folder(tmp_path, {"upload": b"---\ntitle: x\n---\n"}) / "upload"
    assert open_source(tar).kind is Kind.TAR
    assert open_source(archive).kind is Kind.ZIP
    assert open_source(text).kind is Kind.MARKDOWN
    assert rows(text, name="../My Post.md")[0].key == "My Post.md"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.pdf", b"%PDF"),
        ("a.zip", b"no zip"),
        ("a.tar.xz", b"\xfd7zXZ\0"),
        ("a.json", b"[1]"),
        ("empty", b""),
    ],
)
def test_what_is_no_source_is_refused_with_what_would_be(tmp_path: Path, name: str, content: bytes) -> None:
    path = write_folder(tmp_path, {name: content}) / name
    with pytest.raises(UnknownFormatError, match=r"\.tar\.gz, \.ndjson or \.csv"):
        open_source(path)


def test_a_missing_path_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="There is no file or folder"):
        open_source(tmp_path / "nothing")


def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = write_folder(tmp_path, {"a.ndjson": b"{}\n" * 50}) / "a.ndjson"
    with pytest.raises(LimitExceededError, match="150 bytes; at most 100"):
        open_source(path, limits=ReadLimits(source_bytes=100))


@pytest.mark.parametrize("cut", [30, 200, -30])
@pytest.mark.parametrize("kind", ["zip", "tar", "tgz"])
def test_an_archive_cut_short_is_said_to_be_damaged(tmp_path: Path, kind: str, cut: int) -> None:
    noise = {"a.md": hashlib.sha512(b"a").digest().hex().encode() * 9, "b.md": b"b" * 700}
    if kind == "zip":
        path = write_zip(tmp_path / "a.zip", noise)
    else:
        path = write_tar(tmp_path / f"a.{kind}", noise, mode="w" if kind == "tar" else "w:gz")
    content = path.read_bytes()
    if kind == "tar":  # what is cut must be more than the padding at the end
        content = content.rstrip(b"\0")
    path.write_bytes(content[:cut])
    with pytest.raises((BrokenSourceError, UnknownFormatError)):
        list(open_source(path, name=f"a.{kind}"))


def test_a_damaged_header_inside_a_tar_is_not_taken_for_its_end(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {"a.md": b"a", "b.md": b"b"}, mode="w")
    content = bytearray(path.read_bytes())
    content[1024 + 150] ^= 0xFF  # in the checksum of the second header
    path.write_bytes(content)
    with pytest.raises(BrokenSourceError, match="damaged header"):
        list(open_source(path))


def test_an_empty_folder_and_an_empty_archive_have_no_rows(tmp_path: Path) -> None:
    assert rows(write_folder(tmp_path / "empty", {})) == []
    assert rows(write_zip(tmp_path / "e.zip", {})) == []
    assert rows(write_tar(tmp_path / "e.tgz", {})) == []


NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=8)
PATHS = st.builds(
    lambda folders, name, suffix: "/".join([*(f"d{part}" for part in folders), f"f{name}{suffix}"]),
    st.lists(NAMES, max_size=3),
    NAMES,
    st.sampled_from([".md", ".md", ".markdown", ".MD", ".txt"]),
)
CONTENTS = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=60).map(str.encode),
    st.text(max_size=40).map(lambda text: f'---\ntitle: "t"\n---\n{text}'.encode()),
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(PATHS, CONTENTS, max_size=6))
def test_any_tree_reads_the_same_from_a_folder_a_zip_and_a_tar(tree: dict[str, bytes]) -> None:
    with TemporaryDirectory() as name:
        base = Path(name)
        sources = [
            write_folder(base / "site", tree),
            write_zip(base / "a.zip", tree, prefix="site/"),
            write_tar(base / "a.tgz", tree, prefix="site/"),
            write_tar(base / "a.tar", tree, prefix="./", mode="w"),
        ]
        read = [
            [
                (row.key, row.digest, row.values, row.body, row.slug, row.warnings)
                if isinstance(row, Row)
                else (row.source.removeprefix("site/"), row.line, row.code, row.message)
                for row in open_source(path)
            ]
            for path in sources
        ]
        assert read[0] == read[1] == read[2] == read[3]
        assert [count(path) for path in sources] == [len(read[0])] * 4
