"""`/search/queues` and `/search/jobs`: the fleet, for those who run it."""

from aiohttp import web

from scaicms.features.search import permissions
from scaicms.features.search.queues import QueueService
from scaicms.features.search.schemas import JobOut, JobsQuery, QueueOut, QueuesOut, Replayed, ReplayJobs
from scaicms.web.call import Call
from scaicms.web.event_stream import EventStream
from scaicms.web.operation import Routes
from scaicms.web.replies import Page, accepted, reply

routes = Routes("search", "/search", site=True)

STREAM_STEP_SECONDS = 2.0


@routes.get("/queues", permission=permissions.QUEUES, summary="Figures of every queue", response=QueuesOut)
async def list_queues(call: Call) -> web.StreamResponse:
    return reply(await call.get(QueueService).queues(call.principal, call.site))


@routes.get(
    "/queues/stream",
    permission=permissions.QUEUES,
    summary="Figures of every queue, live",
    description="Server-Sent Events: an event `queues` every two seconds, its data what `GET /search/queues` answers. "
    "The stream ends after ten minutes; clients such as EventSource connect anew. When the caller loses the right "
    "to read it, an event `closed` names the reason and the stream ends. One caller may have five streams open in a "
    "process (429).",
    response=QueuesOut,
    media_type="text/event-stream",
)
async def stream_queues(call: Call) -> web.StreamResponse:
    service = call.get(QueueService)
    async with EventStream(call) as stream:
        async for principal in stream.every(STREAM_STEP_SECONDS):
            await stream.send("queues", (await service.shared(principal, call.site)).model_dump_json())
    return stream.response


@routes.get(
    "/queues/{queue}",
    permission=permissions.QUEUES,
    summary="Figures of one queue",
    response=QueueOut,
    errors=(404,),
)
async def read_queue(call: Call) -> web.StreamResponse:
    return reply(await call.get(QueueService).queue(call.principal, call.site, call.path("queue")))


@routes.post(
    "/queues/{queue}/pause",
    permission=permissions.OPERATE,
    summary="Let nobody take work from a queue",
    description="Begun jobs are finished, new ones go on being promised. Needs the permission everywhere.",
    response=QueueOut,
    errors=(404,),
)
async def pause_queue(call: Call) -> web.StreamResponse:
    return reply(await call.get(QueueService).pause(call.principal, call.site, call.path("queue")))


@routes.post(
    "/queues/{queue}/resume",
    permission=permissions.OPERATE,
    summary="End the pause of a queue",
    response=QueueOut,
    errors=(404,),
)
async def resume_queue(call: Call) -> web.StreamResponse:
    return reply(await call.get(QueueService).resume(call.principal, call.site, call.path("queue")))


@routes.get(
    "/jobs",
    permission=permissions.QUEUES,
    summary="List jobs, newest first",
    query=JobsQuery,
    response=Page[JobOut],
)
async def list_jobs(call: Call) -> web.StreamResponse:
    query = call.query(JobsQuery)
    found = await call.get(QueueService).jobs(call.principal, call.site, query)
    return reply(Page(items=found.rows, **found.about(query)))


@routes.post(
    "/jobs/retry",
    permission=permissions.OPERATE,
    summary="Retry dead and quarantined jobs in bulk",
    description="Oldest first, at most `limit`; call again while `retried` equals `limit`.",
    body=ReplayJobs,
    body_example={"queue": "webhooks", "limit": 1000},
    response=Replayed,
)
async def replay_jobs(call: Call) -> web.StreamResponse:
    retried = await call.get(QueueService).replay(call.principal, call.site, await call.body(ReplayJobs))
    return reply(Replayed(retried=retried))


@routes.get(
    "/jobs/{id}",
    authenticated="jobs that act for oneself, as imports do; others with search:queues, which the service checks",
    summary="Read a job",
    description="Needs `search:queues`, except for imports that the caller started. Answers 404 for all other jobs.",
    response=JobOut,
    errors=(404,),
)
async def read_job(call: Call) -> web.StreamResponse:
    return reply(await call.get(QueueService).job(call.principal, call.site, call.path_id()))


@routes.post(
    "/jobs/{id}/retry",
    permission=permissions.OPERATE,
    summary="Retry a dead, quarantined or cancelled job",
    response=JobOut,
    status=202,
    errors=(404, 409),
)
async def retry_job(call: Call) -> web.StreamResponse:
    job = await call.get(QueueService).retry(call.principal, call.site, call.path_id())
    return accepted(job, f"/api/v1/search/jobs/{job.id}")


@routes.post(
    "/jobs/{id}/cancel",
    permission=permissions.OPERATE,
    summary="Cancel a job",
    description="At once while it waits. A running one is asked to stop: work in one transaction is undone, longer "
    "work stops at its next checkpoint.",
    response=JobOut,
    status=202,
    errors=(404, 409),
)
async def cancel_job(call: Call) -> web.StreamResponse:
    job = await call.get(QueueService).cancel(call.principal, call.site, call.path_id())
    return accepted(job, f"/api/v1/search/jobs/{job.id}")
