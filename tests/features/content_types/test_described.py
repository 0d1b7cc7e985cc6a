"""What clients are told about `data`: JSON Schema that real items fit, and types that compilers take."""

import asyncio
import subprocess
import sys

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from tests.conftest import ARTICLE
from tests.features.content_types.test_fields import DOCUMENT, PAGE, create
from tests.node.programs import FOLDER, MISSING, node

BODY = [
    {"_type": "quote", "words": "one", "source": "secret"},
    {"_type": "columns", "cells": [{"_type": "quote", "words": "in"}, {"_type": "columns"}]},
]
FULL = {
    "content": DOCUMENT,
    "color": "#ABCDEF",
    "place": {"lat": 1, "lon": 2},
    "site": "https://example.com",
    "mail": "a@example.com",
    "short": "a-b",
    "extra": [1, {"a": None}],
    "seo": {"title": "x"},
    "links": [{"href": "/x", "text": DOCUMENT}],
    "body": BODY,
    "notes": BODY,
}


@pytest.fixture
async def pages(site):
    assert (await site.post("/content-types", PAGE)).status == 201
    return site


async def schema_of(api, query="", key="page"):
    answer = await api.get(f"/content-types/{key}/schema{query}")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/schema+json"
    assert answer.json["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(answer.json)
    return Draft202012Validator(answer.json, format_checker=Draft202012Validator.FORMAT_CHECKER)


async def test_real_items_fit_the_schema_as_drafts_and_as_documents(pages):
    for data in (FULL, {}):
        item = await create(pages, publish=True, **{**data, "color": None})
        draft = (await pages.get(f"/content/{item['id']}?status=draft")).json["data"]
        document = (await pages.get(f"/content/{item['id']}")).json["data"]
        (await schema_of(pages)).validate(draft)
        (await schema_of(pages)).validate(document)
        (await schema_of(pages, "?view=published")).validate(document)
    with pytest.raises(ValidationError):
        (await schema_of(pages, "?view=published")).validate({**document, "notes": []})


async def test_what_is_sent_and_refused_does_not_fit_the_schema_either(articles, pages):
    validator = await schema_of(pages)
    wrong = [
        {},
        {"title": "x", "nothing": 1},
        {"title": "x", "place": {"lat": 91, "lon": 0}},
        {"title": "x", "color": "red"},
        {"title": "x", "body": [{"_type": "nothing"}]},
        {"title": "x", "body": [{"_type": "columns", "cells": [{"_type": "quote"}]}]},
        {"title": "x", "content": {"type": "paragraph"}},
        {"title": "x", "size": "xl"},
    ]
    for data in wrong:
        assert not validator.is_valid(data), data
        assert (await pages.post("/content", {"type": "page", "data": data})).status == 422
    assert not (await schema_of(articles, key="article")).is_valid({"title": "x", "code": "abc"})


async def test_readers_are_not_told_of_private_fields(pages):
    published = (await pages.get("/content-types/page/schema?view=published")).raw
    assert b"notes" not in published
    assert b"source" not in published
    assert b"notes" in (await pages.get("/content-types/page/schema")).raw
    for language in ("typescript", "python"):
        assert b"notes" not in (await pages.get(f"/content-types/page/types?language={language}&view=published")).raw


async def test_a_pattern_that_only_re2_knows_is_left_to_the_server(site):
    fields = [{"key": "a", "type": "string", "pattern": r"\pL+"}, {"key": "b", "type": "string", "pattern": "[a-c]+"}]
    await site.post("/content-types", {"key": "t", "name": "T", "fields": fields})
    properties = (await site.get("/content-types/t/schema")).json["properties"]
    assert "pattern" not in str(properties["a"])
    assert "^(?:[a-c]+)$" in str(properties["b"])


USE = """
item: Page = {
    "title": "x",
    "place": {"lat": 1.0, "lon": 2.0},
    "size": "m",
    "class": True,
    "body": [{"_type": "columns", "_id": "a", "cells": [{"_type": "quote", "_id": "b", "words": "x"}]}],
}
print(item["title"].upper())
"""
WRONG = """
wrong: Page = {"title": 5}
"""


async def test_the_python_types_check_with_mypy_and_catch_mistakes(site, tmp_path):
    odd = [{"key": "class", "type": "boolean"}, {"key": "say", "type": "select", "options": ["a'\"\\", "é"]}]
    assert (await site.post("/content-types", {**PAGE, "fields": [*PAGE["fields"], *odd]})).status == 201
    answer = await site.get("/content-types/page/types?language=python")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    source = answer.raw.decode()

    def check(text):
        path = tmp_path / "models.py"
        path.write_text(text)
        command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path}", str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    good = check(source + USE)
    assert good.returncode == 0, good.stdout
    exec(compile(source + USE, "models", "exec"), {})
    bad = check(source + USE + WRONG)
    assert "dict-item" in bad.stdout or "typeddict-item" in bad.stdout


async def test_the_typescript_types_are_declared_for_every_field_and_component(pages):
    source = (await pages.get("/content-types/page/types?language=typescript")).raw.decode()
    for line in (
        "  title: string;",
        "  content?: RichText;",
        "  readonly content_html?: string;",
        '  size?: "s" | "m";',
        "  seo?: PageSeo;",
        "  links?: (PageLink)[];",
        "  body?: (PageQuote | PageColumns)[];",
        '  _type: "quote";',
    ):
        assert line in source.splitlines()
    assert source.count("{") == source.count("}")


@pytest.mark.node
async def test_the_typescript_types_compile(pages, articles, tmp_path):
    help_text = {"key": "odd", "type": "string", "help": "ends */ here\nand goes on"}
    await articles.patch("/content-types/article", {"fields": [*ARTICLE["fields"], help_text]})
    use = 'const item: Page = { title: "x", body: [{ _type: "quote", _id: "a", words: "x" }] };\nconsole.log(item);\n'
    page = (await pages.get("/content-types/page/types?language=typescript")).raw.decode()
    article = (await articles.get("/content-types/article/types?language=typescript")).raw.decode()
    (tmp_path / "page.ts").write_text(page + use)
    (tmp_path / "article.ts").write_text(article)
    compiler = FOLDER / "node_modules" / "typescript" / "bin" / "tsc"
    assert compiler.is_file(), MISSING
    command = [node(), compiler, "--strict", "--noEmit", "--lib", "es2020,dom", "page.ts", "article.ts"]
    done = await asyncio.to_thread(subprocess.run, command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


async def test_another_language_is_a_wrong_parameter(pages):
    assert (await pages.get("/content-types/page/types?language=cobol")).code == "invalid_parameter"
    assert (await pages.get("/content-types/page/types")).status == 400
    assert (await pages.get("/content-types/nothing/types?language=python")).code == "content_type_not_found"
