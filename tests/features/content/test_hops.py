"""Filters over relations: only by what is published, and by what the caller may read of it."""

import pytest
import pytest_asyncio

FIELDS = {
    "firm": [{"key": "name", "type": "string"}],
    "author": [
        {"key": "name", "type": "string"},
        {"key": "mail", "type": "string", "private": True},
        {"key": "firm", "type": "relation", "target": "firm"},
    ],
    "post": [
        {"key": "title", "type": "string"},
        {"key": "author", "type": "relation", "target": "author"},
        {"key": "editors", "type": "relations", "target": "author"},
        {"key": "boss", "type": "relation", "target": "author", "private": True},
    ],
}


async def put(api, kind, *, publish=True, **data):
    answer = await api.post("/content", {"type": kind, "data": data, "publish": publish})
    assert answer.status == 201, answer.raw
    return answer.json["id"]


@pytest_asyncio.fixture(params=[False, True], ids=["plain", "indexed"])
async def blog(site, request, drain):
    for key, fields in FIELDS.items():
        marked = [{**field, "indexed": request.param} for field in fields]
        assert (await site.post("/content-types", {"key": key, "name": key, "fields": marked})).status == 201
        await drain()  # one index is built at a time
    site.firm = await put(site, "firm", name="Acme")
    site.ann = await put(site, "author", name="Ann", firm=site.firm, mail="ann@example.com")
    site.bob = await put(site, "author", name="Bob")
    await put(site, "post", title="by ann", author=site.ann, editors=[site.bob])
    await put(site, "post", title="by bob", author=site.bob, editors=[site.ann, site.bob])
    await put(site, "post", title="by nobody")
    return site


async def titles(api, query):
    answer = await api.get(f"/content?type=post&sort=data.title&{query}")
    assert answer.status == 200, answer.raw
    assert answer.json["total"] == len(answer.json["items"])
    return [item["data"]["title"] for item in answer.json["items"]]


@pytest.mark.parametrize("status", ["published", "any"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("filter[data.author.data.name]=Ann", ["by ann"]),
        ("filter[data.author.data.name][ne]=Ann", ["by bob"]),
        ("filter[not][data.author.data.name]=Ann", ["by bob", "by nobody"]),
        ("filter[data.editors.data.name]=Bob", ["by ann", "by bob"]),
        ("filter[data.editors.slug][in]=ann,cy", ["by bob"]),
        ("filter[data.author.data.firm.data.name][starts_with]=Ac", ["by ann"]),
        ("filter[data.editors.data.firm.slug][exists]=true", ["by bob"]),
        ("filter[or][0][data.author.data.firm.slug]=acme&filter[or][1][data.title][contains]=no",
         ["by ann", "by nobody"]),
        ("filter[data.author.data.firm][exists]=false", ["by bob"]),
    ],
)  # fmt: skip
async def test_filters_follow_relations(blog, query, expected, status):
    assert await titles(blog, f"status={status}&{query}") == expected


async def test_targets_that_are_not_published_fulfil_nothing(blog):
    await blog.post(f"/content/{blog.ann}/unpublish")
    assert await titles(blog, "filter[data.author.data.name]=Ann") == []
    assert await titles(blog, "status=any&filter[data.author.data.name]=Ann") == []


async def test_filters_go_by_what_is_published_of_a_target(blog):
    await blog.patch(f"/content/{blog.ann}", {"data": {"name": "Secret"}})
    assert await titles(blog, "filter[data.author.data.name]=Secret") == []
    assert await titles(blog, "status=any&filter[data.author.data.name]=Ann") == ["by ann"]


async def test_filters_over_terms_of_targets(blog):
    await blog.post("/taxonomies", {"key": "topics", "name": "Topics"})
    await blog.post("/taxonomies/topics/terms", {"name": "rust"})
    await blog.patch(f"/content/{blog.ann}", {"taxonomies": {"topics": ["rust"]}})
    assert await titles(blog, "filter[data.author.terms.topics]=rust") == []
    await blog.post(f"/content/{blog.ann}/publish")
    assert await titles(blog, "filter[data.author.terms.topics]=rust") == ["by ann"]


async def test_private_fields_of_targets_do_not_exist_even_for_editors(blog):
    for path in ("data.author.data.mail", "data.boss.data.name"):
        assert (await blog.get(f"/content?type=post&filter[{path}]=x")).status == 400
    assert (await blog.get("/content?type=post&status=any&filter[data.author.data.mail]=x")).status == 400
    assert await titles(blog, "status=any&filter[data.boss.data.name]=x") == []


async def test_depth_is_bounded(blog):
    path = "data.author.data.firm.data.x.data.y.data.name"
    answer = await blog.get(f"/content?type=post&filter[{path}]=x")
    assert (answer.status, answer.code) == (400, "invalid_filter")
    assert "deeper than 3" in answer.json["detail"]["message"]


async def test_nothing_is_learned_of_what_the_caller_may_not_read(blog, granted):
    def on(**bounds):
        return {"permission": "content:read", **bounds}

    by_type = await granted(blog, on(content_types=["post"]))
    by_field = await granted(blog, on(fields=["title", "author", "firm"]))
    no_relation = await granted(blog, on(fields=["title", "name"]))
    for reader, path in (
        (by_type, "data.author.data.name"), (by_type, "data.author.slug"), (by_field, "data.author.data.name"),
        (no_relation, "data.author.data.name"), (no_relation, "data.author.data.firm.data.name"),
        (by_type, "data.author.terms.topics"),
    ):  # fmt: skip
        for method in ("GET", "POST"):
            if method == "GET":
                answer = await reader.get(f"/content?type=post&explain=1&filter[{path}]=Ann")
            else:
                answer = await reader.post("/content/query", {"type": "post", "filter": {"not": {path: "Ann"}}})
            assert (answer.status, answer.code) == (403, "field_forbidden"), path
    strangers = await granted(blog, on(content_types=["post"]), on(content_types=["author"], own_only=True))
    assert await titles(strangers, "filter[data.author.data.name]=Ann") == []
    reader = await granted(blog, on(content_types=["post", "author"], fields=["title", "author", "name"]))
    assert await titles(reader, "filter[data.author.data.name]=Ann") == ["by ann"]
