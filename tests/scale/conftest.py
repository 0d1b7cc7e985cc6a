"""One large site for all tests of this folder, in a database of its own."""

from dataclasses import dataclass
from uuid import UUID

import pytest_asyncio

from scaicms.features.content_types.indexing import IndexService
from scaicms.infra import db
from scaicms.web.ports import SERVICES
from tests.conftest import Api, role_with
from tests.scale import seeding
from tests.scale.growing import Owners, grow

TERMS = seeding.ITEMS // 10


@dataclass(frozen=True)
class Large:
    """The site, as the administrator."""

    api: Api
    author: str
    term: str

    @property
    def anonymous(self) -> Api:
        return self.api.anonymous()


@pytest_asyncio.fixture(scope="session")
async def large(client, admin):
    made = await admin.post("/sites", {"key": "large", "name": "Large"})
    assert made.status == 201, made.raw
    site, site_id = admin.at("large"), UUID(made.json["id"])
    types = {}
    for key, fields in (("author", seeding.FIELDS[:1]), ("article", seeding.FIELDS)):
        answer = await site.post("/content-types", {"key": key, "name": key, "fields": fields})
        assert answer.status == 201, answer.raw
        types[key] = UUID(answer.json["id"])
    await client.app[SERVICES].get(IndexService).keep(types["article"])
    authors = await _authors(site)
    assert (await site.post("/taxonomies", {"key": "topics", "name": "Topics", "hierarchical": True})).status == 201
    term = (await site.post("/taxonomies/topics/terms", {"name": "Root"})).json
    taxonomy_id = await db.fetchval("SELECT id FROM taxonomies WHERE site_id = $1", site_id)
    await seeding.grow_terms(taxonomy_id, UUID(term["id"]), TERMS)
    await seeding.fill(
        site_id,
        types["article"],
        authors,
        number=seeding.ITEMS,
        term_id=UUID(term["id"]),
        taxonomy_id=taxonomy_id,
        dsn=client.app[SERVICES].resources.settings.database_url,
    )
    await db.execute("DELETE FROM jobs WHERE state = 'pending'")
    role = await role_with(admin, "content:read", "content_types:read", "taxonomies:read")
    assert (
        await admin.patch(
            "/sites/large", {"settings": {"public_role": role}, "locales": [{"code": "en"}, {"code": "de"}]}
        )
    ).status == 200
    return Large(site, str(authors[0]), term["id"])


async def _authors(site: Api) -> list[UUID]:
    """One author who wrote half of everything, and stands for the others, too."""
    made = await site.post("/content", {"type": "author", "data": {"title": "Author"}, "publish": True})
    assert made.status == 201, made.raw
    return [UUID(made.json["id"])] * seeding.AUTHORS


@pytest_asyncio.fixture(scope="session")
async def crowded(large, client, admin):
    """The large site with everything else; what addresses name."""
    site_id = await db.fetchval("SELECT id FROM sites WHERE key = 'large'")
    group = (await admin.post("/groups", {"name": "Crowd", "key": "crowd"})).json
    role = await role_with(admin, "content:read")
    hook = await large.api.post("/webhooks", {"name": "Crowd", "url": "http://127.0.0.1:9/", "events": ["*"]})
    assert hook.status == 201, hook.raw
    owners = Owners(
        site=site_id,
        webhook=UUID(hook.json["id"]),
        group=UUID(group["id"]),
        role=await db.fetchval("SELECT id FROM roles WHERE key = $1", role),
        type=await db.fetchval("SELECT id FROM content_types WHERE site_id = $1 AND key = 'article'", site_id),
        item=await db.fetchval("SELECT id FROM items WHERE site_id = $1 AND slug = 'item-77'", site_id),
        admin=await db.fetchval("SELECT id FROM users WHERE email = 'admin@example.com'"),
    )
    await grow(owners, client.app[SERVICES].resources.settings.database_url)
    asset = await db.fetchval("SELECT id FROM assets WHERE site_id = $1 ORDER BY id LIMIT 1", site_id)
    named = {name: str(getattr(owners, name)) for name in ("webhook", "item", "admin", "site")}
    return {**named, "group": "crowd", "role": role, "asset": str(asset), "author": large.author, "term": large.term}
