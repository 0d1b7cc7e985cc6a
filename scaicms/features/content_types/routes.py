"""`/content-types`."""

import asyncio

from aiohttp import web

from scaicms.features.content_types import permissions
from scaicms.features.content_types.models import ContentTypeRow
from scaicms.features.content_types.schemas import (
    ContentTypeOut,
    CreateContentType,
    SchemaQuery,
    TypesQuery,
    UpdateContentType,
)
from scaicms.features.content_types.service import ContentTypeService
from scaicms.kit import json
from scaicms.kit.schemas import ListQuery
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import (
    Page,
    conditional,
    conditional_reply,
    created,
    etag_of,
    matcher,
    no_content,
    reply,
    reply_large,
)

routes = Routes("content-types", "/content-types", site=True)

EXAMPLE = {
    "key": "article",
    "name": "Article",
    "fields": [
        {"key": "title", "type": "string", "required": True},
        {"key": "body", "type": "markdown"},
        {"key": "published_on", "type": "date", "indexed": True},
    ],
    "url_pattern": "/articles/{slug}",
}


def _out(row: ContentTypeRow) -> ContentTypeOut:
    return ContentTypeOut.model_validate(row)


def _etag(row: ContentTypeRow) -> str:
    return etag_of(f"{row.id}:{row.updated_at.isoformat()}".encode())


@routes.get(permission=permissions.READ, summary="List content types", query=ListQuery, response=Page[ContentTypeOut])
async def list_content_types(call: Call) -> web.StreamResponse:
    query = call.query(ListQuery)
    found = await call.get(ContentTypeService).list_types(call.principal, call.site, query)
    # Two hundred types of a thousand fields each take seconds.
    items = await asyncio.to_thread(lambda: [_out(row) for row in found.rows])
    return await reply_large(Page(items=items, **found.about(query)))


@routes.post(
    permission=permissions.WRITE,
    summary="Create a content type",
    body=CreateContentType,
    body_example=EXAMPLE,
    response=ContentTypeOut,
    status=201,
    errors=(409,),
)
async def create_content_type(call: Call) -> web.StreamResponse:
    new = await call.body(CreateContentType)
    row = await call.get(ContentTypeService).create(call.principal, call.site, new)
    return created(_out(row), f"/api/v1/content-types/{row.key}")


@routes.get(
    "/{key}",
    permission=permissions.READ,
    summary="Read a content type",
    response=ContentTypeOut,
    errors=(404,),
    conditional=True,
)
async def read_content_type(call: Call) -> web.StreamResponse:
    row = await call.get(ContentTypeService).get(call.principal, call.site, call.path("key"))
    return conditional_reply(call.request, _out(row), _etag(row))


@routes.patch(
    "/{key}",
    permission=permissions.WRITE,
    summary="Change a content type where no stored item can suffer",
    description="Labels, new optional fields, looser limits. Anything else answers 409 `plan_required`.",
    body=UpdateContentType,
    body_example={"name": "Article", "description": "What we publish"},
    response=ContentTypeOut,
    errors=(404, 409),
    conditional=True,
)
async def update_content_type(call: Call) -> web.StreamResponse:
    change = await call.body(UpdateContentType)
    check = matcher(call.request, _etag)
    row = await call.get(ContentTypeService).update(call.principal, call.site, call.path("key"), change, check=check)
    return reply(_out(row), headers={"ETag": _etag(row)})


@routes.delete("/{key}", permission=permissions.WRITE, summary="Delete an unused content type", errors=(404, 409))
async def delete_content_type(call: Call) -> web.StreamResponse:
    await call.get(ContentTypeService).delete(call.principal, call.site, call.path("key"))
    return no_content()


@routes.get(
    "/{key}/schema",
    permission=permissions.READ,
    summary="JSON Schema of the type's data",
    description="JSON Schema 2020-12 of `data`, for forms, editors and clients. By default as drafts are written, with "
    "what only documents carry as `readOnly`; `view=published` as readers get it, without private fields.",
    query=SchemaQuery,
    media_type="application/schema+json",
    response_example={"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]},
    errors=(404,),
    conditional=True,
)
async def read_schema(call: Call) -> web.StreamResponse:
    schema = await call.get(ContentTypeService).json_schema(
        call.principal, call.site, call.path("key"), published=call.query(SchemaQuery).view == "published"
    )
    return conditional(call.request, json.dumps(schema), headers={"Content-Type": "application/schema+json"})


@routes.get(
    "/{key}/types",
    permission=permissions.READ,
    summary="Typed models of the type's data",
    description="The source of a module: interfaces of TypeScript, or TypedDicts of Python 3.11 and later.",
    query=TypesQuery,
    media_type="text/plain",
    errors=(404,),
    conditional=True,
)
async def read_types(call: Call) -> web.StreamResponse:
    query = call.query(TypesQuery)
    code = await call.get(ContentTypeService).code(
        call.principal, call.site, call.path("key"), query.language, published=query.view == "published"
    )
    return conditional(call.request, code.encode(), headers={"Content-Type": "text/plain; charset=utf-8"})
