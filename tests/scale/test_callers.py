"""With hundreds of thousands of rows in every table, no list costs the database more than a bound: neither for who may
read all of them, nor for who may read few."""

import pytest

from tests.scale.growing import FEWER
from tests.scale.test_anonymous import MAX_MS, cheapest

pytestmark = [pytest.mark.scale, pytest.mark.timeout(1800)]

LISTS = {
    "/users": ["", "q=user-7", "q=zzzz", "is_active=false", "role={role}", "group={group}", "role={role}&q=zzzz",
               "page=50", "role=viewer"],
    "/users/audit": ["", "count=none", "action=site.updated", "action=site.*", "action=nothing.happened",
                     "actor=system", "actor={admin}", "target={item}", "site={site}", "page=90",
                     "site={site}&action=page.nothing", "from=2030-01-01T00:00:00Z", "to=2001-01-01T00:00:00Z",
                     "target={item}&actor=anonymous"],
    "/groups": ["", "q=group-7", "q=zzzz", "page=100"],
    "/groups/{group}/members": ["", "page=100"],
    "/roles": ["", "page=100"],
    "/sites": ["", "page=100"],
    "/api-keys": ["", "page=100"],
    "/webhooks": [""],
    "/webhooks/{webhook}/deliveries": ["", "status=pending", "status=failed", "status=delivered", "count=none",
                                       "event_type=content.unpublished", "page=90"],
    "/webhooks/events": ["", "types=content.archived", "after=100000&types=content.created"],
    "/search/jobs": ["", "queue=search", "queue=ai", "state=due", "state=deferred", "state=running", "state=dead",
                     "state=done", "state=cancelled", "state=quarantined", "name=name3", "name=zzzz", "page=90",
                     "queue=default&state=dead&name=zzzz", "queue=default&state=deferred"],
    "/assets": ["", "q=file-77", "q=zzzz", "type=image/*", "type=video/mp4", "folder=f1", "folder=zz", "tag=t1",
                "tag=zz", "unused=true", "unused=false", "status=failed", "sort=created_at", "sort=size",
                "sort=-filename", "sort=updated_at", "page=90", "sort=size&page=90"],
    "/assets/{asset}/usage": [""],
    "/taxonomies": ["", "page=100"],
    "/taxonomies/topics/terms": ["", "counts=true", "counts=true&page_size=200", "q=zzzz"],
    "/taxonomies/topics/terms/{term}/content": ["", "descendants=true", "page=90"],
    "/content-types": [""],
    "/content-types/article/versions": [""],
    "/content/schedule": ["", "item={item}", "state=failed", "state=done", "from=2040-01-01T00:00:00Z",
                          "to=2001-01-01T00:00:00Z", "item={author}", "page=90"],
    "/content/releases": ["", "page=100"],
    "/content/trash": ["", "type=article", "type=author", "page=100"],
    "/content/translations/missing": ["locale=de", "locale=en", "locale=de&type=author", "locale=de&type=article",
                                      "locale=de&page=100"],
    "/content/{item}/revisions": ["", "locale=en", "page=90"],
    "/content/{author}/usage": ["", "page=90"],
    "/content/{item}/usage": [""],
}  # fmt: skip


# Authors in German, of which there are none, and some rights without bounds.
NARROW = [
    *({"permission": f"content:{action}", "content_types": ["author"], "locales": ["de"]}
      for action in ("read", "read_drafts", "publish", "delete")),
    "taxonomies:read", "webhooks:read", "search:queues",
]  # fmt: skip


def addresses(named):
    for path, queries in LISTS.items():
        for query in queries:
            yield f"{path}?{query}".rstrip("?").format(**named)


async def slow_ones(api, paths):
    slow, failed = {}, {}
    for path in paths:
        answer, taken = await cheapest(api, path)
        if taken > MAX_MS:
            slow[path] = round(taken)
        if answer.status not in (200, 403, 404):
            failed[path] = answer.raw
        cursor = answer.json.get("next_cursor") if answer.status == 200 else None
        if cursor and "/events" not in path and "page=" not in path:
            after, taken = await cheapest(api, f"{path}{'&' if '?' in path else '?'}cursor={cursor}")
            if taken > MAX_MS or after.status != 200:
                slow[f"{path} after a cursor"] = (round(taken), after.status)
    return slow, failed


async def test_no_list_takes_an_administrator_long(large, crowded):
    assert await slow_ones(large.api, addresses(crowded)) == ({}, {})


async def test_no_list_takes_a_narrowed_caller_long(large, crowded, granted):
    caller = await granted(large.api, *NARROW)
    assert await slow_ones(caller, addresses(crowded)) == ({}, {})


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("/content/trash?type=article", FEWER),
        ("/search/jobs?name=name3&state=done", 14_286),
        ("/users?q=user-77", 1_111),
        ("/assets?tag=t1", 66_667),
        ("/content/{item}/revisions?locale=en", FEWER + 1),
    ],
)
async def test_cursors_lead_through_all_of_a_list(large, crowded, path, number):
    """Each row once, in at most as many requests as there are windows and full pages."""
    found, cursor, requests = set(), "", 0
    while cursor is not None:
        answer = await large.api.get(f"{path.format(**crowded)}&page_size=200&cursor={cursor}")
        page = answer.json
        keys = [row.get("id") or row["number"] for row in page["items"]]
        assert not found & set(keys)
        found |= set(keys)
        cursor, requests = page.get("next_cursor"), requests + 1
        assert requests < 5_000
    assert abs(len(found) - number) <= 2


async def test_totals_do_not_depend_on_the_page(large, crowded):
    for path in addresses(crowded):
        if path.startswith("/webhooks/events") or "page=" in path or "count=none" in path or "page_size" in path:
            continue
        sep = "&" if "?" in path else "?"
        pages = [(await large.api.get(f"{path}{sep}page={number}")).json for number in (1, 2, 150)]
        first = (pages[0]["total"], pages[0].get("total_relation"))
        assert all((page["total"], page.get("total_relation")) == first for page in pages), path
