"""No request within the limits keeps the event loop from others.

The figure is processor time of the loop's thread in one callback: a busy machine does not change it much.
"""

import asyncio
import secrets
import time

import pytest
import pytest_asyncio

from tests.web.hostile_texts import BIG, TABLE, data, dumped, markdown_texts, of_length, types
from tests.web.stops import measured_stops

LONGEST = 0.2
TEXTS, DATA, TYPES = markdown_texts(), data(), types()
JSON = {"Content-Type": "application/json"}
pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(300)]


async def quick(call):
    """The answer to a call that does not stop the loop."""
    with measured_stops() as stops:
        answer = await call
    assert answer.status < 500 or answer.status == 503, answer.raw[:300]
    assert stops.longest < LONGEST, f"{stops.longest:.3f} s in {stops.what}"
    return answer


@pytest_asyncio.fixture
async def big(site):
    assert (await site.post("/content-types", BIG)).status == 201
    return site


def create(site, values, *, publish=True):
    body = dumped({"type": "big", "data": values, "publish": publish})
    return site.call("POST", "/content", data=body, headers=JSON)


@pytest.mark.parametrize("text", TEXTS)
async def test_a_text_is_published_without_a_stop_or_refused_by_name(big, text):
    answer = await quick(create(big, {"a": TEXTS[text]}))
    if answer.status == 201:
        read = await quick(big.get(f"/content/{answer.json['id']}"))
        assert read.json["data"]["a_html"]
    elif answer.status == 422:
        assert answer.json["detail"]["errors"][0]["code"] == "unrenderable"


@pytest.mark.parametrize("values", DATA)
async def test_data_is_saved_and_published_without_a_stop_or_refused(big, values):
    answer = await quick(create(big, DATA[values]))
    if answer.status == 201:
        path = f"/content/{answer.json['id']}"
        await quick(big.patch(path, {"data": {"title": "again"}}))
        await quick(big.post(f"{path}/publish"))
        await quick(big.get(path))
        await quick(big.get("/content?type=big&fields=data.title"))


async def test_too_much_html_is_refused_with_a_pointer_and_nothing_is_stored(big):
    answer = await quick(create(big, {"blocks": [{"_type": "box", "text": TABLE} for _ in range(50)]}))
    assert (answer.status, answer.code) == (422, "invalid")
    wrong = answer.json["detail"]["errors"][0]
    assert wrong["code"] == "unrenderable"
    assert wrong["pointer"].startswith("/data/blocks/")
    assert "4,000,000 characters of HTML" in wrong["message"]
    assert (await big.get("/content?type=big&status=any")).json["total"] == 0


async def test_others_are_answered_while_texts_are_rendered(big):
    with measured_stops() as stops:
        rendering = [asyncio.create_task(create(big, {"a": of_length("&#1")})) for _ in range(3)]
        answered = 0
        while not all(task.done() for task in rendering):
            assert (await big.get("/content?type=big")).status == 200
            answered += 1
        assert {task.result().status for task in rendering} <= {201, 503}
    assert answered > 10
    assert stops.longest < LONGEST, stops.what


async def test_previews_of_long_texts_do_not_stop_the_loop(big):
    made = await quick(create(big, {"a": of_length("# x\n")}, publish=False))
    token = (await big.post(f"/content/{made.json['id']}/preview")).json["token"]
    shown = await quick(big.with_token(token).get(f"/content/{made.json['id']}"))
    assert shown.json["data"]["a_html"].count("<h1") > 70_000


async def test_long_texts_are_indexed_without_a_stop(big, drain):
    await create(big, {"title": "x", "a": "wombats " + of_length("# x\n")})
    with measured_stops() as stops:
        await drain()
    assert stops.longest < LONGEST, stops.what
    assert (await big.get("/search?q=wombats")).json["total"] == 1


@pytest.mark.parametrize("fields", TYPES)
async def test_types_are_checked_compiled_and_described_without_a_stop(site, fields):
    key = f"t{secrets.token_hex(4)}"
    body = dumped({"key": key, "name": "T", "fields": TYPES[fields]})
    answer = await quick(site.call("POST", "/content-types", data=body, headers=JSON))
    assert answer.status in (201, 413, 422), answer.raw[:300]
    if answer.status == 201:
        for path in ("schema", "schema?view=published", "types?language=typescript", "versions"):
            assert (await quick(site.get(f"/content-types/{key}/{path}"))).status == 200
        await quick(site.post("/content", {"type": key, "data": {}}))
        renamed = [{**field, "key": f"n{field['key']}", "renamed_from": field["key"]} for field in TYPES[fields]]
        plan = dumped({"fields": renamed})
        assert (await quick(site.call("POST", f"/content-types/{key}/plan", data=plan, headers=JSON))).status == 200
        await quick(site.get("/content-types"))
        await quick(site.get("/content-types/bundle"))


async def test_components_that_allow_each_other_in_a_long_chain_are_refused_and_not_500(site):
    answer = await quick(
        site.post("/content-types", {"key": "chain", "name": "C", "fields": TYPES["a long chain of components"]})
    )
    assert answer.status in (201, 422), answer.raw[:300]


WORD = {"field": "data.title", "op": "eq", "value": "a"}


def bodies():
    some = "019a1b2c-3d4e-7f00-8a1b-2c3d4e5f6071"
    return {
        "POST /roles": {"key": "a" * 900_000, "name": "x"},
        "POST /sites": {"key": "a", "name": "x", "locales": ["en"] * 150_000},
        "POST /sites (settings)": {"key": "a", "name": "x", "settings": {str(n): [[[]]] for n in range(45_000)}},
        "POST /api-keys": {"name": "x", "permissions": ["content:read"] * 60_000},
        f"PUT /users/{some}/roles": [{"role": "editor"}] * 40_000,
        "POST /webhooks": {"name": "x", "url": "http://e.org/", "headers": {f"h{n}": 1 for n in range(60_000)}},
        "POST /content": {"type": "big", "data": {}, "taxonomies": {f"k{n}": [1] for n in range(60_000)}},
        "POST /content (terms)": {"type": "big", "data": {}, "taxonomies": {f"k{n}": ["a"] * 100 for n in range(50)}},
        "POST /content/bulk": {"operations": [{"op": "create", "x": 1}] * 30_000},
        "POST /content/query": {"type": "big", "filter": {"or": [WORD] * 15_000}},
        "POST /content/query (values)": {"type": "big", "filter": {**WORD, "op": "in", "value": ["a"] * 200_000}},
        "POST /content/releases": {"name": "x", "items": [{"item_id": some, "action": "publish"}] * 13_000},
        "POST /content-types/bundle": {"version": 1, "roles": [{}] * 200_000},
        "POST /taxonomies": {"key": "tx", "name": {f"l{n}": 1 for n in range(60_000)}},
        "POST /permissions/explain": {"user_id": some, "permission": "a" * 900_000},
        "PATCH /auth/profile": {"name": "\u0301" * 170_000},
        "POST /auth/login": {"email": "a@" + "b." * 400_000 + "c", "password": "x"},
        "POST /auth/password-reset": {"email": "a" * 900_000},
        "POST /auth/refresh": {"refresh_token": "a." * 400_000},
        "POST /auth/totp/confirm": {"code": "1" * 900_000},
    }  # fmt: skip


BODIES = bodies()


@pytest.mark.parametrize("target", BODIES)
async def test_bodies_of_every_kind_are_refused_without_a_stop_and_in_few_words(big, target):
    method, path = target.split()[:2]
    answer = await quick(big.call(method, path, data=dumped(BODIES[target]), headers=JSON))
    assert answer.status < 500, answer.raw[:300]
    assert len(answer.raw) < 100_000


FILTERS = {
    "a long pattern": {"data.title": {"contains": "a%_\\" * 200_000}},
    "a long beginning": {"data.title": {"starts_with": "%_" * 400_000}},
    "long values": {"data.title": {"in": ["a%_\\" * 500] * 190}},
    "a long number": {"data.title": "9" * 900_000},
    "long terms": {"terms.topics": ["a" * 4_000] * 190},
}


@pytest.mark.parametrize("given", FILTERS)
async def test_filters_of_long_values_are_refused_without_a_stop(big, given):
    body = dumped({"type": "big", "filter": FILTERS[given]})
    answer = await quick(big.call("POST", "/content/query", data=body, headers=JSON))
    assert (answer.status, answer.code) == (400, "invalid_filter")


HEAD = b'--BB\r\nContent-Disposition: form-data; name="type"\r\n'
FORMS = {
    "empty lines before the first part": b"\r\n" * 500_000 + HEAD,
    "short lines before the first part": b"--\n" * 330_000,
    "lines after the last part": HEAD + b"\r\nx\r\n--BB--\r\n" + b"\n" * 1_000_000,
    "headers of a part": HEAD + b"a: b\r\n" * 150_000,
    "parts": (HEAD + b"\r\nx\r\n") * 15_000,
    "lines of a part": HEAD + b"\r\n" + b"\r\n" * 500_000,
    "what are almost boundaries": HEAD + b"\r\n" + b"\r\n--B" * 190_000,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("path", ["/content/import", "/assets"])
async def test_forms_are_read_without_a_stop(big, form, path):
    headers = {"Content-Type": "multipart/form-data; boundary=BB"}
    answer = await quick(big.call("POST", path, data=FORMS[form], headers=headers))
    assert answer.status in (400, 413, 422)


QUERIES = {
    "values": "".join(f"&filter[data.title][in]={'a,' * 150}" for _ in range(20)),
    "fields": "&fields=" + ",".join(["data.title"] * 600),
    "hops": "&fields=" + "data.near." * 700 + "x",
    "includes": "&include=" + ",".join(["near.near.near"] * 500),
    "sorts": "&sort=" + ",".join(["-data.title"] * 600),
    "fallbacks": "&fallback=" + ",".join(["en"] * 1000),
    "cursor": "&cursor=" + "A" * 7900,
    "parameters": "".join(f"&a{number}=1" for number in range(900)),
    "words": "&q=" + "a+-b+or+" * 900,
    "quotes": "&q=" + '"a' * 2500,
}


@pytest.mark.parametrize("query", QUERIES)
async def test_queries_are_read_without_a_stop(big, query):
    answer = await quick(big.get("/content?type=big" + QUERIES[query]))
    assert answer.status in (200, 400, 422)


HEADERS = {
    "If-None-Match": ",".join(['W/"x"'] * 1500),
    "If-Match": '"v1' + "," * 7000,
    "Authorization": "Bearer " + "a." * 3000,
    "Cookie": "; ".join(f"a{number}=b" for number in range(900)),
    "X-Forwarded-For": ", ".join(["1.1.1.1"] * 800),
    "Range": "bytes=" + ",".join(["0-1"] * 1500),
    "Accept": ",".join(["a/b;q=0.1"] * 700),
    "Accept-Language": ",".join(["en;q=0.1"] * 800),
    "Idempotency-Key": "a" * 7000,
    "X-Request-ID": "a" * 7000,
}


@pytest.mark.parametrize("header", HEADERS)
async def test_headers_are_read_without_a_stop(big, header):
    for method in ("GET", "POST"):
        answer = await quick(big.call(method, "/content?type=big", headers={**JSON, header: HEADERS[header]}))
        assert answer.status < 500


@pytest_asyncio.fixture
async def large(big):
    """A dozen items of nearly a megabyte each, which point to each other."""
    ids = []
    for number in range(12):
        values = {"json": ["x" * 10] * 60_000, "long": "a" * 200_000, "near": ids[-4:], "title": f"t{number}"}
        answer = await create(big, values)
        assert answer.status == 201, answer.raw[:300]
        ids.append(answer.json["id"])
    return big, ids


async def test_lists_of_large_items_are_put_together_without_a_stop(large, granted):
    site, ids = large
    asked = ["", "&fields=data.title", "&include=near", "&status=any", "&status=any&fields=data.title&include=near"]
    for query in asked:
        assert (await quick(site.get("/content?type=big" + query))).status == 200
    rights = [{"permission": one, "fields": ["title", "json"]} for one in ("content:read", "content:read_drafts")]
    reader = await granted(site, *rights)
    for query in ("", "&fields=data.title", "&status=any"):
        assert (await quick(reader.get("/content?type=big" + query))).status == 200
    operations = [{"op": "publish", "id": one} for one in ids]
    answer = await quick(site.post("/content/bulk", {"operations": operations}))
    assert answer.json["succeeded"] == len(ids)
    assert [result["item"]["id"] for result in answer.json["results"]] == ids


LETTERS = "ab.,"
CHANGES = {
    "letters": ("".join(LETTERS[(n * n) % 4] for n in range(190_000)), "".join(LETTERS[n % 3] for n in range(190_000))),
    "half a match": ("a.b," * 49_000, "b,a." * 49_000),
    "words": (" ".join(map(str, range(30_000))), " ".join(map(str, range(30_000, 0, -1)))),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_long_texts_are_compared_without_a_stop_and_in_seconds(big, change):
    before, after = CHANGES[change]
    made = (await create(big, {"long": before}, publish=False)).json
    await big.patch(f"/content/{made['id']}", {"data": {"long": after}})
    began = time.process_time()
    answer = await quick(big.get(f"/content/{made['id']}/revisions/2/diff"))
    assert time.process_time() - began < 5
    assert answer.json["fields"]["long"]["text"]
