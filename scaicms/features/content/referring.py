"""What points to an item, as far as a caller may know."""

from uuid import UUID

from scaicms.features.content import referring_repository
from scaicms.features.content.editing_schemas import LinkingItem
from scaicms.features.content.errors import ItemInUseError
from scaicms.features.content.permissions import READ_DRAFTS
from scaicms.features.content.records import Item
from scaicms.infra import lists
from scaicms.infra.lists import Found
from scaicms.infra.resources import Resources
from scaicms.kit.principal import Principal
from scaicms.kit.schemas import ListQuery

SHOWN = 5


async def linking(
    resources: Resources, principal: Principal, site_id: UUID, target_id: UUID, query: ListQuery
) -> Found[LinkingItem]:
    """A page of the items whose drafts point to this item or asset, in fields that the caller may read."""
    if not principal.may(READ_DRAFTS.code, site_id):
        return Found((), 0)
    scope = principal.scope(READ_DRAFTS.code, site_id)
    found = await lists.read_page(resources, referring_repository.linking(site_id, target_id, scope), query)
    return found.each(lambda row: LinkingItem(**{name: row[name] for name in LinkingItem.model_fields}))


async def require_unused(resources: Resources, principal: Principal, item: Item) -> None:
    """Refuse to take away what others point to.

    Raises:
        ItemInUseError: with how many do, and the newest of them.
    """
    query = ListQuery(page_size=SHOWN)
    found = await linking(resources, principal, item.site_id, item.id, query)
    if found.total:
        shown = [one.model_dump(mode="json") for one in found.rows]
        relation = {"total_relation": "at_least"} if found.is_lower_bound else {}
        raise ItemInUseError(extra={"usage": {"items": shown, "total": found.total, **relation}})
