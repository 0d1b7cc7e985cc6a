"""Rich text through the API: checked when saved, delivered with its HTML beside it."""

import pytest

TYPE = {
    "key": "story",
    "name": "Story",
    "fields": [
        {"key": "title", "type": "string"},
        {"key": "text", "type": "richtext"},
        {"key": "note", "type": "richtext", "private": True},
        {
            "key": "body",
            "type": "blocks",
            "components": [{"key": "box", "fields": [{"key": "text", "type": "richtext"}]}],
        },
    ],
}


def words(text, **attrs):
    return {"type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": text, **attrs}]}]}


@pytest.fixture
async def stories(site):
    answer = await site.post("/content-types", TYPE)
    assert answer.status == 201, answer.raw
    return site


async def test_documents_carry_the_html_beside_the_json_and_drafts_do_not(stories):
    data = {
        "title": "x",
        "text": words("a < b"),
        "note": words("hush"),
        "body": [{"_type": "box", "text": words("in")}],
    }
    made = await stories.post("/content", {"type": "story", "data": data, "publish": True})
    assert "text_html" not in made.json["data"]
    read = (await stories.get(f"/content/{made.json['id']}")).json["data"]
    assert read["text"] == data["text"]
    assert read["text_html"] == "<p>a &lt; b</p>"
    assert read["body"][0]["text_html"] == "<p>in</p>"
    assert {"note", "note_html"}.isdisjoint(read)
    listed = await stories.get("/content?type=story&fields=data.text_html")
    assert listed.json["items"] == [{"data": {"text_html": "<p>a &lt; b</p>"}}]
    assert (await stories.get("/content?type=story&fields=data.note_html")).status == 400
    assert (await stories.get("/content?type=story&status=any&fields=data.text_html")).status == 400


async def test_the_html_is_no_field_that_can_be_written(stories):
    answer = await stories.post("/content", {"type": "story", "data": {"text_html": "<script>"}})
    assert answer.json["detail"]["errors"][0] == {
        "pointer": "/data/text_html",
        "code": "unknown_field",
        "message": "Extra inputs are not permitted",
    }


async def test_a_hostile_link_is_refused_with_a_pointer(stories):
    text = words("x", marks=[{"type": "link", "attrs": {"href": "javascript:alert(1)"}}])
    answer = await stories.post("/content", {"type": "story", "data": {"text": text}})
    assert answer.status == 422
    pointer = "/data/text/content/0/content/0/marks/0/attrs/href"
    assert [error["pointer"] for error in answer.json["detail"]["errors"]] == [pointer]


async def test_rich_text_is_found_by_its_words(stories, drain):
    await stories.post("/content", {"type": "story", "data": {"title": "x", "text": words("wombats")}, "publish": True})
    await drain()
    assert (await stories.get("/search?q=wombats")).json["total"] == 1
    assert (await stories.get("/search?q=paragraph")).json["total"] == 0


async def test_rights_to_a_field_reach_its_html_and_no_other(stories, admin, user):
    role = f"r{stories.site}"
    assert (await admin.post("/roles", {"key": role, "name": "Texts only"})).status == 201
    grants = [{"permission": "content:read", "fields": ["text"]}]
    assert (await admin.put(f"/roles/{role}/permissions", grants)).status == 200
    data = {"title": "x", "text": words("open"), "body": [{"_type": "box", "text": words("closed")}]}
    made = await stories.post("/content", {"type": "story", "data": data, "publish": True})
    reader = await user(role, site=stories.site)
    read = (await reader.get(f"/content/{made.json['id']}")).json["data"]
    assert read == {"text": words("open"), "text_html": "<p>open</p>"}
