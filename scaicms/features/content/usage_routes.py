"""`/content/{id}/usage`."""

from aiohttp import web

from scaicms.features.content import permissions
from scaicms.features.content.editing_schemas import LinkingItem
from scaicms.features.content.usages import UsageService
from scaicms.kit.schemas import ListQuery
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import Page, reply

routes = Routes("content", "/content", site=True)


@routes.get(
    "/{id}/usage",
    permission=permissions.READ_DRAFTS,
    summary="List what links to an item",
    description="Items whose drafts point to this one, in fields that the caller may read; the newest first.",
    query=ListQuery,
    response=Page[LinkingItem],
    errors=(404,),
)
async def list_usage(call: Call) -> web.StreamResponse:
    query = call.query(ListQuery)
    found = await call.get(UsageService).of_item(call.principal, call.site, call.path_id(), query)
    return reply(Page[LinkingItem](items=found.rows, **found.about(query)))
