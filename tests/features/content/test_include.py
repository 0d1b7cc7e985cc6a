"""`include=`: what relations lead to, beside the items that have them."""

from datetime import UTC, datetime

import pytest
import pytest_asyncio

from tests.features.content.blogs import FIELDS, filled_blog, put, queries


@pytest_asyncio.fixture
async def blog(site):
    return await filled_blog(site)


async def test_an_item_comes_with_what_its_relations_lead_to(blog):
    for path in (f"/content/{blog.second}", "/content/by-slug/post/second"):
        answer = await blog.get(f"{path}?include=author,author.avatar,author.friends,next")
        assert set(answer.json["included"]) == {blog.ann, blog.face, blog.bob, blog.first}
        for item_id, document in answer.json["included"].items():
            assert document == (await blog.get(f"/content/{item_id}")).json
        assert answer.json["data"]["author"] == blog.ann


async def test_a_list_includes_each_document_once(blog):
    answer = (await blog.get("/content?type=post&include=author,more")).json
    assert set(answer["included"]) == {blog.ann, blog.first}
    assert [item["id"] for item in answer["items"]] == [blog.second, blog.first]
    assert "included" not in (await blog.get("/content?type=post")).json
    assert (await blog.get("/content?type=post&include=more&filter[data.title]=first")).json["included"] == {}


async def test_each_level_is_one_query(services, blog):
    for path in (f"/content/{blog.second}?", "/content/by-slug/post/second?", "/content?type=post&"):
        bare, _ = await queries(services, blog, path)
        assert bare == 1
        for level, include in enumerate(("author,next,more", "author.avatar,author.friends,next.author",
                                         "author.friends.avatar,next.author.avatar"), 1):  # fmt: skip
            asked, _ = await queries(services, blog, f"{path}include={include}")
            assert asked == bare + level, (path, include)


async def test_circles_end(blog):
    await blog.patch(f"/content/{blog.first}", {"data": {"next": blog.second, "more": [blog.first, blog.second]}})
    await blog.post(f"/content/{blog.first}/publish")
    answer = (await blog.get(f"/content/{blog.first}?include=next.next.next,more.more.more")).json
    assert set(answer["included"]) == {blog.first, blog.second}


async def test_only_what_is_published_is_included(blog):
    hidden = await put(blog, "author", publish=False, name="Hidden")
    post = await put(blog, "post", title="third", author=hidden)
    path = f"/content/{post}?include=author,author.avatar"
    before = await blog.get(path)
    assert before.json["included"] == {}
    await blog.post(f"/content/{hidden}/publish")
    after = await blog.get(path)
    assert list(after.json["included"]) == [hidden]
    assert before.headers["ETag"] != after.headers["ETag"]
    assert (await blog.get(path, headers={"If-None-Match": after.headers["ETag"]})).status == 304


async def test_drafts_show_the_targets_of_their_own_relations(blog):
    await blog.patch(f"/content/{blog.second}", {"data": {"author": blog.bob, "editor": blog.ann}})
    published = (await blog.get(f"/content/{blog.second}?include=author")).json
    assert list(published["included"]) == [blog.ann]
    draft = (await blog.get(f"/content/{blog.second}?status=draft&include=author,editor.avatar")).json
    assert set(draft["included"]) == {blog.bob, blog.ann, blog.face}
    assert "mail" not in draft["included"][blog.bob]["data"]
    listed = (await blog.get("/content?type=post&status=draft&include=author")).json
    assert list(listed["included"]) == [blog.bob]


async def test_projections_leave_what_is_included_whole(blog):
    answer = (await blog.get("/content?type=post&fields=data.title,data.next&include=author&page_size=1")).json
    assert answer["items"] == [{"data": {"title": "second", "next": blog.first}}]
    assert answer["included"][blog.ann]["data"]["name"] == "Ann"


@pytest.mark.parametrize(
    ("include", "said"),
    [
        ("nothing", "author, next, more"),
        ("title", "author, next, more"),
        ("data.author", "author, next, more"),
        ("author.nothing", "author.avatar, author.friends"),
        ("author.avatar.nothing", "picture has no relations"),
        ("editor", "author, next, more"),
        ("author,,next", "author, next, more"),
        ("next.next.next.next", "deeper than 3"),
        (",".join(["author"] * 21), "at most 20"),
    ],
)
async def test_what_is_no_relation_is_refused_with_those_there_are(blog, include, said):
    for path in (f"/content/{blog.second}?", "/content?type=post&"):
        answer = await blog.get(f"{path}include={include}")
        assert (answer.status, answer.code) == (400, "invalid_include")
        assert said in answer.json["detail"]["message"]
        assert "editor" not in answer.json["detail"]["message"].replace(f"relation {include}", "")


async def test_writes_take_no_include(blog):
    assert (await blog.patch(f"/content/{blog.second}?include=author", {"data": {}})).status == 400


async def test_what_the_caller_may_not_read_is_not_included(blog, granted):
    def on(**bounds):
        return {"permission": "content:read", **bounds}

    only_posts = await granted(blog, on(content_types=["post"]))
    no_author = await granted(blog, on(fields=["title", "next", "name"]))
    names = await granted(blog, on(content_types=["post"]), on(content_types=["author"], fields=["name"]))
    strangers = await granted(blog, on(content_types=["post"]), on(content_types=["author"], own_only=True))
    for path in (f"/content/{blog.second}?", "/content?type=post&"):
        for reader in (only_posts, no_author):
            refused = await reader.get(f"{path}include=author")
            assert (refused.status, refused.code) == (403, "field_forbidden")
        assert (await names.get(f"{path}include=author.avatar")).status == 403
        seen = (await names.get(f"{path}include=author")).json["included"]
        assert [document["data"] for document in seen.values()] == [{"name": "Ann"}]
        assert (await no_author.get(f"{path}include=next")).json["included"][blog.first]["data"] == {"title": "first"}
        assert (await strangers.get(f"{path}include=author,author.friends")).json["included"] == {}


async def test_too_many_documents_are_refused_and_not_cut_off(blog, monkeypatch):
    monkeypatch.setattr("scaicms.features.content.including.MAX_INCLUDED", 2)
    assert (await blog.get("/content?type=post&include=author.avatar")).status == 200
    answer = await blog.get("/content?type=post&include=author.friends,author.avatar")
    assert (answer.status, answer.code) == (400, "invalid_include")


async def test_what_is_included_falls_back_along_with_the_items(site):
    site_id = (await site.get(f"/sites/{site.site}")).json["id"]
    locales = [{"code": "en", "fallback": []}, {"code": "de", "fallback": ["en"]}]
    assert (await site.patch(f"/sites/{site_id}", {"locales": locales})).status == 200
    for kind in ("picture", "author", "post"):
        fields = [{**field, "localized": field["type"] == "string"} for field in FIELDS[kind]]
        answer = await site.post("/content-types", {"key": kind, "name": kind, "fields": fields})
        assert answer.status == 201, answer.raw
    ann, bob = await put(site, "author", name="Ann"), await put(site, "author", name="Bob")
    answer = await site.put(f"/content/{ann}/translations/de", {"data": {"name": "Anna"}})
    assert answer.status in (200, 201), answer.raw
    assert (await site.post(f"/content/{ann}/publish", {"locales": ["de"]})).status == 200
    post = await put(site, "post", title="t", author=ann, more=[], next=None)
    other = await put(site, "post", title="u", author=bob, next=post)

    async def names(query):
        listed = (await site.get(f"/content?type=post&include=author,next.author&{query}")).json
        read = (await site.get(f"/content/{other}?include=author,next.author&{query}")).json
        found = [
            {d["data"]["name"] for d in answer["included"].values() if d["type"] == "author"}
            for answer in (listed, read)
        ]
        assert found[0] == found[1]
        return found[0]

    assert await names("locale=en") == {"Ann", "Bob"}
    assert await names("locale=de&fallback=default") == {"Anna", "Bob"}
    walked = await site.get("/content?type=post&locale=de&fallback=default&cursor=&page_size=1&sort=data.title")
    assert [item["data"]["title"] for item in walked.json["items"]] == ["t"]
    assert walked.json["total"] == 2
    cursor = walked.json["next_cursor"]
    rest = await site.get(f"/content?type=post&locale=de&fallback=default&page_size=1&sort=data.title&cursor={cursor}")
    assert [item["data"]["title"] for item in rest.json["items"]] == ["u"]
    assert rest.json["next_cursor"] is None


async def test_the_past_includes_what_was_published_then(blog):
    before = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    await blog.patch(f"/content/{blog.ann}", {"data": {"name": "Anne"}})
    await blog.post(f"/content/{blog.ann}/publish")
    for path in (f"/content/{blog.first}?", "/content?type=post&"):
        now = (await blog.get(f"{path}include=author")).json["included"][blog.ann]
        then = (await blog.get(f"{path}include=author&as_of={before}")).json["included"][blog.ann]
        assert (now["data"]["name"], then["data"]["name"]) == ("Anne", "Ann")
    found = "/content?type=post&explain=1&filter[data.author.data.name]=Ann"
    assert (await blog.get(found)).json["total"] == 0
    past = (await blog.get(f"{found}&as_of={before}")).json
    assert (past["total"], past["explain"]["filters"][0]["index"]) == (2, None)
