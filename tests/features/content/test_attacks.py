"""Hostile readers: what happens out of their reach changes no answer of theirs, and shows in none."""

import re

import pytest_asyncio

from tests.conftest import role_with
from tests.features.content.blogs import FIELDS, put
from tests.features.content.test_narrowing import RANDOM, SAME, on

HIDDEN = "classified"
POST_FIELDS = ["title", "author", "next", "more"]
READABLE = {"content_types": ["post"], "fields": POST_FIELDS, "locales": ["en"]}
LISTS = ("", "status=any", "status=draft", "status=archived", "locale=de", "locale=de&fallback=en", "fallback=de",
         "as_of={now}", "count=estimate", "explain=1", "status=any&explain=1", "cursor=&page_size=1",
         "status=any&cursor=&page_size=1", "sort=data.title", "sort=data.body", "sort=-data.author,slug",
         "filter[data.title][icontains]=i", "filter[data.body][contains]=classified", "filter[data.secret]=classified",
         "filter[not][data.body]=x", "filter[or][0][data.body][exists]=true&filter[or][1][slug]=x",
         "filter[data.author.data.name]=classified", "filter[data.author.slug][exists]=true",
         "filter[not][data.author.data.name]=x", "filter[data.author.data.mail][contains]=a",
         "filter[data.next.data.body][contains]=classified", "filter[data.next.data.title]=first",
         "filter[data.next.terms.topics]=rust", "filter[terms.topics]=rust", "filter[terms.topics][under]=rust",
         "q=classified", "q=first", "q=-classified", "q=classified or first", "status=any&q=classified",
         "include=author", "include=next,more", "include=next.author", "include=editor", "status=any&include=editor",
         "fields=data.body", "fields=data.body_html", "fields=data.secret", "fields=data", "fields=data.nothing",
         "include=next&fields=data.next.data.body", "include=next&fields=data.next.data.title,data.next.taxonomies",
         "include=next&fields=data.next.data", "status=any&fields=data.editor", "stage=x")  # fmt: skip
ITEMS = ("", "status=draft", "locale=de", "fallback=de", "status=draft&locale=de", "include=next,more",
         "include=author", "as_of={now}", "fields=data", "fields=data.body",
         "include=next&fields=data.next.data.body")  # fmt: skip
BELOW = ("usage", "revisions", "revisions/1", "revisions/2", "revisions/2/diff?against=1", "revisions?locale=de",
         "translations", "translations/en", "translations/de", "hold")  # fmt: skip
ELSEWHERE = ("content/schedule", "content/trash", "content/releases", "content/export", "content/export?status=any",
             "content/export?type=author", "content/export?locale=de", "content/translations/missing?locale=de",
             "content/translations/missing?locale=en&type=author", "search?q=classified", "search?q=first",
             "search?q=first&facets=type,terms.topics", "search/suggest?q=class", "taxonomies", "content-types",
             "content-types/bundle", "taxonomies/topics/terms", "taxonomies/topics/terms?counts=true",
             "taxonomies/topics/terms?tree=true&counts=true", "taxonomies/topics/terms/{term}/content",
             "taxonomies/topics/terms/{term}/content?descendants=true")  # fmt: skip


async def ok(asking):
    answer = await asking
    assert answer.status < 300, answer.raw
    return answer.json


@pytest_asyncio.fixture
async def world(admin, site):
    """What is within reach: posts in English and some of their fields; of two of them nothing else is."""
    await ok(admin.patch(f"/sites/{site.site}", {"locales": [{"code": "en"}, {"code": "de"}]}))
    for kind, fields in FIELDS.items():
        more = [{"key": "body", "type": "markdown", "localized": True}, {"key": "secret", "type": "string"}]
        more[1]["private"] = True
        named = [{**field, "localized": field["type"] == "string"} for field in fields]
        await ok(site.post("/content-types", {"key": kind, "name": kind, "fields": named + more}))
    await ok(site.post("/taxonomies", {"key": "topics", "name": "Topics", "hierarchical": True}))
    site.term = (await ok(site.post("/taxonomies/topics/terms", {"name": "rust"})))["id"]
    site.author = await put(site, "author", name=HIDDEN, mail=HIDDEN, body=HIDDEN)
    site.first = await put(site, "post", title="first", body=HIDDEN, secret=HIDDEN, author=site.author)
    site.second = await put(site, "post", title="second", body=HIDDEN, next=site.first, more=[site.first])
    await ok(site.patch(f"/content/{site.second}", {"data": {"body": f"{HIDDEN} again", "title": "second draft"}}))
    await ok(site.patch(f"/content/{site.first}", {"taxonomies": {"topics": ["rust"]}}))
    await ok(site.post(f"/content/{site.first}/publish"))
    await ok(site.put(f"/content/{site.first}/translations/de", {"data": {"title": HIDDEN, "body": HIDDEN}}))
    await ok(site.post(f"/content/{site.first}/publish", {"locales": ["de"]}))
    site.now = (await ok(site.get(f"/content/{site.first}")))["updated_at"]
    return site


async def happen(world, drain):
    """Much happens out of the reader's reach."""
    for number in range(3):
        body = {"type": "author", "data": {"name": f"{HIDDEN} {number}", "body": HIDDEN, "mail": HIDDEN},
                "taxonomies": {"topics": ["rust"]}, "publish": number > 0}  # fmt: skip
        author = (await ok(world.post("/content", body)))["id"]
        german = {"type": "post", "locale": "de", "slug": f"{HIDDEN}-{number}", "publish": True,
                  "data": {"title": HIDDEN, "next": world.first, "more": [world.first, world.second]},
                  "taxonomies": {"topics": ["rust"]}}  # fmt: skip
        post = (await ok(world.post("/content", german)))["id"]
        await ok(world.patch(f"/content/{author}", {"data": {"name": f"{HIDDEN} anew", "friends": [author]}}))
        items = [{"id": author, "action": "publish"}, {"id": post, "locale": "de", "action": "publish"}]
        release = {"name": HIDDEN, "items": items, "at": "2100-01-01T00:00:00Z"}
        await ok(world.post("/content/releases", release if number else {**release, "at": None}))
        await ok(world.post(f"/content/{post}/publish", {"locales": ["de"], "at": "2100-01-01T00:00:00Z"}))
        await ok(world.put(f"/content/{post}/hold", {"reason": HIDDEN}))
        if number == 2:
            for item in (author, post):
                await ok(world.delete(f"/content/{item}?force=true"))
    await ok(world.patch(f"/content/{world.author}", {"data": {"name": f"{HIDDEN} once more"}}))
    await ok(world.post(f"/content/{world.author}/publish"))
    await drain()


def requests(world):
    now = world.now.replace("+", "%2B")
    for query in LISTS:
        yield f"/content?type=post&{query.format(now=now)}"
    for kind in ("author", "picture", "nothing"):
        for query in ("", "status=any", "filter[slug]=x", "explain=1", "count=estimate", "q=classified", "fields=data"):
            yield f"/content?type={kind}&{query}"
        yield f"/content-types/{kind}/schema"
        yield f"/content/by-slug/{kind}/{HIDDEN}"
    for item in (world.first, world.second, world.author, RANDOM):
        for query in ITEMS:
            yield f"/content/{item}?{query.format(now=now)}"
        yield from (f"/content/{item}/{below}" for below in BELOW)
    for slug in ("first", "second", HIDDEN, f"{HIDDEN}-1"):
        yield from (f"/content/by-slug/post/{slug}?{query.format(now=now)}" for query in ITEMS)
    yield from (f"/{path.format(term=world.term)}" for path in ELSEWHERE)


async def answers(reader, world):
    found = {}
    for path in requests(world):
        answer = await reader.get(path, headers=SAME)
        assert answer.status < 500, (path, answer.raw)
        raw = re.sub(rb'"took_ms":[0-9.]+', b"", answer.raw)
        found[path] = (answer.status, raw, answer.headers.get("ETag"))
    return found


@pytest_asyncio.fixture(params=["everybody", "narrowed", "own"])
async def reader(request, admin, world, granted):
    more = ["taxonomies:read"]
    if request.param == "everybody":
        role = await role_with(admin, on("content:read", **READABLE), *more)
        await ok(admin.patch(f"/sites/{world.site}", {"settings": {"public_role": role}}))
        return world.anonymous()
    bounds = {**READABLE, "own_only": request.param == "own"}
    by_field = [on(f"content:{verb}", **bounds) for verb in ("read", "read_drafts", "create", "update")]
    bounds.pop("fields")
    whole = [on(f"content:{verb}", **bounds) for verb in ("delete", "publish")]
    types = on("content_types:read", content_types=["post"])
    return await granted(world, *by_field, *whole, types, *more)


async def test_what_happens_out_of_reach_changes_no_answer_and_shows_in_none(world, reader, drain):
    await drain()
    before = await answers(reader, world)
    await happen(world, drain)
    after = await answers(reader, world)
    differing = {path: (before[path], after[path]) for path in before if before[path] != after[path]}
    assert differing == {}
    # Errors say again what was asked for.
    told = {path: raw for path, (status, raw, _) in after.items() if status < 300 and HIDDEN.encode() in raw.lower()}
    assert told == {}


async def test_no_cache_in_between_gives_an_answer_to_another_caller_or_site(world):
    path = f"/content/{world.first}"
    tag = (await world.get(path)).headers["ETag"]
    for asked, status in ((path, 200), (f"/content/{RANDOM}", 404), ("/content?type=post", 200)):
        answer = await world.get(asked)
        assert (answer.status, answer.headers["Vary"]) == (status, "Authorization, X-Site-ID")
    known = await world.get(path, headers={"If-None-Match": tag})
    assert (known.status, known.headers["Vary"]) == (304, "Authorization, X-Site-ID")
    assert (await world.anonymous().get(path)).headers["Vary"] == "Authorization, X-Site-ID"


async def test_what_others_have_asked_for_gives_no_more(world, granted):
    """Neither what a process keeps of answers, nor a cursor or a validator that somebody else was given."""
    reader = await granted(world, *(on(f"content:{verb}", **READABLE) for verb in ("read", "read_drafts")))
    own = await granted(world, *(on(f"content:{verb}", own_only=True) for verb in ("read", "read_drafts")))
    for path in (f"/content/{world.first}?", "/content/by-slug/post/first?", "/content?type=post&filter[slug]=first&"):
        whole = await world.get(f"{path}include=next")
        assert HIDDEN in whole.raw.decode()
        for asked in ("include=next", "include=next&fields=data.title"):
            await world.get(path + asked)
            part = await reader.get(path + asked, headers={"If-None-Match": whole.headers.get("ETag", "*")})
            assert (part.status, HIDDEN in part.raw.decode()) == (200, False), path
    assert (await world.get(f"/content/{world.author}")).status == 200
    tag = (await world.get(f"/content/{world.author}")).headers["ETag"]
    for asked in ({"If-None-Match": tag}, {"If-None-Match": "*"}):
        assert (await reader.get(f"/content/{world.author}", headers=asked)).status == 404
    for status in ("published", "any"):
        query = f"/content?type=post&status={status}&page_size=1&cursor="
        cursor = (await world.get(query)).json["next_cursor"]
        assert (await own.get(query + cursor)).json["items"] == []
        hidden = (await world.get(f"{query}&sort=data.body")).json["next_cursor"]
        for sort, expected in (("&sort=data.body", 403), ("&sort=data.title", 400)):
            assert (await reader.get(query + hidden + sort)).status == expected
