"""Revisions: every save makes one; reading, comparing and restoring them."""

import asyncio
import time

import pytest
from aiohttp import FormData

from tests.features.content.stories import story_site, told, translated
from tests.features.content_types.things import BODY, COUNT, FIELDS, NOTE, TITLE, apply, replaced, roll_back

TOPICS = {"key": "topics", "name": "Topics"}


async def create(api, publish=False, **data):
    answer = await api.post("/content", {"type": "article", "data": {"title": "Hello", **data}, "publish": publish})
    assert answer.status == 201, answer.raw
    return answer.json


async def save(api, item, **data):
    answer = await api.patch(f"/content/{item['id']}", {"data": data})
    assert answer.status == 200, answer.raw
    return answer.json


async def revisions(api, item, query=""):
    answer = await api.get(f"/content/{item['id']}/revisions{query}")
    assert answer.status == 200, answer.raw
    return answer.json


async def revision(api, item, number):
    answer = await api.get(f"/content/{item['id']}/revisions/{number}")
    assert answer.status == 200, answer.raw
    return answer.json


async def diff(api, item, number, against=None):
    query = f"?against={against}" if against else ""
    answer = await api.get(f"/content/{item['id']}/revisions/{number}/diff{query}")
    assert answer.status == 200, answer.raw
    return answer.json


async def restore(api, item, number, body=None, **given):
    return await api.post(f"/content/{item['id']}/revisions/{number}/restore", body, **given)


async def test_every_save_makes_a_revision(articles, admin):
    item = await create(articles)
    await save(articles, item, title="Second")
    await articles.put(f"/content/{item['id']}", {"data": {"title": "Third"}, "slug": "third"})
    await articles.post(f"/content/{item['id']}/publish")
    await save(articles, item, body="Fourth")
    found = await revisions(articles, item)
    assert found["total"] == 4
    kinds = [(r["number"], r["kind"], r["slug"], r["is_current"], r["is_published"]) for r in found["items"]]
    assert kinds == [
        (4, "saved", "third", True, False),
        (3, "saved", "third", False, True),
        (2, "saved", "hello", False, False),
        (1, "created", "hello", False, False),
    ]
    me = (await admin.get("/auth/profile")).json["id"]
    assert {r["created_by"] for r in found["items"]} == {me}
    times = [r["created_at"] for r in found["items"]]
    assert times == sorted(times, reverse=True)
    assert (await revision(articles, item, 2))["data"] == {"title": "Second"}
    page = await revisions(articles, item, "?page=2&page_size=3")
    assert ([r["number"] for r in page["items"]], page["total"]) == ([1], 4)


async def test_imports_say_so_in_their_revisions(articles, drain):
    for text in ("First", "Second"):
        form = FormData()
        form.add_field("file", b'{"slug": "imported", "title": "%s"}\n' % text.encode(), filename="rows.ndjson")
        form.add_field("type", "article")
        assert (await articles.call("POST", "/content/import", data=form)).status == 202
        await drain()
    item = (await articles.get("/content?type=article&status=any")).json["items"][0]
    found = await revisions(articles, item)
    assert [r["kind"] for r in found["items"]] == ["imported", "imported"]
    await save(articles, item, title="By hand")
    assert (await revisions(articles, item))["items"][0]["kind"] == "saved"


async def test_a_refused_save_makes_no_revision(articles):
    item = await create(articles)
    assert (await articles.patch(f"/content/{item['id']}", {"data": {"title": None}})).status == 422
    stale = await articles.patch(f"/content/{item['id']}", {"data": {"count": 1}}, headers={"If-Match": '"v7"'})
    assert stale.status == 412
    assert (await revisions(articles, item))["total"] == 1


async def test_saves_at_once_make_a_revision_each(articles):
    item = await create(articles)
    await asyncio.gather(*(save(articles, item, count=number) for number in range(8)))
    found = await revisions(articles, item)
    assert [r["number"] for r in found["items"]] == list(range(9, 0, -1))
    counts = {(await revision(articles, item, number))["data"]["count"] for number in range(2, 10)}
    assert counts == set(range(8))


async def test_a_revision_has_the_terms_of_its_time(articles):
    assert (await articles.post("/taxonomies", TOPICS)).status == 201
    names = ["One", "Two"]
    one, two = [(await articles.post("/taxonomies/topics/terms", {"name": name})).json["id"] for name in names]
    item = await create(articles)
    await articles.patch(f"/content/{item['id']}", {"taxonomies": {"topics": ["one"]}})
    await articles.patch(f"/content/{item['id']}", {"taxonomies": {"topics": ["two"]}})
    assert (await revision(articles, item, 1))["taxonomies"] == {}
    assert (await revision(articles, item, 2))["taxonomies"] == {"topics": [{"id": one, "slug": "one", "name": "One"}]}
    changed = await diff(articles, item, 3)
    assert [t["slug"] for t in changed["taxonomies"]["topics"]["before"]] == ["one"]
    assert [t["slug"] for t in changed["taxonomies"]["topics"]["after"]] == ["two"]
    assert changed["fields"] == {}
    assert (await articles.delete(f"/taxonomies/topics/terms/{one}?force=true")).status == 204
    assert (await revision(articles, item, 2))["lost_terms"] == [one]
    restored = await restore(articles, item, 2)
    assert (restored.json["taxonomies"], restored.json["lost_terms"]) == ({}, [one])
    assert (await restore(articles, item, 3)).json["taxonomies"]["topics"][0]["id"] == two


async def test_a_difference_is_told_field_by_field(articles):
    item = await create(articles, count=1, price=2.5)
    await articles.put(f"/content/{item['id']}", {"data": {"title": "Bye", "price": 2.5, "code": "ABC"}, "slug": "bye"})
    found = await diff(articles, item, 2)
    assert (found["number"], found["against"]) == (2, 1)
    changes = {key: (c["op"], c["before"], c["after"]) for key, c in found["fields"].items()}
    assert changes == {
        "title": ("changed", "Hello", "Bye"),
        "count": ("removed", 1, None),
        "code": ("added", None, "ABC"),
    }
    assert found["slug"] == {"before": "hello", "after": "bye"}
    back = await diff(articles, item, 1, against=2)
    assert back["fields"]["count"]["op"] == "added"
    first = await diff(articles, item, 1)
    assert first["against"] is None
    assert {c["op"] for c in first["fields"].values()} == {"added"}
    assert (await diff(articles, item, 2, against=2))["fields"] == {}


async def test_inside_a_long_text_words_are_compared(articles):
    item = await create(articles, body="The quick brown fox jumps.\n\nIt is late.")
    await save(articles, item, body="The quick red fox jumps.\n\nIt is very late.")
    parts = (await diff(articles, item, 2))["fields"]["body"]["text"]
    assert [(p["op"], p["text"]) for p in parts] == [
        ("equal", "The quick "),
        ("removed", "brown"),
        ("added", "red"),
        ("equal", " fox jumps.\n\nIt is"),
        ("added", " very"),
        ("equal", " late."),
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ab " * 60_000, "ba " * 60_000),
        (" ".join(map(str, range(40_000))), " ".join(map(str, range(40_000, 0, -1)))),
        (
            " ".join(chr(0x4E00 + n % 20_000) for n in range(60_000)),
            "".join(chr(0x1F300 + n % 500) for n in range(50_000)),
        ),
    ],
)
async def test_comparing_hostile_texts_ends_soon_and_is_right(articles, before, after):
    item = await create(articles, body=before)
    await save(articles, item, body=after)
    started = time.monotonic()
    parts = (await diff(articles, item, 2))["fields"]["body"]["text"]
    assert time.monotonic() - started < 5
    if parts is not None:
        assert "".join(p["text"] for p in parts if p["op"] != "added") == before
        assert "".join(p["text"] for p in parts if p["op"] != "removed") == after


async def things_of(site):
    rich = {"key": "story", "type": "richtext"}
    tags = {"key": "tags", "type": "multiselect", "options": ["a", "b", "c"]}
    answer = await site.post("/content-types", {"key": "thing", "name": "Thing", "fields": [*FIELDS, rich, tags]})
    assert answer.status == 201, answer.raw


async def create_thing(api, **data):
    answer = await api.post("/content", {"type": "thing", "data": {"title": "One", **data}, "publish": True})
    assert answer.status == 201, answer.raw
    return answer.json


def story(*lines):
    paragraphs = [{"type": "paragraph", "content": [{"type": "text", "text": line}]} for line in lines]
    return {"type": "doc", "content": paragraphs}


async def test_inside_rich_text_words_are_compared(site):
    await things_of(site)
    item = await create_thing(site, story=story("Once upon a time", "there was a king"))
    await save(site, item, story=story("Once upon a time", "there was a queen"))
    change = (await diff(site, item, 2))["fields"]["story"]
    assert change["after"] == story("Once upon a time", "there was a queen")
    parts = [(p["op"], p["text"]) for p in change["text"]]
    assert parts == [("equal", "Once upon a time\nthere was a "), ("removed", "king"), ("added", "queen")]


async def test_blocks_are_compared_by_their_ids(site):
    await things_of(site)
    boxes = [{"_type": "box", "words": words} for words in ("first", "second", "third", "fourth")]
    item = await create_thing(site, body=boxes, tags=["a", "b"])
    first, second, third, fourth = item["data"]["body"]
    new = {"_type": "box", "words": "new"}
    body = [fourth, {**first, "words": "changed"}, third, new]
    saved = await save(site, item, body=body, tags=["b", "c"])
    fields = (await diff(site, item, 2))["fields"]
    elements = {e["id"]: (e["op"], e["moved"]) for e in fields["body"]["elements"]}
    assert elements == {
        second["_id"]: ("removed", False),
        fourth["_id"]: ("moved", True),
        first["_id"]: ("changed", False),
        saved["data"]["body"][3]["_id"]: ("added", False),
    }
    inner = next(e for e in fields["body"]["elements"] if e["op"] == "changed")["fields"]
    assert (inner["words"]["before"], inner["words"]["after"]) == ("first", "changed")
    assert {(e["op"], e["id"]) for e in fields["tags"]["elements"]} == {("removed", "a"), ("added", "c")}


async def test_restoring_makes_a_new_version_with_all_that_the_revision_had(articles):
    item = await create(articles, publish=True, body="old", count=1)
    await articles.put(f"/content/{item['id']}", {"data": {"title": "New", "code": "ABC"}, "slug": "new"})
    answer = await restore(articles, item, 1)
    assert answer.status == 200, answer.raw
    assert answer.json["data"] == {"title": "Hello", "body": "old", "count": 1}
    assert (answer.json["version"], answer.json["slug"], answer.json["restored_from"]) == (3, "new", 1)
    assert answer.headers["ETag"].startswith('"v3')
    assert answer.json["status"] == "changed"
    newest = (await revisions(articles, item))["items"][0]
    assert (newest["number"], newest["kind"], newest["restored_from"]) == (3, "restored", 1)
    # What is said of one save is not said of the next.
    await save(articles, item, count=2)
    assert (await revisions(articles, item))["items"][0]["kind"] == "saved"


async def test_single_fields_are_restored(articles):
    item = await create(articles, count=1)
    await articles.put(f"/content/{item['id']}", {"data": {"title": "New", "code": "ABC"}, "slug": "new"})
    answer = await restore(articles, item, 1, {"fields": ["count", "code"], "slug": True})
    assert answer.json["data"] == {"title": "New", "count": 1}
    assert answer.json["slug"] == "hello"
    unknown = await restore(articles, item, 1, {"fields": ["count", "nothing"]})
    assert (unknown.status, unknown.json["detail"]["errors"][0]["pointer"]) == (422, "/fields/1")


async def test_a_restore_is_a_write_like_others(articles):
    item = await create(articles, code="ABC")
    await save(articles, item, code="DEF")
    await articles.post("/content", {"type": "article", "data": {"title": "Other", "code": "ABC"}})
    assert (await restore(articles, item, 1, headers={"If-Match": '"v1"'})).status == 412
    assert (await restore(articles, item, 1)).code == "not_unique"
    assert (await restore(articles, item, 1, {"fields": ["title"]}, headers={"If-Match": '"v2"'})).status == 200
    assert (await restore(articles, item, 1, {"unknown": 1})).status == 422


@pytest.mark.parametrize("number", ["0", "9", "-1", "x", "1.0", "99999999999999999999", "٣"])
async def test_revisions_that_never_were_are_not_found(articles, number):
    item = await create(articles)
    base = f"/content/{item['id']}/revisions/{number}"
    answers = [await articles.get(base), await articles.get(f"{base}/diff"), await articles.post(f"{base}/restore")]
    assert [answer.status for answer in answers] == [404, 404, 404]


async def test_parameters_that_do_not_exist_are_refused(articles):
    item = await create(articles)
    base = f"/content/{item['id']}/revisions"
    for path in (f"{base}?x=1", f"{base}/1?x=1", f"{base}/1/diff?against=x", f"{base}/1/diff?against=0"):
        assert (await articles.get(path)).status == 400, path
    assert (await articles.get(f"{base}?locale=xx")).status == 422
    assert (await articles.get(f"{base}/1/diff?against=7")).status == 404


async def test_a_revision_is_validated_by_its_etag(articles):
    item = await create(articles)
    tag = (await articles.get(f"/content/{item['id']}/revisions/1")).headers["ETag"]
    path = f"/content/{item['id']}/revisions/1"
    assert (await articles.get(path, headers={"If-None-Match": tag})).status == 304


async def test_what_may_not_be_read_is_in_no_revision_and_no_difference(articles, granted):
    item = await create(articles, body="old", count=1)
    await save(articles, item, body="new", count=2)
    fields = {"fields": ["title", "count"]}
    somebody = await granted(articles, {"permission": "content:read_drafts", **fields}, "content:update")
    assert (await revision(somebody, item, 1))["data"] == {"title": "Hello", "count": 1}
    assert set((await diff(somebody, item, 2))["fields"]) == {"count"}
    assert (await restore(somebody, item, 1, {"fields": ["body"]})).status == 422
    answer = await restore(somebody, item, 1)
    assert answer.status == 200, answer.raw
    assert (await articles.get(f"/content/{item['id']}?status=draft")).json["data"] == {
        "title": "Hello",
        "body": "new",
        "count": 1,
    }


async def test_what_may_not_be_written_is_not_restored(articles, granted):
    item = await create(articles, body="old", count=1)
    await save(articles, item, body="new", count=2)
    update = {"permission": "content:update", "fields": ["count"]}
    somebody = await granted(articles, "content:read_drafts", update)
    refused = await restore(somebody, item, 1)
    assert (refused.status, refused.json["detail"]["errors"][0]["pointer"]) == (403, "/data/body")
    assert (await restore(somebody, item, 1, {"fields": ["count"]})).json["data"]["count"] == 1


async def test_revisions_of_what_may_not_be_read_do_not_exist(articles, granted):
    item = await create(articles)
    bounds = [{"content_types": ["other"]}, {"locales": ["xx"]}, {"own_only": True}]
    for bound in bounds:
        drafts = {"permission": "content:read_drafts", **bound}
        somebody = await granted(articles, drafts, "content:update", "content:read")
        base = f"/content/{item['id']}/revisions"
        asked = [somebody.get(base), somebody.get(f"{base}/1"), somebody.get(f"{base}/1/diff")]
        assert [answer.status for answer in await asyncio.gather(*asked)] == [404, 404, 404], bound
        assert (await restore(somebody, item, 1)).status == 404, bound
    reader = await granted(articles, "content:read")
    assert (await reader.get(f"/content/{item['id']}/revisions")).status == 403


async def test_a_rename_keeps_the_data_of_revisions(site, drain):
    answer = await site.post("/content-types", {"key": "thing", "name": "Thing", "fields": FIELDS})
    assert answer.status == 201
    item = await create_thing(site, note="first")
    await save(site, item, note="second")
    await apply(site, replaced("note", {**NOTE, "key": "remark", "renamed_from": "note"}), drain)
    assert (await revision(site, item, 1))["data"] == {"title": "One", "remark": "first"}
    assert (await revisions(site, item))["total"] == 2
    assert (await restore(site, item, 1, {"fields": ["remark"]})).json["data"]["remark"] == "first"
    await roll_back(site, drain)
    assert (await revision(site, item, 1))["data"] == {"title": "One", "note": "first"}


async def test_the_past_is_no_reason_to_refuse_a_change_of_the_type(site, drain):
    answer = await site.post("/content-types", {"key": "thing", "name": "Thing", "fields": FIELDS})
    assert answer.status == 201
    item = await create_thing(site, note="not a number", count=1)
    other = await create_thing(site, count=1)
    await save(site, other, count=2)
    for thing in (item, other):
        await save(site, thing, note="7")
        assert (await site.post(f"/content/{thing['id']}/publish")).status == 200
    fields = [TITLE, BODY, FIELDS[-1], {**COUNT, "unique": True}, {**NOTE, "type": "integer", "required": True}]
    await apply(site, fields, drain)
    assert (await revision(site, item, 1))["data"]["note"] == "not a number"
    assert (await revision(site, item, 2))["data"]["note"] == 7
    assert (await restore(site, item, 1)).status == 422


async def test_what_is_removed_for_good_leaves_nothing(articles):
    item = await create(articles, publish=True)
    await save(articles, item, title="Second")
    assert (await articles.delete(f"/content/{item['id']}?permanent=true")).status == 204
    assert (await articles.get(f"/content/{item['id']}/revisions")).status == 404


async def test_each_locale_has_its_own_revisions_and_shared_fields_make_some_in_all(admin, site):
    stories = await story_site(admin, site)
    item = await told(stories, price=1)
    await translated(stories, item, "de", body="Deutsch")
    base = f"/content/{item['id']}"
    await stories.patch(f"{base}?locale=de", {"data": {"body": "Neu"}})
    await stories.patch(f"{base}?locale=en", {"data": {"price": 2}})
    english, german = await revisions(stories, item, "?locale=en"), await revisions(stories, item, "?locale=de")
    assert [(r["number"], r["locale"]) for r in english["items"]] == [(2, "en"), (1, "en")]
    assert [(r["number"], r["kind"]) for r in german["items"]] == [(3, "saved"), (2, "saved"), (1, "created")]
    changed = await stories.get(f"{base}/revisions/3/diff?locale=de")
    assert set(changed.json["fields"]) == {"price"}
    restored = await restore(stories, item, "1", {"fields": ["price"]})
    assert (restored.json["locale"], restored.json["data"]["price"]) == ("en", 1)
    german = await revisions(stories, item, "?locale=de")
    newest = german["items"][0]
    assert (newest["number"], newest["kind"], newest["restored_from"]) == (4, "saved", None)
    assert (await stories.get(f"{base}/revisions/4?locale=de")).json["data"]["price"] == 1


async def test_a_locale_that_comes_back_goes_on_counting(admin, site):
    stories = await story_site(admin, site)
    item = await told(stories)
    await translated(stories, item, "de", body="Deutsch")
    path = f"/content/{item['id']}/translations/de"
    assert (await stories.delete(path)).status == 204
    assert (await stories.put(path, {"data": {"title": "Wieder"}})).status == 201
    found = await revisions(stories, item, "?locale=de")
    assert [(r["number"], r["kind"]) for r in found["items"]] == [(2, "created"), (1, "created")]
    assert (await stories.post(f"/content/{item['id']}/revisions/1/restore?locale=de")).json["data"][
        "body"
    ] == "Deutsch"
