"""Many operations on items in one request. Each goes through `ContentService`, as if it had come by itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from scaicms.features.content import repository
from scaicms.features.content.editing_schemas import (
    BulkBody,
    CreateOperation,
    DeleteOperation,
    Operation,
    PublishOperation,
    UnpublishOperation,
    UpdateOperation,
)
from scaicms.features.content.publishing import PublishingService
from scaicms.features.content.service import ContentService, Written
from scaicms.features.content_types.service import ContentTypeService
from scaicms.features.taxonomies.service import TermLinks
from scaicms.infra import db
from scaicms.infra.services import Service, Services
from scaicms.kit.errors import AppError, FieldError
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site

Explain = Callable[[Exception], AppError]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an operation: it is done (a delete has nothing to show), or why it is not."""

    op: str
    status: int
    written: Written | None = None
    publishes: bool = False
    error: AppError | None = None


class BulkService(Service):
    """Operations in the order given."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._content = services.get(ContentService)
        self._types = services.get(ContentTypeService)
        self._publishing = services.get(PublishingService)
        self._terms = services.get(TermLinks)

    async def run(self, principal: Principal, site: Site, bulk: BulkBody, explain: Explain) -> list[Outcome]:
        """Do all of it in one transaction (`atomic`), or each operation in one of its own.

        `explain` says of any exception what the caller is told.

        Raises:
            AppError: the bulk is atomic and an operation failed; its pointers begin with `/operations/N`.
        """
        if bulk.atomic:
            async with db.transaction():
                await self._hold(site, bulk.operations)
                return [
                    await self._done(principal, site, number, operation, explain)
                    for number, operation in enumerate(bulk.operations)
                ]
        if db.in_open_transaction():
            await self._hold(site, bulk.operations)
        return [
            await self._tried(principal, site, number, operation, explain)
            for number, operation in enumerate(bulk.operations)
        ]

    async def _tried(
        self, principal: Principal, site: Site, number: int, operation: Operation, explain: Explain
    ) -> Outcome:
        async def apart() -> Outcome:
            async with db.transaction():
                return await self._done(principal, site, number, operation, explain)

        try:
            return await db.again(apart)
        except AppError as error:
            if db.is_race(error) and db.in_open_transaction():
                raise  # whoever began the transaction does all of it again
            return Outcome(operation.op, error.status, error=error)

    async def _done(
        self, principal: Principal, site: Site, number: int, operation: Operation, explain: Explain
    ) -> Outcome:
        try:
            written = await self._apply(principal, site, operation)
        except Exception as error:  # also what the driver raises for a race lost: `explain` says it as for one request
            raise _placed(explain(error), number) from error
        status = {"create": 201, "delete": 204}.get(operation.op, 200)
        publishes = operation.publish if isinstance(operation, CreateOperation) else operation.op == "publish"
        return Outcome(operation.op, status, written, publishes)

    async def _apply(self, principal: Principal, site: Site, operation: Operation) -> Written | None:
        content = self._content
        match operation:
            case CreateOperation():
                return await content.create(principal, site, operation)
            case UpdateOperation():
                return await content.save(
                    principal,
                    site,
                    operation.id,
                    operation.data,
                    taxonomies=operation.taxonomies,
                    locale=operation.locale,
                    slug=operation.slug,
                    merge=not operation.replace,
                    all_terms=operation.replace,
                    expected_version=operation.version,
                    reconcile=operation.merge,
                )
            case PublishOperation():
                return await self._publishing.publish(
                    principal, site, operation.id, locales=operation.locales, expected_version=operation.version
                )
            case UnpublishOperation():
                return await self._publishing.unpublish(principal, site, operation.id, locales=operation.locales)
            case DeleteOperation():
                await content.delete(
                    principal,
                    site,
                    operation.id,
                    permanent=operation.permanent,
                    force=operation.force,
                    expected_version=operation.version,
                )
        return None

    async def _hold(self, site: Site, operations: Sequence[Operation]) -> None:
        """Take the locks of all of it in the order in which everybody takes them: names, types, items by their ids.

        Without it two transactions over the same items would wait for each other.
        """
        await self._terms.hold(site)
        keys = {operation.type for operation in operations if isinstance(operation, CreateOperation)}
        ids: set[UUID] = {op.id for op in operations if not isinstance(op, CreateOperation)}
        await repository.hold_items(site.id, sorted(ids), sorted(keys))


def _placed(error: AppError, number: int) -> AppError:
    """The error as one of the operation with this number."""
    place = f"/operations/{number}"
    wrong = [FieldError(place + found.pointer, found.code, found.message) for found in error.errors]
    error.errors = tuple(wrong or [FieldError(place, error.code, error.message)])
    return error
