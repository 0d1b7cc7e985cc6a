"""Pages by cursors: stable while items come and go, of one list alone, forged by nobody."""

import base64

import pytest
import pytest_asyncio

LIST = "/content?type=article&page_size=2"


async def put(api, title, **data):
    answer = await api.post("/content", {"type": "article", "data": {"title": title, **data}, "publish": True})
    assert answer.status == 201, answer.raw
    return answer.json["id"]


@pytest_asyncio.fixture
async def five(articles):
    for n, price in enumerate([3, 1, None, 2, 1]):
        await put(articles, f"t{n}", **({} if price is None else {"price": price}))
    return articles


def titles(answer):
    assert answer.status == 200, answer.raw
    return [item["data"]["title"] for item in answer.json["items"]]


@pytest.mark.parametrize(
    ("sort", "pages"),
    [
        ("data.price", [["t1", "t4"], ["t3", "t0"], ["t2"]]),
        ("-data.price", [["t0", "t3"], ["t4", "t1"], ["t2"]]),
        ("-published_at", [["t4", "t3"], ["t2", "t1"], ["t0"]]),
        ("data.colour", [["t0", "t1"], ["t2", "t3"], ["t4"]]),
    ],
)
@pytest.mark.parametrize("status", ["published", "any"])
async def test_each_page_says_where_the_next_one_begins(five, sort, pages, status):
    cursor, found = "", []
    while cursor is not None:
        answer = await five.get(f"{LIST}&status={status}&sort={sort}&cursor={cursor}")
        found.append(titles(answer))
        assert (answer.json["total"], answer.json["page"], answer.json["page_size"]) == (5, None, 2)
        cursor = answer.json["next_cursor"]
    assert found == pages


async def test_pages_by_number_have_no_cursor(five):
    assert "next_cursor" not in (await five.get(LIST)).json


async def test_what_comes_and_goes_meanwhile_neither_repeats_nor_hides_others(five):
    first = await five.get(f"{LIST}&sort=-data.price&cursor=")
    assert titles(first) == ["t0", "t3"]
    await put(five, "before", price=9)
    await put(five, "after", price=0)
    assert (await five.post(f"/content/{first.json['items'][-1]['id']}/unpublish")).status == 200
    second = await five.get(f"{LIST}&sort=-data.price&cursor={first.json['next_cursor']}")
    assert titles(second) == ["t4", "t1"]
    third = await five.get(f"{LIST}&sort=-data.price&cursor={second.json['next_cursor']}")
    assert (titles(third), third.json["next_cursor"]) == (["after", "t2"], None)


async def test_a_cursor_goes_on_in_its_own_list_alone(five):
    cursor = (await five.get(f"{LIST}&sort=data.price&cursor=")).json["next_cursor"]
    assert (await five.get(f"/content?type=article&sort=data.price&page_size=1&cursor={cursor}")).status == 200
    for other in ("sort=-data.price", "sort=data.count", "", "sort=data.price&filter[slug]=t1",
                  "sort=data.price&status=any", "sort=data.price,slug"):  # fmt: skip
        answer = await five.get(f"/content?type=article&{other}&cursor={cursor}")
        assert (answer.status, answer.code) == (400, "invalid_cursor"), other
    reply = await five.post("/content/query", {"type": "article", "sort": "data.price", "cursor": cursor})
    assert titles(reply) == ["t3", "t0", "t2"]


async def test_forged_cursors_are_refused(five):
    cursor = (await five.get(f"{LIST}&cursor=")).json["next_cursor"]
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    forged = ["x", "=", "ä", "null", cursor[:-4], cursor + "AAAA", "A" * len(cursor)]
    for place in (0, 11, 12, len(raw) - 1):
        changed = raw.copy()
        changed[place] ^= 1
        forged.append(base64.urlsafe_b64encode(changed).rstrip(b"=").decode())
    for text in forged:
        answer = await five.get(f"{LIST}&cursor={text}")
        assert (answer.status, answer.code) == (400, "invalid_cursor"), text


async def test_a_cursor_of_a_field_that_became_another_type_is_refused(five, drain):
    cursor = (await five.get(f"{LIST}&sort=data.code&cursor=")).json["next_cursor"]
    fields = (await five.get("/content-types/article")).json["fields"]
    changed = [{**f, "type": "number", "pattern": None} if f["key"] == "code" else f for f in fields]
    plan = await five.post("/content-types/article/plan", {"fields": changed})
    assert plan.status == 200, plan.raw
    assert (await five.post(f"/content-types/article/plan/{plan.json['plan_id']}/apply")).status == 202
    await drain()
    assert (await five.get(f"{LIST}&sort=data.code&cursor=")).status == 200
    assert (await five.get(f"{LIST}&sort=data.code&cursor={cursor}")).code == "invalid_cursor"


async def test_projections_and_what_is_included_go_with_cursors(five):
    first = await put(five, "first")
    await put(five, "second", related=first)
    answer = await five.get(f"{LIST}&cursor=&fields=data.title&include=related&count=none")
    assert answer.json["items"] == [{"data": {"title": "second"}}, {"data": {"title": "first"}}]
    assert (list(answer.json["included"]), answer.json["total"]) == ([first], None)
