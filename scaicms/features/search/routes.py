"""`/search`."""

from aiohttp import web

from scaicms.features.content import permissions as content_permissions
from scaicms.features.search import permissions
from scaicms.features.search.errors import QueueNotFoundError
from scaicms.features.search.queues import QueueService
from scaicms.features.search.schemas import JobOut, JobsQuery, QueueOut, QueuesOut, SearchQuery, SearchResult
from scaicms.features.search.service import SearchService
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import Page, json_reply, reply

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
        b'{"items":[%s],"total":%d,"page":%d,"page_size":%d,"took_ms":%g}'
        % (b",".join(found.items), found.total, query.page, query.page_size, found.took_ms)
    )


@routes.get("/queues", permission=permissions.QUEUES, summary="Figures of every queue", response=QueuesOut)
async def list_queues(call: Call) -> web.StreamResponse:
    return reply(await call.get(QueueService).queues(call.principal, call.site))


@routes.get(
    "/queues/{queue}",
    permission=permissions.QUEUES,
    summary="Figures of one queue",
    response=QueueOut,
    errors=(404,),
)
async def read_queue(call: Call) -> web.StreamResponse:
    queues = await call.get(QueueService).queues(call.principal, call.site)
    found = next((item for item in queues.items if item.queue == call.path("queue")), None)
    if found is None:
        raise QueueNotFoundError
    return reply(found)


@routes.get(
    "/jobs",
    permission=permissions.QUEUES,
    summary="List jobs, newest first",
    query=JobsQuery,
    response=Page[JobOut],
)
async def list_jobs(call: Call) -> web.StreamResponse:
    query = call.query(JobsQuery)
    jobs, total = await call.get(QueueService).jobs(call.principal, call.site, query)
    return reply(Page(items=jobs, total=total, page=query.page, page_size=query.page_size))


@routes.get("/jobs/{id}", permission=permissions.QUEUES, summary="Read a job", response=JobOut, errors=(404,))
async def read_job(call: Call) -> web.StreamResponse:
    return reply(await call.get(QueueService).job(call.principal, call.site, call.path_id()))
