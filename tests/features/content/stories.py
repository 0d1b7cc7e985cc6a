"""A type with shared and localized fields on a site with three locales, for the tests of translations."""

LOCALES = [{"code": "en"}, {"code": "de", "fallback": ["fr"]}, {"code": "fr"}]
STORY = {
    "key": "story",
    "name": "Story",
    "fields": [
        {"key": "title", "type": "string", "required": True, "localized": True},
        {"key": "body", "type": "markdown", "localized": True},
        {"key": "address", "type": "string", "localized": True, "unique": True},
        {"key": "friend", "type": "relation", "target": "story", "localized": True},
        {"key": "price", "type": "number"},
        {"key": "code", "type": "string", "unique": True},
        {"key": "secret", "type": "string", "localized": True, "private": True},
        {"key": "kept", "type": "string", "default": "by default"},
    ],
}


async def story_site(admin, site):
    """The site with its locales and the type `story`."""
    assert (await admin.patch(f"/sites/{site.site}", {"locales": LOCALES})).status == 200
    assert (await site.post("/content-types", STORY)).status == 201
    return site


async def told(api, *, locale="en", publish=False, slug=None, **data):
    """A new story."""
    body = {"type": "story", "locale": locale, "data": {"title": "Zebra", **data}, "publish": publish}
    answer = await api.post("/content", body if slug is None else {**body, "slug": slug})
    assert answer.status == 201, answer.raw
    return answer.json


async def translated(api, item, locale, publish=False, **data):
    """The story in one more locale."""
    answer = await api.put(f"/content/{item['id']}/translations/{locale}", {"data": {"title": "Zebra", **data}})
    assert answer.status in (200, 201), answer.raw
    if publish:
        await published(api, item, locale)
    return answer.json


async def published(api, item, *locales):
    answer = await api.post(f"/content/{item['id']}/publish", {"locales": list(locales)})
    assert answer.status == 200, answer.raw
    return answer.json


async def draft(api, item, locale):
    answer = await api.get(f"/content/{item['id']}/translations/{locale}")
    assert answer.status == 200, answer.raw
    return answer.json
