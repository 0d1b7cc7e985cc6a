"""Reading by the fields of types while these change: what was read by fields that a type no more has is read again.

Documents are exchanged in one transaction when a field gets another name. A query that was made for the old name and
runs after that would find nothing, without a word. Versions of types only grow: where a type still has the version that
a query was made for, it had it when the query ran.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar
from uuid import UUID

from scaicms.features.content_types.service import CompiledType, ContentTypeService
from scaicms.infra import db
from scaicms.kit.errors import BadRequestError, UnavailableError

ATTEMPTS = 3

Answer = TypeVar("Answer")


class TypeChangedError(UnavailableError):
    """A type has other fields than those that were read by."""

    message = "The content type is being changed; try again."


def current_sql(types: Iterable[CompiledType]) -> str:
    """An expression: whether these types have the versions that are known here."""
    known = {content_type.id: content_type.version for content_type in types}
    pairs = ", ".join(f"('{type_id}'::uuid, {version})" for type_id, version in sorted(known.items()))
    return f"(SELECT count(*) = {len(known)} FROM content_types c WHERE (c.id, c.version) IN ({pairs}))"


async def require_current(reads: db.ReadPool, types: Iterable[CompiledType]) -> None:
    """After a read by the fields of these types.

    Raises:
        TypeChangedError: one of them has been changed, perhaps before the read.
    """
    if not await reads.fetchval(f"SELECT {current_sql(types)}"):
        raise TypeChangedError


def steadily(
    types: ContentTypeService, site_id: UUID, read: Callable[[], Awaitable[Answer]]
) -> Callable[[], Awaitable[Answer]]:
    """`read`, that answers by the types as they are; what it refuses, it refuses by these.

    Raises:
        TypeChangedError: they have changed during each of several attempts.
    """

    async def again() -> Answer:
        for _ in range(ATTEMPTS - 1):
            try:
                return await read()
            except TypeChangedError:
                await types.forget_changed(site_id)
            except BadRequestError:
                if not await types.forget_changed(site_id):
                    raise
        return await read()

    return again
