"""The query language against a model of it in Python, by parameters and as JSON; pages by cursors."""

import itertools
import json
from urllib.parse import quote

import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FIELDS = [
    {"key": "title", "type": "string"},
    {"key": "number", "type": "number", "indexed": True},
    {"key": "flag", "type": "boolean"},
    {"key": "day", "type": "date", "indexed": True},
    {"key": "at", "type": "datetime"},
    {"key": "tags", "type": "multiselect"},
    {"key": "writer", "type": "relation", "target": "person"},
    {"key": "helpers", "type": "relations", "target": "person"},
]
PERSON = [
    {"key": "name", "type": "string"},
    {"key": "age", "type": "integer"},
    {"key": "boss", "type": "relation", "target": "person"},
]
TITLES = ["", "a", "A", "ab", "b", "ä", "Z_", "z%", "\\", "a,b", "x" * 600 + "1", "x" * 600 + "2"]
NUMBERS = [-1.5, 0, 2, 2.0, 10, 1e20]
DAYS = ["2026-01-01", "2026-01-02", "1999-12-31"]
TIMES = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.500000Z", "2026-01-01T01:00:01Z"]
TAGS = ["red", "green", "blue"]
NAMES = ["Ann", "Bob", "Cy"]
SORTABLE = ["data.title", "data.number", "data.flag", "data.day", "data.at", "slug", "published_at", "version"]


def things():
    """Forty items with ties and without values, the same in each run."""
    made = []
    for n in range(40):
        data = {
            "title": TITLES[n % 12],
            "number": NUMBERS[n * 5 % 6],
            "flag": n % 3 == 0,
            "day": DAYS[n * 7 % 3],
            "at": TIMES[n // 5 % 3],
            "tags": [TAGS[n % 3], TAGS[n // 3 % 3]][: n % 3],
            "writer": n % 4,
            "helpers": [n % 3, (n + 1) % 3][: n % 3],
        }
        missing = [key for place, key in enumerate(data) if (n * 31 + place * 17) % 5 == 0]
        made.append({key: value for key, value in data.items() if key not in missing})
    return made


@pytest_asyncio.fixture(scope="module")
async def world(admin):
    """A site with items, and these items as the API shows them, the newest first."""
    assert (await admin.post("/sites", {"key": "queried", "name": "Queried"})).status in (201, 409)
    site = admin.at("queried")
    for key, fields in (("person", PERSON), ("thing", FIELDS)):
        assert (await site.post("/content-types", {"key": key, "name": key, "fields": fields})).status == 201
    people = []
    for n, name in enumerate([*NAMES, "Hidden"]):
        data = {"name": name, "age": 30 + n, **({"boss": people[n - 1]} if n else {})}
        answer = await site.post("/content", {"type": "person", "data": data, "publish": name != "Hidden"})
        people.append(answer.json["id"])
    for thing in things():
        about = dict(thing)
        if "writer" in about:
            about["writer"] = people[about["writer"]]
        if "helpers" in about:
            about["helpers"] = [people[n] for n in dict.fromkeys(about["helpers"])]
        answer = await site.post("/content", {"type": "thing", "data": about, "publish": True})
        assert answer.status == 201, answer.raw
    items = (await site.get("/content?type=thing&page_size=200")).json["items"]
    site.people = {p["id"]: p for p in (await site.get("/content?type=person")).json["items"]}
    assert (len(items), len(site.people)) == (40, 3)
    site.items = items
    return site


def value_of(item, path):
    return item.get("data", {}).get(path[5:]) if path.startswith("data.") else item[path]


def holds(people, item, path, operator, value):
    """What a clause means."""
    parts = path.split(".")
    if len(parts) > 2:
        targets = value_of(item, f"data.{parts[1]}")
        ids = targets if isinstance(targets, list) else [targets]
        rest = ".".join(parts[2:])
        return any(holds(people, people[i], rest, operator, value) for i in ids if i in people)
    have = value_of(item, path)
    if operator == "exists":
        return (have is not None) == value
    if operator in ("ne", "nin"):
        return not holds(people, item, path, {"ne": "eq", "nin": "in"}[operator], value)
    if have is None:
        return False
    if isinstance(have, list):
        return any(v in have for v in (value if operator == "in" else [value]))
    return COMPARE[operator](have, value)


COMPARE = {
    "eq": lambda have, value: have == value,
    "in": lambda have, value: have in value,
    "lt": lambda have, value: order(have) < order(value),
    "lte": lambda have, value: order(have) <= order(value),
    "gt": lambda have, value: order(have) > order(value),
    "gte": lambda have, value: order(have) >= order(value),
    "between": lambda have, value: order(value[0]) <= order(have) <= order(value[1]),
    "contains": lambda have, value: value in have,
    "icontains": lambda have, value: value.lower() in have.lower(),
    "starts_with": lambda have, value: have.startswith(value),
    "ends_with": lambda have, value: have.endswith(value),
}


def order(value):
    return value.removesuffix("Z") if isinstance(value, str) else value


def meets(people, item, tree):
    for key, asked in tree.items():
        if key == "and":
            found = all(meets(people, item, member) for member in asked)
        elif key == "or":
            found = any(meets(people, item, member) for member in asked)
        elif key == "not":
            found = not meets(people, item, asked)
        else:
            found = all(holds(people, item, key, operator, value) for operator, value in asked.items())
        if not found:
            return False
    return True


def clause(path, values, operators):
    def asked(operator):
        if operator == "exists":
            return st.booleans()
        if operator in ("in", "nin"):
            return st.lists(values, min_size=1, max_size=3)
        if operator == "between":
            return st.lists(values, min_size=2, max_size=2)
        return values

    return st.sampled_from(operators).flatmap(lambda o: asked(o).map(lambda value: {path: {o: value}}))


ORDERED = ["eq", "ne", "in", "nin", "lt", "lte", "gt", "gte", "between", "exists"]
TEXTS = [*ORDERED, "contains", "icontains", "starts_with", "ends_with"]
CLAUSES = st.one_of(
    clause("data.title", st.sampled_from([*TITLES, "x", "%", "_", "B"]), TEXTS),
    clause("data.number", st.sampled_from([*NUMBERS, 3, -1e30]), ORDERED),
    clause("data.flag", st.booleans(), ["eq", "ne", "exists"]),
    clause("data.day", st.sampled_from([*DAYS, "2026-06-01"]), ORDERED),
    clause("data.at", st.sampled_from(TIMES), ORDERED),
    clause("data.tags", st.sampled_from([*TAGS, "no"]), ["contains", "eq", "ne", "in", "nin", "exists"]),
    clause("version", st.sampled_from([1, 2]), ORDERED),
    clause("data.writer.data.name", st.sampled_from([*NAMES, "Hidden"]), TEXTS),
    clause("data.writer.data.boss.data.name", st.sampled_from(NAMES), ["eq", "ne"]),
    clause("data.helpers.data.age", st.sampled_from([30, 31, 99]), ORDERED),
    clause("data.helpers.data.boss.data.boss.slug", st.sampled_from(["ann", "bob"]), ["eq", "in"]),
)
TREES = st.recursive(
    CLAUSES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda members: {"or": members}),
        st.lists(inner, min_size=1, max_size=3).map(lambda members: {"and": members}),
        inner.map(lambda member: {"not": member}),
        st.tuples(inner, inner).map(lambda two: {**two[0], **two[1]}),
    ),
    max_leaves=6,
)
SORTS = st.lists(st.tuples(st.booleans(), st.sampled_from(SORTABLE)), min_size=1, max_size=3).map(
    lambda keys: ",".join(("-" if down else "") + name for down, name in keys)
)
QUICK = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def text(value):
    return value if isinstance(value, str) else json.dumps(value)


def parameters(tree, prefix="filter"):
    """The same tree as query parameters."""
    for key, asked in tree.items():
        if key == "not":
            yield from parameters(asked, f"{prefix}[not]")
        elif key in ("and", "or"):
            for number, member in enumerate(asked):
                yield from parameters(member, f"{prefix}[{key}][{number}]")
        else:
            for operator, value in asked.items():
                values = ",".join(map(text, value)) if isinstance(value, list) else text(value)
                yield f"{prefix}[{key}][{operator}]={quote(values)}"


def ids(answer):
    assert answer.status == 200, answer.raw
    return [item["id"] for item in answer.json["items"]]


@QUICK
@given(tree=TREES)
async def test_lists_hold_what_the_filters_say_by_parameters_and_as_json(world, tree):
    wanted = [item["id"] for item in world.items if meets(world.people, item, tree)]
    by_json = await world.post("/content/query", {"type": "thing", "page_size": 200, "filter": tree})
    assert (ids(by_json), by_json.json["total"]) == (wanted, len(wanted))
    if "a,b" not in json.dumps(tree):  # a comma parts values of a parameter
        by_parameters = await world.get(f"/content?type=thing&page_size=200&{'&'.join(parameters(tree))}")
        assert by_parameters.raw == by_json.raw


@QUICK
@given(tree=st.none() | TREES, sort=SORTS, size=st.sampled_from((2, 5, 9, 15)))
async def test_cursors_pass_every_item_once_in_order(world, tree, sort, size):
    query = {"type": "thing", "sort": sort, "filter": tree or {}}
    whole = ids(await world.post("/content/query", {**query, "page_size": 200}))
    assert whole == model_order([i for i in world.items if tree is None or meets(world.people, i, tree)], sort)
    seen, cursor = [], ""
    for _ in itertools.count():
        answer = await world.post("/content/query", {**query, "page_size": size, "cursor": cursor})
        page = ids(answer)
        assert answer.json["total"] == len(whole)
        seen += page
        cursor = answer.json["next_cursor"]
        if cursor is None:
            break
        assert len(page) == size
    assert seen == whole


def model_order(items, sort):
    """Stable sorts from the last key to the first; what is missing comes last."""
    items = sorted(items, key=lambda i: i["id"], reverse=sort.startswith("-"))
    for name in reversed(sort.split(",")):
        down, path = name.startswith("-"), name.removeprefix("-")
        have = [i for i in items if value_of(i, path) is not None]
        have.sort(key=lambda i: key_of(value_of(i, path)), reverse=down)
        items = [*have, *(i for i in items if value_of(i, path) is None)]
    return [item["id"] for item in items]


def key_of(value):
    return order(value).encode() if isinstance(value, str) else value
