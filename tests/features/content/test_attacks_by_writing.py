"""Writers of a part: what is out of their reach does not exist for any write, and no write changes it."""

import pytest
import pytest_asyncio

from tests.features.content.test_narrowing import PAGE, RANDOM, SAME, made, on

VERBS = ("read", "read_drafts", "create", "update", "delete", "publish", "hold")
LATER = "2100-01-01T00:00:00Z"
WRITES = (
    ("PATCH", "/content/{}", {"data": {"title": "X"}}),
    ("PATCH", "/content/{}?merge=true", {"data": {"title": "X"}}),
    ("PATCH", "/content/{}", {"taxonomies": {}}),
    ("PATCH", "/content/{}", {"slug": "mine"}),
    ("PUT", "/content/{}", {"data": {"title": "X"}}),
    ("DELETE", "/content/{}", None),
    ("DELETE", "/content/{}?permanent=true&force=true", None),
    ("POST", "/content/{}/publish", None),
    ("POST", "/content/{}/publish?dry_run=true", None),
    ("POST", "/content/{}/publish", {"with_targets": True}),
    ("POST", "/content/{}/publish", {"at": LATER}),
    ("POST", "/content/{}/unpublish", None),
    ("POST", "/content/{}/unpublish", {"at": LATER}),
    ("POST", "/content/{}/archive", None),
    ("POST", "/content/{}/restore", None),
    ("POST", "/content/{}/restore", {"slug": "mine"}),
    ("POST", "/content/{}/duplicate", {}),
    ("POST", "/content/{}/move", {"stage": "x"}),
    ("POST", "/content/{}/preview", None),
    ("POST", "/content/{}/revisions/1/restore", {}),
    ("PUT", "/content/{}/hold", {"reason": "X"}),
    ("DELETE", "/content/{}/hold", None),
    ("PUT", "/content/{}/translations/en", {"data": {"title": "X"}}),
    ("PATCH", "/content/{}/translations/en", {"data": {"title": "X"}}),
    ("DELETE", "/content/{}/translations/en", None),
    ("POST", "/content/bulk", {"operations": [{"op": "update", "id": "{}", "data": {"title": "X"}}], "atomic": True}),
    ("POST", "/content/bulk", {"operations": [{"op": "publish", "id": "{}"}, {"op": "unpublish", "id": "{}"}]}),
    ("POST", "/content/bulk", {"operations": [{"op": "delete", "id": "{}", "permanent": True, "force": True}]}),
    ("POST", "/content/releases", {"name": "r", "items": [{"id": "{}", "action": "publish"}]}),
    ("POST", "/content/releases", {"name": "r", "at": LATER, "items": [{"id": "{}", "action": "unpublish"}]}),
    ("POST", "/taxonomies/topics/terms/{term}/content", {"content_ids": ["{}"]}),
    ("DELETE", "/taxonomies/topics/terms/{term}/content", {"content_ids": ["{}"]}),
    ("POST", "/content", {"type": "article", "data": {"title": "X", "related": "{}"}}),
)
OF_RELEASES = (
    ("GET", "/content/releases/{}", None),
    ("PATCH", "/content/releases/{}", {"name": "mine"}),
    ("PATCH", "/content/releases/{}", {"at": None}),
    ("DELETE", "/content/releases/{}", None),
    ("POST", "/content/releases/{}/publish", None),
    ("DELETE", "/content/schedule/{scheduled}", None),
)


def about(value, item):
    if isinstance(value, dict):
        return {key: about(inner, item) for key, inner in value.items()}
    if isinstance(value, list):
        return [about(inner, item) for inner in value]
    return item if value == "{}" else value


@pytest_asyncio.fixture
async def world(articles):
    """Articles of others, one published and one not, and a page, with all that one can have."""
    assert (await articles.post("/content-types", PAGE)).status == 201
    assert (await articles.post("/taxonomies", {"key": "topics", "name": "Topics"})).status == 201
    articles.term = (await articles.post("/taxonomies/topics/terms", {"name": "rust"})).json["id"]
    page = await made(articles, type="page", data={"title": "P"}, taxonomies={"topics": ["rust"]})
    draft = await made(articles, publish=False, slug="draft")
    articles.hidden = [page["id"], draft["id"], (await made(articles, slug="published"))["id"]]
    for item in articles.hidden:
        assert (await articles.put(f"/content/{item}/hold", {"reason": "R"})).status in (200, 201)
    assert (await articles.post(f"/content/{page['id']}/publish", {"at": LATER})).status in (200, 202)
    articles.scheduled = (await articles.get("/content/schedule")).json["items"][0]["id"]
    release = {"name": "R", "at": LATER, "items": [{"id": page["id"], "action": "unpublish"}]}
    articles.release = (await articles.post("/content/releases", release)).json["id"]
    return articles


async def state(world):
    paths = [f"/content/{item}{below}" for item in world.hidden for below in ("?status=draft", "/revisions", "/hold")]
    paths += ["/content/schedule", "/content/releases", "/content?type=page", "/content?type=article&status=any"]
    return [(await world.get(path)).json for path in paths]


@pytest.mark.parametrize("bounds", [{"content_types": ["article"], "own_only": True}, {"own_only": True}])
async def test_writes_to_what_is_out_of_reach_are_answered_as_if_it_were_not_there(world, granted, bounds):
    grants = (on(f"content:{verb}", **bounds) for verb in VERBS)
    writer = await granted(world, *grants, "taxonomies:read")
    before = await state(world)
    for method, path, body in WRITES:
        where = path.replace("{term}", world.term)
        for item in world.hidden:
            answers = []
            for target in (item, RANDOM):
                answer = await writer.call(method, where.format(target), json=about(body, target), headers=SAME)
                answers.append((answer.status, answer.raw.replace(target.encode(), b"ID")))
            assert answers[0] == answers[1], (method, path)
            assert 400 <= answers[0][0] < 500 or b'"status":404' in answers[0][1], answers[0]
    for method, path, body in OF_RELEASES:
        answers = []
        for release, scheduled in ((world.release, world.scheduled), (RANDOM, RANDOM)):
            where = path.replace("{scheduled}", scheduled).format(release)
            answer = await writer.call(method, where, json=body, headers=SAME)
            answers.append((answer.status, answer.raw))
        assert answers[0] == answers[1], (method, path)
        assert answers[0][0] == 404, (method, path, answers[0])
    assert await state(world) == before
