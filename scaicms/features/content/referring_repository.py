"""Every query on which items point to which (`content_references`)."""

from uuid import UUID

from asyncpg import Record

from scaicms.features.content import repository
from scaicms.features.content.paths import Bound
from scaicms.features.content.reaching import reached
from scaicms.infra import db
from scaicms.kit.principal import Scope


async def linking(
    site_id: UUID, target_id: UUID, scope: Scope | None, *, limit: int, offset: int = 0
) -> tuple[list[Record], int]:
    """Items outside the trash whose drafts point to an item or asset, other than itself, in fields within the scope's
    reach: the newest first, and how many they are."""
    bound = Bound(2)
    found = f"""FROM content_references r JOIN items i ON i.id = r.item_id JOIN content_types t ON t.id = i.type_id
                WHERE r.target_id = $2 AND i.site_id = $1 AND i.id <> $2 AND i.deleted_at IS NULL
                  AND {reached(scope, bound, field="r.field")}"""
    rows = await db.fetch(
        f"""SELECT i.id, t.key AS type, i.slug, array_agg(DISTINCT r.field ORDER BY r.field) AS fields,
                   EXISTS (SELECT 1 FROM documents d WHERE d.item_id = i.id) AS published,
                   CASE WHEN i.archived_at IS NOT NULL THEN 'archived'
                        WHEN NOT EXISTS (SELECT 1 FROM documents d WHERE d.item_id = i.id) THEN
                             CASE WHEN EXISTS (SELECT 1 FROM entries e
                                               WHERE e.item_id = i.id AND {repository.PUBLISH_AT} IS NOT NULL)
                                  THEN 'scheduled' ELSE 'draft' END
                        WHEN EXISTS (SELECT 1 FROM entries e WHERE e.item_id = i.id
                                     AND e.published_version IS DISTINCT FROM e.version) THEN 'changed'
                        ELSE 'published' END AS status
            {found} GROUP BY i.id, t.key ORDER BY i.id DESC LIMIT {limit} OFFSET {offset}""",
        site_id,
        target_id,
        *bound.arguments,
    )
    total = await db.fetchval(f"SELECT count(DISTINCT i.id) {found}", site_id, target_id, *bound.arguments)
    return rows, int(total)
