"""Values that break what takes them for granted: each is stored, or refused with a sentence, and crashes nothing."""

import json

import pytest
from aiohttp import FormData

from tests.features.content.test_narrowing import RANDOM, made

JSON = {"Content-Type": "application/json"}
FIELD = '{"key": "k", "name": "K", "fields": [{"key": "a", %s}]}'
HUGE = ("18446744073709551616", "-9223372036854775809", "1" + "0" * 400)
BODIES = {
    "a filter": ("/content/query", '{"type": "article", "filter": {"data.price": {"gt": %s}}}'),
    "a filter by id": ("/content/query", '{"type": "article", "filter": {"or": [{"id": %s}]}}'),
    "a page": ("/content/query", '{"type": "article", "page": %s}'),
    "data": ("/content", '{"type": "article", "data": {"title": "t", "price": %s}}'),
    "an operation": ("/content/bulk", '{"operations": [{"op": "create", "type": "article", "data": {"x": %s}}]}'),
    "settings": ("/content-types", '{"key": "k", "name": "K", "fields": [], "settings": {"a": %s}}'),
    "a default": ("/content-types", FIELD % '"type": "json", "default": %s'),
    "a limit": ("/content-types", FIELD % '"type": "string", "max_length": %s'),
    "a plan": ("/content-types/article/plan", '{"fields": [{"key": "title", "type": "string", "min_length": %s}]}'),
    "a position": ("/taxonomies/topics/terms", '{"name": "x", "position": %s}'),
}  # fmt: skip


@pytest.mark.parametrize("number", HUGE, ids=["64 bits", "below", "400 digits"])
async def test_integers_beyond_64_bits_are_refused_wherever_they_stand(articles, number):
    for path, body in BODIES.values():
        answer = await articles.call("POST", path, data=body % number, headers=JSON)
        assert (answer.status, answer.code) == (400, "invalid_json"), (path, answer.raw)
    # Digits in texts are texts, and what fits in 64 bits is no matter of JSON.
    body = {"type": "article", "data": {"title": number[:150], "price": 2**63 - 1}}
    assert (await articles.post("/content", body)).status == 201


@pytest.fixture
async def filled(articles):
    assert (await articles.post("/taxonomies", {"key": "topics", "name": "Topics"})).status == 201
    articles.item = (await made(articles))["id"]
    return articles


PARAMETERS = (
    "page=0", "page=-1", "page=1000000&page_size=200", "page=1e9", "page_size=0", "cursor=abc", "cursor=a.b.c",
    "cursor=%ED%A0%80", f"cursor={'A' * 6000}", "as_of=0001-01-01T00:00:00%2B23:59", "as_of=9999-12-31T23:59:59-23:59",
    "as_of=-infinity", "as_of=2020-01-01T24:00:00Z", "filter[]=1", "filter[[]]=1", "filter[or][999][slug]=1",
    "filter[or][-1][slug]=1", "filter[not]=1", "filter[data.count]=1_0", "filter[data.count]=%D9%A3",
    "filter[data.count]=99999999999999999999999999", "filter[version]=1e400", "filter[version]=nan",
    "filter[version][in]=1,nan", "filter[created_at]=0001-01-01T00:00:00%2B23:59", "filter[created_at][lt]=10000-01-01",
    "filter[data.at]=9999-12-31T23:59:59-23:59", "filter[data.day]=0000-00-00", "filter[id]=x",
    "filter[data.related]=x",
    "filter[data.title]=%ED%A0%80", f"filter[data.title]={'x' * 7000}", f"filter[slug][in]={','.join('a' * 201)}",
    f"filter[{'and][0][' * 20}slug]=a", "filter[__proto__]=1", "filter[data.__class__]=1",
    "filter[data.title][__eq__]=1",
    "filter[data.title][contains]=%25%5C", "filter[terms.topics]=%ED%A0%80", "filter[data.related.data.title.x]=1",
    f"sort={','.join(['slug'] * 6)}", "sort=-", "sort=--slug", "sort=data.tags", f"fields={'x,' * 490}", "fields=,",
    "fields=data.__class__", f"include={'related.' * 100}", f"fallback={','.join(['en'] * 300)}", "locale=%ED%A0%80",
    "q=%25", "q=%22", "q=%28%28", "q=-", "q=a%20%26%20b%3A%2A", f"q={'x' * 500}", "stage=x", "count=all", "explain=2",
    "explain=1&filter[data.price][gt]=1e300", "count=estimate&as_of=2020-01-01T00:00:00Z&explain=1",
)  # fmt: skip


async def test_no_parameter_of_a_list_crashes_it(filled):
    for query in PARAMETERS:
        for status in ("", "&status=any"):
            answer = await filled.get(f"/content?type=article&{query}{status}")
            assert answer.status in (200, 400, 422), (query, answer.raw)
            assert answer.status == 200 or answer.json["detail"]["message"]


TEXTS = ("a\u0000b", "x" * 10_000, "__proto__", "", " ", "%s", "$1", "\\", "\u202e\ufffe", "1e999", "NaN", "9" * 40)


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
async def test_no_text_crashes_what_it_is_written_into(filled, text):
    item = f"/content/{filled.item}"
    for method, path, body in (
        ("POST", "/content", {"type": text, "data": {}}),
        ("POST", "/content", {"type": "article", "data": {"title": text, "body": text, "tags": [text], "code": text}}),
        ("POST", "/content", {"type": "article", "data": {text: text}}),
        ("POST", "/content", {"type": "article", "slug": text, "locale": text, "data": {}}),
        ("PATCH", item, {"taxonomies": {text: [text], "topics": [text, {"slug": text}]}}),
        ("POST", f"{item}/publish", {"locales": [text]}),
        ("POST", f"{item}/publish", {"at": text}),
        ("POST", f"{item}/duplicate", {"slug": text, "data": {"title": text}}),
        ("PUT", f"{item}/hold", {"reason": text}),
        ("DELETE", f"{item}/hold", None),
        ("POST", f"{item}/revisions/1/restore", {"fields": [text]}),
        ("POST", "/content/bulk", {"operations": [{"op": "update", "id": filled.item, "data": {"title": text}}]}),
        ("POST", "/content/releases", {"name": text, "items": [{"id": filled.item, "action": "publish"}]}),
        ("POST", "/taxonomies/topics/terms", {"name": text, "slug": text}),
        ("POST", "/content-types", {"key": "k", "name": text, "fields": [{"key": "a", "type": "string",
                                                                         "pattern": text, "default": text}]}),
        ("POST", "/content-types", {"key": "l", "name": "l", "fields": [], "settings": {text: text}}),
        ("POST", "/content-types/article/plan", {"fields": [{"key": "a", "type": "string", "renamed_from": text}]}),
        ("POST", "/content/query", {"type": "article", "filter": {"data.title": {"in": [text]}, "slug": text}}),
        ("POST", "/content/query", {"type": "article", "q": text, "sort": text, "fields": text, "include": text}),
        ("POST", "/content/query", {"type": "article", "cursor": text}),
        ("POST", "/content/query", {"type": "article", "filter": {text: {text: text}}}),
    ):  # fmt: skip
        answer = await filled.call(method, path, json=body)
        assert answer.status < 500, (path, body, answer.raw)


LINE = {"kind": "item", "type": "article", "created_at": "2020-01-01T00:00:00Z", "created_by": None,
        "archived_at": None, "stage": None, "taxonomies": {}}  # fmt: skip
ENTRY = {"locale": "en", "version": 1, "updated_at": "2020-01-01T00:00:00Z", "updated_by": None,
         "data": {"title": "T"}, "published": None}  # fmt: skip


async def test_a_hostile_line_of_an_export_does_not_stop_the_others(articles, drain):
    wrong = (
        {"created_at": "0001-01-01T00:00:00+23:59"}, {"archived_at": "9999-12-31T23:59:59-23:59"}, {"stage": "\u0000"},
        {"taxonomies": {"\u0000": ["a"]}}, {"entries": [{**ENTRY, "data": {"title": "\u0000"}}]},
        {"entries": [{**ENTRY, "version": 10**30}]},
        {"entries": [{**ENTRY, "updated_at": "0001-01-01T00:00:00+01:00"}]},
    )  # fmt: skip
    lines = [
        {**LINE, "id": f"{RANDOM[:-2]}{number:02}", "slug": f"line-{number}", "entries": [ENTRY], **change}
        for number, change in enumerate([*wrong, {}])
    ]
    form = FormData()
    form.add_field("format", "export")
    form.add_field("file", "\n".join(map(json.dumps, lines)), filename="export.ndjson")
    job = (await articles.call("POST", "/content/import", data=form)).json["job_id"]
    await drain()
    report = (await articles.get(f"/search/jobs/{job}")).json["result"]
    assert (report["failed"], report["created"]) == (len(wrong), 1)
