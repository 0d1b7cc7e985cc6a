"""A search does a bounded amount of work, says what it left out, and never takes the connections of other reads."""

import asyncio
from contextlib import AsyncExitStack
from uuid import UUID

import pytest
import pytest_asyncio

from scaicms.infra.search.ranking import MAX_RANKED, MAX_TITLES
from scaicms.web.ports import SERVICES
from tests.scale import seeding

NUMBER = 2_500


@pytest_asyncio.fixture(scope="module")
async def many(client, admin):
    """A site with more articles than one search ranks."""
    made = await admin.post("/sites", {"key": "many", "name": "Many"})
    site = admin.at("many")
    types = {}
    for key, fields in (("author", seeding.FIELDS[:1]), ("article", seeding.FIELDS)):
        answer = await site.post("/content-types", {"key": key, "name": key, "fields": fields})
        types[key] = UUID(answer.json["id"])
    author = UUID((await site.post("/content", {"type": "author", "data": {"title": "A"}, "publish": True})).json["id"])
    taxonomy = (await site.post("/taxonomies", {"key": "topics", "name": "Topics"})).json
    term = (await site.post("/taxonomies/topics/terms", {"name": "Root"})).json
    await seeding.fill(
        UUID(made.json["id"]),
        types["article"],
        [author] * seeding.AUTHORS,
        number=NUMBER,
        term_id=UUID(term["id"]),
        taxonomy_id=UUID(taxonomy["id"]),
        dsn=client.app[SERVICES].resources.settings.database_url,
    )
    return site


async def search(api, words, **query):
    answer = await api.get("/search", params={"q": words, **query})
    assert answer.status == 200, answer.raw
    return answer.json


async def walk(api, words, **query):
    """Every page until an empty one: slugs in order, and what each page says of the total."""
    slugs, totals, page = [], set(), 1
    while True:
        found = await search(api, words, page=page, page_size=200, **query)
        totals.add((found["total"], found["total_relation"]))
        if not found["items"]:
            return slugs, totals
        slugs += [item["slug"] for item in found["items"]]
        page += 1


async def test_a_page_beyond_the_end_has_the_total_of_the_others(many):
    for words, number in (("seldom", 0), ("walrus", 25)):
        for page in (1, 2, 50):
            found = await search(many, words, page=page)
            assert (found["total"], found["total_relation"]) == (number, "exact"), (words, page)


@pytest.mark.parametrize("words", ["everywhere", "often", "everywhere often", "eighta or often", "-walrus",
                                   '"everywhere often"', "everywhere -walrus"])  # fmt: skip
async def test_more_hits_than_are_ranked_are_said_and_pages_have_each_of_the_newest_once(many, words):
    slugs, totals = await walk(many, words)
    assert len(slugs) == len(set(slugs))
    assert totals == {(len(slugs), "at_least")}
    assert 0.98 * MAX_RANKED <= len(slugs) <= MAX_RANKED + MAX_TITLES
    newest = max(int(slug.removeprefix("item-")) for slug in slugs)
    assert newest >= NUMBER - 2


@pytest.mark.parametrize(("words", "number"), [("eighta", 208), ("walrus everywhere", 25), ("walrus or eighta", 225),
                                               ("zzzz", 0), ("zzzz or walrus", 25), ("walrus -often", 0)])  # fmt: skip
async def test_hits_that_are_ranked_are_all_of_them_however_many_others_there_are(many, words, number):
    slugs, totals = await walk(many, words)
    assert totals == {(number, "exact")}
    assert len(set(slugs)) == number


async def test_hits_beyond_the_newest_are_found_by_their_titles(many, drain):
    old = (await search(many, "item 7"))["items"][0]
    assert old["slug"] == "item-7"
    assert (await search(many, "item"))["total_relation"] == "at_least"
    assert "item-1" in [item["slug"] for item in (await search(many, "item 1", page_size=5))["items"]]


async def test_a_type_bounds_the_search_before_it_is_cut(many, drain):
    author = await many.post("/content", {"type": "author", "data": {"title": "Everywhere Man"}, "publish": True})
    await drain()
    found = await search(many, "everywhere", type="author")
    assert ([item["id"] for item in found["items"]], found["total_relation"]) == ([author.json["id"]], "exact")


async def test_who_reads_some_fields_learns_the_bound_from_what_they_read_alone(many, granted):
    """Words of other fields decide neither about hits nor about the mark."""
    reader = await granted(many, {"permission": "content:read", "fields": ["title"]})
    said = {
        words: (await search(reader, words))["total_relation"] for words in ("everywhere", "walrus", "zzzz", "item")
    }
    assert len(set(said.values())) == 1
    assert (await search(reader, "walrus"))["total"] == 0
    assert (await search(reader, f"item {NUMBER}"))["total"] == 1


async def test_too_many_words_are_refused(many):
    many_words = " ".join(f"w{n}" for n in range(33))
    for words in (many_words, many_words.replace(" ", " or "), many_words.replace(" ", "-"), f'"{many_words}"'):
        answer = await many.get("/search", params={"q": words})
        assert (answer.status, answer.code) == (400, "too_many_words")
    assert (await search(many, " ".join(f"w{n}" for n in range(32))))["total"] == 0


async def test_searches_have_connections_of_their_own_and_say_when_all_are_in_use(many, services):
    searches = services.resources.searches
    item = (await search(many, "walrus"))["items"][0]["id"]
    async with AsyncExitStack() as stack:
        for _ in range(services.resources.settings.search_pool_size):
            await stack.enter_async_context(searches.connection())
        waiting = asyncio.create_task(many.get("/search?q=walrus"))
        for path in (f"/content/{item}", "/content?type=article&page_size=1"):
            assert (await asyncio.wait_for(many.get(path), 1)).status == 200
        refused = await waiting
        assert (refused.status, refused.code) == (503, "too_busy")
        assert int(refused.headers["Retry-After"]) >= 1
    assert (await many.get("/search?q=walrus")).status == 200
