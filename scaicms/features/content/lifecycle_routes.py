"""`/content/trash`, and the ways of items out of sight and back, and to a second one."""

from aiohttp import web

from scaicms.features.content import permissions
from scaicms.features.content.duplicating import DuplicateService
from scaicms.features.content.editing_schemas import (
    DuplicatedOut,
    DuplicateItem,
    DuplicateQuery,
    ListTrash,
    RestoreItem,
    TrashedItem,
)
from scaicms.features.content.lifecycle import LifecycleService
from scaicms.features.content.replies import written_body, written_reply
from scaicms.features.content.schemas import ItemOut
from scaicms.kit import json
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import Page, json_reply, reply

routes = Routes("content", "/content", site=True)


@routes.get(
    "/trash",
    permission=permissions.DELETE,
    summary="List what lies in the trash",
    description="The latest first, as far as the caller may read and delete it. `purge_at`: when it goes for good.",
    query=ListTrash,
    response=Page[TrashedItem],
)
async def list_trash(call: Call) -> web.StreamResponse:
    query = call.query(ListTrash)
    found = await call.get(LifecycleService).trash(call.principal, call.site, query)
    return reply(Page[TrashedItem](items=found.rows, **found.about(query)))


@routes.post(
    "/{id}/restore",
    permission=permissions.DELETE,
    summary="Take an item out of the trash or the archive",
    description="As a draft. 409 where another item has its slug by now (with a `suggestion`; send one as `slug`), a "
    "value of a unique field, or the place of a single type.",
    body=RestoreItem,
    body_required=False,
    body_example={"slug": "hello-again"},
    response=ItemOut,
    errors=(404, 409),
)
async def restore_item(call: Call) -> web.StreamResponse:
    wanted = await call.body(RestoreItem)
    return written_reply(
        await call.get(LifecycleService).restore(call.principal, call.site, call.path_id(), wanted.slug)
    )


@routes.post(
    "/{id}/archive",
    permission=permissions.DELETE,
    summary="Archive an item",
    description="Out of delivery and of the lists of editors, but for `status=archived`; nobody changes or publishes "
    "it until it is restored. Its slug stays taken.",
    response=ItemOut,
    errors=(404,),
)
async def archive_item(call: Call) -> web.StreamResponse:
    return written_reply(await call.get(LifecycleService).archive(call.principal, call.site, call.path_id()))


@routes.post(
    "/{id}/duplicate",
    permission=permissions.CREATE,
    summary="Make a new draft from an item",
    description="With what the caller may read of its drafts, in one locale or in all. `duplicate` says which unique "
    "fields are empty now or have a suffix, and what was left out since the caller may not write it.",
    body=DuplicateItem,
    body_required=False,
    body_example={"slug": "hello-again", "data": {"title": "Hello again"}},
    query=DuplicateQuery,
    response=DuplicatedOut,
    status=201,
    errors=(404, 409),
)
async def duplicate_item(call: Call) -> web.StreamResponse:
    new, query = await call.body(DuplicateItem), call.query(DuplicateQuery)
    service = call.get(DuplicateService)
    written, about = await service.duplicate(call.principal, call.site, call.path_id(), new, query.locale)
    body = {**written_body(written, plan=False), "duplicate": about.model_dump()}
    headers = {"ETag": written.item.etag, "Location": f"/api/v1/content/{written.item.id}"}
    return json_reply(json.dumps(body), status=201, headers=headers)
