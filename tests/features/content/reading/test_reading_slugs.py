"""Slugs: from any text, from a file's place, and what to try where one is taken."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import write_folder

from scaicms.features.content.reading.rows import Row
from scaicms.features.content.reading.sources import open_source
from scaicms.kit.slugs import MAX_LENGTH, numbered, slugify


def row(folder: Path, name: str, content: bytes = b"") -> Row:
    (found,) = open_source(write_folder(folder, {name: content}))
    assert isinstance(found, Row)
    return found


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("Rust 1.12.0!", "rust-1-12-0"),
        ("Émile & Zoë", "emile-zoe"),
        ("日本", "ri-ben"),
        ("--a__B--", "a-b"),
        ("?", ""),
    ],
)
def test_text_becomes_lower_case_ascii_with_hyphens(text: str, slug: str) -> None:
    assert slugify(text) == slug


@given(st.text(max_size=400))
def test_every_slug_is_well_formed_and_stays_itself(text: str) -> None:
    slug = slugify(text)
    assert slug == "" or re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug)
    assert len(slug) <= MAX_LENGTH
    assert slugify(slug) == slug


@given(st.text(min_size=150, max_size=300), st.integers(2, 10**6))
def test_a_numbered_slug_keeps_to_the_length(text: str, number: int) -> None:
    assert len(numbered(slugify(text), number)) <= MAX_LENGTH


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Hello World.md", "hello-world"),
        ("conf-lineup@0.md", "conf-lineup-0"),
        ("blog/first/index.md", "first"),
        ("blog/_index.md", "blog"),
        ("index.md", "index"),
        ("_index.markdown", "index"),
    ],
)
def test_the_slug_is_the_files_name_or_its_folders(tmp_path: Path, name: str, slug: str) -> None:
    assert row(tmp_path, name).slug == slug


def test_the_front_matters_slug_comes_first_and_a_change_is_said(tmp_path: Path) -> None:
    kept = row(tmp_path / "a", "x.md", b"---\nslug: my-own\n---\n")
    changed = row(tmp_path / "b", "x.md", b"---\nslug: My Own!\n---\n")
    unusable = row(tmp_path / "c", "x.md", b"---\nslug: [1]\n---\n")
    assert (kept.slug, kept.warnings) == ("my-own", ())
    assert changed.slug == "my-own"
    assert "'My Own!' was written as 'my-own'" in changed.warnings[0]
    assert unusable.slug == "x"
    assert "not usable" in unusable.warnings[0]


def test_a_name_without_letters_gets_a_stable_slug_and_a_warning(tmp_path: Path) -> None:
    first = row(tmp_path, "!!.md", b"text")
    assert re.fullmatch("untitled-[0-9a-f]{8}", first.slug)
    assert first.slug == row(tmp_path, "!!.md", b"text").slug
    assert first.warnings


def test_alternatives_are_parent_folders_then_numbers(tmp_path: Path) -> None:
    found = row(tmp_path, "content/inside-rust/all-hands/index.md")
    assert list(islice(found.slug_alternatives(), 4)) == [
        "inside-rust-all-hands",
        "content-inside-rust-all-hands",
        "all-hands-2",
        "all-hands-3",
    ]
