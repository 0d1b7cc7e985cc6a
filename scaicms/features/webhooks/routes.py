"""`/webhooks`."""

from aiohttp import web

from scaicms.features.webhooks import permissions
from scaicms.features.webhooks.models import WebhookRow
from scaicms.features.webhooks.schemas import (
    CreateWebhook,
    RotateSecret,
    UpdateWebhook,
    WebhookOut,
    WebhookWithSecret,
)
from scaicms.features.webhooks.service import WebhookService, WithSecret
from scaicms.kit.schemas import ListQuery
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import Page, conditional_reply, created, etag_of, matcher, no_content, reply

routes = Routes("webhooks", "/webhooks", site=True)

EXAMPLE = {
    "name": "Rebuild the site",
    "url": "https://builds.example.com/hooks/cms",
    "events": ["content.published", "content.unpublished"],
    "content_types": ["article"],
    "headers": {"Authorization": "Bearer of-the-receiver"},
}


def _etag(row: WebhookRow) -> str:
    state = (row.id, row.updated_at, row.is_active, row.failing_since, row.previous_until)
    return etag_of(":".join(map(str, state)).encode())


def _with_secret(service: WebhookService, made: WithSecret) -> WebhookWithSecret:
    return WebhookWithSecret(**service.shown(made.row).model_dump(), secret=made.secret)


@routes.get(permission=permissions.READ, summary="List webhooks", query=ListQuery, response=Page[WebhookOut])
async def list_webhooks(call: Call) -> web.StreamResponse:
    query, service = call.query(ListQuery), call.get(WebhookService)
    found = await service.list_webhooks(call.principal, call.site, query)
    items = [service.shown(row) for row in found.rows]
    return reply(Page(items=items, **found.about(query)))


@routes.post(
    permission=permissions.MANAGE,
    summary="Create a webhook",
    description="The answer holds the secret that signs its deliveries in `secret`, this once. It gets the events that "
    "it asks for and its owner, who created it or last said what it gets and where, may read at the time of delivery.",
    repeatable=False,
    body=CreateWebhook,
    body_example=EXAMPLE,
    response=WebhookWithSecret,
    status=201,
    errors=(409,),
)
async def create_webhook(call: Call) -> web.StreamResponse:
    service = call.get(WebhookService)
    made = await service.create(call.principal, call.site, await call.body(CreateWebhook))
    return created(_with_secret(service, made), f"/api/v1/webhooks/{made.row.id}")


@routes.get(
    "/{id}",
    permission=permissions.READ,
    summary="Read a webhook",
    response=WebhookOut,
    errors=(404,),
    conditional=True,
)
async def read_webhook(call: Call) -> web.StreamResponse:
    service = call.get(WebhookService)
    row = await service.get(call.principal, call.site, call.path_id())
    return conditional_reply(call.request, service.shown(row), _etag(row))


@routes.patch(
    "/{id}",
    permission=permissions.MANAGE,
    summary="Change a webhook",
    description="A caller who changes `url`, `events`, `content_types` or `headers`, or activates the webhook, becomes "
    "its owner. "
    "A `url` of another origin needs `headers` in the same body if values are stored: 422 `headers_required`. The "
    "secret stays; rotate it when the receiver becomes another party.",
    body=UpdateWebhook,
    body_example={"events": ["content.*"], "is_active": True},
    response=WebhookOut,
    errors=(404, 409, 412),
    conditional=True,
)
async def update_webhook(call: Call) -> web.StreamResponse:
    service, change = call.get(WebhookService), await call.body(UpdateWebhook)
    check = matcher(call.request, _etag)
    row = await service.update(call.principal, call.site, call.path_id(), change, check=check)
    return reply(service.shown(row), headers={"ETag": _etag(row)})


@routes.delete(
    "/{id}",
    permission=permissions.MANAGE,
    summary="Delete a webhook",
    description="What is left to deliver is given up.",
    errors=(404, 412),
    conditional=True,
)
async def delete_webhook(call: Call) -> web.StreamResponse:
    check = matcher(call.request, _etag)
    await call.get(WebhookService).delete(call.principal, call.site, call.path_id(), check=check)
    return no_content()


@routes.post(
    "/{id}/rotate-secret",
    permission=permissions.MANAGE,
    summary="Give a webhook a new secret",
    description="The answer holds it in `secret`, this once. The old one signs beside it for `grace_seconds`: "
    "`webhook-signature` has both signatures, so that the receiver can change over.",
    repeatable=False,
    body=RotateSecret,
    body_example={"grace_seconds": 86400},
    response=WebhookWithSecret,
    errors=(404,),
)
async def rotate_webhook_secret(call: Call) -> web.StreamResponse:
    service = call.get(WebhookService)
    made = await service.rotate(call.principal, call.site, call.path_id(), await call.body(RotateSecret))
    return reply(_with_secret(service, made))
