"""Use cases of content types."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

from asyncpg import LockNotAvailableError
from tortoise.exceptions import IntegrityError

from scaicms.features.content_types import describing, permissions, repository
from scaicms.features.content_types.bundling import declare as declare_parts
from scaicms.features.content_types.changes import changes
from scaicms.features.content_types.compile import CompiledType
from scaicms.features.content_types.data import check_data, markdown_texts, publish_data, republish_data, validate_data
from scaicms.features.content_types.definitions import check_new, compile_stored, fields_of, stored_form
from scaicms.features.content_types.errors import (
    ContentTypeExistsError,
    ContentTypeInUseError,
    PlanInProgressError,
    PlanRequiredError,
    StageInUseError,
    unknown_type,
)
from scaicms.features.content_types.events import ContentTypeCreated, ContentTypeDeleted, ContentTypeUpdated
from scaicms.features.content_types.fields import FieldDefinition
from scaicms.features.content_types.indexing import (
    MAX_KEY_CHARACTERS,
    ask_for_indexes,
    index_paths,
    number_sql,
    order_sql,
    time_sql,
)
from scaicms.features.content_types.models import ContentTypeRow
from scaicms.features.content_types.reach import reaches, readable, writable
from scaicms.features.content_types.schemas import CreateContentType, UpdateContentType
from scaicms.features.content_types.stored import declare as declare_rows
from scaicms.features.content_types.stored import keep_writers_out
from scaicms.features.content_types.walking import Leaf
from scaicms.features.content_types.workflows import Stage, Workflow
from scaicms.features.permissions.service import PermissionService
from scaicms.features.roles.service import RoleService
from scaicms.infra import db, lists
from scaicms.infra.db.notices import notify
from scaicms.infra.events import record
from scaicms.infra.lists import Found
from scaicms.infra.services import Service, Services
from scaicms.kit.clock import utcnow
from scaicms.kit.errors import FieldError, InvalidError, UnavailableError
from scaicms.kit.ids import new_id
from scaicms.kit.principal import Principal
from scaicms.kit.schemas import ListQuery, given
from scaicms.kit.sites import Site

__all__ = [
    "MAX_KEY_CHARACTERS",
    "TOPIC",
    "CompiledType",
    "ContentTypeService",
    "FieldDefinition",
    "Leaf",
    "Stage",
    "Workflow",
    "check_data",
    "declare_parts",
    "declare_rows",
    "index_paths",
    "markdown_texts",
    "number_sql",
    "order_sql",
    "publish_data",
    "republish_data",
    "time_sql",
    "validate_data",
]

TOPIC = "content_types"
# How long a change of stages waits for writers to finish; longer, and all of them would wait behind it.
LOCK_SECONDS = 1.0


class ContentTypeService(Service):
    """Types of a site; compiled ones are kept in the process until a notice says that they changed."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._roles = services.get(RoleService)
        self._permissions = services.get(PermissionService)
        self._compiled: dict[tuple[UUID, str], CompiledType] = {}
        self._generation = 0
        self._notices = services.resources.notices
        self._notices.subscribe(TOPIC, self._forget)

    def _forget(self, _: str | None) -> None:
        self._generation += 1
        self._compiled.clear()

    async def forget_changed(self, site_id: UUID) -> bool:
        """Look types of a site up anew that have changed, of which no notice may have come yet; whether any had."""
        now = await repository.current_versions(site_id)
        changed = [at for at, known in self._compiled.items() if at[0] == site_id and now.get(at[1]) != known.version]
        for at in changed:
            self._compiled.pop(at, None)
        return bool(changed)

    async def compiled(self, site_id: UUID, key: str) -> CompiledType:
        """The type as content needs it, without asking who wants it: content checks its own permissions."""
        known = self._compiled.get((site_id, key))
        if known is not None and self._notices.is_listening:
            return known
        generation = self._generation
        row = await repository.find(site_id, key)
        if row is None:
            raise unknown_type(key)
        compiled = await compile_stored(row)

        async def remember() -> None:
            # What changed while we were asking may be what we were told: do not keep it.
            if generation == self._generation and self._notices.is_listening:
                self._compiled[site_id, key] = compiled

        # Inside a transaction the row may never be committed: other requests must not see it before it is.
        if db.in_open_transaction():
            db.after_commit(remember)
        else:
            await remember()
        return compiled

    async def at_version(self, site_id: UUID, key: str, version: int) -> CompiledType:
        """The same for who holds the type (`hold_content_type`) and so knows its version: never an older one."""
        known = await self.compiled(site_id, key)
        if known.version == version:
            return known
        row = await repository.find(site_id, key)
        if row is None:
            raise unknown_type(key)
        return await compile_stored(row)

    async def hold(self, content_type: CompiledType) -> CompiledType:
        """The type as it is, and stays until this transaction ends: who stores data of it holds it first."""
        version = await repository.hold(content_type.id)
        if version is None:
            raise unknown_type(content_type.key)
        return await self.at_version(content_type.site_id, content_type.key, version)

    async def held(self, type_id: UUID) -> CompiledType:
        """The type as it is, for who holds it and knows its id alone."""
        row = await repository.find_type(type_id)
        if row is None:
            raise unknown_type(str(type_id))
        return await compile_stored(row)

    async def with_addresses(self, site_id: UUID) -> list[CompiledType]:
        """The types whose items have pages of their own, oldest first."""
        keys = await repository.keys_with_addresses(site_id)
        return [await self.compiled(site_id, key) for key in keys]

    async def list_types(self, principal: Principal, site: Site, query: ListQuery) -> Found[ContentTypeRow]:
        return await lists.read_models(self.resources, ContentTypeRow, _types(principal, site), query)

    async def first_types(self, principal: Principal, site: Site, number: int) -> list[ContentTypeRow]:
        """The first types by key."""
        return await lists.first_models(ContentTypeRow, _types(principal, site), number)

    async def get(self, principal: Principal, site: Site, key: str) -> ContentTypeRow:
        return await readable(principal, site, key)

    async def json_schema(self, principal: Principal, site: Site, key: str, *, published: bool) -> dict[str, Any]:
        """JSON Schema 2020-12 of `data`, as drafts are written or as readers get it."""
        described = await self._described(principal, site, key, published=published)
        return await asyncio.to_thread(describing.json_schema, described)

    async def code(self, principal: Principal, site: Site, key: str, language: str, *, published: bool) -> str:
        """Typed models of `data` in a language of `describing.LANGUAGES`."""
        described = await self._described(principal, site, key, published=published)
        return await asyncio.to_thread(describing.LANGUAGES[language], described)

    async def _described(self, principal: Principal, site: Site, key: str, *, published: bool) -> CompiledType:
        await readable(principal, site, key)
        compiled = await self.compiled(site.id, key)
        return await asyncio.to_thread(compiled.without_private) if published else compiled

    async def create(self, principal: Principal, site: Site, new: CreateContentType) -> ContentTypeRow:
        principal.require(permissions.WRITE.code, site.id)
        if not reaches(principal, permissions.WRITE, site, new.key):
            raise principal.refusal(permissions.WRITE.code, f"Your content_types:write does not reach {new.key}.")
        await asyncio.to_thread(check_new, new.fields)
        await self._check_workflow(new.workflow)
        now = utcnow()
        row = ContentTypeRow(
            id=new_id(),
            site_id=site.id,
            created_at=now,
            updated_at=now,
            definitions=stored_form(new.fields),
            **new.model_dump(exclude={"fields"}),
        )
        try:
            async with db.transaction():
                await repository.keep_site(site.id)
                await row.save(force_create=True)
                await repository.add_version(row, new.fields, None, principal)
                await ask_for_indexes(site.id, row.id, (), new.fields)
                await record(ContentTypeCreated(site_id=site.id, aggregate_id=row.id, key=row.key), actor=principal)
                await notify(TOPIC, str(site.id))
        except IntegrityError:
            raise ContentTypeExistsError from None
        return row

    async def update(
        self,
        principal: Principal,
        site: Site,
        key: str,
        change: UpdateContentType,
        *,
        check: Callable[[ContentTypeRow], None],
    ) -> ContentTypeRow:
        """Apply what is not destructive. `check` may refuse the row as it is when we hold it.

        Raises:
            PlanRequiredError: stored items might not fit any more; the message says which changes are why.
        """
        await self._check_workflow(change.workflow)
        async with db.transaction():
            row = await writable(principal, site, key)
            check(row)
            await _keep_stages(row, change)
            if change.fields is not None:
                await ask_for_indexes(site.id, row.id, fields_of(row.definitions), change.fields)
                await _apply_fields(row, change.fields)
                await repository.add_version(row, change.fields, None, principal)
            row.update_from_dict(given(change, nullable={"url_pattern", "workflow"}, exclude={"fields"}))
            row.updated_at = utcnow()
            await row.save()
            fact = ContentTypeUpdated(site_id=site.id, aggregate_id=row.id, key=key, schema_version=row.version)
            await record(fact, actor=principal)
            await notify(TOPIC, str(site.id))
        return row

    async def _check_workflow(self, workflow: Workflow | None) -> None:
        if workflow is None:
            return
        named = {role for stage in workflow.stages for role in stage.roles}
        roles = {role for role in named if not await self._roles.role_exists(role)}
        codes = {stage.permission for stage in workflow.stages if stage.permission is not None}
        errors = list(workflow.errors(roles, set(self._permissions.unknown(codes))))
        if errors:
            raise InvalidError("The workflow names what there is not.", errors=errors)

    async def delete(self, principal: Principal, site: Site, key: str) -> None:
        async with db.transaction():
            row = await writable(principal, site, key)
            if await repository.has_items(site.id, row.id):
                raise ContentTypeInUseError
            await row.delete()
            await repository.forget_history(row.id)
            await ask_for_indexes(site.id, row.id, fields_of(row.definitions), ())
            await record(ContentTypeDeleted(site_id=site.id, aggregate_id=row.id, key=key), actor=principal)
            await notify(TOPIC, str(site.id))


async def _keep_stages(row: ContentTypeRow, change: UpdateContentType) -> None:
    """Refuse a workflow without stages that items are in. Nobody moves items until the transaction ends."""
    if "workflow" not in change.model_fields_set or change.workflow is None:
        return
    try:
        await keep_writers_out(row.id, LOCK_SECONDS)
    except LockNotAvailableError:
        raise UnavailableError("Items of this type are being written all the time; try again.") from None
    kept = [stage.key for stage in change.workflow.stages]
    used = await repository.stages_in_use(row.id, but=kept)
    if used:
        raise StageInUseError(
            errors=[
                FieldError("/workflow/stages", "stage_in_use", f"Items in the stage {stage}: {number}.")
                for stage, number in used.items()
            ]
        )


async def _apply_fields(row: ContentTypeRow, fields: tuple[FieldDefinition, ...]) -> None:
    found = [change for change in changes(fields_of(row.definitions), fields) if not change.safe]
    if found:
        raise PlanRequiredError(f"{PlanRequiredError.message} Because: {'; '.join(map(str, found))}.")
    await asyncio.to_thread(check_new, fields)
    if await repository.is_being_changed(row.id):
        raise PlanInProgressError
    row.definitions = stored_form(fields)
    row.version += 1


def _types(principal: Principal, site: Site) -> lists.RowList:
    """The types that the caller may read."""
    principal.require(permissions.READ.code, site.id)
    scope = principal.scope(permissions.READ.code, site.id)
    return repository.types(site.id, scope.content_types if scope is not None else None)
