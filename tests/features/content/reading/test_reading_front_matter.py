"""What stands at the head of a Markdown file, and what is said where it is wrong."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from trees import write_folder

from scaicms.features.content.reading.rows import BadRow, ReadLimits, Row
from scaicms.features.content.reading.sources import open_source


def read(tmp_path: Path, content: str | bytes, limits: ReadLimits | None = None) -> Row | BadRow:
    data = content if isinstance(content, bytes) else content.encode()
    (found,) = open_source(write_folder(tmp_path, {"post.md": data}), limits=limits)
    return found


def row(tmp_path: Path, content: str | bytes) -> Row:
    found = read(tmp_path, content)
    assert isinstance(found, Row), found
    return found


def bad(tmp_path: Path, content: str | bytes) -> BadRow:
    found = read(tmp_path, content)
    assert isinstance(found, BadRow), found
    return found


@pytest.mark.parametrize(
    "head",
    [
        '+++\ntitle = "T"\ntags = ["a", "b"]\n+++\n',
        "---\ntitle: T\ntags: [a, b]\n---\n",
        '{\n"title": "T",\n"tags": ["a", "b"]\n}\n',
    ],
)
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_toml_yaml_and_json_are_read_alike(tmp_path: Path, head: str, bom: bytes, newline: str) -> None:
    text = f"{head}\n    indented\n\n---\nend  \n"
    found = row(tmp_path, bom + text.replace("\n", newline).encode())
    assert found.values == {"title": "T", "tags": ["a", "b"]}
    assert found.body == "    indented\n\n---\nend"


@pytest.mark.parametrize(
    ("yaml", "toml"),
    [
        ("2024-01-02", "2024-01-02"),
        ("2024-01-02T03:04:05+02:00", "2024-01-02T01:04:05Z"),
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
        ("2024-01-02 03:04:05", "2024-01-02T03:04:05"),
    ],
)
def test_dates_become_iso_strings(tmp_path: Path, yaml: str, toml: str) -> None:
    assert row(tmp_path, f"---\nd: {yaml}\n---\n").values == {"d": toml}
    assert row(tmp_path, f"+++\nd = {yaml}\n+++\n").values == {"d": toml}


@pytest.mark.parametrize(
    "text", ["Just text.", "", "--- \n\nA rule, then text.", "{\nno json", "# Heading\n\n+++\n", "---\n---"]
)
def test_a_file_without_front_matter_has_no_values(tmp_path: Path, text: str) -> None:
    assert row(tmp_path, text).values == {}


def test_text_between_two_rules_is_kept_and_said(tmp_path: Path) -> None:
    found = row(tmp_path, "---\nA motto.\n---\nText.")
    assert found.body == "---\nA motto.\n---\nText."
    assert "begins with a rule" in found.warnings[0]


BROKEN = {
    "toml value": ("+++\na = 1\nb = \n+++\n", 3, "Invalid value"),
    "toml end": ('+++\na = """x\n\n+++\n', 4, "Unterminated string|Expected"),
    "toml twice": ("+++\na = 1\na = 2\n+++\n", 3, "overwrite"),
    "yaml": ("---\ntitle: T\ntags: [a\nx: y\n---\n", 4, "did not find expected"),
    "yaml date": ("---\nd: 2024-13-45\n---\n", 1, "month must be in"),
    "yaml tag": ("---\na: 1\nb: !!python/name:os.system x\n---\n", 3, "could not determine a constructor"),
    "yaml control character": ("---\na: 1\nb: \x01\n---\n", 3, "control characters"),
    "yaml list": ("---\n- a\n---\n", 1, "is a list"),
    "json": ('{\n"a": 1,\n"b": }\n}\n', 3, "Expecting"),
}


@pytest.mark.parametrize(("text", "line", "why"), BROKEN.values(), ids=BROKEN)
def test_broken_front_matter_is_a_bad_row_with_its_line(tmp_path: Path, text: str, line: int, why: str) -> None:
    found = bad(tmp_path, text)
    assert (found.source, found.code) == ("post.md", "broken_front_matter")
    assert found.line == line, found
    assert any(part in found.message for part in why.split("|")), found


@pytest.mark.parametrize("text", ["+++\na = 1\n", "---\ntitle: x\n\ntext", '{\n"a": 1'])
def test_front_matter_that_is_never_closed_is_a_bad_row(tmp_path: Path, text: str) -> None:
    assert bad(tmp_path, text).code == "unclosed_front_matter"


UNSUPPORTED = {
    "not a number": ("---\nx: .nan\n---\n", '"x" is nan'),
    "infinite": ("+++\na.b = inf\n+++\n", '"a.b" is inf'),
    "huge": (f"+++\nx = {2**70}\n+++\n", "64 bits"),
    "nul": ('---\nx: [ok, "a\\0b"]\n---\n', '"x[1]" contains a NUL'),
    "surrogate": ('{\n"x": "\\ud800"\n}\n', "not UTF-8"),
    "same key": ("---\nx: {2: a, '2': b}\n---\n", "the same as text"),
    "before the calendar": ("---\nx: 0001-01-01T00:00:00+05:00\n---\n", "years 1 to 9999"),
    "binary": ("---\nx: !!binary aGVsbG8=\n---\n", "is a bytes"),
}


@pytest.mark.parametrize(("text", "why"), UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_what_json_cannot_hold_is_a_bad_row_that_names_the_value(tmp_path: Path, text: str, why: str) -> None:
    found = bad(tmp_path, text)
    assert found.code == "unsupported_value"
    assert why in found.message


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        ("!!set {b, a}", ["a", "b"]),
        ("{2: x, true: y, ~: z, 2024-01-02: w}", {"2": "x", "true": "y", "null": "z", "2024-01-02": "w"}),
        ("!!omap [a: 1]", [["a", 1]]),
    ],
)
def test_what_json_has_another_form_for_takes_that_form(tmp_path: Path, yaml: str, expected: object) -> None:
    assert row(tmp_path, f"---\nx: {yaml}\n---\n").values == {"x": expected}


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"fine\nfine\ncaf\xe9\n", "not_utf8", 3),
        ("text".encode("utf-16"), "not_utf8", 1),
        (b"\xef\xbb\xbfab\n\xff", "not_utf8", 2),
        (b"one\ntwo\0\n", "nul_character", 2),
    ],
)
def test_other_encodings_and_binary_are_bad_rows(tmp_path: Path, content: bytes, code: str, line: int) -> None:
    found = bad(tmp_path, content)
    assert (found.code, found.line) == (code, line)


LAUGHS = "a0: &a0 [lol, lol]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 10))
LONG = f"a: &a {'x' * 50_000}\nb: [{', '.join(['*a'] * 3000)}]\n"


@pytest.mark.parametrize("yaml", [LAUGHS, MERGES, LONG, "a: &a [*a]\n", "a: " + "[" * 30_000 + "\n", "a: &b {c: *b}\n"])
def test_yaml_that_explodes_is_refused_at_once(tmp_path: Path, yaml: str) -> None:
    started = time.monotonic()
    assert bad(tmp_path, f"---\n{yaml}---\n").code == "front_matter_bomb"
    assert time.monotonic() - started < 2


def test_ordinary_aliases_and_merges_are_read(tmp_path: Path) -> None:
    found = row(tmp_path, "---\nbase: &b {x: 1}\nuse: {<<: *b, y: 2}\nlist: [*b, *b]\n---\n")
    assert found.values == {"base": {"x": 1}, "use": {"x": 1, "y": 2}, "list": [{"x": 1}, {"x": 1}]}


@pytest.mark.parametrize(
    "text",
    [
        "+++\na = " + "[" * 30_000 + "\n+++\n",
        "+++\n" + "a." * 30_000 + "a = 1\n+++\n",
        "+++\n[" + "a . " * 15_000 + "a]\n+++\n",
        "+++\nx = {" + '"a".' * 15_000 + "a = 1}\n+++\n",
        "+++\na = " + "9" * 10_000 + "\n+++\n",
        '{\n"a": ' + "[" * 60_000 + "\n}\n",
        "+++\n" + "a." * 40 + "a = 1\n+++\n",
    ],
)
def test_deep_or_enormous_front_matter_is_refused_at_once(tmp_path: Path, text: str) -> None:
    started = time.monotonic()
    assert bad(tmp_path, text).code in ("broken_front_matter", "unsupported_value")
    assert time.monotonic() - started < 2


def test_front_matter_over_its_limit_is_a_bad_row(tmp_path: Path) -> None:
    text = "---\ntitle: " + "x" * 2000 + "\n---\n"
    found = read(tmp_path, text, ReadLimits(front_matter_bytes=1000))
    assert isinstance(found, BadRow)
    assert found.code == "front_matter_too_large"
