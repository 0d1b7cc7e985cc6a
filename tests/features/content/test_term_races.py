"""Terms change while items that have them are written: no document keeps what is no more."""

import asyncio

import asyncpg
import pytest
import pytest_asyncio

TERMS = "/taxonomies/topics/terms"


@pytest_asyncio.fixture
async def site(articles):
    await articles.post("/taxonomies", {"key": "topics", "name": "Topics"})
    articles.ids = {}
    for slug in ("rust", "news", "other"):
        articles.ids[slug] = (await articles.post(TERMS, {"name": slug})).json["id"]
    return articles


async def article(site, number, *terms, publish=True):
    data = {"title": f"Item {number}"}
    new = {"type": "article", "data": data, "taxonomies": {"topics": list(terms)}, "publish": publish}
    return await site.post("/content", new)


async def shown(site):
    items = (await site.get("/content?type=article&page_size=200")).json["items"]
    return [[(term["slug"], term["name"]) for term in item["taxonomies"].get("topics", ())] for item in items]


async def out_of_step(services, site):
    """Documents of which JSON, filters and tree say different things, or which wait to be rendered."""
    site_id = (await site.get(f"/sites/{site.site}")).json["id"]
    return await services.resources.reads.fetch(
        """SELECT d.item_id FROM documents d
           LEFT JOIN document_terms l ON l.item_id = d.item_id AND l.locale = d.locale
           WHERE d.site_id = $1 AND (
               l.stale
               OR coalesce(l.terms, '{}') <> ARRAY(
                   SELECT (x->>'id')::uuid
                   FROM jsonb_array_elements(convert_from(d.body, 'UTF8')::jsonb->'taxonomies'->'topics') x)
               OR coalesce(l.under, '{}') <> ARRAY(
                   SELECT DISTINCT u.id FROM terms t CROSS JOIN LATERAL unnest(t.path || t.taxonomy_id) AS u(id)
                   WHERE t.id = ANY(l.terms) ORDER BY u.id))""",
        site_id,
    )


async def test_whoever_publishes_while_a_term_is_renamed_shows_the_new_name_in_the_end(site, services, drain):
    path = f"{TERMS}/{site.ids['rust']}"

    async def rename():
        for number in range(5):
            assert (await site.patch(path, {"name": f"Name {number}"})).status == 200
            await asyncio.sleep(0.01)

    made = await asyncio.gather(rename(), *(article(site, n, "rust") for n in range(20)))
    assert {answer.status for answer in made[1:]} == {201}
    await drain()
    assert await shown(site) == [[("rust", "Name 4")]] * 20
    assert not await out_of_step(services, site)


@pytest.mark.parametrize("end", ["merge", "delete"])
async def test_whoever_writes_while_a_term_goes_keeps_nothing_of_it(site, services, drain, end):
    ids = site.ids
    items = [(await article(site, n, "rust", "other")).json["id"] for n in range(10)]

    async def go():
        if end == "merge":
            return await site.post(f"{TERMS}/{ids['rust']}/merge", {"into": ids["news"]})
        return await site.delete(f"{TERMS}/{ids['rust']}?force=true")

    async def save(item_id):
        changed = await site.patch(f"/content/{item_id}", {"taxonomies": {"topics": ["other", "rust"]}})
        await site.post(f"/content/{item_id}/publish")
        return changed

    gone, *answers = await asyncio.gather(
        go(),
        *(article(site, n, "rust") for n in range(10, 20)),
        *(save(item_id) for item_id in items[:5]),
        *(site.post(f"{TERMS}/{ids['other']}/content", {"content_ids": items[5:]}) for _ in range(2)),
        *(site.post(f"/content/{item_id}/unpublish") for item_id in items[8:]),
    )
    assert {answer.status for answer in answers} <= {200, 201, 204, 409, 422}, [a.raw for a in answers]
    assert gone.status in (200, 204)
    await drain()
    assert all("rust" not in dict(terms) for terms in await shown(site))
    assert not await out_of_step(services, site)
    if end == "merge":
        assert sum("news" in dict(terms) for terms in await shown(site)) >= 8


async def test_whoever_writes_while_terms_move_is_found_below_the_right_ones(site, services, drain):
    async def move():
        for parent in (site.ids["news"], None, site.ids["other"], site.ids["news"]):
            moved = await site.post(f"{TERMS}/{site.ids['rust']}/move", {"parent_id": parent})
            assert moved.status == 200

    await asyncio.gather(move(), *(article(site, n, "rust") for n in range(20)))
    assert not await out_of_step(services, site)
    for status in ("published", "any"):
        found = await site.get(f"/content?type=article&status={status}&filter[terms.topics][under]=news")
        assert found.json["total"] == 20


async def test_many_give_one_item_terms_at_once_and_none_is_lost(site):
    item = (await article(site, 0, publish=False)).json["id"]
    answers = await asyncio.gather(
        *(site.post(f"{TERMS}/{term}/content", {"content_ids": [item]}) for term in site.ids.values() for _ in range(3))
    )
    assert sum(answer.json["changed"] for answer in answers) == 3
    draft = (await site.get(f"/content/{item}?status=draft")).json
    assert {term["slug"] for term in draft["taxonomies"]["topics"]} == {"rust", "news", "other"}


async def test_a_field_and_a_term_renamed_at_the_same_moment_are_both_renamed_everywhere(site, services, drain):
    for number in range(60):
        assert (await article(site, number, "rust")).status == 201
    kind = (await site.get("/content-types/article")).json
    fields = [{**f, "key": "heading", "renamed_from": "title"} if f["key"] == "title" else f for f in kind["fields"]]
    plan = (await site.post("/content-types/article/plan", {"fields": fields})).json
    applied, renamed = await asyncio.gather(
        site.post(f"/content-types/article/plan/{plan['plan_id']}/apply"),
        site.patch(f"{TERMS}/{site.ids['rust']}", {"name": "Ferris"}),
    )
    assert (applied.status, renamed.status) == (202, 200)
    await drain()
    items = (await site.get("/content?type=article&page_size=200")).json["items"]
    assert {"heading" in item["data"] for item in items} == {True}
    assert await shown(site) == [[("rust", "Ferris")]] * 60
    assert not await out_of_step(services, site)


def writes(site, item):
    """What holds terms and items, by name."""
    path, given = f"/content/{item}", {"taxonomies": {"topics": ["news"]}}
    return {
        "create": lambda: article(site, 1, "rust"),
        "save": lambda: site.patch(path, given),
        "replace": lambda: site.put(path, {"data": {"title": "Other"}, **given}),
        "publish": lambda: site.post(f"{path}/publish"),
        "bulk": lambda: site.post("/content/bulk", {"operations": [{"op": "update", "id": item, "data": {}, **given}]}),
        "restore": lambda: site.post(f"{path}/revisions/1/restore"),
        "duplicate": lambda: site.post(f"{path}/duplicate"),
        "give": lambda: site.post(f"{TERMS}/{site.ids['news']}/content", {"content_ids": [item]}),
    }


async def when_somebody_waits(connection):
    for _ in range(400):
        if await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database())"
        ):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits")


@pytest.mark.parametrize("name", writes(None, None))
async def test_whoever_waits_for_an_item_keeps_renames_of_terms_waiting_and_not_the_other_way_round(
    site, database, name
):
    item = (await article(site, 0, "rust")).json["id"]
    site_id = (await site.get(f"/sites/{site.site}")).json["id"]
    kind = (await site.get("/content-types/article")).json["id"]
    changing, asking = [await asyncpg.connect(database.database_url) for _ in range(2)]
    try:
        async with changing.transaction():
            await changing.execute("SELECT pg_advisory_xact_lock(content_type_lock($1::text::uuid))", kind)
            write = asyncio.create_task(writes(site, item)[name]())
            await when_somebody_waits(asking)
            terms = f"terms\x1f{site_id}"
            assert not await asking.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", terms)
        assert (await write).status in (200, 201)
    finally:
        await changing.close()
        await asking.close()


async def test_bulks_saves_and_renames_of_the_same_items_and_terms_all_get_through(site, services, drain):
    items = [(await article(site, number, "rust")).json["id"] for number in range(4)]

    def bulk(number):
        about = {"data": {"count": number}, "taxonomies": {"topics": ["rust", "other"]}}
        operations = [{"op": "update", "id": item, **about} for item in items]
        return site.post("/content/bulk", {"operations": operations, "atomic": True})

    answers = await asyncio.gather(
        *(
            call
            for number, item in enumerate(items * 2)
            for call in (
                bulk(number),
                site.patch(f"/content/{item}", {"taxonomies": {"topics": ["news", "rust"]}}),
                site.patch(f"{TERMS}/{site.ids['rust']}", {"name": f"Name {number}"}),
                site.post(f"/content/{item}/publish"),
            )
        )
    )
    assert {answer.status for answer in answers} == {200}, [answer.raw for answer in answers]
    await drain()
    assert not await out_of_step(services, site)
