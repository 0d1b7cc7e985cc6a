"""`/api-keys`."""

from aiohttp import web

from scaicms.features.api_keys import permissions
from scaicms.features.api_keys.schemas import ApiKeyOut, CreateApiKey, CreatedApiKey, UpdateApiKey
from scaicms.features.api_keys.service import ApiKeyService
from scaicms.kit.schemas import PageQuery
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import Page, conditional_reply, created, no_content, reply

routes = Routes("api-keys", "/api-keys")


@routes.get(permission=permissions.MANAGE, summary="List API keys", query=PageQuery, response=Page[ApiKeyOut])
async def list_api_keys(call: Call) -> web.StreamResponse:
    query = call.query(PageQuery)
    rows, total = await call.get(ApiKeyService).list_keys(call.principal, limit=query.page_size, offset=query.offset)
    items = [ApiKeyOut.model_validate(row) for row in rows]
    return reply(Page(items=items, total=total, page=query.page, page_size=query.page_size))


@routes.post(
    permission=permissions.MANAGE,
    summary="Create an API key",
    description="The answer holds the key in `key`, this once.",
    repeatable=False,
    body=CreateApiKey,
    body_example={"name": "website", "permissions": ["content:read"]},
    response=CreatedApiKey,
    status=201,
)
async def create_api_key(call: Call) -> web.StreamResponse:
    row, key = await call.get(ApiKeyService).create(call.principal, await call.body(CreateApiKey))
    shown = CreatedApiKey.model_validate(row).model_copy(update={"key": key})
    return created(shown, f"/api/v1/api-keys/{row.id}")


@routes.get(
    "/{id}",
    permission=permissions.MANAGE,
    summary="Read an API key",
    response=ApiKeyOut,
    errors=(404,),
    conditional=True,
)
async def read_api_key(call: Call) -> web.StreamResponse:
    row = await call.get(ApiKeyService).get(call.principal, call.path_id())
    return conditional_reply(call.request, ApiKeyOut.model_validate(row))


@routes.patch(
    "/{id}",
    permission=permissions.MANAGE,
    summary="Rename an API key or change when it expires",
    body=UpdateApiKey,
    body_example={"name": "website 2"},
    response=ApiKeyOut,
    errors=(404,),
)
async def update_api_key(call: Call) -> web.StreamResponse:
    row = await call.get(ApiKeyService).update(call.principal, call.path_id(), await call.body(UpdateApiKey))
    return reply(ApiKeyOut.model_validate(row))


@routes.delete("/{id}", permission=permissions.MANAGE, summary="Revoke an API key", errors=(404,))
async def revoke_api_key(call: Call) -> web.StreamResponse:
    await call.get(ApiKeyService).revoke(call.principal, call.path_id())
    return no_content()
