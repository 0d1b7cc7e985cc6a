"""`/search`."""

from aiohttp import web

from scaicms.features.content import permissions as content_permissions
from scaicms.features.search.schemas import SearchQuery, SearchResult
from scaicms.features.search.service import SearchService
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import json_reply

routes = Routes("search", "/search", site=True)


@routes.get(
    permission=content_permissions.READ,
    summary="Search published content",
    description="Best first. Only what is published and what the caller may read.",
    query=SearchQuery,
    response=SearchResult,
)
async def search(call: Call) -> web.StreamResponse:
    query = call.query(SearchQuery)
    found = await call.get(SearchService).search(call.principal, call.site, query)
    return json_reply(
        b'{"items":[%s],"total":%d,"total_relation":"%s","page":%d,"page_size":%d,"took_ms":%g}'
        % (b",".join(found.items), found.total, found.relation.encode(), query.page, query.page_size, found.took_ms)
    )
