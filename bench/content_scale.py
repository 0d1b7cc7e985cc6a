"""Delivery at two sizes, side by side in one run: what costs more where there is more?

    .venv/bin/python -m bench.content_scale --items 10000 --items 1000000 [--rounds 200]

Two sites in one database with generated items of 20 kinds, 1,000 authors and a tree of terms. Each case takes turns
between the sites with changing arguments; the ratio is that of the medians. Totals are exact unless a case says
otherwise; "again" asks what has been counted before and has not changed since.
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import uvloop

from bench.delivery import bench_settings
from scaicms import registry
from scaicms.connect import create_services
from scaicms.embedded.postgres import EmbeddedPostgres
from scaicms.embedded.valkey import EmbeddedValkey
from scaicms.features.content.query_tree import from_json
from scaicms.features.content.schemas import CreateItem, QueryItems
from scaicms.features.content.service import ContentService, DeliveryService
from scaicms.features.content_types.indexing import IndexService
from scaicms.features.content_types.schemas import CreateContentType
from scaicms.features.content_types.service import ContentTypeService
from scaicms.features.sites.schemas import CreateSite
from scaicms.features.sites.service import SiteService
from scaicms.features.taxonomies.schemas import CreateTaxonomy, CreateTerm
from scaicms.features.taxonomies.service import TaxonomyService, TermService
from scaicms.infra import db
from scaicms.infra.db.migrations import migrate
from scaicms.infra.logs import configure_logs
from scaicms.infra.services import Services
from scaicms.kit.principal import SYSTEM
from scaicms.kit.sites import Site
from scaicms.settings import Settings

AUTHORS = 1_000
KINDS = [f"kind{n}" for n in range(20)]
CHUNK = 50_000
FIELDS = [
    {"key": "title", "type": "string", "required": True},
    {"key": "body", "type": "markdown"},
    {"key": "kind", "type": "select", "options": KINDS, "indexed": True},
    {"key": "price", "type": "number", "indexed": True, "indexed_within": ["kind"]},
    {"key": "day", "type": "date", "indexed": True},
    {"key": "author", "type": "relation", "target": "author", "indexed": True},
]
FILL = """
WITH made AS (
    SELECT gen_random_uuid() AS id, n, 'item-' || n AS slug, now() - n * interval '1 second' AS at,
           jsonb_build_object(
               'title', 'Item ' || n, 'body', repeat('words of text ', 20), 'kind', 'kind' || (n * 7919) % 20,
               'price', (n * 7907) % 100000 / 100.0, 'day', date '2020-01-01' + (n % 2000)::int,
               'author', ($3::uuid[])[1 + n % $4]) AS data
    FROM generate_series($6::bigint, $7::bigint) n),
items AS (
    INSERT INTO items (id, site_id, type_id, slug, created_at) SELECT id, $1, $2, slug, at FROM made),
documents AS (
    INSERT INTO documents (item_id, locale, site_id, type_id, slug, version, etag, body, data, created_at, updated_at,
                           published_at)
    SELECT id, 'en', $1, $2, slug, 1, '"v1-0"',
           convert_to(jsonb_build_object('id', id, 'type', 'post', 'slug', slug, 'data', data)::text, 'UTF8'),
           data, at, at, at
    FROM made)
INSERT INTO document_terms (item_id, locale, site_id, terms, under, stale)
SELECT id, 'en', $1, ARRAY[($5::uuid[])[2 + n / 20 % 10]], ARRAY[($5::uuid[])[1], ($5::uuid[])[2 + n / 20 % 10]], false
FROM made WHERE n % 20 = 0"""


@dataclass
class Filled:
    """A site with so many items, some of which are known."""

    site: Site
    items: int
    ids: list[UUID] = field(default_factory=list)
    deep: list[str] = field(default_factory=list)
    """Cursors nine tenths down the list."""


async def fill(services: Services, items: int) -> Filled:
    row = await services.get(SiteService).create(SYSTEM, CreateSite(key=f"s{items}", name=f"{items} items"))
    site = await services.get(SiteService).by_id(row.id)
    types, content = services.get(ContentTypeService), services.get(ContentService)
    for key, fields in (("author", FIELDS[:1]), ("post", FIELDS)):
        new = CreateContentType.model_validate({"key": key, "name": key, "fields": fields})
        type_id = (await types.create(SYSTEM, site, new)).id
    await services.get(IndexService).keep(type_id)
    authors = []
    async with db.transaction():
        for n in range(AUTHORS):
            item = CreateItem(type="author", data={"title": f"Author {n}"}, publish=True)
            authors.append((await content.create(SYSTEM, site, item)).item.id)
    await services.get(TaxonomyService).create(SYSTEM, site, CreateTaxonomy(key="topics", name="Topics"))
    terms = services.get(TermService)
    root = (await terms.create(SYSTEM, site, "topics", CreateTerm(name="root"), None)).term.id
    below = [
        (await terms.create(SYSTEM, site, "topics", CreateTerm(name=f"t{n}", parent_id=root), None)).term.id
        for n in range(10)
    ]
    for start in range(1, items + 1, CHUNK):
        stop = min(items, start + CHUNK - 1)
        await db.execute(FILL, site.id, type_id, authors, AUTHORS, [root, *below], start, stop)
    rows = await db.fetch("SELECT item_id FROM documents WHERE type_id = $1 AND random() < $2", type_id, 1000 / items)
    return Filled(site, items, [row["item_id"] for row in rows])


async def walk_down(delivery: DeliveryService, filled: Filled) -> None:
    """Cursors from nine tenths of the list on."""
    cursor, passed = "", 0
    while len(filled.deep) < 20:
        answer = json.loads(await page(delivery, filled.site, cursor=cursor, page_size=200, count="none", fields="id"))
        passed, cursor = passed + 200, answer["next_cursor"]
        if cursor is None:
            return
        if passed >= filled.items * 0.9:
            filled.deep.append(cursor)


async def page(delivery: DeliveryService, site: Site, **query: object) -> bytes:
    asked = QueryItems.model_validate({"type": "post", **query})
    return await delivery.page(SYSTEM, site, asked, from_json(asked.filter))


Case = Callable[[Filled, random.Random], Awaitable[object]]


def cases(delivery: DeliveryService) -> dict[str, Case]:
    def two_fields(rng: random.Random) -> dict[str, object]:
        """One in twenty, and of these a half; sorted by the latter."""
        return {"data.kind": rng.choice(KINDS), "data.price": {"lt": rng.randint(300, 700)}}

    def other_fields(rng: random.Random) -> dict[str, object]:
        """One in a hundred, sorted by another field."""
        return {"data.kind": rng.choice(KINDS), "data.day": {"gte": f"2024-{rng.randint(1, 12):02}-01"}}

    def listed(query: Callable[[Filled, random.Random], dict[str, object]]) -> Case:
        return lambda filled, rng: page(delivery, filled.site, **query(filled, rng))

    by_price = {"sort": "-data.price", "count": "none"}
    return {
        "by id": lambda f, rng: delivery.by_id(SYSTEM, f.site, rng.choice(f.ids)),
        "by slug": lambda f, rng: delivery.by_slug(SYSTEM, f.site, "post", f"item-{rng.randint(1, f.items)}"),
        "newest 50 with total": listed(lambda f, rng: {}),
        "two fields and sort, no total": listed(lambda f, rng: {**by_price, "filter": two_fields(rng)}),
        "two fields and sort, again": listed(
            lambda f, rng: {"sort": "-data.price", "filter": two_fields(random.Random(rng.randint(1, 5)))}
        ),
        "two fields, sort by a third": listed(lambda f, rng: {**by_price, "filter": other_fields(rng)}),
        "include of one relation": listed(lambda f, rng: {"include": "author"}),
        "over a relation, no total": listed(
            lambda f, rng: {"count": "none", "filter": {"data.author.slug": f"author-{rng.randint(0, AUTHORS - 1)}"}}
        ),
        "term, no total": listed(
            lambda f, rng: {"count": "none", "filter": {"terms.topics": {"under": f"t{rng.randint(0, 9)}"}}}
        ),
        "term with all below, again": listed(lambda f, rng: {"filter": {"terms.topics": {"under": "root"}}}),
        "cursor deep page": listed(lambda f, rng: {"cursor": rng.choice(f.deep), "page_size": 50}),
    }


async def compare(delivery: DeliveryService, sites: list[Filled], rounds: int) -> None:
    print(f"{'ms, p50 / p95':32}" + "".join(f"{f.items:>18} it" for f in sites) + "   ratio of p50")
    for name, case in cases(delivery).items():
        times: dict[int, list[float]] = {f.items: [] for f in sites}
        for turn in range(rounds + 20):
            for filled in sites:
                rng = random.Random(turn)
                started = time.perf_counter()
                await case(filled, rng)
                if turn >= 20:
                    times[filled.items].append((time.perf_counter() - started) * 1000)
        medians = [statistics.median(values) for values in times.values()]
        p95s = [sorted(values)[int(len(values) * 0.95)] for values in times.values()]
        shown = "".join(f"{p50:10.2f} /{p95:7.2f}  " for p50, p95 in zip(medians, p95s, strict=True))
        print(f"{name:32}{shown}   {medians[-1] / medians[0]:6.2f}", flush=True)


async def first_count(delivery: DeliveryService, sites: list[Filled]) -> None:
    """What counting costs where nothing is known of it yet: it goes with how many there are."""
    for filled in sites:
        for name, asked in (
            ("two fields", {"data.kind": "kind7", "data.day": {"gte": "2024-03-03"}}),
            ("term", {"terms.topics": {"under": "root"}, "version": 1}),
        ):
            started = time.perf_counter()
            found = json.loads(await page(delivery, filled.site, filter=asked, page_size=1))["total"]
            print(f"first count of {name}: {found} of {filled.items}: {(time.perf_counter() - started) * 1000:.1f} ms")


async def publishing(services: Services, filled: Filled, rounds: int) -> None:
    times, content = [], services.get(ContentService)
    for n in range(rounds):
        item = CreateItem(type="author", data={"title": f"New {n}"}, publish=True)
        started = time.perf_counter()
        await content.create(SYSTEM, filled.site, item)
        times.append((time.perf_counter() - started) * 1000)
    print(f"create and publish at {filled.items}: p50 {statistics.median(times):.2f} ms")


async def measure(settings: Settings, sizes: list[int], rounds: int) -> None:
    await migrate(settings.database_url, registry.model_modules())
    async with create_services(settings, kind="worker") as services:
        configure_logs(settings)
        sites = []
        for items in sorted(sizes):
            started = time.perf_counter()
            sites.append(await fill(services, items))
            print(f"{items} items filled in {time.perf_counter() - started:.0f} s", flush=True)
        await db.execute("VACUUM ANALYZE")
        delivery = services.get(DeliveryService)
        for filled in sites:
            await walk_down(delivery, filled)
        await compare(delivery, sites, rounds)
        await first_count(delivery, sites)
        await publishing(services, sites[-1], rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, action="append", help="a size; give two (10,000 and 1,000,000)")
    parser.add_argument("--rounds", type=int, default=200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)
        with EmbeddedPostgres(home) as postgres, EmbeddedValkey(home) as valkey:
            settings = bench_settings(postgres.url, valkey.url, home)
            uvloop.run(measure(settings, given.items or [10_000, 1_000_000], given.rounds))


if __name__ == "__main__":
    main()
