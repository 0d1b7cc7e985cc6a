"""Every query on which items point to which (`content_references`)."""

from uuid import UUID

from scaicms.features.content import repository
from scaicms.features.content.paths import Bound
from scaicms.features.content.reaching import reached
from scaicms.infra.lists import Candidates, Key, RowList
from scaicms.kit.principal import Scope


def linking(site_id: UUID, target_id: UUID, scope: Scope | None) -> RowList:
    """Items outside the trash whose drafts point to an item or asset, other than itself, in fields within the scope's
    reach: the newest first."""
    bound = Bound(2)
    links = f"""FROM content_references r
                WHERE r.item_id = i.id AND r.target_id = $2 AND {reached(scope, bound, field="r.field")}"""
    return RowList(
        table="items", alias="i", joins=f"""LEFT JOIN content_types t ON t.id = i.type_id
                  LEFT JOIN LATERAL (SELECT true AS has {links} LIMIT 1) linked ON true""",
        columns=f"""i.id, t.key AS type, i.slug, ARRAY(SELECT DISTINCT r.field {links} ORDER BY r.field) AS fields,
                   EXISTS (SELECT 1 FROM documents d WHERE d.item_id = i.id) AS published,
                   CASE WHEN i.archived_at IS NOT NULL THEN 'archived'
                        WHEN NOT EXISTS (SELECT 1 FROM documents d WHERE d.item_id = i.id) THEN
                             CASE WHEN EXISTS (SELECT 1 FROM entries e
                                               WHERE e.item_id = i.id AND {repository.PUBLISH_AT} IS NOT NULL)
                                  THEN 'scheduled' ELSE 'draft' END
                        WHEN EXISTS (SELECT 1 FROM entries e WHERE e.item_id = i.id
                                     AND e.published_version IS DISTINCT FROM e.version) THEN 'changed'
                        ELSE 'published' END AS status""",
        found=["i.site_id = $1", "i.deleted_at IS NULL", "i.id <> $2"], checked=["linked.has"],
        candidates=Candidates("SELECT item_id AS id FROM content_references WHERE target_id = $1", [target_id]),
        arguments=[site_id, target_id, *bound.arguments], order=[Key("i.id", "uuid")], descending=True, sort="-id",
    )  # fmt: skip
