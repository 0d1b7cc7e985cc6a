"""Ids of another site in bodies, filters and headers: for who knows them there is nothing behind them."""

import secrets

import pytest
import pytest_asyncio

from tests.conftest import ARTICLE
from tests.features.content.test_narrowing import made

PLACES = {
    "relation": ("POST", "/content", {"type": "article", "data": {"title": "X", "related": "{item}"}}, 422),
    "relations": ("PATCH", "/content/{own}", {"data": {"others": ["{item}"]}}, 422),
    "term by id": ("PATCH", "/content/{own}", {"taxonomies": {"topics": ["{term}"]}}, 422),
    "term as object": ("PATCH", "/content/{own}", {"taxonomies": {"topics": [{"id": "{term}"}]}}, 422),
    "release": ("POST", "/content/releases", {"name": "r", "items": [{"id": "{item}", "action": "unpublish"}]}, 422),
    "content of a term": ("POST", "/taxonomies/topics/terms/{own_term}/content", {"content_ids": ["{item}"]}, 422),
    "content away": ("DELETE", "/taxonomies/topics/terms/{own_term}/content", {"content_ids": ["{item}"]}, 422),
    "parent": ("POST", "/taxonomies/topics/terms", {"name": "x", "parent_id": "{term}"}, 422),
    "move": ("POST", "/taxonomies/topics/terms/{own_term}/move", {"parent_id": "{term}"}, 422),
    "merge": ("POST", "/taxonomies/topics/terms/{own_term}/merge", {"into": "{term}"}, (404, 422)),
    "plan": ("POST", "/content-types/article/plan/{plan}/apply", None, 404),
    "filter by term": ("POST", "/content/query", {"type": "article", "filter": {"terms.topics": "{term}"}}, 400),
    "duplicate": ("POST", "/content/{own}/duplicate", {"data": {"related": "{item}"}}, 422),
    "translation": ("PUT", "/content/{own}/translations/en", {"data": {"title": "X", "related": "{item}"}}, 422),
}


@pytest_asyncio.fixture
async def sites(admin, articles):
    """The item, term and plan of a site, and a second site with an editor of it."""
    other = admin.at(f"s{secrets.token_hex(6)}")
    assert (await admin.post("/sites", {"key": other.site, "name": "Other"})).status == 201
    ids = {}
    for site, names in ((articles, ("item", "term")), (other, ("own", "own_term"))):
        if site is other:
            assert (await site.post("/content-types", ARTICLE)).status == 201
        assert (await site.post("/taxonomies", {"key": "topics", "name": "T", "hierarchical": True})).status == 201
        term = await site.post("/taxonomies/topics/terms", {"name": "rust"})
        item = await made(site, taxonomies={"topics": ["rust"]})
        ids |= {names[0]: item["id"], names[1]: term.json["id"]}
    ids["plan"] = (await articles.post("/content-types/article/plan", {"fields": ARTICLE["fields"][:3]})).json[
        "plan_id"
    ]
    return articles, other, ids


def filled(value, ids):
    if isinstance(value, dict):
        return {key: filled(inner, ids) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, ids) for inner in value]
    return value.format(**ids) if isinstance(value, str) else value


@pytest.mark.parametrize("place", PLACES)
async def test_ids_of_another_site_lead_nowhere(sites, user, place):
    first, other, ids = sites
    editor = await user("administrator", site=other.site)
    method, path, body, expected = PLACES[place]
    before = (await first.get(f"/content/{ids['item']}?status=draft")).raw
    answer = await editor.call(method, path.format(**ids), json=filled(body, ids))
    assert answer.status in (expected if isinstance(expected, tuple) else (expected,)), answer.raw
    assert "hidden words" not in answer.raw.decode()
    assert (await first.get(f"/content/{ids['item']}?status=draft")).raw == before


async def test_bulk_operations_find_nothing_of_another_site(sites, user):
    first, other, ids = sites
    editor, item = await user("administrator", site=other.site), ids["item"]
    operations = [{"op": op, "id": item} for op in ("update", "publish", "unpublish", "delete")]
    done = await editor.post("/content/bulk", {"operations": operations})
    assert [one["status"] for one in done.json["results"]] == [404] * 4
    found = await editor.post(
        "/content/query", {"type": "article", "filter": {"or": [{"id": item}, {"id": ids["own"]}]}}
    )
    assert [one["id"] for one in found.json["items"]] == [ids["own"]]
    assert (await first.get(f"/content/{item}")).status == 200


async def test_a_key_of_one_site_opens_no_other(sites, admin):
    first, other, ids = sites
    site_id = (await admin.get(f"/sites/{other.site}")).json["id"]
    permissions = ["content:read", "content:read_drafts", "content:update", "content:publish", "taxonomies:read"]
    made_key = await admin.post("/api-keys", {"name": "k", "permissions": permissions, "site_ids": [site_id]})
    program = other.with_token(made_key.json["key"])
    assert (await program.get(f"/content/{ids['own']}")).status == 200
    for path in (f"/content/{ids['item']}", f"/content/{ids['item']}/revisions/1", f"/content/{ids['item']}/usage",
                 "/content?type=article", "/content/export", "/taxonomies/topics/terms"):  # fmt: skip
        refused = await program.at(first.site).get(path)
        assert (refused.status, refused.code) == (403, "site_forbidden"), path
    for path in (f"/content/{ids['item']}", f"/content/{ids['item']}/revisions/1", f"/content/{ids['item']}/usage"):
        assert (await program.get(path)).status == 404, path
    kept = {"Idempotency-Key": "same"}
    body = {"data": {"title": "Copied"}}
    assert (await program.at(first.site).post(f"/content/{ids['item']}/duplicate", body, headers=kept)).status == 403
    assert (await program.post(f"/content/{ids['item']}/duplicate", body, headers=kept)).status in (403, 404)
