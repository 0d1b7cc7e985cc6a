"""What holds for every list that is read by pages: its total is that of the list and not of the page, pages and cursors
give each row once, and a cursor of one list is none of another."""

import pytest
import pytest_asyncio

from scaicms.web.dispatch import API_PREFIX

NO_CURSORS = {"/search"}
BESIDE = {"/content": "type=article", "/content/translations/missing": "locale=de", "/search": "q=title"}
EVERYBODYS = ("/users", "/roles", "/sites", "/groups", "/api-keys", "/search/jobs")
"""Lists that tests running at the same time change."""


@pytest_asyncio.fixture
async def named(articles, admin, drain):
    """A site with a few of everything, and what the addresses of its lists name."""
    key = articles.site
    german = {"locales": [{"code": "en"}, {"code": "de"}]}
    assert (await articles.patch(f"/sites/{key}", german)).status == 200
    topic = (await articles.post("/taxonomies", {"key": "topics", "name": "Topics"})).json["key"]
    for taxonomy in ("places", "people"):
        await articles.post("/taxonomies", {"key": taxonomy, "name": taxonomy})
    terms = [(await articles.post(f"/taxonomies/{topic}/terms", {"name": f"Term {n}"})).json["id"] for n in range(3)]
    target = (await articles.post("/content", {"type": "article", "data": {"title": "title"}, "publish": True})).json[
        "id"
    ]
    for number in range(4):
        data = {"title": f"title {number}", "related": target}
        body = {"type": "article", "data": data, "taxonomies": {topic: [terms[0]]}, "publish": number % 2 == 0}
        made = (await articles.post("/content", body)).json["id"]
        await articles.post(f"/content/{made}/publish", {"at": f"2099-01-0{number + 1}T00:00:00Z"})
        await articles.patch(f"/content/{target}", {"data": {"count": number}})
        await articles.post("/content/releases", {"name": f"Release {number}", "items": [{"id": made}]})
        gone = (await articles.post("/content", {"type": "article", "data": {"title": f"gone {number}"}})).json["id"]
        await articles.delete(f"/content/{gone}")
    hooks = [
        (await articles.post("/webhooks", {"name": f"Hook {n}", "url": "http://127.0.0.1:9/", "events": ["*"]})).json[
            "id"
        ]
        for n in range(3)
    ]
    for _ in range(3):
        assert (await articles.post(f"/webhooks/{hooks[0]}/test")).status in (200, 201, 202)
    group = (await admin.post("/groups", {"name": f"Group {key}"})).json
    people = [one["id"] for one in (await admin.get("/users?page_size=3")).json["items"]]
    await admin.post(f"/groups/{group['id']}/members", {"user_ids": people})
    await drain()
    return {
        "/content/{id}/usage": target, "/content/{id}/revisions": target, "/groups/{id}/members": group["id"],
        "/webhooks/{id}/deliveries": hooks[0], "/taxonomies/{key}/terms/{id}/content": terms[0],
        "/taxonomies/{key}/terms": "", "/content-types/{key}/versions": "",
    }  # fmt: skip


@pytest_asyncio.fixture
async def lists(client, named):
    """The addresses of all lists that have pages, but for those of one asset."""
    document = await (await client.get("/openapi.json")).json()
    found = []
    for path, methods in document["paths"].items():
        route = path.removeprefix(API_PREFIX)
        names = {parameter.get("name") for parameter in methods.get("get", {}).get("parameters", ())}
        if "page" in names and route != "/assets/{id}/usage":
            key = "article" if route.startswith("/content-types") else "topics"
            address = route.replace("{id}", named.get(route, "")).replace("{key}", key)
            found.append((route, f"{address}?{BESIDE.get(route, '')}".rstrip("?")))
    assert len(found) > 20
    return found


def with_query(path, more):
    return f"{path}{'&' if '?' in path else '?'}{more}"


def total_of(answer):
    assert answer.status == 200, answer.raw
    return answer.json["total"], answer.json.get("total_relation", "exact")


async def test_the_total_of_a_list_does_not_depend_on_the_page(articles, lists):
    for route, path in lists:
        first = total_of(await articles.get(with_query(path, "page_size=2")))
        if route in EVERYBODYS or route == "/users/audit":
            continue
        for more in ("page=2&page_size=2", "page=4000&page_size=2", "page=1000000&page_size=200", "page_size=1"):
            assert total_of(await articles.get(with_query(path, more))) == first, (path, more)
        if route not in NO_CURSORS:
            assert total_of(await articles.get(with_query(path, "page_size=2&cursor="))) == first, path


async def test_pages_and_cursors_give_each_row_once(articles, lists):
    for route, path in lists:
        if route in NO_CURSORS or route in (*EVERYBODYS, "/users/audit"):
            continue
        whole = (await articles.get(with_query(path, "page_size=200"))).json["items"]
        if route in ("/content/trash", "/content/schedule", "/content/{id}/usage", "/content/releases"):
            assert len(whole) >= 4, path
        by_pages, by_cursors, cursor = [], [], ""
        for number in range(1, len(whole) // 2 + 2):
            by_pages += (await articles.get(with_query(path, f"page={number}&page_size=2"))).json["items"]
        while cursor is not None:
            page = (await articles.get(with_query(path, f"page_size=2&cursor={cursor}"))).json
            by_cursors += page["items"]
            cursor = page.get("next_cursor")
        assert by_pages == whole, path
        assert by_cursors == whole, path


@pytest.mark.parametrize("cursor", ["x", "AAAA", "ü", "A" * 1900])
async def test_a_cursor_of_nobodys_is_refused(articles, lists, cursor):
    for route, path in lists:
        if route not in NO_CURSORS:
            answer = await articles.get(with_query(path, f"cursor={cursor}"))
            assert (answer.status, answer.code) == (400, "invalid_cursor"), path


async def test_a_cursor_of_one_list_is_none_of_another(articles):
    cursor = (await articles.get("/roles?page_size=1")).json["next_cursor"]
    assert (await articles.get(f"/roles?page_size=1&cursor={cursor}")).status == 200
    for path in ("/sites", "/users", "/users/audit", "/search/jobs", "/content?type=article"):
        answer = await articles.get(with_query(path, f"cursor={cursor}"))
        assert (answer.status, answer.code) == (400, "invalid_cursor"), path
    cursor = (await articles.get("/search/jobs?queue=search&page_size=1")).json.get("next_cursor")
    if cursor is not None:
        assert (await articles.get(f"/search/jobs?queue=default&cursor={cursor}")).code == "invalid_cursor"
