"""Writers who started from an older version: what collides is said, what does not is merged."""

import asyncio

import pytest

from tests.features.content.stories import story_site, told, translated
from tests.features.content.test_items import create

PAGE = {
    "key": "page",
    "name": "Page",
    "fields": [
        {"key": "title", "type": "string", "required": True},
        {
            "key": "blocks",
            "type": "blocks",
            "components": [
                {
                    "key": "quote",
                    "fields": [{"key": "text", "type": "string"}, {"key": "by", "type": "string"}],
                },
                {"key": "line", "fields": [{"key": "text", "type": "string"}]},
            ],
        },
    ],
}


async def patch(api, item, version, data=None, *, merge=False, **more):
    query = "?merge=true" if merge else ""
    headers = {"If-Match": f'"v{version}"'}
    return await api.patch(f"/content/{item['id']}{query}", {"data": data or {}, **more}, headers=headers)


def pointers(answer):
    return [error["pointer"] for error in answer.json["detail"]["errors"]]


async def test_a_conflict_carries_both_versions_and_the_fields_that_collide(articles):
    item = await create(articles, body="text", count=1)
    await patch(articles, item, 1, {"title": "Theirs", "count": 2})
    answer = await patch(articles, item, 1, {"title": "Mine", "count": 2, "price": 5})
    assert (answer.status, answer.code) == (412, "precondition_failed")
    assert answer.headers["ETag"] == '"v2"'
    detail = answer.json["detail"]
    assert detail["current_version"] == 2
    assert pointers(answer) == ["/data/title"]
    conflict = detail["conflict"]
    assert conflict["current"]["data"] == {"title": "Theirs", "body": "text", "count": 2}
    assert conflict["current"]["version"] == 2
    assert conflict["current"]["updated_by"] is not None
    assert conflict["sent"] == {"version": 1, "data": {"title": "Mine", "count": 2, "price": 5}, "slug": None}
    assert (conflict["base_known"], conflict["mergeable"]) == (True, False)
    assert (await articles.get(f"/content/{item['id']}")).json["data"]["title"] == "Theirs"


async def test_disjoint_fields_are_refused_as_mergeable_and_merge_when_asked_to(articles):
    item = await create(articles, body="text", count=1)
    await patch(articles, item, 1, {"title": "Theirs", "body": None})
    refused = await patch(articles, item, 1, {"count": 2})
    assert refused.status == 412
    assert refused.json["detail"]["conflict"]["mergeable"] is True
    merged = await patch(articles, item, 1, {"count": 2}, merge=True)
    assert (merged.status, merged.json["version"]) == (200, 3)
    assert merged.json["data"] == {"title": "Theirs", "count": 2}


async def test_what_was_sent_as_it_was_is_no_change(articles):
    """An editor that sends all fields back changes only those that its user has touched."""
    item = await create(articles, body="text", count=1)
    await patch(articles, item, 1, {"title": "Theirs"})
    sent = {"title": "Hello", "body": "mine", "count": 1}
    merged = await patch(articles, item, 1, sent, merge=True)
    assert merged.json["data"] == {"title": "Theirs", "body": "mine", "count": 1}


async def test_a_put_merges_too_and_removes_what_it_leaves_out(articles):
    item = await create(articles, body="text", count=1)
    await patch(articles, item, 1, {"price": 3})
    path, headers = f"/content/{item['id']}?merge=true", {"If-Match": '"v1"'}
    merged = await articles.put(path, {"data": {"title": "Mine", "count": 1}}, headers=headers)
    assert merged.json["data"] == {"title": "Mine", "count": 1, "price": 3}
    await articles.patch(f"/content/{item['id']}", {"data": {"count": 9}})
    collides = await articles.put(path, {"data": {"title": "Mine"}}, headers=headers)
    assert (collides.status, pointers(collides)) == (412, ["/data/count"])


async def test_blocks_merge_by_their_ids(site):
    assert (await site.post("/content-types", PAGE)).status == 201
    blocks = [{"_type": "quote", "text": "a", "by": "x"}, {"_type": "line", "text": "b"}]
    made = await site.post("/content", {"type": "page", "data": {"title": "t", "blocks": blocks}})
    quote, line = made.json["data"]["blocks"]
    theirs = [{"_type": "line", "text": "new"}, {**line, "text": "theirs"}, {**quote, "text": "theirs"}]
    await patch(site, made.json, 1, {"blocks": theirs})
    mine = [{**quote, "by": "me"}, line]
    merged = await patch(site, made.json, 1, {"blocks": mine}, merge=True)
    assert merged.status == 200, merged.raw
    new, second, third = merged.json["data"]["blocks"]
    assert new["text"] == "new"
    assert second == {**line, "text": "theirs"}
    assert third == {**quote, "text": "theirs", "by": "me"}
    collides = await patch(site, made.json, 1, {"blocks": [quote, {**line, "text": "mine"}]}, merge=True)
    assert (collides.status, pointers(collides)) == (412, ["/data/blocks/1/text"])
    removed = await patch(site, made.json, 1, {"blocks": [quote]}, merge=True)
    assert (removed.status, pointers(removed)) == (412, ["/data/blocks"])


async def test_slugs_and_terms_collide_as_fields_do(articles):
    await articles.post("/taxonomies", {"key": "topics", "name": "Topics"})
    for name in ("rust", "python"):
        assert (await articles.post("/taxonomies/topics/terms", {"name": name})).status == 201
    item = await create(articles)
    await patch(articles, item, 1, slug="theirs", taxonomies={"topics": ["rust"]})
    answer = await patch(articles, item, 1, slug="mine", taxonomies={"topics": ["python"]}, merge=True)
    assert (answer.status, pointers(answer)) == (412, ["/slug", "/taxonomies"])
    merged = await patch(articles, item, 1, {"count": 1}, slug="hello", merge=True)
    assert (merged.status, merged.json["slug"]) == (200, "theirs")
    assert [term["slug"] for term in merged.json["taxonomies"]["topics"]] == ["rust"]


async def test_from_a_version_that_never_was_everything_that_differs_collides(articles):
    item = await create(articles, count=1)
    answer = await patch(articles, item, 7, {"title": "Mine", "count": 1}, merge=True)
    assert (answer.status, pointers(answer)) == (412, ["/data/title"])
    assert answer.json["detail"]["conflict"]["base_known"] is False


@pytest.mark.parametrize("data", [{"count": "x"}, {"nothing": 1}, {"related": 7}])
async def test_what_does_not_fit_is_refused_after_a_merge_as_ever(articles, data):
    item = await create(articles)
    await patch(articles, item, 1, {"price": 3})
    assert (await patch(articles, item, 1, data)).status == 412
    assert (await patch(articles, item, 1, data, merge=True)).status in (412, 422)
    assert (await articles.get(f"/content/{item['id']}")).json["version"] == 2


async def test_blocks_that_are_none_do_no_harm(site):
    assert (await site.post("/content-types", PAGE)).status == 201
    blocks = [{"_type": "line", "text": "b"}]
    made = await site.post("/content", {"type": "page", "data": {"title": "t", "blocks": blocks}})
    await patch(site, made.json, 1, {"blocks": [{"_type": "line", "text": "c"}]})
    for wrong in (5, [5], [None], {"_type": "line"}, [{"_id": 3}], None, []):
        assert (await patch(site, made.json, 1, {"blocks": wrong}, merge=True)).status == 412


async def test_a_conflict_tells_nothing_that_the_caller_may_not_read(articles, granted):
    item = await create(articles, secret="hidden", body="hidden too")
    writer = await granted(
        articles,
        "content:read",
        {"permission": "content:read_drafts", "fields": ["title"]},
        {"permission": "content:update", "fields": ["title", "secret"]},
    )
    await patch(articles, item, 1, {"title": "Theirs", "count": 1})
    answer = await patch(writer, item, 1, {"title": "Mine"})
    assert answer.status == 412
    assert b"hidden" not in answer.raw
    assert answer.json["detail"]["conflict"]["current"]["data"] == {"title": "Theirs"}
    # Whether a guess is right is not to be learned either.
    for guess in ("hidden", "other"):
        blind = await patch(writer, item, 1, {"secret": guess}, merge=True)
        assert (blind.status, pointers(blind)) == (412, ["/data/secret"])


async def test_a_hundred_editors_with_a_field_each_lose_nothing(site):
    fields = [{"key": f"f{number}", "type": "integer"} for number in range(100)]
    assert (await site.post("/content-types", {"key": "sheet", "name": "Sheet", "fields": fields})).status == 201
    item = (await site.post("/content", {"type": "sheet", "data": {}})).json
    answers = await asyncio.gather(*(patch(site, item, 1, {f"f{n}": n}, merge=True) for n in range(100)))
    assert [answer.status for answer in answers] == [200] * 100
    stored = (await site.get(f"/content/{item['id']}")).json
    assert stored["data"] == {f"f{number}": number for number in range(100)}
    assert stored["version"] == 101


async def test_of_a_hundred_editors_of_one_field_one_wins_and_the_others_are_told_what_collides(articles):
    item = await create(articles, body="text")
    answers = await asyncio.gather(
        *(patch(articles, item, 1, {"title": f"Editor {n}", "body": "text"}, merge=True) for n in range(100))
    )
    won = [answer for answer in answers if answer.status == 200]
    assert len(won) == 1
    for answer in answers:
        if answer is not won[0]:
            assert (answer.status, pointers(answer)) == (412, ["/data/title"])
            assert answer.json["detail"]["conflict"]["current"]["data"]["title"] == won[0].json["data"]["title"]


async def test_editors_who_try_again_from_what_a_conflict_shows_lose_no_count(articles):
    item = await create(articles, count=0)

    async def add_one():
        version, count = 1, 0
        while True:
            answer = await patch(articles, item, version, {"count": count + 1})
            if answer.status == 200:
                return
            current = answer.json["detail"]["conflict"]["current"]
            version, count = current["version"], current["data"]["count"]

    await asyncio.gather(*(add_one() for _ in range(25)))
    assert (await articles.get(f"/content/{item['id']}")).json["data"]["count"] == 25


async def test_conflicts_in_a_translation_say_what_collides_and_merge(admin, site):
    stories = await story_site(admin, site)
    item = await told(stories, price=1)
    await translated(stories, item, "de", title="Eins")
    path, before = f"/content/{item['id']}/translations/de", {"If-Match": '"v1"'}
    assert (await stories.patch(path, {"data": {"body": "Text"}})).status == 200
    for call in (stories.patch, stories.put):
        refused = await call(path, {"data": {"title": "Zwei", "body": "Anderes"}}, headers=before)
        assert refused.status == 412
        assert refused.json["detail"]["conflict"]["current"]["version"] == 2
        assert [wrong["pointer"] for wrong in refused.json["detail"]["errors"]] == ["/data/body"]
    merged = await stories.patch(f"{path}?merge=true", {"data": {"title": "Zwei"}}, headers=before)
    assert (merged.status, merged.json["data"]["title"], merged.json["data"]["body"]) == (200, "Zwei", "Text")
