"""`fields=`: the members that are given of items and of what is included beside them, whichever way they are read."""

import random
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from tests.features.content.blogs import filled_blog, put, queries

INCLUDE = "author,author.avatar,author.friends,next,next.author"
NAMES = (
    "id", "slug", "data", "data.title", "data.more", "data.author", "taxonomies", "data.author.id",
    "data.author.data.name", "data.author.data", "data.author.data.avatar", "data.author.data.avatar.data.alt",
    "data.author.data.friends.slug", "data.author.data.friends.data.name", "data.next.data.title", "data.next.slug",
    "data.next.data.author.data.name", "data.next.data.author.version",
)  # fmt: skip


@pytest_asyncio.fixture
async def blog(site):
    return await filled_blog(site)


def ways(blog, status=""):
    """Every way to read the second post, with how to get the answer's items."""
    status = f"&status={status}" if status else ""
    return (f"/content/{blog.second}?{status}", f"/content/by-slug/post/second?{status}",
            f"/content?type=post&sort=data.title{status}")  # fmt: skip


def cut(document, names):
    """A whole document with these members alone."""
    shown = {name: document[name] for name in names if "." not in name}
    if "data" not in shown and any("." in name for name in names):
        shown["data"] = {name[5:]: document["data"].get(name[5:]) for name in names if "." in name}
    return shown


def projected(whole, fields):
    """The answer that `fields` leaves of a whole one, made by walking from each item along its relations."""
    wanted = {(): set()}
    for name in fields:
        path, last = (), name
        while last.startswith("data.") and last.count(".") > 1:
            _, key, last = last.split(".", 2)
            wanted[path].add(f"data.{key}")
            path = (*path, key)
            wanted.setdefault(path, set())
        wanted[path].add(last)
    found = {}

    def walk(document, path):
        for key in {p.split(".")[len(path)] for p in INCLUDE.split(",") if tuple(p.split(".")[: len(path)]) == path
                    and p.count(".") >= len(path)}:  # fmt: skip
            ids = document["data"].get(key) or []
            for target in [ids] if isinstance(ids, str) else ids:
                if target in whole["included"]:
                    found.setdefault(target, []).append(wanted.get((*path, key)))
                    walk(whole["included"][target], (*path, key))

    items = whole.get("items", [whole])
    for item in items:
        walk(item, ())
    included = {}
    for target, asked in found.items():
        document = whole["included"][target]
        included[target] = document if None in asked else cut(document, set().union(*asked))
    if "items" in whole:
        return {**whole, "items": [cut(item, wanted[()]) for item in items], "included": included}
    return {**cut(whole, wanted[()]), "included": included}


@pytest.mark.parametrize("status", ["", "draft", "any"])
async def test_a_projection_is_what_the_whole_answer_has_of_these_members(blog, status):
    chosen = random.Random(7)
    await blog.patch(f"/content/{blog.second}", {"data": {"editor": blog.bob}})
    await blog.patch(f"/content/{blog.first}", {"data": {"editor": blog.ann}})
    for path in ways(blog, status):
        whole = await blog.get(f"{path}&include={INCLUDE}")
        assert len(whole.json["included"]) == 4, whole.raw
        for _ in range(12):
            fields = chosen.sample(NAMES, chosen.randint(1, 5))
            answer = await blog.get(f"{path}&include={INCLUDE}&fields={','.join(fields)}")
            assert answer.status == 200, answer.raw
            assert answer.json == projected(whole.json, fields), (path, fields)


async def test_what_is_said_of_a_projection_is_so(blog):
    fields = "slug,data.author.data.name"
    one = (await blog.get(f"/content/{blog.second}?include=author,author.avatar&fields={fields}")).json
    assert one == {
        "slug": "second",
        "data": {"author": blog.ann},
        "included": {
            blog.ann: {"data": {"name": "Ann"}},
            blog.face: (await blog.get(f"/content/{blog.face}")).json,
        },
    }
    query = {"type": "post", "include": ["author"], "fields": fields.split(","), "filter": {"slug": "second"}}
    listed = (await blog.post("/content/query", query)).json
    assert (listed["items"], listed["included"]) == (
        [{"slug": "second", "data": {"author": blog.ann}}], {blog.ann: {"data": {"name": "Ann"}}},
    )  # fmt: skip
    for whole in ("data.author", "data.author,slug", "data"):
        shown = (await blog.get(f"/content/{blog.second}?include=author&fields={whole}")).json
        assert shown["included"] == {blog.ann: (await blog.get(f"/content/{blog.ann}")).json}


async def test_a_document_has_the_members_of_every_path_that_leads_to_it(blog):
    path = f"/content/{blog.second}?include=next,more,next.author,author&fields="
    answer = (await blog.get(f"{path}data.next.slug,data.more.data.title,data.author.slug")).json
    assert answer["included"][blog.first] == {"slug": "first", "data": {"title": "first"}}
    # Of the author of the next one nothing is named, so that it is whole.
    assert answer["included"][blog.ann]["data"]["name"] == "Ann"


async def test_the_past_and_the_other_locale_are_projected_alike(blog):
    before = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    await blog.patch(f"/content/{blog.ann}", {"data": {"name": "Anne"}})
    await blog.post(f"/content/{blog.ann}/publish")
    asked = "include=author&fields=data.author.data.name"
    for path in ways(blog):
        for query, name in (("", "Anne"), (f"&as_of={before}", "Ann"), ("&fallback=en", "Anne")):
            answer = (await blog.get(f"{path}&{asked}{query}")).json
            assert answer["included"] == {blog.ann: {"data": {"name": name}}}, (path, query)


@pytest.mark.parametrize(
    ("include", "fields", "code", "said"),
    [
        ("author", "data.author.data.nothing", "unknown_field", "data.author.data.nothing"),
        ("author", "data.author.data.mail", "unknown_field", "data.author.data.mail"),
        ("author", "data.author.name", "unknown_field", "Fields are in data: data.author.data.name. Known"),
        ("author", "data.author.data", None, ""),
        ("author", "data.author.data.avatar.slug", "not_included", "include=author.avatar"),
        ("author", "data.next.data.title", "not_included", "include=next"),
        ("", "data.author.data.name", "not_included", "include=author"),
        ("author", "data.title.data.x", "unknown_field", "no relation"),
        ("author", "data.title.slug", "unknown_field", "no relation"),
        ("author", "data.text_html.data.x", "unknown_field", "no relation"),
        ("author", "data.editor.data.name", "unknown_field", "Known"),
        ("author", "data.nothing.data.name", "unknown_field", "data.nothing"),
        ("author", "data.author.data.avatar.alt", "not_included", "include=author.avatar"),
        ("author,author.avatar", "data.author.data.avatar.alt", "unknown_field", "data.author.data.avatar.data.alt"),
        ("author", "data.author.", "unknown_field", "Known"),
        ("author", "data.author..name", "unknown_field", "Known"),
        ("author", ",", "unknown_field", "Known"),
        ("author", "author.data.name", "unknown_field", "Known"),
    ],
)
async def test_what_is_not_there_is_refused_and_never_left_out(blog, include, fields, code, said):
    await blog.patch(f"/content/{blog.second}", {"data": {"title": "draft"}})
    for path in ways(blog):
        answer = await blog.get(f"{path}&fields={fields}" + (f"&include={include}" if include else ""))
        assert (answer.status, answer.json.get("detail", {}).get("code")) == (400 if code else 200, code), path
        assert said in answer.raw.decode(), answer.raw
        assert "mail" not in answer.raw.decode().replace(fields, "")


async def test_what_is_out_of_reach_is_forbidden_and_never_left_out(blog, granted):
    def on(kind, *fields):
        return {"permission": "content:read", "content_types": [kind], **({"fields": fields} if fields else {})}

    names = await granted(blog, on("post"), on("author", "name", "avatar"))
    fields = await granted(blog, on("post", "title"), on("author"))
    for path in ways(blog):
        for reader, query in (
            (names, "include=author&fields=data.author.data.friends"),
            (names, "include=author&fields=data.author.data.friends.slug"),
            (names, "include=author,author.avatar&fields=data.author.data.avatar.slug"),
            (fields, "fields=data.author"),
            (fields, "fields=data.author.data.name"),
            (fields, "include=author&fields=data.author.data.name"),
        ):
            refused = await reader.get(f"{path}&{query}")
            assert (refused.status, refused.code) == (403, "field_forbidden"), (path, query)
        shown = (await names.get(f"{path}&include=author&fields=data.author.data.name,data.author.id")).json
        assert shown["included"] == {blog.ann: {"id": blog.ann, "data": {"name": "Ann"}}}


async def test_each_projection_is_an_answer_of_its_own(blog):
    for path in ways(blog):
        tags, bodies = set(), set()
        members = ("slug", "slug,data.author.data.name", "slug,data.author.id")
        for query in ("", "fields=slug", "include=author", *(f"include=author&fields={names}" for names in members)):
            first, again = await blog.get(f"{path}&{query}"), await blog.get(f"{path}&{query}")
            assert first.raw == again.raw, query
            bodies.add(first.raw)
            if "ETag" in first.headers:
                tags.add(first.headers["ETag"])
                known = await blog.get(f"{path}&{query}", headers={"If-None-Match": first.headers["ETag"]})
                assert known.status == 304
        assert len(bodies) == 6
        assert len(tags) in (0, 6)


async def test_projections_cost_no_queries_of_their_own_beside_includes(services, blog):
    for path in ways(blog):
        bare, _ = await queries(services, blog, f"{path}&fields=slug")
        asked, _ = await queries(services, blog, f"{path}&fields=slug,data.author.data.name&include=author")
        assert asked == bare + 1
        assert bare == 1 + path.startswith("/content?")


async def test_a_preview_gives_the_members_that_are_named(blog):
    draft = await put(blog, "post", publish=False, title="draft", author=blog.ann, editor=blog.bob)
    token = (await blog.post(f"/content/{draft}/preview")).json["token"]
    preview = blog.with_token(token)
    assert (await preview.get(f"/content/{draft}?fields=slug,data.title")).json == {
        "slug": "draft",
        "data": {"title": "draft"},
    }
    for fields, code in (("data.editor", "unknown_field"), ("data.author.data.name", "not_included")):
        refused = await preview.get(f"/content/{draft}?fields={fields}")
        assert (refused.status, refused.code) == (400, code)
    assert (await preview.get(f"/content/{draft}?include=author")).code == "invalid_parameter"


async def test_fields_are_those_that_the_type_has_when_the_item_is_read(blog, drain):
    fields = [{"key": "name", "type": "string"}, {"key": "label", "type": "string", "renamed_from": "alt"}]
    plan = (await blog.post("/content-types/picture/plan", {"fields": fields})).json
    assert (await blog.get(f"/content/{blog.face}?fields=data.alt")).json == {"data": {"alt": "A face"}}
    applied = await blog.post(f"/content-types/picture/plan/{plan['plan_id']}/apply")
    assert applied.status == 202, applied.raw
    await drain()
    assert (await blog.get(f"/content/{blog.face}?fields=data.label")).json == {"data": {"label": "A face"}}
    assert (await blog.get(f"/content/{blog.face}?fields=data.alt")).code == "unknown_field"
