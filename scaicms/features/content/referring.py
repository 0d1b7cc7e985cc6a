"""What points to an item, as far as a caller may know."""

from collections.abc import Sequence
from uuid import UUID

from scaicms.features.content import referring_repository
from scaicms.features.content.editing_schemas import LinkingItem
from scaicms.features.content.errors import ItemInUseError
from scaicms.features.content.permissions import READ_DRAFTS
from scaicms.features.content.records import Item
from scaicms.kit.principal import Principal

SHOWN = 5


async def linking(
    principal: Principal, site_id: UUID, target_id: UUID, *, limit: int, offset: int
) -> tuple[Sequence[LinkingItem], int]:
    """A page of the items whose drafts point to this item or asset, in fields that the caller may read."""
    if not principal.may(READ_DRAFTS.code, site_id):
        return (), 0
    scope = principal.scope(READ_DRAFTS.code, site_id)
    rows, total = await referring_repository.linking(site_id, target_id, scope, limit=limit, offset=offset)
    return [LinkingItem(**dict(row)) for row in rows], total


async def require_unused(principal: Principal, item: Item) -> None:
    """Refuse to take away what others point to.

    Raises:
        ItemInUseError: with how many do, and the newest of them.
    """
    found, total = await linking(principal, item.site_id, item.id, limit=SHOWN, offset=0)
    if total:
        shown = [one.model_dump(mode="json") for one in found]
        raise ItemInUseError(extra={"usage": {"items": shown, "total": total}})
