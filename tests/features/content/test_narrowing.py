"""Grants narrowed to types, locales, fields and own items hold on every way to content, reading and writing."""

import json

import pytest
from aiohttp import FormData

from tests.conftest import role_with

PAGE = {"key": "page", "name": "Page", "fields": [{"key": "title", "type": "string"}]}
RANDOM = "019a1b2c-3d4e-7f00-8a1b-2c3d4e5f6071"
SAME = {"X-Request-ID": "the-same-for-both"}
READS = ("content:read", "content:read_drafts")


def on(permission, **bounds):
    return {"permission": permission, **bounds}


async def made(api, **given):
    body = {"type": "article", "data": {"title": "T", "body": "hidden words", "price": 3}, "publish": True, **given}
    answer = await api.post("/content", body)
    assert answer.status == 201, answer.raw
    return answer.json


@pytest.fixture
async def two_types(articles):
    assert (await articles.post("/content-types", PAGE)).status == 201
    return articles


async def same_as_missing(api, path, missing, method="GET", **given):
    """The answer for something out of sight is the answer for nothing, byte by byte."""
    hidden = await api.call(method, path, headers=SAME, **given)
    absent = await api.call(method, missing, headers=SAME, **given)
    assert hidden.status == 404
    assert (hidden.status, hidden.raw) == (absent.status, absent.raw)
    return hidden


async def test_a_type_out_of_reach_does_not_exist(two_types, granted):
    page = await made(two_types, type="page", data={"title": "P"})
    article = await made(two_types)
    reader = await granted(two_types, *(on(code, content_types=["article"]) for code in READS))
    assert (await reader.get(f"/content/{article['id']}")).json["data"]["body"] == "hidden words"
    await same_as_missing(reader, f"/content/{page['id']}", f"/content/{RANDOM}")
    await same_as_missing(reader, f"/content/{page['id']}?status=draft", f"/content/{RANDOM}?status=draft")
    hidden = await reader.get("/content/by-slug/page/p", headers=SAME)
    absent = await reader.get("/content/by-slug/nothing/p", headers=SAME)
    assert (hidden.status, hidden.raw) == (404, absent.raw.replace(b"nothing", b"page"))
    hidden = await reader.get("/content?type=page", headers=SAME)
    absent = await reader.get("/content?type=nothing", headers=SAME)
    assert (hidden.status, hidden.raw) == (404, absent.raw.replace(b"nothing", b"page"))


async def test_content_types_out_of_reach_are_not_listed_and_not_changed(two_types, granted):
    reader = await granted(two_types, on("content_types:read", content_types=["article"]))
    listed = (await reader.get("/content-types")).json
    assert ([item["key"] for item in listed["items"]], listed["total"]) == (["article"], 1)
    await same_as_missing(reader, "/content-types/page", "/content-types/nothing")
    await same_as_missing(reader, "/content-types/page/schema", "/content-types/nothing/schema")
    writer = await granted(two_types, "content_types:read", on("content_types:write", content_types=["page"]))
    assert (await writer.patch("/content-types/page", {"name": "Q"})).status == 200
    assert (await writer.patch("/content-types/article", {"name": "Q"})).status == 403
    assert (await writer.delete("/content-types/article")).status == 403
    assert (await writer.post("/content-types", {**PAGE, "key": "other"})).status == 403
    blind = await granted(two_types, on("content_types:write", content_types=["page"]))
    await same_as_missing(blind, "/content-types/article", "/content-types/nothing", method="PATCH", json={"name": "Q"})


async def test_fields_out_of_reach_are_absent_wherever_a_document_is_read(articles, granted, drain):
    item = await made(articles, slug="t", data={"title": "Title", "body": "hidden words", "price": 3})
    await drain()
    reader = await granted(articles, *(on(code, fields=["title", "price"]) for code in READS))
    for path in (f"/content/{item['id']}", "/content/by-slug/article/t", f"/content/{item['id']}?status=draft"):
        assert (await reader.get(path)).json["data"] == {"title": "Title", "price": 3}, path
    for path in ("/content?type=article", "/content?type=article&status=any", "/search?q=title"):
        found = (await reader.get(path)).json["items"]
        assert [hit["data"] for hit in found] == [{"title": "Title", "price": 3}], path


async def test_fields_out_of_reach_cannot_be_filtered_sorted_or_chosen(articles, granted):
    await made(articles)
    reader = await granted(articles, *(on(code, fields=["title"]) for code in READS))
    for status in ("published", "any"):
        for asked in ("filter[data.body][contains]=hidden", "filter[data.body][exists]=true", "sort=data.price",
                      "sort=-data.title,data.price", "fields=id,data.body"):  # fmt: skip
            answer = await reader.get(f"/content?type=article&status={status}&{asked}")
            assert (answer.status, answer.code) == (403, "field_forbidden"), asked
    assert (await reader.get("/content?type=article&filter[data.title]=T&sort=data.title&fields=data.title")).json[
        "items"
    ] == [{"data": {"title": "T"}}]
    unknown = await reader.get("/content?type=article&filter[data.nothing]=x")
    assert unknown.status == 400
    assert "data.body" not in unknown.raw.decode()


async def test_a_search_does_not_find_by_words_out_of_reach(articles, granted, drain):
    await made(articles, data={"title": "Open", "body": "classified zebra"})
    await drain()
    reader = await granted(articles, on("content:read", fields=["title"]))
    for words, found in (("open", 1), ("classified", 0), ("open classified", 0), ("open or classified", 1)):
        assert (await reader.get(f"/search?q={words}")).json["total"] == found, words
    # Excluding a word must not tell whether the hidden text has it.
    for words in ("open -classified", "open -giraffe"):
        assert (await reader.get(f"/search?q={words}")).json["total"] == 1, words
    shown = await reader.get("/search?q=open&highlight=true")
    assert "classified" not in shown.raw.decode()
    assert (await articles.get("/search?q=classified")).json["total"] == 1


async def test_a_search_finds_only_types_and_items_within_reach(two_types, granted, drain):
    await made(two_types, data={"title": "Walrus one"})
    await made(two_types, type="page", data={"title": "Walrus two"})
    await drain()
    reader = await granted(two_types, on("content:read", content_types=["page"]))
    found = (await reader.get("/search?q=walrus&highlight=true")).json
    assert (found["total"], [hit["type"] for hit in found["items"]]) == (1, ["page"])
    assert "<mark>Walrus</mark>" in found["items"][0]["highlights"]["title"]
    own = await granted(two_types, on("content:read", own_only=True))
    assert (await own.get("/search?q=walrus")).json["total"] == 0
    elsewhere = await granted(two_types, on("content:read", locales=["de"]))
    assert (await elsewhere.get("/search?q=walrus")).json["total"] == 0


async def test_a_narrowed_view_has_a_validator_of_its_own(articles, granted):
    item = await made(articles)
    reader = await granted(articles, on("content:read", fields=["title"]))
    whole = await articles.get(f"/content/{item['id']}")
    part = await reader.get(f"/content/{item['id']}")
    assert whole.headers["ETag"] != part.headers["ETag"]
    again = await reader.get(f"/content/{item['id']}", headers={"If-None-Match": part.headers["ETag"]})
    assert again.status == 304
    stale = await reader.get(f"/content/{item['id']}", headers={"If-None-Match": whole.headers["ETag"]})
    assert stale.status == 200


async def test_grants_add_up(articles, granted):
    item = await made(articles)
    reader = await granted(
        articles,
        on("content:read", fields=["title"]),
        on("content:read", fields=["price"], content_types=["article"]),
        on("content:read", fields=["body"], content_types=["page"]),
    )
    assert (await reader.get(f"/content/{item['id']}")).json["data"] == {"title": "T", "price": 3}
    whole = await granted(articles, on("content:read", fields=["title"]), "content:read")
    assert (await whole.get(f"/content/{item['id']}")).json["data"] == {
        **item["data"],
        "body_html": "<p>hidden words</p>\n",
    }


async def test_own_items_alone(articles, granted):
    theirs = await made(articles)
    author = await granted(
        articles,
        on("content:read", own_only=True),
        *(on(f"content:{verb}", own_only=True) for verb in ("read_drafts", "create", "update", "delete", "publish")),
    )
    mine = await made(author, slug="mine")
    assert (await author.get(f"/content/{mine['id']}")).status == 200
    await same_as_missing(author, f"/content/{theirs['id']}", f"/content/{RANDOM}")
    await same_as_missing(author, "/content/by-slug/article/t", "/content/by-slug/article/nothing")
    for status in ("published", "draft", "any"):
        listed = (await author.get(f"/content?type=article&status={status}")).json
        expected = [] if status == "draft" else [mine["id"]]
        assert ([item["id"] for item in listed["items"]], listed["total"]) == (expected, len(expected))
    for method, suffix in (("PATCH", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/publish"), ("POST", "/unpublish")):
        given = {"json": {"data": {"title": "X"}}} if method in ("PATCH", "PUT") else {}
        await same_as_missing(
            author, f"/content/{theirs['id']}{suffix}", f"/content/{RANDOM}{suffix}", method=method, **given
        )
    # Nor does its version tell that it is there.
    stale = {**SAME, "If-Match": '"v9"'}
    for method, suffix, body in (("PATCH", "", {"data": {}}), ("DELETE", "", None), ("POST", "/publish", None)):
        hidden = await author.call(method, f"/content/{theirs['id']}{suffix}", headers=stale, json=body)
        absent = await author.call(method, f"/content/{RANDOM}{suffix}", headers=stale, json=body)
        assert (hidden.status, hidden.raw) == (404, absent.raw)
    assert (await author.patch(f"/content/{mine['id']}", {"data": {"title": "Mine"}})).status == 200
    assert (await author.post(f"/content/{mine['id']}/unpublish")).status == 200
    assert (await author.delete(f"/content/{mine['id']}")).status == 204


async def test_fields_of_own_items_may_reach_further(articles, granted):
    theirs = await made(articles)
    reader = await granted(
        articles, "content:create", "content:publish", on("content:read", fields=["title"]),
        on("content:read", own_only=True),
    )  # fmt: skip
    mine = await made(reader, slug="mine")
    assert "body" in (await reader.get(f"/content/{mine['id']}")).json["data"]
    assert set((await reader.get(f"/content/{theirs['id']}")).json["data"]) == {"title"}
    listed = {i["id"]: set(i["data"]) for i in (await reader.get("/content?type=article")).json["items"]}
    assert listed == {theirs["id"]: {"title"}, mine["id"]: {"title", "body", "body_html", "price"}}
    # What would sort or filter everybody's items must be readable in everybody's items.
    assert (await reader.get("/content?type=article&filter[data.body]=x")).status == 403


async def test_readable_but_not_writable_is_forbidden(two_types, granted):
    article, page = await made(two_types), await made(two_types, type="page", data={"title": "P"})
    writer = await granted(
        two_types, *READS,
        *(on(f"content:{verb}", content_types=["page"]) for verb in ("create", "update", "delete", "publish")),
    )  # fmt: skip
    path = f"/content/{article['id']}"
    assert (await writer.patch(path, {"data": {"title": "X"}})).status == 403
    assert (await writer.put(path, {"data": {"title": "X"}})).status == 403
    assert (await writer.delete(path)).status == 403
    assert (await writer.post(f"{path}/publish")).status == 403
    assert (await writer.post(f"{path}/publish?dry_run=true")).status == 403
    assert (await writer.post(f"{path}/unpublish")).status == 403
    assert (await writer.post("/content", {"type": "article", "data": {"title": "X"}})).status == 403
    assert (await two_types.get(path)).json["data"]["title"] == "T"
    assert (await writer.patch(f"/content/{page['id']}", {"data": {"title": "X"}})).status == 200
    assert (await writer.post("/content", {"type": "page", "data": {}, "publish": True})).status == 201


async def test_only_fields_within_reach_are_written(articles, granted):
    item = await made(articles, data={"title": "T", "body": "B", "price": 3, "secret": "S"})
    writer = await granted(
        articles, on("content:read"), on("content:read_drafts", fields=["title", "body", "price"]),
        on("content:update", fields=["title", "price"]),
    )  # fmt: skip
    path = f"/content/{item['id']}"
    refused = await writer.patch(path, {"data": {"title": "X", "body": "other"}})
    assert (refused.status, refused.code) == (403, "field_forbidden")
    assert refused.json["detail"]["errors"][0]["pointer"] == "/data/body"
    # Null and replacing are writing too.
    assert (await writer.patch(path, {"data": {"body": None}})).status == 403
    # Sending back what was read changes nothing; a hidden field may not even be guessed at.
    assert (await writer.patch(path, {"data": {"title": "X", "body": "B"}})).status == 200
    for guess in ("S", "other"):
        assert (await writer.patch(path, {"data": {"secret": guess}})).status == 403
    replaced = await writer.put(path, {"data": {"title": "Y"}})
    assert replaced.status == 200
    assert replaced.json["data"] == {"title": "Y", "body": "B"}
    assert (await articles.get(f"{path}?status=draft")).json["data"] == {"title": "Y", "body": "B", "secret": "S"}
    assert (await writer.patch(path, {"slug": "another"})).status == 403
    creator = await granted(articles, *READS, on("content:create", fields=["title"]))
    assert (await creator.post("/content", {"type": "article", "data": {"title": "N", "price": 1}})).status == 403
    assert (await creator.post("/content", {"type": "article", "data": {"title": "N"}})).status == 201


async def test_the_answer_to_a_write_shows_no_more_than_a_read(articles, granted):
    item = await made(articles)
    writer = await granted(articles, "content:read", "content:update", "content:publish",
                           on("content:read_drafts", fields=["title"]))  # fmt: skip
    path = f"/content/{item['id']}"
    for answer in (
        await writer.patch(path, {"data": {"title": "X"}}),
        await writer.put(path, {"data": {"title": "X"}}),
        await writer.post(f"{path}/publish"),
        await writer.post(f"{path}/publish?dry_run=true"),
        await writer.post(f"{path}/unpublish"),
    ):
        assert answer.status == 200
        assert answer.json["data"] == {"title": "X"}
    assert (await articles.get(f"{path}?status=draft")).json["data"]["body"] == "hidden words"


async def test_locales_out_of_reach(admin, articles, granted):
    locales = [{"code": "en"}, {"code": "de"}]
    assert (await admin.patch(f"/sites/{articles.site}", {"locales": locales})).status == 200
    english, german = await made(articles), await made(articles, locale="de", slug="d")
    reader = await granted(articles, *READS, on("content:create", locales=["de"]), on("content:update", locales=["de"]),
                           on("content:delete", locales=["de"]))  # fmt: skip
    assert (await reader.patch(f"/content/{german['id']}?locale=de", {"data": {"title": "X"}})).status == 200
    assert (await reader.patch(f"/content/{english['id']}", {"data": {"title": "X"}})).status == 403
    assert (await reader.post("/content", {"type": "article", "data": {"title": "X"}})).status == 403
    assert (await reader.post("/content", {"type": "article", "locale": "de", "data": {"title": "X"}})).status == 201
    assert (await reader.delete(f"/content/{english['id']}")).status == 403
    narrow = await granted(articles, *(on(code, locales=["de"]) for code in READS))
    assert (await narrow.get("/content?type=article")).json["items"] == []
    assert (await narrow.get("/content?type=article&locale=de")).json["total"] == 1
    await same_as_missing(narrow, f"/content/{english['id']}", f"/content/{RANDOM}")


async def test_an_import_enters_by_the_same_door(two_types, granted, drain):
    theirs = await made(two_types, slug="theirs")
    form = [{"title": "Row", "body": "from a file"}]

    async def imported(api, type_key):
        data = FormData()
        data.add_field("type", type_key)
        data.add_field("file", json.dumps(form[0]), filename="rows.ndjson")
        return await api.call("POST", "/content/import", data=data)

    codes = ("content:import", "content:create", "content:update")
    importer = await granted(two_types, *READS, "search:queues", *(on(c, content_types=["article"]) for c in codes[1:]),
                             codes[0])  # fmt: skip
    assert (await imported(importer, "page")).status == 403
    blind = await granted(two_types, *(on(code, content_types=["article"]) for code in codes))
    assert (await imported(blind, "page")).status == 404
    fields = await granted(two_types, *READS, "search:queues", codes[0], codes[2], on(codes[1], fields=["title"]))
    job = await imported(fields, "article")
    assert job.status == 202
    await drain()
    report = (await fields.get(f"/search/jobs/{job.json['job_id']}")).json["result"]
    assert (report["failed"], report["created"]) == (1, 0)
    assert report["problems"][0]["code"] == "field_forbidden"
    assert (await two_types.get(f"/content/{theirs['id']}")).json["data"]["body"] == "hidden words"


async def test_a_relation_does_not_tell_what_exists_out_of_reach(articles, granted):
    published, draft = await made(articles), await made(articles, publish=False, slug="draft")
    writer = await granted(articles, "content:create", "content:update", "content:read")
    for target, status in ((published["id"], 201), (draft["id"], 422), (RANDOM, 422)):
        answer = await writer.post("/content", {"type": "article", "data": {"title": "R", "related": target}})
        assert answer.status == status, target
        assert status == 201 or answer.json["detail"]["errors"][0]["code"] == "unknown_target"
    # What was there before stays when other fields change.
    item = await made(articles, slug="linked", data={"title": "L", "related": draft["id"]})
    assert (await writer.patch(f"/content/{item['id']}", {"data": {"title": "M"}})).status == 200


async def test_anonymous_callers_have_the_sites_public_role(admin, two_types):
    article, page = await made(two_types), await made(two_types, type="page", data={"title": "P"})
    assert (await two_types.anonymous().get(f"/content/{article['id']}")).status == 401
    role = await role_with(admin, on("content:read", content_types=["article"], fields=["title"]))
    changed = await admin.patch(f"/sites/{two_types.site}", {"settings": {"public_role": role}})
    assert changed.status == 200
    reader = two_types.anonymous()
    assert (await reader.get(f"/content/{article['id']}")).json["data"] == {"title": "T"}
    await same_as_missing(reader, f"/content/{page['id']}", f"/content/{RANDOM}")
    assert (await reader.get("/content?type=article&status=any")).status == 401
    assert (await reader.patch(f"/content/{article['id']}", {"data": {"title": "X"}})).status == 401


async def test_what_a_key_creates_is_its_creators(articles, granted, admin):
    role = await role_with(admin, "api_keys:manage")
    author = await granted(articles, *(on(f"content:{v}", own_only=True) for v in ("read", "read_drafts", "create",
                                                                                "update")))  # fmt: skip
    me = (await author.get("/auth/profile")).json
    held = [{"role": r["role"], "site_id": r["site_id"]} for r in me["roles"]]
    assert (await admin.put(f"/users/{me['id']}/roles", [*held, {"role": role}])).status == 200
    site_id = held[0]["site_id"]
    key = await author.post(
        "/api-keys", {"name": "k", "permissions": ["content:read_drafts", "content:create", "content:update"],
                      "site_ids": [site_id]},
    )  # fmt: skip
    program = author.with_token(key.json["key"])
    item = await program.post("/content", {"type": "article", "data": {"title": "K"}})
    assert item.status == 201
    assert item.json["created_by"] == me["id"]
    assert (await author.patch(f"/content/{item.json['id']}", {"data": {"title": "L"}})).status == 200
    theirs = await made(articles, publish=False, slug="theirs")
    assert (await program.patch(f"/content/{theirs['id']}", {"data": {"title": "X"}})).status == 404
