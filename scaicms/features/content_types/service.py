"""Use cases of content types."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from tortoise.exceptions import IntegrityError

from scaicms.features.content_types import describing, permissions, repository
from scaicms.features.content_types.changes import unsafe_changes
from scaicms.features.content_types.compile import CompiledType, compile_model
from scaicms.features.content_types.errors import (
    ContentTypeExistsError,
    ContentTypeInUseError,
    ContentTypeNotFoundError,
    PlanRequiredError,
    unknown_type,
)
from scaicms.features.content_types.events import ContentTypeCreated, ContentTypeDeleted, ContentTypeUpdated
from scaicms.features.content_types.fields import FieldDefinition, all_components
from scaicms.features.content_types.models import ContentTypeRow
from scaicms.features.content_types.schemas import CreateContentType, UpdateContentType
from scaicms.features.content_types.walking import Leaf
from scaicms.infra import db
from scaicms.infra.db.notices import notify
from scaicms.infra.events import record
from scaicms.infra.services import Service, Services
from scaicms.kit.clock import utcnow
from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.ids import new_id
from scaicms.kit.permissions import Permission
from scaicms.kit.principal import Principal
from scaicms.kit.schemas import given
from scaicms.kit.sites import Site

__all__ = ["CompiledType", "ContentTypeService", "Leaf"]

TOPIC = "content_types"


class ContentTypeService(Service):
    """Types of a site; compiled ones are kept in the process until a notice says that they changed."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._compiled: dict[tuple[UUID, str], CompiledType] = {}
        services.resources.notices.subscribe(TOPIC, self._forget)

    def _forget(self, _: str | None) -> None:
        self._compiled.clear()

    async def compiled(self, site_id: UUID, key: str) -> CompiledType:
        """The type as content needs it, without asking who wants it: content checks its own permissions."""
        known = self._compiled.get((site_id, key))
        if known is not None:
            return known
        row = await repository.find(site_id, key)
        if row is None:
            raise unknown_type(key)
        compiled = _compile(row)
        # Inside a transaction the row may never be committed: other requests must not see it.
        if not db.in_open_transaction():
            self._compiled[site_id, key] = compiled
        return compiled

    async def with_addresses(self, site_id: UUID) -> list[CompiledType]:
        """The types whose items have pages of their own, oldest first."""
        keys = await repository.keys_with_addresses(site_id)
        return [await self.compiled(site_id, key) for key in keys]

    async def list_types(
        self, principal: Principal, site: Site, *, limit: int, offset: int
    ) -> tuple[list[ContentTypeRow], int]:
        principal.require(permissions.READ.code, site.id)
        scope = principal.scope(permissions.READ.code, site.id)
        only = scope.content_types if scope is not None else None
        return await repository.list_types(site.id, only, limit=limit, offset=offset)

    async def get(self, principal: Principal, site: Site, key: str) -> ContentTypeRow:
        principal.require(permissions.READ.code, site.id)
        row = await repository.find(site.id, key) if _reaches(principal, permissions.READ, site, key) else None
        if row is None:
            raise ContentTypeNotFoundError
        return row

    async def json_schema(self, principal: Principal, site: Site, key: str, *, published: bool) -> dict[str, Any]:
        """JSON Schema 2020-12 of `data`, as drafts are written or as readers get it."""
        return describing.json_schema(await self._described(principal, site, key, published=published))

    async def code(self, principal: Principal, site: Site, key: str, language: str, *, published: bool) -> str:
        """Typed models of `data` in a language of `describing.LANGUAGES`."""
        return describing.LANGUAGES[language](await self._described(principal, site, key, published=published))

    async def _described(self, principal: Principal, site: Site, key: str, *, published: bool) -> CompiledType:
        await self.get(principal, site, key)
        compiled = await self.compiled(site.id, key)
        return compiled.without_private() if published else compiled

    async def create(self, principal: Principal, site: Site, new: CreateContentType) -> ContentTypeRow:
        principal.require(permissions.WRITE.code, site.id)
        if not _reaches(principal, permissions.WRITE, site, new.key):
            raise principal.refusal(permissions.WRITE.code, f"Your content_types:write does not reach {new.key}.")
        _check_defaults(new.fields)
        now = utcnow()
        row = ContentTypeRow(
            id=new_id(),
            site_id=site.id,
            created_at=now,
            updated_at=now,
            definitions=[field.model_dump(mode="json") for field in new.fields],
            **new.model_dump(exclude={"fields"}),
        )
        try:
            async with db.transaction():
                await row.save(force_create=True)
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
        principal.require(permissions.WRITE.code, site.id)
        async with db.transaction():
            row = await self._lock(principal, site, key)
            check(row)
            if change.fields is not None:
                _apply_fields(row, change.fields)
            row.update_from_dict(given(change, nullable={"url_pattern"}, exclude={"fields"}))
            row.updated_at = utcnow()
            await row.save()
            fact = ContentTypeUpdated(site_id=site.id, aggregate_id=row.id, key=key, schema_version=row.version)
            await record(fact, actor=principal)
            await notify(TOPIC, str(site.id))
        return row

    async def delete(self, principal: Principal, site: Site, key: str) -> None:
        principal.require(permissions.WRITE.code, site.id)
        async with db.transaction():
            row = await self._lock(principal, site, key)
            if await repository.has_items(site.id, row.id):
                raise ContentTypeInUseError
            await row.delete()
            await record(ContentTypeDeleted(site_id=site.id, aggregate_id=row.id, key=key), actor=principal)
            await notify(TOPIC, str(site.id))

    @staticmethod
    async def _lock(principal: Principal, site: Site, key: str) -> ContentTypeRow:
        """The type, to be changed: refused where the caller may only read it, not found where not even that."""
        row = await repository.find(site.id, key, lock=True)
        if row is not None and _reaches(principal, permissions.WRITE, site, key):
            return row
        if row is not None and _reaches(principal, permissions.READ, site, key):
            raise principal.refusal(permissions.WRITE.code, f"Your content_types:write does not reach {key}.")
        raise ContentTypeNotFoundError


def _reaches(principal: Principal, permission: Permission, site: Site, key: str) -> bool:
    if not principal.may(permission.code, site.id):
        return False
    scope = principal.scope(permission.code, site.id)
    return scope is None or scope.reaches_type(key)


def _fields(row: ContentTypeRow) -> tuple[FieldDefinition, ...]:
    stored: list[object] = row.definitions  # type: ignore[assignment]  # JSON column, written by this module alone
    return tuple(FieldDefinition.model_validate(field) for field in stored)


def _compile(row: ContentTypeRow) -> CompiledType:
    fields = _fields(row)
    settings: dict[str, object] = row.settings  # type: ignore[assignment]  # JSON column, written here alone
    return CompiledType(
        id=row.id,
        site_id=row.site_id,
        key=row.key,
        name=row.name,
        kind=row.kind,
        version=row.version,
        url_pattern=row.url_pattern,
        settings=settings,
        layout=row.layout,
        fields={field.key: field for field in fields},
        components={component.key: component for component in all_components(fields)},
        model=compile_model(row.key, fields),
    )


def _apply_fields(row: ContentTypeRow, fields: tuple[FieldDefinition, ...]) -> None:
    unsafe = unsafe_changes(_fields(row), fields)
    if unsafe:
        raise PlanRequiredError(f"{PlanRequiredError.message} Because: {'; '.join(unsafe)}.")
    _check_defaults(fields)
    row.definitions = [field.model_dump(mode="json") for field in fields]
    row.version += 1


def _check_defaults(fields: tuple[FieldDefinition, ...]) -> None:
    """A default that the field itself would refuse is an error of the type, found now and not at the first item."""
    for number, field in enumerate(fields):
        if field.default is None:
            continue
        model = compile_model("default", [field])
        try:
            model.model_validate({field.key: field.default})
        except ValueError:
            wrong = FieldError(
                f"/fields/{number}/default", "invalid_default", "The field would not accept its default."
            )
            raise InvalidError(errors=[wrong]) from None
