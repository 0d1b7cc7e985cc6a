"""`/content-types/{key}/plan`, `/rollback` and `/versions`."""

import asyncio

from aiohttp import web

from scaicms.features.content_types import permissions
from scaicms.features.content_types.models import SchemaPlanRow, SchemaVersionRow
from scaicms.features.content_types.planning import PlanService
from scaicms.features.content_types.schemas import PlanApplying, PlanOut, ProposeFields, VersionOut
from scaicms.kit.schemas import ListQuery
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import Page, accepted, reply, reply_large

routes = Routes("content-types", "/content-types", site=True)

EXAMPLE = {
    "fields": [
        {"key": "headline", "type": "string", "required": True, "renamed_from": "title"},
        {"key": "body", "type": "markdown"},
    ]
}


def _plan(plan: SchemaPlanRow) -> PlanOut:
    return PlanOut.model_validate({**_columns(plan), **plan.found})  # type: ignore[dict-item]  # JSON column of ours


def _columns(plan: SchemaPlanRow) -> dict[str, object]:
    return {"plan_id": plan.id, "base_version": plan.base_version, "state": plan.state, "created_at": plan.created_at}


def _applying(plan: SchemaPlanRow) -> web.Response:
    model = PlanApplying.model_validate({"plan_id": plan.id, "status": plan.state, "job_id": plan.job_id})
    return accepted(model, f"/api/v1/search/jobs/{plan.job_id}")


def _version(row: SchemaVersionRow) -> VersionOut:
    return VersionOut.model_validate(row)


@routes.post(
    "/{key}/plan",
    permission=permissions.WRITE,
    summary="Try a change of fields on what is stored",
    description="Gives every change with the rows it touches and those that would not fit. Nothing is changed. A field "
    "that takes over another's values names it in `renamed_from`.",
    body=ProposeFields,
    body_example=EXAMPLE,
    response=PlanOut,
    errors=(404,),
)
async def plan_change(call: Call) -> web.StreamResponse:
    proposed = await call.body(ProposeFields)
    return reply(_plan(await call.get(PlanService).plan(call.principal, call.site, call.path("key"), proposed.fields)))


@routes.post(
    "/{key}/plan/{plan_id}/apply",
    permission=permissions.WRITE,
    summary="Apply a plan",
    description="A worker does it; its job carries the progress. Readers see the type and its items as they were or as "
    "they will be. `plan_stale`: the type has changed since; `plan_fails`: rows would not fit.",
    response=PlanApplying,
    status=202,
    errors=(404, 409),
)
async def apply_plan(call: Call) -> web.StreamResponse:
    service = call.get(PlanService)
    return _applying(await service.apply(call.principal, call.site, call.path("key"), call.path_id("plan_id")))


@routes.post(
    "/{key}/rollback",
    permission=permissions.WRITE,
    summary="Undo the last change of fields",
    description="What a plan had removed or converted comes back, but for values that were written since. A rollback "
    "is a change too: undoing it again brings back what it undid.",
    response=PlanApplying,
    status=202,
    errors=(404, 409),
)
async def roll_back(call: Call) -> web.StreamResponse:
    return _applying(await call.get(PlanService).rollback(call.principal, call.site, call.path("key")))


@routes.get(
    "/{key}/versions",
    permission=permissions.READ,
    summary="List the versions of a content type's fields",
    query=ListQuery,
    response=Page[VersionOut],
    errors=(404,),
)
async def list_versions(call: Call) -> web.StreamResponse:
    query = call.query(ListQuery)
    found = await call.get(PlanService).versions(call.principal, call.site, call.path("key"), query)
    items = await asyncio.to_thread(lambda: list(map(_version, found.rows)))
    return await reply_large(Page(items=items, **found.about(query)))
