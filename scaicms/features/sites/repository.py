"""Every query on sites."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from scaicms.features.sites.models import SiteDomainRow, SiteRow
from scaicms.infra import db
from scaicms.infra.db.locale_rows import LocaleRows
from scaicms.infra.lists import Key, RowList
from scaicms.kit.ids import is_key, parse_id


async def find(id_or_key: str, *, lock: bool = False) -> SiteRow | None:
    if not is_key(id_or_key):
        return None
    site_id = parse_id(id_or_key)
    query = SiteRow.filter(id=site_id) if site_id is not None else SiteRow.filter(key=id_or_key)
    return await (query.select_for_update() if lock else query).first()


def sites(only: Sequence[UUID] | None) -> RowList:
    """Sites by key; `only` these, or all for None."""
    return RowList(
        table="sites", alias="s", columns="s.id", order=[Key("s.key", "text")], sort="key",
        found=["true"] if only is None else ["s.id = ANY($1)"], arguments=[] if only is None else [list(only)],
    )  # fmt: skip


async def has_structure(site_id: UUID) -> bool:
    """Whether somebody has made content types or taxonomies there, or uploaded anything."""
    sql = """SELECT EXISTS (SELECT 1 FROM content_types WHERE site_id = $1)
                 OR EXISTS (SELECT 1 FROM taxonomies WHERE site_id = $1)
                 OR EXISTS (SELECT 1 FROM assets WHERE site_id = $1)"""
    return bool(await db.fetchval(sql, site_id))


_declared: list[LocaleRows] = []


def declare(rows: Iterable[LocaleRows]) -> None:
    """Make known what all features store by locale; called once at start-up."""
    _declared[:] = rows


async def keep_locales(site_id: UUID, seconds: float) -> None:
    """Wait until nobody writes anything in any locale of the site, and let nobody until this transaction ends.

    Raises:
        asyncpg.LockNotAvailableError: somebody has been writing for longer than `seconds`.
    """
    await db.execute(f"SET LOCAL lock_timeout = {int(seconds * 1000)}")
    for rows in _declared:
        await db.execute(rows.hold, site_id)


async def used_locales(site_id: UUID, locales: Sequence[str]) -> list[str]:
    """What there is in these locales, and what is to be done with it first."""
    found = [(rows, row) for rows in _declared for row in await db.fetch(rows.used, site_id, list(locales))]
    return [
        rows.advice[row["what"]].format(locale=row["locale"], number=row["number"])
        for rows, row in sorted(found, key=lambda one: (one[1]["locale"], list(one[0].advice).index(one[1]["what"])))
    ]


async def lacking(site_id: UUID, locale: str) -> int:
    """How many things have nothing in the locale."""
    return sum([int(await db.fetchval(r.lacking, site_id, locale)) for r in _declared if r.lacking is not None])


async def domains(site_id: UUID) -> list[SiteDomainRow]:
    return await SiteDomainRow.filter(site_id=site_id).order_by("host")


async def find_domain(site_id: UUID, domain_id: UUID) -> SiteDomainRow | None:
    return await SiteDomainRow.filter(site_id=site_id, id=domain_id).first()


async def site_of_host(host: str) -> SiteRow | None:
    domain = await SiteDomainRow.filter(host=host, verified_at__isnull=False).first()
    return await SiteRow.filter(id=domain.site_id).first() if domain is not None else None


async def remove_domains(site_id: UUID) -> None:
    await SiteDomainRow.filter(site_id=site_id).delete()
