"""Every kind of change that shows in what is delivered, one after the other, for the tests of what is kept of it."""

from aiohttp import FormData

from tests.conftest import ARTICLE
from tests.features.content.schedules import come

LOCALES = [{"code": "en"}, {"code": "de", "fallback": ["fr"]}, {"code": "fr"}]
TERMS = "/taxonomies/topics/terms"


async def ok(call):
    answer = await call
    assert answer.status < 300, answer.raw
    return answer.json


async def publish(api, item, **data):
    if data:
        await ok(api.patch(f"/content/{item}", {"data": data}))
    await ok(api.post(f"/content/{item}/publish"))


async def new_slug(world, slug):
    await ok(world.patch(f"/content/{world.item}", {"slug": slug}))
    await publish(world, world.item)


async def translate(world):
    path = f"/content/{world.item}"
    await ok(world.put(f"{path}/translations/fr", {"data": {"title": "Bonjour"}}))
    await ok(world.post(f"{path}/publish", {"locales": ["fr"]}))


async def schedule(world, action):
    await ok(world.post(f"/content/{world.item}/{action}", {"at": "2099-01-01T00:00:00Z"}))
    await come(world.item)


async def import_rows(world):
    data = FormData()
    data.add_field("file", b'{"title": "Imported"}\n', filename="rows.ndjson")
    for name, value in (("type", "article"), ("publish", "true")):
        data.add_field(name, value)
    await ok(world.call("POST", "/content/import", data=data))


async def rename_field(world, old, new):
    fields = [{**f, "key": new, "renamed_from": old} if f["key"] == old else f for f in ARTICLE["fields"]]
    plan = await ok(world.post("/content-types/article/plan", {"fields": fields}))
    await ok(world.post(f"/content-types/article/plan/{plan['plan_id']}/apply"))


async def restore(world):
    await ok(world.post(f"/content/{world.item}/restore"))
    await publish(world, world.item)


async def remove_items(world):
    for item in (await ok(world.get("/content?type=article&page_size=200")))["items"]:
        await ok(world.delete(f"/content/{item['id']}?permanent=true&force=true"))


def changes(world, admin):
    """What to do, with a name; jobs are to be run after each. `world` has an `item` that leads to a `target` and has
    the first of its `terms`."""
    path, other, terms = f"/content/{world.item}", f"/content/{world.target}", world.terms
    rights, site = f"/roles/{world.role}/permissions", f"/sites/{world.site}"
    unchained = [{"code": locale["code"]} for locale in LOCALES]
    yield "publish", lambda: publish(world, world.item, body="new", price=3)
    yield "slug", lambda: new_slug(world, "other")
    yield "slug back", lambda: new_slug(world, "hello")
    yield "translation", lambda: translate(world)
    yield "locale chain", lambda: ok(admin.patch(site, {"locales": unchained}))
    yield "locale chain back", lambda: ok(admin.patch(site, {"locales": LOCALES}))
    yield "translation gone", lambda: ok(world.delete(f"{path}/translations/fr"))
    yield "target unpublished", lambda: ok(world.post(f"{other}/unpublish"))
    yield "target published", lambda: publish(world, world.target)
    yield "target renamed", lambda: publish(world, world.target, title="Aim")
    yield "term's name", lambda: ok(world.patch(f"{TERMS}/{terms['rust']}", {"name": "Ferris"}))
    yield "term moved", lambda: ok(world.post(f"{TERMS}/{terms['rust']}/move", {"parent_id": terms["news"]}))
    yield "term's slug", lambda: ok(world.patch(f"{TERMS}/{terms['rust']}", {"slug": "iron"}))
    yield "term merged", lambda: ok(world.post(f"{TERMS}/{terms['rust']}/merge", {"into": terms["languages"]}))
    yield "term deleted", lambda: ok(world.delete(f"{TERMS}/{terms['languages']}?force=true"))
    yield "unpublished at a time", lambda: schedule(world, "unpublish")
    yield "published at a time", lambda: schedule(world, "publish")
    yield "import", lambda: import_rows(world)
    yield "field renamed", lambda: rename_field(world, "price", "cost")
    yield "archived", lambda: ok(world.post(f"{path}/archive"))
    yield "from the archive", lambda: restore(world)
    yield "trash", lambda: ok(world.delete(f"{path}?force=true"))
    yield "from the trash", lambda: restore(world)
    yield "rights", lambda: ok(admin.put(rights, []))
    yield "rights back", lambda: ok(admin.put(rights, [{"permission": "content:read"}]))
    yield "items", lambda: remove_items(world)
    yield "type", lambda: ok(world.delete("/content-types/article"))
