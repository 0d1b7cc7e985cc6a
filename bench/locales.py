"""Reading along a chain of locales beside reading one, at few and at many items.

    .venv/bin/python -m bench.locales [--few 10000] [--many 100000]

Starts its own engine in a temporary folder. Every item is published in English, every third in French and every
tenth in German, so that a list for readers of German with `fallback=default` holds all of them, each in one of three
locales.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from uuid import UUID

import uvloop

from bench.delivery import bench_settings
from scaicms import registry
from scaicms.connect import create_services
from scaicms.embedded.postgres import EmbeddedPostgres
from scaicms.embedded.valkey import EmbeddedValkey
from scaicms.features.content.query_tree import from_parameters
from scaicms.features.content.schemas import ListItems
from scaicms.features.content.service import DeliveryService
from scaicms.features.content_types.schemas import CreateContentType
from scaicms.features.content_types.service import ContentTypeService
from scaicms.features.sites.schemas import CreateSite
from scaicms.features.sites.service import SiteService
from scaicms.infra import db
from scaicms.infra.db.migrations import migrate
from scaicms.infra.services import Services
from scaicms.kit.principal import SYSTEM
from scaicms.kit.sites import Site
from scaicms.settings import Settings

ROUNDS = 40
LOCALES = [{"code": "en"}, {"code": "fr"}, {"code": "de", "fallback": ["fr"]}]
FIELDS = [{"key": "title", "type": "string", "localized": True}, {"key": "price", "type": "integer"}]
ITEMS = """
WITH made AS (SELECT gen_random_uuid() AS id, n FROM generate_series(1, $3) n),
     items AS (INSERT INTO items (id, site_id, type_id, slug, created_at) SELECT id, $1, $2, 's' || n, now() FROM made),
     shown AS (SELECT id, n, l.locale FROM made JOIN (VALUES ('en', 1), ('fr', 3), ('de', 10)) AS l(locale, every)
               ON n % l.every = 0)
INSERT INTO documents (item_id, locale, site_id, type_id, slug, version, etag, body, data, created_at, updated_at,
                       published_at)
SELECT id, locale, $1, $2, 's' || n, 1, 'e', convert_to('{"n": ' || n || repeat(' ', 1500) || '}', 'UTF8'),
       jsonb_build_object('title', locale || n, 'price', n % 1000), now(), now(), now() - n * interval '1 s' FROM shown
"""
LISTS: tuple[tuple[str, dict[str, object], list[tuple[str, str]]], ...] = (
    ("newest 50", {"count": "none"}, []),
    ("newest 50 with total", {}, []),
    ("filter and sort", {"count": "none", "sort": "-data.title"}, [("filter[data.price]", "500")]),
    ("page 100", {"count": "none", "page": 100}, []),
)


async def fill(services: Services, key: str, items: int) -> tuple[Site, UUID]:
    """A site with so many items, and one of them."""
    new = CreateSite.model_validate({"key": key, "name": key, "locales": LOCALES})
    row = await services.get(SiteService).create(SYSTEM, new)
    site = await services.get(SiteService).by_id(row.id)
    kind = CreateContentType.model_validate({"key": "post", "name": "Post", "fields": FIELDS})
    type_id = (await services.get(ContentTypeService).create(SYSTEM, site, kind)).id
    await db.execute(ITEMS, site.id, type_id, items)
    return site, await db.fetchval("SELECT id FROM items WHERE site_id = $1 AND slug = 's1'", site.id)


async def measure(settings: Settings, few: int, many: int) -> None:
    await migrate(settings.database_url, registry.model_modules())
    async with create_services(settings, kind="worker") as services:
        sites = [await fill(services, "few", few), await fill(services, "many", many)]
        await db.execute("VACUUM ANALYZE")
        delivery = services.get(DeliveryService)

        async def took(site: Site, item: UUID, name: str, fallback: str) -> float:
            started = time.perf_counter()
            if name == "by id":
                await delivery.by_id(SYSTEM, site, item, "de" if fallback == "default" else "en", fallback)
            else:
                given, filters = next((given, filters) for known, given, filters in LISTS if known == name)
                query = {"type": "post", "locale": "de", "fallback": fallback, **given}
                await delivery.page(SYSTEM, site, ListItems.model_validate(query), from_parameters(filters))
            return (time.perf_counter() - started) * 1000

        print(f"{'milliseconds':24} {'':10} {few:>9} {many:>9}   ratio   medians of {ROUNDS}")
        for name in ("by id", *(known for known, _, _ in LISTS)):
            for fallback in ("none", "default"):
                small, large = [
                    statistics.median([await took(site, item, name, fallback) for _ in range(ROUNDS)])
                    for site, item in sites
                ]
                print(f"{name:24} {fallback:10} {small:9.2f} {large:9.2f} {large / small:7.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=10_000)
    parser.add_argument("--many", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)
        with EmbeddedPostgres(home) as postgres, EmbeddedValkey(home) as valkey:
            uvloop.run(measure(bench_settings(postgres.url, valkey.url, home), given.few, given.many))


if __name__ == "__main__":
    main()
