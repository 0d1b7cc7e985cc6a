"""Types that lead to each other, and items of them, for the tests of what relations lead to."""

from scaicms.features.content.delivery import DeliveryService

FIELDS = {
    "picture": [{"key": "alt", "type": "string"}],
    "author": [
        {"key": "name", "type": "string"},
        {"key": "mail", "type": "string", "private": True},
        {"key": "avatar", "type": "relation", "target": "picture"},
        {"key": "friends", "type": "relations", "target": "author"},
    ],
    "post": [
        {"key": "title", "type": "string"},
        {"key": "text", "type": "richtext"},
        {"key": "author", "type": "relation", "target": "author"},
        {"key": "next", "type": "relation", "target": "post"},
        {"key": "more", "type": "relations", "target": "post"},
        {"key": "editor", "type": "relation", "target": "author", "private": True},
    ],
}


async def put(api, kind, *, publish=True, **data):
    answer = await api.post("/content", {"type": kind, "data": data, "publish": publish})
    assert answer.status == 201, answer.raw
    return answer.json["id"]


async def filled_blog(site):
    """The site with these types, two posts, their author with a face and a friend."""
    for key, fields in FIELDS.items():
        answer = await site.post("/content-types", {"key": key, "name": key, "fields": fields})
        assert answer.status == 201, answer.raw
    site.face = await put(site, "picture", alt="A face")
    site.bob = await put(site, "author", name="Bob", mail="bob@example.com")
    site.ann = await put(site, "author", name="Ann", avatar=site.face, friends=[site.bob])
    site.first = await put(site, "post", title="first", author=site.ann)
    site.second = await put(site, "post", title="second", author=site.ann, next=site.first, more=[site.first])
    return site


class Counting:
    """The read pool or the share of searches, counting what it is asked."""

    def __init__(self, pool):
        self.pool, self.asked = pool, 0

    async def fetch(self, *arguments):
        self.asked += 1
        return await self.pool.fetch(*arguments)

    async def fetchval(self, *arguments):
        self.asked += 1
        return await self.pool.fetchval(*arguments)

    async def fetchrow(self, *arguments):
        self.asked += 1
        return await self.pool.fetchrow(*arguments)

    async def fetch_planned(self, *arguments):
        self.asked += 1
        return await self.pool.fetch_planned(*arguments)


async def queries(services, api, path):
    """How many an answer takes, and the answer."""
    delivery = services.get(DeliveryService)
    reads = delivery._reads = Counting(delivery._reads)
    searches = delivery._pages._searches = Counting(delivery._pages._searches)
    try:
        answer = await api.get(path)
    finally:
        delivery._reads, delivery._pages._searches = reads.pool, searches.pool
    assert answer.status == 200, answer.raw
    return reads.asked + searches.asked, answer.json
