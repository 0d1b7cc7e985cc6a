"""Lists by a term with all below it, at few and at many items, and what happens in a large tree.

    .venv/bin/python -m bench.taxonomies [--few 10000] [--many 200000] [--terms 100000]

Starts its own engine in a temporary folder. Two sites of one database, alike but for how much they hold, are asked in
turn, so that only the ratio of the two means something; `plans` says whether PostgreSQL does the same for both.
"""

import argparse
import json
import re
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
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
from scaicms.features.taxonomies.schemas import CreateTaxonomy, CreateTerm, ListTerms, MoveTerm
from scaicms.features.taxonomies.service import TaxonomyService, TermService
from scaicms.infra import db
from scaicms.infra.db.migrations import migrate
from scaicms.infra.logs import configure_logs
from scaicms.infra.services import Services
from scaicms.kit.principal import SYSTEM
from scaicms.kit.sites import Site
from scaicms.settings import Settings

ROUNDS = 60
FIXED = 500
# Ten roots, each with ten terms of ten leaves; and `fixed`, whose leaves have the same number of items everywhere.
TREE = """
WITH RECURSIVE tree AS (
    SELECT gen_random_uuid() AS id, NULL::uuid AS parent_id, ARRAY[]::uuid[] AS above, 't' || n AS slug, n AS place
    FROM generate_series(0, 9) n
    UNION ALL
    SELECT gen_random_uuid(), tree.id, tree.above || tree.id, tree.slug || '-' || n, n
    FROM tree, generate_series(0, 9) n WHERE cardinality(tree.above) < 2)
INSERT INTO terms (id, taxonomy_id, parent_id, slug, names, path, position, created_at, updated_at)
SELECT id, $1, parent_id, slug, jsonb_build_object('en', slug), above || id, place, now(), now() FROM tree
"""
ITEMS = """
WITH leaves AS (SELECT id, row_number() OVER (ORDER BY slug) - 1 AS n FROM terms
                WHERE taxonomy_id = $3 AND cardinality(path) = 3),
     made AS (SELECT gen_random_uuid() AS id, n FROM generate_series(1, $4) n),
     items AS (INSERT INTO items (id, site_id, type_id, slug, created_at) SELECT id, $1, $2, 's' || n, now() FROM made),
     docs AS (INSERT INTO documents (item_id, locale, site_id, type_id, slug, version, etag, body, data, created_at,
                                     updated_at, published_at)
              SELECT id, 'en', $1, $2, 's' || n, 1, 'e', convert_to('{"n": ' || n || repeat(' ', 1500) || '}', 'UTF8'),
                     '{}', now(), now(), now() - n * interval '1 s' FROM made)
INSERT INTO document_terms (item_id, locale, site_id, terms, under, stale)
SELECT made.id, 'en', $1, array_agg(DISTINCT t.id), array_agg(DISTINCT up.id), false
FROM made JOIN leaves ON leaves.n = (made.n * 7919) % 1000
JOIN terms t ON t.id = leaves.id
             OR made.n % ($4 / $5) = 0 AND t.taxonomy_id = $3 AND t.slug = 'fixed-' || made.n % 5
CROSS JOIN LATERAL unnest(t.path || t.taxonomy_id) AS up(id) GROUP BY made.id
"""


async def fill(services: Services, key: str, items: int) -> Site:
    """A site whose `items` are spread evenly over the leaves of a tree."""
    row = await services.get(SiteService).create(SYSTEM, CreateSite(key=key, name=key))
    site = await services.get(SiteService).by_id(row.id)
    new = {"key": "post", "name": "Post", "fields": [{"key": "title", "type": "string"}]}
    kind = await services.get(ContentTypeService).create(SYSTEM, site, CreateContentType.model_validate(new))
    taxonomy = await services.get(TaxonomyService).create(SYSTEM, site, CreateTaxonomy(key="topics", name="Topics"))
    terms = services.get(TermService)
    fixed = await terms.create(SYSTEM, site, "topics", CreateTerm(name="fixed"), None)
    for number in range(5):
        leaf = CreateTerm(name=f"fixed {number}", parent_id=fixed.term.id)
        await terms.create(SYSTEM, site, "topics", leaf, None)
    await db.execute(TREE, taxonomy.id)
    await db.execute(ITEMS, site.id, kind.id, taxonomy.id, items, FIXED)
    return site


class Asked:
    """A pool of connections that keeps what it was asked last."""

    def __init__(self, pool: db.ReadPool) -> None:
        self._pool = pool
        self.last: tuple[str, tuple[object, ...]] = ("", ())

    async def fetch(self, sql: str, *arguments: object) -> object:
        self.last = (sql, arguments)
        return await self._pool.fetch(sql, *arguments)


async def took(work: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    await work()
    return (time.perf_counter() - started) * 1000


async def compare(services: Services, few: Site, many: Site) -> None:
    delivery = services.get(DeliveryService)
    asked = Asked(services.resources.reads)
    delivery._reads = asked  # type: ignore[assignment]  # for the plans: what the list asks is to be explained
    cases = (
        (f"{FIXED} items below, with total", "[under]=fixed", "exact"),
        ("one in 10 items below", "[under]=t3", "none"),
        ("one in 100 items below", "[under]=t3-3", "none"),
        ("one in 1000 items", "=t3-3-3", "none"),
    )
    for name, condition, count in cases:
        operator, _, term = condition.partition("=")
        times: dict[str, list[float]] = {few.key: [], many.key: []}
        plans = {}
        for turn in range(ROUNDS):
            for site in (few, many):
                query = ListItems.model_validate({"type": "post", "count": count})
                started = time.perf_counter()
                await delivery.page(SYSTEM, site, query, from_parameters([(f"filter[terms.topics]{operator}", term)]))
                times[site.key].append((time.perf_counter() - started) * 1000)
                if turn == ROUNDS - 1:
                    plans[site.key] = await shape(*asked.last)
        small, large = (statistics.median(times[site.key]) for site in (few, many))
        same = "same plan" if plans[few.key] == plans[many.key] else f"plans {plans[few.key]} | {plans[many.key]}"
        print(f"{name:34} {small:7.2f} ms {large:7.2f} ms  {large / small:5.2f}x  {same}")


async def shape(sql: str, arguments: tuple[object, ...]) -> str:
    plan = json.loads(await db.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *arguments))
    return " ".join(re.findall(r"'Index Name': '(\w+)'", str(plan)))


async def move_with_content(services: Services, site: Site, items: int) -> None:
    """What is below the term is found below its new parent as soon as the move is answered."""
    rows = await db.fetch(
        """SELECT t.id FROM terms t JOIN taxonomies x ON x.id = t.taxonomy_id AND x.site_id = $1
           WHERE t.slug IN ('t3', 't4') ORDER BY t.slug""",
        site.id,
    )
    move = services.get(TermService).move(
        SYSTEM, site, "topics", rows[0]["id"], MoveTerm(parent_id=rows[1]["id"]), check=lambda _: None
    )
    started = time.perf_counter()
    await move
    print(f"move a term that {items} documents have {(time.perf_counter() - started) * 1000:21.0f} ms")


async def large_tree(services: Services, site: Site, number: int) -> None:
    """Flat and deep lists of so many terms, and changes in them."""
    terms = services.get(TermService)
    taxonomy = await services.get(TaxonomyService).create(SYSTEM, site, CreateTaxonomy(key="large", name="Large"))
    roots = [(await terms.create(SYSTEM, site, "large", CreateTerm(name=f"r{n}"), None)).term for n in range(10)]
    await db.execute(
        """INSERT INTO terms (id, taxonomy_id, parent_id, slug, names, path, position, created_at, updated_at)
           SELECT id, $1, root, slug, jsonb_build_object('en', slug), ARRAY[root, id], n / 10, now(), now()
           FROM (SELECT gen_random_uuid() AS id, ($2::uuid[])[n % 10 + 1] AS root, 'many-' || n AS slug, n
                 FROM generate_series(0, $3 - 1) n) made""",
        taxonomy.id,
        [root.id for root in roots],
        number,
    )
    await db.execute("VACUUM ANALYZE terms")
    middle: UUID = await db.fetchval("SELECT id FROM terms WHERE taxonomy_id = $1 AND slug = 'many-5'", taxonomy.id)

    async def page(**query: object) -> None:
        await terms.page(SYSTEM, site, "large", ListTerms.model_validate(query))

    works: dict[str, Callable[[], Awaitable[object]]] = {
        "page of 50 children": lambda: page(parent=roots[0].id),
        "page 1000 of all": lambda: page(page=1000),
        "search by part of a name": lambda: page(q="many-777"),
        "add as the last": lambda: terms.create(
            SYSTEM, site, "large", CreateTerm(name="x", parent_id=roots[1].id), None
        ),
        "add as the first": lambda: terms.create(
            SYSTEM, site, "large", CreateTerm(name="x", parent_id=roots[2].id, position=0), None
        ),
        "move one": lambda: move(middle, roots[3].id),
        "move a root with all below": lambda: move(roots[4].id, roots[5].id),
    }

    async def move(term_id: UUID, parent_id: UUID) -> None:
        to = MoveTerm(parent_id=parent_id)
        await terms.move(SYSTEM, site, "large", term_id, to, check=lambda _: None)

    for name, work in works.items():
        print(f"{number} terms: {name:30} {await took(work):8.1f} ms")


async def measure(settings: Settings, few: int, many: int, terms: int) -> None:
    await migrate(settings.database_url, registry.model_modules())
    async with create_services(settings, kind="worker") as services:
        configure_logs(settings)
        sites = await fill(services, "few", few), await fill(services, "many", many)
        await db.execute("VACUUM ANALYZE")
        print(f"{'the newest 50':34} {few:7} it {many:7} it  ratio   medians of {ROUNDS}")
        await compare(services, *sites)
        await move_with_content(services, sites[1], many // 10)
        await large_tree(services, sites[0], terms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=10_000)
    parser.add_argument("--many", type=int, default=200_000)
    parser.add_argument("--terms", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)
        with EmbeddedPostgres(home) as postgres, EmbeddedValkey(home) as valkey:
            settings = bench_settings(postgres.url, valkey.url, home)
            uvloop.run(measure(settings, given.few, given.many, given.terms))


if __name__ == "__main__":
    main()
