"""Laying rows over a content type: the default, a mapping over it, and what is left over."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from trees import write_folder

from scaicms.features.content.reading.mapping import MappedRow, Mapping, apply_mapping
from scaicms.features.content.reading.rows import Row
from scaicms.features.content.reading.sources import open_source

FIELDS = [("title", "string"), ("summary", "text"), ("body", "markdown"), ("published", "date")]
HEAD = 'title = "T"\npath = "2016/09/29/Name"\n[extra]\nteam = "Core"\nurl = "u"\n'


def row(tmp_path: Path, text: str, name: str = "folder/my-post.md") -> Row:
    (found,) = open_source(write_folder(tmp_path, {name: text.encode()}))
    assert isinstance(found, Row)
    return found


def lay(tmp_path: Path, mapping: dict[str, Any] | None = None, head: str = HEAD) -> MappedRow:
    text = f"+++\n{head}+++\nText."
    return apply_mapping(row(tmp_path, text), FIELDS, Mapping.model_validate(mapping) if mapping else None)


def test_without_a_mapping_names_meet_and_the_rest_is_listed(tmp_path: Path) -> None:
    mapped = lay(tmp_path)
    assert mapped.data == {"title": "T", "body": "Text."}
    assert mapped.unmapped == ["path", "extra"]
    assert (mapped.slug, mapped.locale, mapped.warnings) == ("my-post", None, [])


def test_a_pattern_takes_a_part_and_builds_the_value_of_its_groups(tmp_path: Path) -> None:
    pattern = {"from": "path", "pattern": r"(\d{4})/(\d{2})/(\d{2})", "replace": r"\1-\2-\3"}
    mapped = lay(tmp_path, {"published": pattern, "summary": "front.extra.team"})
    assert mapped.data["published"] == "2016-09-29"
    assert mapped.data["summary"] == "Core"
    assert mapped.unmapped == ["extra.url"]


def test_a_pattern_without_replace_gives_its_group_and_a_miss_is_said(tmp_path: Path) -> None:
    mapped = lay(
        tmp_path,
        {"summary": {"from": "path", "pattern": "/([A-Z]\\w+)"}, "title": {"from": "path", "pattern": "zzz"}},
    )
    assert mapped.data == {"summary": "Name", "body": "Text."}
    assert "path does not match the pattern zzz" in mapped.warnings[0]


def test_special_sources_targets_and_constants(tmp_path: Path) -> None:
    mapping = {
        "$slug": {"from": "path", "replace": None},
        "$locale": {"value": "fr"},
        "title": "$stem",
        "summary": "$source",
        "body": {"value": "fixed"},
    }
    mapped = lay(tmp_path, mapping)
    assert (mapped.slug, mapped.locale) == ("2016-09-29-name", "fr")
    assert mapped.data == {"title": "my-post", "summary": "folder/my-post.md", "body": "fixed"}
    assert mapped.unmapped == ["title", "extra", "$body"]


def test_the_markdown_goes_once_to_where_the_mapping_wants_it(tmp_path: Path) -> None:
    mapped = lay(tmp_path, {"summary": "$body"})
    assert mapped.data == {"title": "T", "summary": "Text."}
    assert "$body" not in mapped.unmapped


def test_markdown_without_a_field_for_it_is_listed_as_unmapped(tmp_path: Path) -> None:
    mapped = apply_mapping(row(tmp_path, "Text."), [("n", "integer")])
    assert mapped.unmapped == ["$body"]


@pytest.mark.parametrize(
    ("text", "title", "warning"),
    [
        ("Intro.\n\n## The *first* `head`\n\n# Other", "The first head", "first heading"),
        ("Underlined\n===\n", "Underlined", "first heading"),
        ("```\n# code\n```\n", "My post", "file's name"),
        ("---\ntitle: ''\n---\nText", "My post", "file's name"),
    ],
)
def test_a_missing_title_is_found_and_said(tmp_path: Path, text: str, title: str, warning: str) -> None:
    mapped = apply_mapping(row(tmp_path, text), FIELDS)
    assert mapped.data["title"] == title
    assert warning in mapped.warnings[0]


@pytest.mark.parametrize(
    ("field_type", "value", "expected"),
    [
        ("string", '["a", "b"]', "a, b"),
        ("text", '["a", "b"]', "a, b"),
        ("string", "[1]", [1]),
        ("multiselect", '"a"', ["a"]),
        ("multiselect", '["a"]', ["a"]),
        ("date", "2024-01-02T23:00:00Z", "2024-01-02"),
        ("datetime", "2024-01-02", "2024-01-02T00:00:00Z"),
        ("datetime", "2024-01-02T03:00:00", "2024-01-02T03:00:00Z"),
        ("datetime", "2024-01-02T03:00:00+02:00", "2024-01-02T01:00:00Z"),
        ("datetime", '"soon"', "soon"),
        ("number", "3", 3),
        ("number", '"2.5"', 2.5),
        ("integer", '"42"', 42),
        ("integer", '"4x"', "4x"),
        ("boolean", '"True"', True),
        ("json", '["a"]', ["a"]),
    ],
)
def test_values_are_brought_to_the_fields_type_or_left_for_validation(
    tmp_path: Path, field_type: str, value: str, expected: object
) -> None:
    mapped = apply_mapping(row(tmp_path, f"+++\nx = {value}\n+++\n"), [("x", field_type)])
    assert mapped.data == {"x": expected}


def test_what_the_mapping_cannot_give_is_said_and_the_default_stays(tmp_path: Path) -> None:
    mapping = {
        "$slug": "missing",
        "$locale": "extra",
        "summary": {"from": "extra", "pattern": "x"},
        "title": {"from": "$stem", "pattern": "my-(.*)", "replace": "\\\\\\1\\0"},
    }
    mapped = lay(tmp_path, mapping)
    assert (mapped.slug, mapped.locale) == ("my-post", None)
    assert mapped.data == {"title": "\\postmy-post", "body": "Text."}
    assert [warning.split()[0] for warning in mapped.warnings] == ["extra", "The", "The"]


def test_a_record_is_mapped_by_paths_into_it(tmp_path: Path) -> None:
    path = write_folder(tmp_path, {"a.ndjson": b'{"t": {"en": "Hi"}, "who": ["x", "y"], "locale": "en"}'}) / "a.ndjson"
    (found,) = open_source(path)
    assert isinstance(found, Row)
    mapped = apply_mapping(found, FIELDS, Mapping.model_validate({"title": "t.en", "summary": "who.1"}))
    assert mapped.data == {"title": "Hi", "summary": "y"}
    assert (mapped.locale, mapped.unmapped) == ("en", [])


@pytest.mark.parametrize(
    ("mapping", "why"),
    [
        ({"a": {"from": "x", "pattern": "(?=a)"}}, "not valid in RE2"),
        ({"a": {"from": "x", "pattern": "(a)", "replace": "\\2"}}, r"\\2, but the pattern has 1 groups"),
        ({"a": {"from": "x", "replace": "y"}}, 'needs a "pattern"'),
        ({"a": {"from": "x", "extra": 1}}, "Extra inputs"),
        ({"a": "$nope"}, "is not one of"),
        ({"$nope": "a"}, "is not one of"),
        ({"a": 5}, "valid"),
        ({f"f{n}": "x" for n in range(201)}, "at most 200"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_with_the_reason(mapping: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Mapping.model_validate(mapping)


def test_targets_that_are_no_fields_can_be_told_beforehand() -> None:
    mapping = Mapping.model_validate({"title": "a", "nope": "b", "$slug": "c"})
    assert mapping.unknown_targets(FIELDS) == ["nope"]


def test_a_pattern_made_to_explode_runs_in_linear_time(tmp_path: Path) -> None:
    head = f'x = "{"a" * 20_000}!"\n'
    started = time.monotonic()
    mapped = lay(tmp_path, {"summary": {"from": "x", "pattern": "(a+)+$"}}, head=head)
    assert "summary" not in mapped.data
    assert time.monotonic() - started < 2


def test_lists_become_names_of_terms(tmp_path: Path) -> None:
    mapping = {
        "taxonomies.topics": "tags",
        "taxonomies.teams": "extra.team",
        "taxonomies.years": {"value": [2024, "2024"]},
    }
    head = 'title = "T"\ntags = ["Rust", " Rust ", "C++", ""]\n[extra]\nteam = "Core"\n'
    mapped = lay(tmp_path, mapping, head)
    assert mapped.terms == {"topics": ["Rust", "C++"], "teams": ["Core"], "years": ["2024"]}
    assert (mapped.unmapped, len(mapped.warnings)) == ([], 1)
    assert lay(tmp_path, {"taxonomies.topics": "tags"}).terms == {"topics": []}
    assert lay(tmp_path).terms == {}


def test_what_is_no_name_of_a_term_is_left_out_and_said(tmp_path: Path) -> None:
    head = f'title = "T"\ntags = ["{"x" * 201}", true, ["a"], "good"]\n'
    mapped = lay(tmp_path, {"taxonomies.topics": "tags"}, head)
    assert mapped.terms == {"topics": ["good"]}
    assert len(mapped.warnings) == 3
    many = f"title = 'T'\ntags = {[f't{number}' for number in range(102)]}\n"
    mapped = lay(tmp_path, {"taxonomies.topics": "tags"}, many)
    assert (len(mapped.terms["topics"]), len(mapped.warnings)) == (100, 2)


def test_taxonomies_that_are_not_there_are_unknown_targets() -> None:
    mapping = Mapping.model_validate({"taxonomies.topics": "tags", "taxonomies.nothing": "tags", "title": "x"})
    assert mapping.unknown_targets(FIELDS, ["topics"]) == ["taxonomies.nothing"]
