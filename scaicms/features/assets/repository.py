"""Every query on assets and their files; each is of one site."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from asyncpg import Record

from scaicms.features.assets.records import Asset, File, Usage, Variant
from scaicms.features.assets.schemas import ListAssets, NewAsset
from scaicms.infra import db
from scaicms.infra.lists import Key, RowList, look_up
from scaicms.kit import json

_COLUMNS = """a.id, a.site_id, a.filename, a.titles, a.alts, a.folder, a.tags, a.focal_x, a.focal_y, a.version,
                   a.created_at, a.created_by, a.updated_at, a.updated_by, f.id AS file_id, f.digest, f.size,
                   f.raster_type, f.content_type, f.status, f.problem, f.width, f.height, f.blurhash, f.color, f.exif,
                   f.variants, f.job_id"""
_FILE = "JOIN asset_files f ON f.id = a.file_id"
_ASSET = f"SELECT {_COLUMNS} FROM assets a {_FILE}"
# What drafts and published documents point to; content keeps both.
_USED = """((SELECT true FROM (
                SELECT item_id FROM content_references WHERE target_id = a.id AND asset OFFSET 0) r
             JOIN items i ON i.id = r.item_id WHERE i.deleted_at IS NULL AND i.site_id = a.site_id LIMIT 1) IS TRUE
            OR (SELECT true FROM (
                SELECT item_id FROM document_links WHERE target_id = a.id AND asset OFFSET 0) l
                JOIN items i ON i.id = l.item_id WHERE i.site_id = a.site_id LIMIT 1) IS TRUE)"""
_TYPE = "coalesce(f.content_type, f.raster_type)"
_PLAIN_JSON = ("titles", "alts")
_OF_FILE = ("digest", "size", "raster_type", "content_type", "status", "problem", "width", "height", "blurhash")


def among(ids: str, site: str, limit: int) -> str:
    """SQL of the assets of a site (a placeholder) whose ids another query gives; of what `of_row` reads."""
    return f"{_ASSET} WHERE a.site_id = {site} AND a.id IN ({ids}) ORDER BY a.id LIMIT {limit}"


def of_row(row: Record) -> Asset:
    own = {name: row[name] for name in Asset.__slots__ if name not in ("file", *_PLAIN_JSON)}
    return Asset(file=_file(row), **own, **{name: json.loads(row[name]) for name in _PLAIN_JSON})


def _file(row: Record) -> File:
    return File(
        id=row["file_id"],
        **{name: row[name] for name in (*_OF_FILE, "color", "job_id")},
        exif=json.loads(row["exif"]),
        variants=[Variant(**one) for one in json.loads(row["variants"])],
    )


async def find(site_id: UUID, asset_id: UUID, *, lock: Literal["change", "delete"] | None = None) -> Asset | None:
    """`lock` keeps everybody else from changing it until the transaction ends; to delete it, also from beginning to use
    it."""
    locking = {"change": "FOR NO KEY UPDATE OF a", "delete": "FOR UPDATE OF a"}[lock] if lock else ""
    row = await db.fetchrow(f"{_ASSET} WHERE a.id = $1 AND a.site_id = $2 {locking}", asset_id, site_id)
    return of_row(row) if row is not None else None


def assets(site_id: UUID, query: ListAssets) -> RowList:
    """Assets of a site. Ids follow the time of creation, the only order that an index has."""
    arguments: list[object] = [site_id]
    checked = _conditions(query, arguments)
    descending, column = query.sort.startswith("-"), query.sort.removeprefix("-")
    by_age = column == "created_at"
    order = [] if by_age else [Key(*_SORTED_BY[column]), Key("a.id", "uuid")]
    return RowList(
        table="assets", alias="a", joins=look_up("asset_files", "f", "f.id = a.file_id"), columns=_COLUMNS,
        found=["a.site_id = $1"], checked=checked, arguments=arguments, order=[Key("a.id", "uuid")],
        descending=descending or not by_age, sort=query.sort if by_age else "-created_at", sorted_by=order,
        sorted_descending=descending,
    )  # fmt: skip


_SORTED_BY = {
    "updated_at": ("a.updated_at", "timestamptz"),
    "filename": ("a.filename", "text"),
    "size": ("f.size", "bigint"),
}


def _conditions(query: ListAssets, arguments: list[object]) -> list[str]:
    def bind(value: object) -> str:
        arguments.append(value)
        return f"${len(arguments)}"

    found = []
    if query.q is not None:
        words = bind(f"%{_literally(query.q)}%")
        texts = " UNION ALL ".join(
            [f"SELECT value FROM jsonb_each_text(a.{column})" for column in _PLAIN_JSON] + ["SELECT unnest(a.tags)"]
        )
        found.append(
            f"(a.filename ILIKE {words} OR EXISTS (SELECT 1 FROM ({texts}) t(value) WHERE value ILIKE {words}))"
        )
    if query.type is not None:
        found.append(f"{_TYPE} LIKE {bind(_literally(query.type).replace('*', '%'))}")
    if query.folder:
        here = bind(query.folder)
        found.append(f"(a.folder = {here} OR starts_with(a.folder, {here} || '/'))")
    if query.tag is not None:
        found.append(f"a.tags @> ARRAY[{bind(query.tag)}::text]")
    if query.status is not None:
        found.append(f"f.status = {bind(query.status)}")
    if query.unused is not None:
        found.append(f"NOT {_USED}" if query.unused else _USED)
    return found


def _literally(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


async def usage(site_id: UUID, asset_id: UUID) -> Usage:
    row = await db.fetchrow(
        """SELECT (SELECT count(DISTINCT r.item_id) FROM content_references r
                   JOIN items i ON i.id = r.item_id AND i.deleted_at IS NULL
                   WHERE r.target_id = $2 AND r.asset AND i.site_id = $1) AS items,
                  (SELECT count(DISTINCT (l.item_id, l.locale)) FROM document_links l JOIN items i ON i.id = l.item_id
                   WHERE l.target_id = $2 AND l.asset AND i.site_id = $1) AS documents""",
        site_id,
        asset_id,
    )
    return Usage(**dict(row or {}))


async def is_held(site_id: UUID, asset_id: UUID) -> bool:
    """Whether an item on legal hold points to the asset, or did in any of its revisions. Nobody holds or releases an
    item until the transaction ends."""
    await db.execute("LOCK TABLE content_holds IN SHARE MODE")
    return bool(
        await db.fetchval(
            """SELECT EXISTS (SELECT FROM content_holds h JOIN revisions v ON v.item_id = h.item_id
                              WHERE h.site_id = $1 AND strpos(v.data::text, $2) > 0)
                   OR EXISTS (SELECT FROM content_holds h JOIN content_references r ON r.item_id = h.item_id
                              WHERE h.site_id = $1 AND r.target_id = $2::uuid)""",
            site_id,
            str(asset_id),
        )
    )


async def known(site_id: UUID, asset_ids: Sequence[UUID], *, hold: bool) -> dict[UUID, str | None]:
    """Of these assets those that the site has, with their types as far as they are known; with `hold` none of them is
    deleted until the transaction ends."""
    rows = await db.fetch(
        f"""SELECT a.id, CASE f.status WHEN 'processing' THEN f.raster_type ELSE f.content_type END AS content_type
           FROM assets a JOIN asset_files f ON f.id = a.file_id
           WHERE a.site_id = $1 AND a.id = ANY($2) ORDER BY a.id {"FOR KEY SHARE OF a" if hold else ""}""",
        site_id,
        list(asset_ids),
    )
    return {row["id"]: row["content_type"] for row in rows}


async def insert(
    asset_id: UUID,
    site_id: UUID,
    file_id: UUID,
    *,
    filename: str,
    titles: Mapping[str, str],
    alts: Mapping[str, str],
    new: NewAsset,
    now: datetime,
    by: UUID | None,
) -> None:
    await db.execute(
        """INSERT INTO assets (id, site_id, file_id, filename, titles, alts, folder, tags, version, created_at,
                               created_by, updated_at, updated_by)
           VALUES ($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7, $8, 1, $9, $10, $9, $10)""",
        asset_id,
        site_id,
        file_id,
        filename,
        json.dumps_text(titles),
        json.dumps_text(alts),
        new.folder,
        new.tags,
        now,
        by,
    )


async def update(asset: Asset) -> None:
    await db.execute(
        """UPDATE assets SET titles = $3::jsonb, alts = $4::jsonb, folder = $5, tags = $6, focal_x = $7, focal_y = $8,
                  version = $9, updated_at = $10, updated_by = $11 WHERE id = $1 AND site_id = $2""",
        asset.id,
        asset.site_id,
        json.dumps_text(asset.titles),
        json.dumps_text(asset.alts),
        asset.folder,
        list(asset.tags),
        asset.focal_x,
        asset.focal_y,
        asset.version,
        asset.updated_at,
        asset.updated_by,
    )


async def remove(asset: Asset) -> None:
    await db.execute("DELETE FROM assets WHERE id = $1 AND site_id = $2", asset.id, asset.site_id)
