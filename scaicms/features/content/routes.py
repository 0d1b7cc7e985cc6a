"""`/content`."""

from aiohttp import web

from scaicms.features.content import permissions
from scaicms.features.content.delivery import DeliveryService
from scaicms.features.content.previews import PreviewService
from scaicms.features.content.projecting import Shape
from scaicms.features.content.query_tree import from_json, from_parameters
from scaicms.features.content.records import Item
from scaicms.features.content.replies import written_reply
from scaicms.features.content.schemas import (
    CreateItem,
    DeleteItem,
    ItemList,
    ItemOut,
    ListItems,
    PatchItem,
    PutItem,
    QueryItems,
    ReadItemAsOf,
    ReadItemOut,
    SaveItem,
)
from scaicms.features.content.service import ContentService
from scaicms.kit.errors import BadRequestError, NotFoundError
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import conditional, expected_version, json_reply, no_content

routes = Routes("content", "/content", site=True)

CONFLICTS = (
    "Where `If-Match` names an older version, the 412 has under `conflict` what is stored (`current`) and what was "
    "sent (`sent`), and its `errors` point to the fields that collide. With `merge=true` fields that do not are merged."
)
EXAMPLE = {"type": "article", "data": {"title": "Hello", "body": "# Hello\n\nWorld."}, "publish": True}

QUERY = {
    "type": "article",
    "filter": {"data.title": {"contains": "Hello"}, "or": [{"version": 1}, {"data.body": {"exists": False}}]},
    "sort": ["-published_at"],
}


async def _draft(call: Call, item: Item, query: ReadItemAsOf) -> web.Response:
    shape = Shape(query.fields, query.include)
    found = await call.get(DeliveryService).draft(call.principal, call.site, item, query.fallback, shape)
    return conditional(call.request, found.body, found.etag)


@routes.get(
    permission=permissions.READ,
    summary="List items of a type",
    description="Published items by default. `filter[data.price][gte]=10`, `filter[slug]=hello`, "
    "`filter[terms.topics]=rust`, with the terms below it `filter[terms.topics][under]=languages`, over relations "
    "`filter[data.author.data.name]=Ann`, in groups `filter[or][0][data.a]=1&filter[or][1][data.b]=2`, "
    "`filter[not][slug]=x`; unknown paths, terms and operators are refused.",
    query=ListItems,
    open_query=("filter[",),
    response=ItemList,
    errors=(404,),
)
async def list_items(call: Call) -> web.StreamResponse:
    query = call.query(ListItems)
    tree = from_parameters(call.open_query())
    body = await call.get(DeliveryService).page(call.principal, call.site, query, tree)
    return json_reply(body)


@routes.post(
    "/query",
    permission=permissions.READ,
    summary="List items of a type by a query in JSON",
    description="The same as the list, for filters that a URL is too short for.",
    reads=True,
    body=QueryItems,
    body_example=QUERY,
    response=ItemList,
    errors=(404,),
)
async def query_items(call: Call) -> web.StreamResponse:
    query = await call.body(QueryItems)
    body = await call.get(DeliveryService).page(call.principal, call.site, query, from_json(query.filter))
    return json_reply(body)


@routes.post(
    permission=permissions.CREATE,
    summary="Create an item",
    body=CreateItem,
    body_example=EXAMPLE,
    response=ItemOut,
    status=201,
    errors=(404, 409),
)
async def create_item(call: Call) -> web.StreamResponse:
    new = await call.body(CreateItem)
    written = await call.get(ContentService).create(call.principal, call.site, new)
    return written_reply(written, 201, plan=new.publish)


@routes.get(
    "/by-slug/{type}/{slug}",
    permission=permissions.READ,
    summary="Read one item by its slug",
    query=ReadItemAsOf,
    response=ReadItemOut,
    errors=(404,),
    conditional=True,
)
async def read_item_by_slug(call: Call) -> web.StreamResponse:
    query = call.query(ReadItemAsOf)
    type_key, slug = call.path("type"), call.path("slug")
    if query.status in (None, "published"):
        try:
            found = await call.get(DeliveryService).by_slug(
                call.principal,
                call.site,
                type_key,
                slug,
                query.locale,
                query.fallback,
                as_of=query.as_of,
                shape=Shape(query.fields, query.include),
            )
            return conditional(call.request, found.body, found.etag)
        except NotFoundError:
            if query.status == "published" or query.as_of is not None:
                raise
    item = await call.get(ContentService).draft_by_slug(
        call.principal, call.site, type_key, slug, query.locale, query.fallback
    )
    return await _draft(call, item, query)


async def read_preview(call: Call) -> web.StreamResponse:
    """The same for who has nothing but a token for one draft."""
    query = call.query(ReadItemAsOf)
    if query.model_fields_set - {"locale", "fields"}:
        raise BadRequestError("A preview takes no parameters but locale and fields.", code="invalid_parameter")
    token = call.request.headers["Authorization"].partition(" ")[2]
    body = await call.get(PreviewService).read(token, call.site, call.path_id(), query.locale, query.fields)
    return json_reply(body, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


@routes.get(
    "/{id}",
    permission=permissions.READ,
    summary="Read one item",
    description="With the token of a preview in the place of an access token: the draft that it is for, `no-store`.",
    preview=read_preview,
    query=ReadItemAsOf,
    response=ReadItemOut,
    errors=(404,),
    conditional=True,
)
async def read_item(call: Call) -> web.StreamResponse:
    query = call.query(ReadItemAsOf) if call.request.query_string else _AS_PUBLISHED
    item_id = call.path_id()
    if query.status in (None, "published"):
        try:
            found = await call.get(DeliveryService).by_id(
                call.principal,
                call.site,
                item_id,
                query.locale,
                query.fallback,
                as_of=query.as_of,
                shape=Shape(query.fields, query.include),
            )
            return conditional(call.request, found.body, found.etag)
        except NotFoundError:
            if query.status == "published" or query.as_of is not None:
                raise
    item = await call.get(ContentService).draft(call.principal, call.site, item_id, query.locale, query.fallback)
    return await _draft(call, item, query)


_AS_PUBLISHED = ReadItemAsOf()


@routes.patch(
    "/{id}",
    permission=permissions.UPDATE,
    summary="Change fields of an item's draft",
    body=PatchItem,
    body_example={"data": {"title": "Hello again", "teaser": None}},
    description=CONFLICTS,
    query=SaveItem,
    response=ItemOut,
    errors=(404, 409, 412),
    conditional=True,
)
async def patch_item(call: Call) -> web.StreamResponse:
    return await _save(call, await call.body(PatchItem), merge=True)


@routes.put(
    "/{id}",
    permission=permissions.UPDATE,
    summary="Replace the data of an item's draft",
    body=PutItem,
    body_example={"data": {"title": "Hello", "body": "All of it."}},
    description=CONFLICTS,
    query=SaveItem,
    response=ItemOut,
    errors=(404, 409, 412),
    conditional=True,
)
async def put_item(call: Call) -> web.StreamResponse:
    return await _save(call, await call.body(PutItem), merge=False)


async def _save(call: Call, change: PatchItem | PutItem, *, merge: bool) -> web.Response:
    query = call.query(SaveItem)
    written = await call.get(ContentService).save(
        call.principal,
        call.site,
        call.path_id(),
        change.data,
        taxonomies=change.taxonomies,
        locale=query.locale,
        slug=change.slug,
        merge=merge,
        all_terms=not merge,
        expected_version=expected_version(call.request),
        reconcile=query.merge,
    )
    return written_reply(written)


@routes.delete(
    "/{id}",
    permission=permissions.DELETE,
    summary="Delete an item",
    description="Into the trash; `permanent=true` removes it for good, with its revisions and all its past; not "
    "while it is on legal hold. 409 `item_in_use`, with what points to it, but for `force=true`.",
    query=DeleteItem,
    errors=(404, 409, 412),
    conditional=True,
)
async def delete_item(call: Call) -> web.StreamResponse:
    query = call.query(DeleteItem)
    await call.get(ContentService).delete(
        call.principal,
        call.site,
        call.path_id(),
        permanent=query.permanent,
        force=query.force,
        expected_version=expected_version(call.request),
    )
    return no_content()
