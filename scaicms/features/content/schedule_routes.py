"""`/content/{id}/publish`, `unpublish`, `move`, and `/content/schedule`."""

from aiohttp import web

from scaicms.features.content import permissions
from scaicms.features.content.moving import MovingService
from scaicms.features.content.publishing import PublishingService
from scaicms.features.content.publishing_schemas import (
    ListSchedule,
    MoveItem,
    PublishedItem,
    PublishItem,
    ScheduledOut,
    SchedulePage,
    UnpublishItem,
)
from scaicms.features.content.replies import written_reply
from scaicms.features.content.scheduling import Order, ScheduleService
from scaicms.features.content.schemas import ItemOut, PublishQuery
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import expected_version, no_content, reply

routes = Routes("content", "/content", site=True)

EXAMPLE = {"locales": ["en"], "at": "2031-05-01T06:00:00Z"}


@routes.post(
    "/{id}/publish",
    permission=permissions.PUBLISH,
    summary="Publish an item, now or at a time",
    description="Renders the draft into the document that readers get. `plan.unpublished_targets` lists related "
    "items that are not published. With `at` a worker does it then, with the rights that you have then; it is listed "
    "at `/content/schedule`.",
    query=PublishQuery,
    body=PublishItem,
    body_required=False,
    body_example=EXAMPLE,
    response=PublishedItem,
    errors=(404, 409, 412),
    conditional=True,
)
async def publish_item(call: Call) -> web.StreamResponse:
    asked, dry_run = await call.body(PublishItem), call.query(PublishQuery).dry_run
    about, version = (call.principal, call.site, call.path_id()), expected_version(call.request)
    if asked.at is None or dry_run:
        written = await call.get(PublishingService).publish(
            *about, locales=asked.locales, expected_version=version, dry_run=dry_run, with_targets=asked.with_targets
        )
        return written_reply(written, plan=True)
    order = Order("publish", asked.at, asked.locales)
    made = await call.get(ScheduleService).add(*about, order, expected_version=version)
    return written_reply(made.written, plan=True, schedule_id=made.schedule_id)


@routes.post(
    "/{id}/unpublish",
    permission=permissions.PUBLISH,
    summary="Take an item out of delivery, now or at a time",
    body=UnpublishItem,
    body_required=False,
    body_example=EXAMPLE,
    response=PublishedItem,
    errors=(404, 409, 412),
    conditional=True,
)
async def unpublish_item(call: Call) -> web.StreamResponse:
    asked, version = await call.body(UnpublishItem), expected_version(call.request)
    about = (call.principal, call.site, call.path_id())
    if asked.at is None:
        service = call.get(PublishingService)
        return written_reply(await service.unpublish(*about, locales=asked.locales, expected_version=version))
    order = Order("unpublish", asked.at, asked.locales)
    made = await call.get(ScheduleService).add(*about, order, expected_version=version)
    return written_reply(made.written, schedule_id=made.schedule_id)


@routes.post(
    "/{id}/move",
    permission=permissions.UPDATE,
    summary="Move an item to a stage of its workflow",
    description="Each stage says who may move items there. What is published stays as it is.",
    body=MoveItem,
    body_example={"stage": "review", "comment": "Please look at the second paragraph."},
    response=ItemOut,
    errors=(404, 409, 412),
    conditional=True,
)
async def move_item(call: Call) -> web.StreamResponse:
    asked, version = await call.body(MoveItem), expected_version(call.request)
    service = call.get(MovingService)
    about = (call.principal, call.site, call.path_id(), asked.stage)
    return written_reply(await service.move(*about, comment=asked.comment, expected_version=version))


@routes.get(
    "/schedule",
    permission=permissions.READ_DRAFTS,
    summary="List what is and was scheduled",
    description="The first due first; of items whose drafts you may read.",
    query=ListSchedule,
    response=SchedulePage,
)
async def list_schedule(call: Call) -> web.StreamResponse:
    query = call.query(ListSchedule)
    found = await call.get(ScheduleService).page(call.principal, call.site, query)
    items = [ScheduledOut.model_validate(dict(row)) for row in found.rows]
    return reply(SchedulePage(items=items, **found.about(query)))


@routes.delete(
    "/schedule/{id}",
    permission=permissions.PUBLISH,
    summary="Cancel what is scheduled",
    errors=(404, 409),
)
async def cancel_scheduled(call: Call) -> web.StreamResponse:
    await call.get(ScheduleService).cancel(call.principal, call.site, call.path_id())
    return no_content()
