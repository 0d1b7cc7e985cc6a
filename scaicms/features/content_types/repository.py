"""Every query on content types; each is of one site."""

from collections.abc import Collection, Iterable
from uuid import UUID

from scaicms.features.content_types.fields import FieldDefinition
from scaicms.features.content_types.models import ContentTypeRow, SchemaPlanRow, SchemaVersionRow
from scaicms.infra import db
from scaicms.infra.lists import Key, RowList
from scaicms.kit.ids import is_key
from scaicms.kit.principal import Principal


def types(site_id: UUID, only: Collection[str] | None) -> RowList:
    """Types by key; `only` these, or all for None."""
    return RowList(
        table="content_types", alias="t", columns="t.id", order=[Key("t.key", "text")], sort="key",
        found=["t.site_id = $1", *([] if only is None else ["t.key = ANY($2)"])],
        arguments=[site_id, *([] if only is None else [list(only)])],
    )  # fmt: skip


async def find(site_id: UUID, key: str, *, lock: bool = False) -> ContentTypeRow | None:
    if not is_key(key):
        return None
    query = ContentTypeRow.filter(site_id=site_id, key=key)
    return await (query.select_for_update() if lock else query).first()


async def current_versions(site_id: UUID) -> dict[str, int]:
    """The versions of a site's types, by key."""
    rows = await db.fetch("SELECT key, version FROM content_types WHERE site_id = $1", site_id)
    return {row["key"]: row["version"] for row in rows}


async def keys_with_addresses(site_id: UUID) -> list[str]:
    rows = ContentTypeRow.filter(site_id=site_id, url_pattern__isnull=False).order_by("id")
    return [str(key) for key in await rows.values_list("key", flat=True)]


async def has_items(site_id: UUID, type_id: UUID) -> bool:
    """Whether any item of the type is stored, trash included."""
    sql = "SELECT EXISTS (SELECT 1 FROM items WHERE site_id = $1 AND type_id = $2)"
    return bool(await db.fetchval(sql, site_id, type_id))


async def stages_in_use(type_id: UUID, *, but: Iterable[str]) -> dict[str, int]:
    """How many items outside the trash are in other stages than these."""
    rows = await db.fetch(
        """SELECT stage, count(*) AS items FROM items
           WHERE type_id = $1 AND deleted_at IS NULL AND stage IS NOT NULL AND stage <> ALL($2)
           GROUP BY stage ORDER BY stage""",
        type_id,
        list(but),
    )
    return {row["stage"]: row["items"] for row in rows}


async def keep_site(site_id: UUID) -> None:
    """Until the transaction ends, nobody deletes the site or takes a locale from it, which looks at all its types."""
    await db.execute("SELECT 1 FROM sites WHERE id = $1 FOR KEY SHARE", site_id)


async def hold(type_id: UUID) -> int | None:
    """Keep changes of a type's stored data out until this transaction ends; the version that the type has, if any."""
    version: int | None = await db.fetchval("SELECT type_version FROM hold_content_type($1)", type_id)
    return version


async def add_version(
    row: ContentTypeRow, proposal: Iterable[FieldDefinition], plan_id: UUID | None, actor: Principal
) -> None:
    """Remember which fields the type has from now on."""
    await SchemaVersionRow.create(
        site_id=row.site_id,
        type_id=row.id,
        version=row.version,
        proposal=[field.model_dump(mode="json") for field in proposal],
        plan_id=plan_id,
        created_at=row.updated_at,
        actor_kind=actor.kind,
        actor_id=actor.id,
    )


def versions(type_id: UUID) -> RowList:
    """The versions of a type's fields, newest first."""
    return RowList(
        table="content_type_versions", alias="v", columns="v.id", order=[Key("v.version", "int")], descending=True,
        sort="-version", found=["v.type_id = $1"], arguments=[type_id],
    )  # fmt: skip


async def find_plan(type_id: UUID, plan_id: UUID, *, lock: bool = False) -> SchemaPlanRow | None:
    query = SchemaPlanRow.filter(type_id=type_id, id=plan_id)
    return await (query.select_for_update() if lock else query).first()


async def plan_of_job(plan_id: UUID) -> tuple[SchemaPlanRow, ContentTypeRow] | None:
    """A plan with its type; None when the type is gone."""
    plan = await SchemaPlanRow.filter(id=plan_id).first()
    row = await ContentTypeRow.filter(id=plan.type_id).first() if plan is not None else None
    return (plan, row) if plan is not None and row is not None else None


async def find_type(type_id: UUID) -> ContentTypeRow | None:
    return await ContentTypeRow.filter(id=type_id).first()


async def lock_type(type_id: UUID) -> ContentTypeRow | None:
    return await ContentTypeRow.filter(id=type_id).select_for_update().first()


async def is_being_changed(type_id: UUID) -> bool:
    """Whether workers are about to exchange stored rows of the type."""
    sql = """SELECT EXISTS (SELECT 1 FROM content_type_plans p JOIN jobs j ON j.id = p.job_id
             WHERE p.type_id = $1 AND p.state = 'applying' AND j.state = 'pending')"""
    return bool(await db.fetchval(sql, type_id))


async def other_plans(type_id: UUID, but: UUID) -> list[UUID]:
    """Plans of a type whose rows are no longer needed when `but` is the last one applied."""
    rows = await SchemaPlanRow.filter(type_id=type_id).exclude(id=but).values_list("id", flat=True)
    return [UUID(str(row)) for row in rows]


async def forget_old_plans(type_id: UUID) -> None:
    """Remove plans that nobody has applied for a week."""
    sql = """DELETE FROM content_type_plans
             WHERE type_id = $1 AND state IN ('planned', 'failed') AND created_at < now() - interval '7 days'"""
    await db.execute(sql, type_id)


async def forget_history(type_id: UUID) -> None:
    """Remove versions, plans and backups of a type that is being deleted."""
    for sql in (
        """DELETE FROM content_type_plan_rows
           WHERE plan_id IN (SELECT id FROM content_type_plans WHERE type_id = $1)""",
        "DELETE FROM content_type_plans WHERE type_id = $1",
        "DELETE FROM content_type_versions WHERE type_id = $1",
    ):
        await db.execute(sql, type_id)
