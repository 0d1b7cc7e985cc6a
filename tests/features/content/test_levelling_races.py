"""Levelling while others write: whatever comes in between is levelled with the rest."""

import asyncio

import pytest

from scaicms.features.content_types.applying import ApplyService
from scaicms.infra import db
from tests.features.content.stories import published, told
from tests.features.content.test_levelling import documents, done, drafts, fields, plan, start, three

TYPE = "/content-types/story"


@pytest.fixture
def between(services):
    """Apply a plan step by step, and do something between any two of them."""

    async def run(made, act):
        progress, number = None, 0

        async def keep(at):
            nonlocal progress
            progress = at

        steps = services.get(ApplyService).steps(made["plan_id"], checkpoint=keep)
        async for _ in steps:
            await act(number)
            number += 1
        return progress

    return run


async def test_what_is_saved_added_and_removed_meanwhile_is_levelled_with_the_rest(stories, between):
    items = [await three(stories, publish=True) for _ in range(4)]
    saved, added, removed, first = items
    late = await told(stories, title="Late")
    made = await plan(stories, fields(title=False))
    await db.execute(
        "UPDATE content_type_plans SET state = 'applying' WHERE id = $1", made["plan_id"]
    )  # as `apply` does

    async def act(number):
        # After drafts and documents were prepared, before they are exchanged.
        if number == 3:
            await stories.patch(f"/content/{saved['id']}/translations/de", {"data": {"title": "Meanwhile"}})
            await stories.patch(f"/content/{first['id']}/translations/en", {"data": {"title": "Other"}})
            await published(stories, first, "en")
            assert (
                await stories.put(f"/content/{late['id']}/translations/de", {"data": {"title": "Spät"}})
            ).status < 300
            assert (await stories.delete(f"/content/{removed['id']}/translations/en")).status == 204

    progress = await between(made, act)
    assert progress["phase"] == "done"
    assert await drafts(stories, saved, "title") == ["Hello"] * 3
    assert await drafts(stories, added, "title") == ["Hello"] * 3
    assert await drafts(stories, first, "title") == ["Other"] * 3
    assert await documents(stories, first, "title") == ["Other"] * 3
    assert await drafts(stories, removed, "title", ("de", "fr")) == ["Hallo"] * 2
    assert await drafts(stories, late, "title", ("en", "de")) == ["Late"] * 2


async def test_saves_at_the_same_time_never_leave_two_values(stories, drain):
    items = [await three(stories) for _ in range(6)]
    made = await plan(stories, fields(title=False))
    answer = await start(stories, made)

    async def save(item, locale):
        for number in range(15):
            body = {"data": {"title": f"{locale} {number}"}}
            answer = await stories.patch(f"/content/{item['id']}/translations/{locale}", body)
            assert answer.status in (200, 503), answer.raw

    saves = [save(item, one) for item in items for one in ("en", "de")]
    await asyncio.gather(done(stories, answer, drain), *saves)
    for item in items:
        assert len(set(await drafts(stories, item, "title"))) == 1, item["id"]


async def test_many_items_are_levelled_page_by_page(stories, drain):
    type_ = (await stories.get(TYPE)).json["id"]
    row = await db.fetchrow("SELECT site_id, id FROM content_types WHERE id = $1", type_)
    await db.execute(
        """WITH made AS (INSERT INTO items (id, site_id, type_id, slug, created_at)
                         SELECT gen_random_uuid(), $1, $2, 'many-' || n, now() FROM generate_series(1, 500) n
                         RETURNING id)
           INSERT INTO entries (id, item_id, locale, data, version, updated_at)
           SELECT gen_random_uuid(), id, locale, jsonb_build_object('title', locale || ' ' || id), 1, now()
           FROM made, unnest(ARRAY['fr', 'de', 'en']) locale""",
        row["site_id"],
        row["id"],
    )
    made = await plan(stories, fields(title=False))
    assert (made["changes"][0]["items"], made["changes"][0]["rows"]) == (500, 1500)
    await done(stories, await start(stories, made), drain)
    wrong = """SELECT count(*) FROM entries e JOIN items i ON i.id = e.item_id
               WHERE i.type_id = $1 AND e.data->>'title' <> 'en ' || i.id"""
    assert await db.fetchval(wrong, row["id"]) == 0
    revisions = """SELECT count(*) FROM revisions r JOIN entries e USING (item_id, locale)
                   WHERE r.type_id = $1 AND r.number = e.version AND r.data <> e.data"""
    assert await db.fetchval(revisions, row["id"]) == 0
