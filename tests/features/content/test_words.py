"""`q=` restricts a list to items with these words, as they are now, and never by what the caller may not read."""

from datetime import datetime, timedelta

import pytest

from tests.features.content.stories import told, translated

NOTE = {
    "key": "note",
    "name": "Note",
    "fields": [
        {"key": "title", "type": "string"},
        {"key": "text", "type": "richtext"},
        {"key": "tags", "type": "multiselect", "options": ["alpha", "omega"]},
        {"key": "quiet", "type": "text", "searchable": False},
        {"key": "price", "type": "number"},
    ],
}


def rich(*texts):
    inner = [{"type": "paragraph", "content": [{"type": "text", "text": text}]} for text in texts]
    return {"type": "doc", "content": inner}


@pytest.fixture
async def notes(site):
    answer = await site.post("/content-types", NOTE)
    assert answer.status == 201, answer.raw
    return site


async def noted(api, title, publish=True, **data):
    answer = await api.post("/content", {"type": "note", "data": {"title": title, **data}, "publish": publish})
    assert answer.status == 201, answer.raw
    return answer.json


async def found(api, words, **query):
    answer = await api.get("/content", params={"type": "note", "sort": "data.title", "q": words, **query})
    assert answer.status == 200, answer.raw
    assert answer.json["total"] is not None
    return [item["data"]["title"] for item in answer.json["items"]], answer.json["total"]


async def test_words_phrases_alternatives_and_exclusions(notes):
    await noted(notes, "Borrow the checker")
    await noted(notes, "The borrow checkers")
    await noted(notes, "Lifetimes")
    assert await found(notes, "checker borrow") == (["Borrow the checker", "The borrow checkers"], 2)
    assert await found(notes, '"borrow checker"') == (["The borrow checkers"], 1)
    assert await found(notes, "lifetime or nothing") == (["Lifetimes"], 1)
    assert await found(notes, "-borrow") == (["Lifetimes"], 1)
    assert await found(notes, "the") == ([], 0)


async def test_searchable_fields_of_all_kinds_and_no_names_of_nodes(notes):
    await noted(notes, "A", text=rich("first words", "one\nlast"), tags=["omega"], quiet="silence", price=17)
    assert await found(notes, "last") == (["A"], 1)
    assert await found(notes, "omega") == (["A"], 1)
    for words in ("paragraph", "doc", "silence", "17"):
        assert await found(notes, words) == ([], 0), words


async def test_no_worker_is_waited_for(notes):
    item = await noted(notes, "Alpha")
    assert await found(notes, "alpha") == (["Alpha"], 1)
    await notes.patch(f"/content/{item['id']}", {"data": {"title": "Omega"}})
    assert await found(notes, "omega") == ([], 0)
    assert await found(notes, "omega", status="draft") == (["Omega"], 1)
    assert await found(notes, "alpha", status="any") == ([], 0)
    await notes.post(f"/content/{item['id']}/publish")
    assert await found(notes, "omega") == (["Omega"], 1)
    assert await found(notes, "alpha") == ([], 0)


async def test_the_past_is_looked_through_as_it_was(notes):
    item = await noted(notes, "Alpha")
    await notes.patch(f"/content/{item['id']}", {"data": {"title": "Omega"}})
    later = (await notes.post(f"/content/{item['id']}/publish")).json["updated_at"]
    # Of the two moments that the item tells, the first was before its change.
    moment = (datetime.fromisoformat(later) - timedelta(microseconds=1)).isoformat().replace("+00:00", "Z")
    assert await found(notes, "alpha", as_of=moment) == (["Alpha"], 1)
    assert await found(notes, "omega", as_of=moment) == ([], 0)


async def test_it_goes_with_filters_pages_and_cursors(notes):
    for n in range(5):
        await noted(notes, f"needle {n}", price=n)
        await noted(notes, f"straw {n}", price=n)
    query = {"filter[data.price][gte]": "1", "page_size": "3"}
    assert await found(notes, "needle", **query) == (["needle 1", "needle 2", "needle 3"], 4)
    assert await found(notes, "needle", page="2", **query) == (["needle 4"], 4)
    assert await found(notes, "needle", count="estimate", status="any", **query)
    asked = {"type": "note", "sort": "data.title", "q": "needle", "cursor": "", "page_size": "3"}
    first = (await notes.get("/content", params=asked)).json
    rest = (await notes.get("/content", params={**asked, "cursor": first["next_cursor"]})).json
    titles = [item["data"]["title"] for item in [*first["items"], *rest["items"]]]
    assert (titles, rest["next_cursor"]) == ([f"needle {n}" for n in range(5)], None)
    other = await notes.get("/content", params={**asked, "q": "straw", "cursor": first["next_cursor"]})
    assert (other.status, other.code) == (400, "invalid_cursor")


async def test_the_same_in_json(notes):
    await noted(notes, "needle a", price=1)
    await noted(notes, "needle b", price=2)
    body = {"type": "note", "q": "needles", "filter": {"data.price": 2}}
    answer = await notes.post("/content/query", body)
    assert [item["data"]["title"] for item in answer.json["items"]] == ["needle b"]
    assert (await notes.post("/content/query", {**body, "q": "a\0b"})).status in (400, 422)
    assert (await notes.post("/content/query", {**body, "q": ""})).status == 422


async def test_explain_says_that_all_is_looked_through(notes):
    await noted(notes, "needle")
    answer = await notes.get("/content", params={"type": "note", "q": "needle", "explain": "1"})
    told_of = answer.json["explain"]["filters"][0]
    assert (told_of["path"], told_of["operator"], told_of["index"]) == ("q", "matches", None)
    assert "/search" in told_of["reason"]


@pytest.mark.parametrize("words", ["", "  ", "x" * 501])
async def test_no_words_and_too_many_are_refused(notes, words):
    answer = await notes.get("/content", params={"type": "note", "q": words})
    assert (answer.status, answer.json["detail"]["errors"][0]["pointer"]) == (400, "/q")


async def test_a_type_without_texts_has_no_words(site):
    fields = [{"key": "n", "type": "number"}]
    await site.post("/content-types", {"key": "figure", "name": "Figure", "fields": fields})
    answer = await site.get("/content", params={"type": "figure", "q": "x"})
    assert (answer.status, answer.code) == (400, "invalid_filter")


async def test_words_are_those_of_the_locale_and_of_its_fallbacks(stories):
    item = await told(stories, publish=True, body="The houses")
    await translated(stories, item, "de", publish=True, body="Die Häuser")
    lone = await told(stories, publish=True, body="Houses alone")

    async def ids(words, **query):
        answer = await stories.get("/content", params={"type": "story", "q": words, **query})
        assert answer.status == 200, answer.raw
        return {one["id"] for one in answer.json["items"]}

    assert await ids("house") == {item["id"], lone["id"]}
    assert await ids("haus", locale="de") == {item["id"]}
    assert await ids("houses", locale="de") == set()
    # What the item says in German is what is listed: the English words are not looked for behind it.
    assert await ids("house", locale="de", fallback="en") == {lone["id"]}
    assert await ids("häuser or house", locale="de", fallback="en") == {item["id"], lone["id"]}


async def test_private_fields_are_never_found_by(stories):
    await told(stories, publish=True, secret="xylophone", kept="saxophone")
    for status in ("published", "any"):
        for words, total in (("xylophone", 0), ("saxophone", 1), ("saxophone -xylophone", 1)):
            answer = await stories.get("/content", params={"type": "story", "q": words, "status": status})
            assert answer.json["total"] == total, (status, words)


async def test_words_out_of_reach_find_nothing_and_keep_nothing_out(notes, granted):
    await noted(notes, "Open", text=rich("confidential"))
    narrow = await granted(
        notes, *({"permission": code, "fields": ["title"]} for code in ("content:read", "content:read_drafts"))
    )
    for status in ("published", "any"):
        assert await found(narrow, "open", status=status) == (["Open"], 1)
        assert await found(narrow, "confidential", status=status) == ([], 0)
        assert await found(narrow, "open -confidential", status=status) == (["Open"], 1)
        assert await found(narrow, "open confidential", status=status) == ([], 0)


async def test_fields_of_own_items_are_not_searched_in_those_of_others(notes, granted):
    await noted(notes, "Foreign", text=rich("confidential"))
    mixed = await granted(
        notes,
        "content:create",
        "content:publish",
        {"permission": "content:read", "fields": ["title"]},
        {"permission": "content:read", "own_only": True},
    )
    await noted(mixed, "Owned", text=rich("confidential"))
    assert await found(mixed, "confidential") == ([], 0)
    assert await found(mixed, "foreign or owned") == (["Foreign", "Owned"], 2)


async def test_rights_that_reach_no_text_are_told_so(notes, granted):
    await noted(notes, "Open")
    blind = await granted(notes, {"permission": "content:read", "fields": ["price"]})
    answer = await blind.get("/content", params={"type": "note", "q": "open"})
    assert (answer.status, answer.code) == (403, "field_forbidden")
