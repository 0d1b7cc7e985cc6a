"""Asking for an import: what is refused before a row is read, and what workers are told."""

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from scaicms.features.content import access, permissions
from scaicms.features.content.events import ContentImportRequested
from scaicms.features.content.jobs import IMPORT_CONTENT, ImportPayload
from scaicms.features.content.reading.mapping import Mapping
from scaicms.features.content_types.service import CompiledType, ContentTypeService
from scaicms.features.taxonomies.service import TermLinks
from scaicms.infra import db
from scaicms.infra.events import record
from scaicms.infra.jobs import enqueue
from scaicms.infra.services import Service, Services
from scaicms.kit.errors import FieldError, InvalidError, UnauthorizedError
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What to do with the rows. Without `mapping`, the type's own (`settings.import.mapping`) holds."""

    type: str
    publish: bool = False
    dry_run: bool = False
    mapping: dict[str, Any] | None = None
    format: Literal["rows", "export"] = "rows"
    """Rows of one type, or an export, which says itself what it is of."""


class ImportService(Service):
    """What may be imported, and the promise to do it; `ImportBatches` does it."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._types = services.get(ContentTypeService)
        self._links = services.get(TermLinks)

    async def check(self, principal: Principal, site: Site, options: ImportOptions) -> CompiledType:
        """Refuse what can be refused before the first row is read."""
        needed = [permissions.IMPORT, permissions.CREATE, permissions.UPDATE]
        for permission in [*needed, permissions.PUBLISH] if options.publish else needed:
            principal.require(permission.code, site.id)
            access.require_type(principal, permission, site.id, options.type)
        content_type = await self._types.compiled(site.id, options.type)
        mapping = mapping_of(content_type, options)
        if mapping is not None:
            keys = await self._links.keys(site) if mapping.taxonomies else ()
            if unknown := mapping.unknown_targets(keys_of(content_type), keys):
                message = f"The mapping names what {content_type.key} and its site do not have: {', '.join(unknown)}."
                raise InvalidError(message)
        return content_type

    def check_export(self, principal: Principal, site: Site) -> None:
        """Refuse to take in an export for who may not write everything: it says who created what, and when."""
        for permission in (permissions.IMPORT, permissions.CREATE, permissions.UPDATE, permissions.PUBLISH):
            principal.require(permission.code, site.id)
            if principal.scope(permission.code, site.id) is not None:
                raise principal.refusal(permission.code, f"Exports need {permission.code} without bounds.")

    async def start(self, principal: Principal, site: Site, upload: str, filename: str, options: ImportOptions) -> UUID:
        """Hand an uploaded file to the workers; the job's id.

        The worker acts as who asked, with the rights they have then: that must be somebody it can find again.
        """
        if principal.is_anonymous:
            raise UnauthorizedError
        if options.format == "export":
            self.check_export(principal, site)
        else:
            await self.check(principal, site, options)
        payload = ImportPayload(
            upload=upload,
            filename=filename,
            type=options.type,
            publish=options.publish,
            dry_run=options.dry_run,
            mapping=options.mapping,
            format=options.format,
            actor_kind=principal.kind,
            actor_id=principal.id,
        )
        async with db.transaction():
            job_id = await enqueue(IMPORT_CONTENT.request(payload, site_id=site.id))
            fact = ContentImportRequested(
                site_id=site.id,
                aggregate_id=job_id,
                content_type=options.type,
                filename=filename,
                publish=options.publish,
                dry_run=options.dry_run,
            )
            await record(fact, actor=principal)
            return job_id


def _wrong(error: ErrorDetails) -> FieldError:
    """With a pointer to the target; behind it stands which kind of source was meant."""
    target = [str(part).replace("~", "~0").replace("/", "~1") for part in error["loc"][:1]]
    return FieldError("/".join(["/mapping", *target]), error["type"], error["msg"])


def mapping_of(content_type: CompiledType, options: ImportOptions) -> Mapping | None:
    """The mapping that holds: the one given, else the type's own.

    Raises:
        InvalidError: it is not a mapping.
    """
    settings = content_type.settings.get("import")
    raw = options.mapping if options.mapping is not None else (settings or {}).get("mapping")
    if raw is None:
        return None
    try:
        return Mapping.model_validate(raw)
    except ValidationError as error:
        raise InvalidError("The mapping is not valid.", errors=[_wrong(one) for one in error.errors()]) from None


def keys_of(content_type: CompiledType) -> list[tuple[str, str]]:
    """Key and type of each field, as mappings want them."""
    return [(f.key, f.type) for f in content_type.fields.values()]
