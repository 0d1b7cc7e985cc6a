"""`/webhooks/{id}/deliveries`, and asking for some."""

from aiohttp import web

from scaicms.features.webhooks import permissions
from scaicms.features.webhooks.deliveries import DeliveryService
from scaicms.features.webhooks.schemas import DeliveryOut, DeliveryPage, ListDeliveries, Replay, ReplayOut
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import accepted, reply

routes = Routes("webhooks", "/webhooks", site=True)


@routes.get(
    "/{id}/deliveries",
    permission=permissions.READ,
    summary="List what was sent to a webhook",
    description="Newest first, with every attempt: request, status, latency and the first 64 KiB of the answer. "
    "Answers beyond 1 MiB a page are left out and say so (`left_out`), and so are, without a word, deliveries whose "
    "events you may not read.",
    query=ListDeliveries,
    response=DeliveryPage,
    errors=(404,),
)
async def list_deliveries(call: Call) -> web.StreamResponse:
    query = call.query(ListDeliveries)
    return reply(await call.get(DeliveryService).page(call.principal, call.site, call.path_id(), query))


@routes.get(
    "/{id}/deliveries/{delivery_id}",
    permission=permissions.READ,
    summary="Read one delivery",
    response=DeliveryOut,
    errors=(404,),
)
async def read_delivery(call: Call) -> web.StreamResponse:
    service = call.get(DeliveryService)
    return reply(await service.get(call.principal, call.site, call.path_id(), call.path_id("delivery_id")))


@routes.post(
    "/{id}/deliveries/{delivery_id}/redeliver",
    permission=permissions.MANAGE,
    summary="Send a delivery once more",
    description="Now, under the same `webhook-id`, and from the beginning of the schedule should it fail.",
    response=DeliveryOut,
    status=202,
    errors=(404, 409),
)
async def redeliver(call: Call) -> web.StreamResponse:
    service, webhook_id = call.get(DeliveryService), call.path_id()
    shown = await service.redeliver(call.principal, call.site, webhook_id, call.path_id("delivery_id"))
    return accepted(shown, f"/api/v1/webhooks/{webhook_id}/deliveries/{shown.id}")


@routes.post(
    "/{id}/test",
    permission=permissions.MANAGE,
    summary="Send a test",
    description="An event `webhook.test`, sent once, whether the webhook is active or not.",
    response=DeliveryOut,
    status=202,
    errors=(404,),
)
async def test_webhook(call: Call) -> web.StreamResponse:
    shown = await call.get(DeliveryService).test(call.principal, call.site, call.path_id())
    return accepted(shown, f"/api/v1/webhooks/{shown.webhook_id}/deliveries/{shown.id}")


@routes.post(
    "/{id}/replay",
    permission=permissions.MANAGE,
    summary="Deliver the past once more",
    description="A worker delivers all events between the two times that fit the webhook, at most 10,000, also those "
    "that were delivered, under the same `webhook-id`. The result of the job says how many, and whether that was all. "
    "410 `events_expired` when retention has removed events after `since`.",
    body=Replay,
    body_example={"since": "2026-01-31T00:00:00Z", "until": "2026-02-01T00:00:00Z"},
    response=ReplayOut,
    status=202,
    errors=(404, 409, 410),
)
async def replay_webhook(call: Call) -> web.StreamResponse:
    webhook_id = call.path_id()
    promised = await call.get(DeliveryService).replay(call.principal, call.site, webhook_id, await call.body(Replay))
    answer = ReplayOut(
        webhook_id=webhook_id,
        status="pending",
        job_id=promised.job_id,
        since=promised.since,
        until=promised.until,
    )
    return accepted(answer, f"/api/v1/search/jobs/{promised.job_id}")
