"""NDJSON and CSV: a row a record, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import write_folder

from scaicms.features.content.reading.rows import BadRow, BrokenSourceError, LimitExceededError, ReadLimits, Row
from scaicms.features.content.reading.sources import count, open_source


def read(tmp_path: Path, name: str, content: bytes, limits: ReadLimits | None = None) -> list[Row | BadRow]:
    return list(open_source(write_folder(tmp_path, {name: content}) / name, limits=limits))


def codes(found: list[Row | BadRow]) -> list[str]:
    return [item.code if isinstance(item, BadRow) else "" for item in found]


def test_each_line_of_ndjson_is_a_row_with_source_key_and_slug(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf{"id": 7, "title": "A b"}\r\n\n{"slug": "x"}\n{"n": 1}\n{"n": 1}'
    found = [row for row in read(tmp_path, "in.ndjson", content) if isinstance(row, Row)]
    assert [(row.source, row.slug) for row in found[:2]] == [("in.ndjson:1", "a-b"), ("in.ndjson:3", "x")]
    assert [row.key for row in found[:2]] == ["id:7", "slug:x"]
    assert found[2].key == f"sha256:{found[2].digest}"
    assert found[3].key == f"sha256:{found[2].digest}:2"
    assert found[0].values == {"id": 7, "title": "A b"}
    assert found[0].body is None


def test_the_key_of_a_record_stays_when_lines_are_added_before_it(tmp_path: Path) -> None:
    before = read(tmp_path, "a.jsonl", b'{"id": 1}\n{"n": 5}\n')
    after = read(tmp_path, "a.jsonl", b'{"id": 0}\n{"id": 1}\n{"n": 5}\n')
    assert [row.key for row in before if isinstance(row, Row)] == [row.key for row in after[1:] if isinstance(row, Row)]


def test_bad_lines_of_ndjson_are_bad_rows_and_the_rest_goes_on(tmp_path: Path) -> None:
    lines = [
        b'{"id": 1}',
        b"{oops",
        b"[1]",
        b'{"x": NaN}',
        b'{"a": "\xff"}',
        b'{"id": 1}',
        b'{"x": "\\u0000"}',
    ]
    lines += [b'{"a":' * 40 + b"1" + b"}" * 40, b'{"a":' * 90_000, b'{"id": 2}']
    found = read(tmp_path, "a.ndjson", b"\n".join(lines))
    broken = "broken_json"
    unsupported = "unsupported_value"
    expected = [
        "",
        broken,
        "not_an_object",
        broken,
        broken,
        "duplicate_key",
        unsupported,
        unsupported,
        broken,
        "",
    ]
    assert codes(found) == expected
    assert [row.line for row in found] == list(range(1, 11))


def test_a_line_over_the_limit_is_skipped(tmp_path: Path) -> None:
    content = b'{"id": 1}\n{"id": "' + b"x" * 5000 + b'"}\n{"id": 2}\n'
    found = read(tmp_path, "a.ndjson", content, ReadLimits(row_bytes=1000))
    assert codes(found) == ["", "too_large", ""]
    assert [row.line for row in found] == [1, 2, 3]


def test_more_records_than_allowed_end_the_reading(tmp_path: Path) -> None:
    with pytest.raises(LimitExceededError, match="more than 3 records"):
        read(tmp_path, "a.ndjson", b"{}\n" * 5, ReadLimits(records=3))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_rows_have_text_and_leave_empty_cells_out(tmp_path: Path, delimiter: str) -> None:
    content = 'id,title,note\n1,"Two\nlines",\n\n2,Ü,"say ""hi"""\n'.replace(",", delimiter)
    first, second = read(tmp_path, "a.csv", content.encode())
    assert isinstance(first, Row)
    assert isinstance(second, Row)
    assert first.values == {"id": "1", "title": "Two\nlines"}
    assert second.values == {"id": "2", "title": "Ü", "note": 'say "hi"'}
    assert (first.source, second.source) == ("a.csv:2", "a.csv:5")


def test_bad_csv_rows_are_bad_rows_and_the_rest_goes_on(tmp_path: Path) -> None:
    found = read(tmp_path, "a.csv", b"id,t\n1,a\n2\n3,caf\xe9\n4,a\0b\n5,b\n")
    assert codes(found) == ["", "wrong_columns", "unsupported_value", "unsupported_value", ""]


def test_a_quote_that_is_never_closed_says_that_the_rest_was_not_read(tmp_path: Path) -> None:
    found = read(tmp_path, "a.csv", b'id,t\n1,a\n2,"b\n3,c\n')
    assert codes(found) == ["", "broken_csv"]
    assert isinstance(found[1], BadRow)
    assert found[1].line == 3
    assert "rest of the file was not read" in found[1].message


@pytest.mark.parametrize("header", [b"a,,b\n", b"a,a\n", b'"a\n'])
def test_a_csv_without_a_usable_header_is_refused(tmp_path: Path, header: bytes) -> None:
    with pytest.raises(BrokenSourceError, match=r"header|first line"):
        read(tmp_path, "a.csv", header)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(["a.ndjson", "a.csv"]), st.lists(st.binary(max_size=30), max_size=10))
def test_count_is_what_reading_gives(tmp_path_factory: pytest.TempPathFactory, name: str, lines: list[bytes]) -> None:
    content = b'id,"x"\n' + b"\n".join(lines)
    path = write_folder(tmp_path_factory.mktemp("count"), {name: content}) / name
    assert count(path) == len(list(open_source(path)))
