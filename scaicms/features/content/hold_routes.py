"""`/content/{id}/hold`."""

from dataclasses import asdict

from aiohttp import web

from scaicms.features.content import permissions
from scaicms.features.content.holds import HoldService
from scaicms.features.content.revision_schemas import HoldOut, PutHold
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import no_content, reply

routes = Routes("content", "/content/{id}/hold", site=True)


@routes.get(
    permission=permissions.READ_DRAFTS,
    summary="Read an item's legal hold",
    description="404 `not_held` where there is none.",
    response=HoldOut,
    errors=(404,),
)
async def read_hold(call: Call) -> web.StreamResponse:
    hold = await call.get(HoldService).get(call.principal, call.site, call.path_id())
    return reply(HoldOut(**asdict(hold)))


@routes.put(
    permission=permissions.HOLD,
    summary="Put an item on legal hold",
    description="Until it is released, all its revisions and everything that was delivered of it are kept, and it "
    "cannot be removed for good.",
    body=PutHold,
    body_example={"reason": "Case 2026-14"},
    response=HoldOut,
    errors=(404,),
)
async def put_hold(call: Call) -> web.StreamResponse:
    reason = (await call.body(PutHold)).reason
    hold = await call.get(HoldService).put(call.principal, call.site, call.path_id(), reason)
    return reply(HoldOut(**asdict(hold)))


@routes.delete(permission=permissions.HOLD, summary="Release an item from its legal hold", errors=(404,))
async def release_hold(call: Call) -> web.StreamResponse:
    await call.get(HoldService).remove(call.principal, call.site, call.path_id())
    return no_content()
