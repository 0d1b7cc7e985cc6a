"""`/webhooks/event-types` and `/webhooks/events`."""

from aiohttp import web

from scaicms.features.webhooks import permissions
from scaicms.features.webhooks.feed import FeedService
from scaicms.features.webhooks.schemas import EventTypeOut, FeedOut, FeedQuery
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import Page, reply

routes = Routes("webhooks", "/webhooks", site=True)


@routes.get(
    "/event-types",
    permission=permissions.READ,
    summary="List the types of events that webhooks can get",
    response=Page[EventTypeOut],
)
async def list_event_types(call: Call) -> web.StreamResponse:
    types = call.get(FeedService).event_types(call.principal, call.site)
    return reply(Page(items=types, total=len(types), page=1, page_size=len(types)))


@routes.get(
    "/events",
    permission=permissions.READ,
    summary="Read the feed of events",
    description="Events of the site that you may read, oldest first, as webhooks get them. Go on with `next_after` (or "
    "`next_cursor`) of the answer: events are told in an order in which none comes in before what was told, which is "
    "not always that of `seq`. 410 `events_expired` when retention has removed events after the place.",
    query=FeedQuery,
    response=FeedOut,
    errors=(410,),
)
async def read_feed(call: Call) -> web.StreamResponse:
    return reply(await call.get(FeedService).read(call.principal, call.site, call.query(FeedQuery)))
