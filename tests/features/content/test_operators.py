"""Every operator on every type of field: what it finds, or why it is refused."""

import pytest
import pytest_asyncio

ID = "019a1b2c-3d4e-7f00-8a1b-2c3d4e5f6071"


def component(key):
    return {"components": [{"key": key, "fields": [{"key": "name", "type": "string"}]}]}


PROSE = {"type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": "Hello"}]}]}
# Type of field: its options, a value, a greater one.
VALUES = {
    "string": ({}, "abc", "abd"),
    "text": ({}, "abc", "abd"),
    "markdown": ({}, "abc", "abd"),
    "slug": ({}, "abc", "abd"),
    "email": ({}, "abc@example.com", "abd@example.com"),
    "url": ({}, "https://abc.example", "https://abd.example"),
    "color": ({}, "#abc000", "#abd000"),
    "select": ({"options": ["abc", "abd"]}, "abc", "abd"),
    "integer": ({}, 9, 10),
    "number": ({}, 9.5, 10.25),
    "date": ({}, "2026-01-09", "2026-01-10"),
    "datetime": ({}, "2026-01-09T00:00:00Z", "2026-01-09T00:00:00.250000Z"),
    "boolean": ({}, False, True),
    "multiselect": ({}, ["abc"], ["abd", "x"]),
    "relation": ({"target": "thing"}, None, None),
    "relations": ({"target": "thing"}, None, None),
    "richtext": ({}, PROSE, PROSE),
    "json": ({}, {"a": 1}, [1]),
    "geo": ({}, {"lat": 1.0, "lon": 2.0}, {"lat": 1.0, "lon": 3.0}),
    "component": (component("one"), {"name": "a"}, {"name": "b"}),
    "components": (component("some"), [{"name": "a"}], [{"name": "b"}]),
    "blocks": (component("part"), [{"_type": "part", "name": "a"}], [{"_type": "part", "name": "b"}]),
}
TEXTS = ("string", "text", "markdown", "slug", "email", "url", "color", "select")
ORDERED = (*TEXTS, "integer", "number", "date", "datetime")
MANY = ("multiselect", "relations")
EQUAL = (*ORDERED, "boolean", "relation", *MANY)
# Operator: the types that know it, and what it finds of (none, low, high), asked with `low` or with `low,high`.
OPERATORS = {
    "eq": (EQUAL, "low", {"low"}),
    "ne": (EQUAL, "low", {"none", "high"}),
    "in": ([t for t in EQUAL if t != "boolean"], "both", {"low", "high"}),
    "nin": ([t for t in EQUAL if t != "boolean"], "both", {"none"}),
    "lt": (ORDERED, "high", {"low"}),
    "lte": (ORDERED, "high", {"low", "high"}),
    "gt": (ORDERED, "low", {"high"}),
    "gte": (ORDERED, "low", {"low", "high"}),
    "between": (ORDERED, "both", {"low", "high"}),
    "contains": ((*TEXTS, *MANY), "low", {"low"}),
    "icontains": (TEXTS, "low", {"low"}),
    "starts_with": (TEXTS, "low", {"low"}),
    "ends_with": (TEXTS, "low", {"low"}),
    "exists": (tuple(VALUES), "true", {"low", "high"}),
}


def plain(value):
    if isinstance(value, list):
        value = value[0]
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest_asyncio.fixture(scope="module")
async def typed(admin):
    """Three items: one without values, two with a lower and a higher one in a field of each type, indexed or not."""
    assert (await admin.post("/sites", {"key": "operators", "name": "Operators"})).status == 201
    site = admin.at("operators")
    made, values = {}, {kind: (low, high) for kind, (_, low, high) in VALUES.items()}
    thing = {"key": "thing", "name": "Thing", "fields": [{"key": "name", "type": "string"}]}
    assert (await site.post("/content-types", thing)).status == 201
    targets = sorted([
        (await site.post("/content", {"type": "thing", "data": {}, "publish": True})).json["id"] for _ in range(2)
    ])  # fmt: skip
    values["relation"], values["relations"] = tuple(targets), tuple([target] for target in targets)
    for key, indexed in (("plain", False), ("indexed", True)):
        fields = [{"key": f"f_{k}", "type": k, "indexed": indexed, **o} for k, (o, _, _) in VALUES.items()]
        answer = await site.post("/content-types", {"key": key, "name": key, "fields": fields})
        assert answer.status == 201, answer.raw
        for slug in ("none", "low", "high"):
            place = {"low": 0, "high": 1}.get(slug)
            data = {} if place is None else {f"f_{kind}": pair[place] for kind, pair in values.items()}
            answer = await site.post("/content", {"type": key, "slug": slug, "data": data, "publish": True})
            assert answer.status == 201, answer.raw
            made[key, slug] = answer.json["id"]
    site.asked = {kind: (plain(low), plain(high)) for kind, (low, high) in values.items()}
    return site


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("operator", OPERATORS)
async def test_an_operator_finds_what_it_says_or_is_refused_with_those_that_fit(typed, kind, operator):
    types, asked, expected = OPERATORS[operator]
    low, high = typed.asked[kind]
    value = {"low": low, "high": high, "both": f"{low},{high}", "true": "true"}[asked]
    for key in ("plain", "indexed"):
        for status in ("published", "any"):
            path = f"/content?type={key}&status={status}"
            answer = await typed.call("GET", path, params={f"filter[data.f_{kind}][{operator}]": value})
            if kind not in types:
                assert (answer.status, answer.code) == (400, "invalid_filter")
                assert f"is {kind}, which knows no operator {operator}; it has " in answer.json["detail"]["message"]
            else:
                assert answer.status == 200, answer.raw
                assert {item["slug"] for item in answer.json["items"]} == expected, (key, status)


@pytest.mark.parametrize("kind", VALUES)
async def test_a_value_that_a_type_cannot_have_is_refused(typed, kind):
    wrong = {"integer": "x", "number": "nan", "date": "2026-1-1", "datetime": "noon", "boolean": "1",
             "relation": "x", "relations": "x"}.get(kind)  # fmt: skip
    if wrong is None:
        answer = await typed.get(f"/content?type=plain&filter[data.f_{kind}][exists]=1")
    else:
        answer = await typed.get(f"/content?type=plain&filter[data.f_{kind}]={wrong}")
    assert (answer.status, answer.code) == (400, "invalid_filter")


async def test_values_are_compared_in_the_form_in_which_they_are_stored(typed):
    for query in (
        "filter[data.f_datetime]=2026-01-09T01:00:00%2B01:00",
        "filter[data.f_datetime][lt]=2026-01-09T00:00:00.1Z",
        "filter[data.f_color]=%23ABC000",
        f"filter[data.f_relation]={typed.asked['relation'][0].upper()}",
        "filter[data.f_number]=9.50",
    ):
        for key in ("plain", "indexed"):
            answer = await typed.get(f"/content?type={key}&{query}")
            assert [item["slug"] for item in answer.json["items"]] == ["low"], query


async def test_texts_are_taken_literally(typed):
    for value in ("%", "_", "\\", "' OR true --", "{}", "$1", "a\u0301"):
        for operator in ("eq", "contains", "starts_with", "in"):
            answer = await typed.call(
                "GET", "/content?type=indexed", params={f"filter[data.f_string][{operator}]": value}
            )
            assert (answer.status, answer.json["items"]) == (200, []), (value, operator)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("filter[or][data.f_string]=x", "numbered members"),
        ("filter[or]=x", "numbered members"),
        ("filter[or][x][data.f_string]=x", "numbered members"),
        ("filter[not]=x", "is not a filter"),
        ("filter[]=x", "is not a filter"),
        ("filter[data.f_string][eq][eq]=x", "is not a filter"),
        ("filter" + "[not]" * 30 + "[slug]=x", "at most 8 deep"),
        ("filter[data.f_string][like]=x", "knows no operator like"),
        ("filter[f_relation.data.name]=x", "followed as data.f_relation.data.name"),
        ("filter[data.f_relation.data.nothing]=x", "data.f_relation.data.name"),
        ("filter[data.f_relation.name]=x", "Known: data.f_relation.id"),
        ("filter[data.f_string.data.name]=x", "is no relation"),
        ("filter[data.nothing.data.name]=x", "plain has no data.nothing"),
        ("filter[data.f_relation.data.name.data.x]=x", "is no relation"),
        ("&".join(f"filter[or][{n}][slug]=x" for n in range(21)), "At most 20 filters"),
        ("filter[slug][in]=" + ",".join("x" * 201), "at most 200 values"),
        ("sort=slug,id,version,created_at,updated_at,published_at", "at most 5 paths"),
        ("sort=data.f_relation.data.name", "has no data.f_relation.data.name"),
    ],
)
async def test_what_is_no_filter_is_refused_with_what_would_be(typed, query, said):
    answer = await typed.get(f"/content?type=plain&{query}")
    assert (answer.status, answer.code) == (400, "invalid_filter"), answer.raw
    assert said in answer.json["detail"]["message"]


@pytest.mark.parametrize(
    "tree",
    [
        {"or": {"slug": "x"}}, {"or": []}, {"or": ["x"]}, {"or": [{}]}, {"not": []}, {"not": {}}, {"slug": None},
        {"slug": {"eq": ["x"]}}, {"slug": {"in": []}}, {"slug": {"in": [["x"]]}}, {"slug": {"eq": {"a": 1}}},
        {"Slug!": "x"}, {"data.nothing": 1}, {"slug": {"like": "x"}}, {"data.f_integer": {"between": [1]}},
        {"slug": {"starts_with": "\0"}}, {"or": [{"slug": str(n)} for n in range(21)]},
        {"not": {"not": {"not": {"not": {"not": {"not": {"not": {"not": {"not": {"slug": "x"}}}}}}}}}},
    ],
)  # fmt: skip
async def test_json_that_is_no_filter_is_refused(typed, tree):
    answer = await typed.post("/content/query", {"type": "plain", "filter": tree})
    assert (answer.status, answer.code) == (400, "invalid_filter"), answer.raw


async def test_the_json_query_is_as_strict_as_parameters(typed):
    for body in ({"type": None}, {"unknown": 1}, {"page_size": 201}, {"page": "1"}, {"filter": []},
                 {"page": 1, "cursor": ""}, {"sort": []}, {"sort": ["a,b"]}, {"fields": [1]}):  # fmt: skip
        assert (await typed.post("/content/query", {"type": "plain", **body})).status == 422, body
    for body in ({"sort": "nothing"}, {"fields": ["data.nothing"]}, {"include": ["nothing"]}, {"cursor": "x"}):
        assert (await typed.post("/content/query", {"type": "plain", **body})).status == 400, body
    assert (await typed.post("/content/query", {"type": "nothing"})).status == 404
    asked = {"type": "plain", "sort": ["-data.f_number"], "fields": ["slug"], "include": ["f_relation"], "page_size": 1}
    listed = await typed.get("/content?type=plain&sort=-data.f_number&fields=slug&include=f_relation&page_size=1")
    assert (await typed.post("/content/query", asked)).raw == listed.raw
    assert (listed.json["items"], len(listed.json["included"])) == ([{"slug": "high"}], 1)
