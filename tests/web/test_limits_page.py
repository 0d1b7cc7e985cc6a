"""Every list of the API has a line in the page of limits."""

import re
from pathlib import Path

import pytest

from scaicms.infra.lists import WINDOW
from scaicms.kit.schemas import MAX_OFFSET
from scaicms.web.dispatch import API_PREFIX

PAGE = Path(__file__).parents[2] / "docs" / "operations" / "limits.md"
LINE = re.compile(r"^\| `GET (/\S*)` \| (\S.*\S) \| (\S.*\S|-) \|$", re.MULTILINE)
STREAMS = ("application/x-ndjson", "text/event-stream")


@pytest.fixture(scope="session")
async def document(client):
    return await (await client.get("/openapi.json")).json()


def gives_many(document, media_type, media):
    schema = media.get("schema", {})
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    is_list = schema.get("properties", {}).get("items", {}).get("type") == "array" or schema.get("type") == "array"
    return is_list or media_type.startswith(STREAMS)


async def test_every_list_has_a_line_in_the_page_of_limits(document):
    lists = {
        path.removeprefix(API_PREFIX)
        for path, methods in document["paths"].items()
        for media_type, media in methods.get("get", {"responses": {}})["responses"]
        .get("200", {})
        .get("content", {})
        .items()
        if gives_many(document, media_type, media)
    }
    assert len(lists) > 30
    text = PAGE.read_text(encoding="utf-8")
    lines = [route for route, _, _ in LINE.findall(text)]
    assert sorted(lines) == sorted(lists)
    for bound in (WINDOW, MAX_OFFSET):
        assert f"{bound:,}" in text


async def test_lists_that_are_read_by_pages_can_be_read_to_their_end(document):
    """Those with a page number have a cursor, too; of searches, what was ranked is all."""
    for path, methods in document["paths"].items():
        names = {parameter.get("name") for parameter in methods.get("get", {}).get("parameters", ())}
        if "page" in names and not path.endswith("/search"):
            assert "cursor" in names, path
