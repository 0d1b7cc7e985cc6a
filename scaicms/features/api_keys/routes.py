"""`/api-keys`."""

from aiohttp import web

from scaicms.features.api_keys import permissions
from scaicms.features.api_keys.schemas import ApiKeyOut, CreateApiKey, CreatedApiKey, RotateApiKey, UpdateApiKey
from scaicms.features.api_keys.service import ApiKeyService
from scaicms.kit.schemas import ListQuery
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import Page, conditional_reply, created, no_content, reply

routes = Routes("api-keys", "/api-keys")


@routes.get(permission=permissions.MANAGE, summary="List API keys", query=ListQuery, response=Page[ApiKeyOut])
async def list_api_keys(call: Call) -> web.StreamResponse:
    query = call.query(ListQuery)
    found = await call.get(ApiKeyService).list_keys(call.principal, query)
    return reply(Page(items=found.rows, **found.about(query)))


@routes.post(
    permission=permissions.MANAGE,
    summary="Create an API key",
    description="The answer holds the key in `key`, this once.",
    repeatable=False,
    body=CreateApiKey,
    body_example={"name": "website", "permissions": ["content:read"], "allowed_ips": ["192.0.2.0/24"]},
    response=CreatedApiKey,
    status=201,
)
async def create_api_key(call: Call) -> web.StreamResponse:
    shown, key = await call.get(ApiKeyService).create(call.principal, await call.body(CreateApiKey))
    return created(CreatedApiKey(**shown.model_dump(), key=key), f"/api/v1/api-keys/{shown.id}")


@routes.get(
    "/{id}",
    permission=permissions.MANAGE,
    summary="Read an API key",
    response=ApiKeyOut,
    errors=(404,),
    conditional=True,
)
async def read_api_key(call: Call) -> web.StreamResponse:
    return conditional_reply(call.request, await call.get(ApiKeyService).get(call.principal, call.path_id()))


@routes.patch(
    "/{id}",
    permission=permissions.MANAGE,
    summary="Change an API key of one's own",
    description="Null takes `site_ids`, `expires_at` or `allowed_ips` away.",
    body=UpdateApiKey,
    body_example={"name": "website 2", "allowed_ips": ["192.0.2.0/24"], "rate_limit": 1200},
    response=ApiKeyOut,
    errors=(404,),
)
async def update_api_key(call: Call) -> web.StreamResponse:
    return reply(await call.get(ApiKeyService).update(call.principal, call.path_id(), await call.body(UpdateApiKey)))


@routes.post(
    "/{id}/rotate",
    permission=permissions.MANAGE,
    summary="Give an API key a new text",
    description="The answer holds it in `key`, this once. The old one works `grace_seconds` longer.",
    repeatable=False,
    body=RotateApiKey,
    body_required=False,
    body_example={"grace_seconds": 3600},
    response=CreatedApiKey,
    errors=(404,),
)
async def rotate_api_key(call: Call) -> web.StreamResponse:
    body = await call.body(RotateApiKey)
    shown, key = await call.get(ApiKeyService).rotate(call.principal, call.path_id(), body)
    return reply(CreatedApiKey(**shown.model_dump(), key=key), headers={"Cache-Control": "no-store"})


@routes.delete("/{id}", permission=permissions.MANAGE, summary="Revoke an API key", errors=(404,))
async def revoke_api_key(call: Call) -> web.StreamResponse:
    await call.get(ApiKeyService).revoke(call.principal, call.path_id())
    return no_content()
