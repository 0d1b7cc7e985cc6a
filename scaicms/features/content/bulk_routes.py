"""`/content/bulk`."""

from typing import Any

from aiohttp import web

from scaicms.features.content import permissions
from scaicms.features.content.bulk import BulkService, Outcome
from scaicms.features.content.editing_schemas import BulkBody, BulkOut
from scaicms.features.content.replies import written_body
from scaicms.infra import logs
from scaicms.kit import json
from scaicms.kit.turns import in_turns
from scaicms.web.call import Call
from scaicms.web.errors import error_detail, to_app_error
from scaicms.web.operation import Routes
from scaicms.web.replies import json_reply

routes = Routes("content", "/content", site=True)

EXAMPLE = {
    "operations": [
        {"op": "create", "type": "article", "data": {"title": "Hello"}, "publish": True},
        {"op": "update", "id": "0198c5a0-0000-7000-8000-000000000001", "data": {"title": "Hello"}, "version": 3},
        {"op": "publish", "id": "0198c5a0-0000-7000-8000-000000000001"},
    ],
    "atomic": True,
}


@routes.post(
    "/bulk",
    permission=permissions.READ,
    summary="Do many things to items at once",
    description="Each operation needs the permission that it needs by itself. `atomic`: all or none; what fails is the "
    "answer, and its pointers say which operation. Else each stands for itself and the answer, 200, has the status of "
    "each. At most 100 operations in a body of 1 MiB; a bulk counts as one request against rates.",
    body=BulkBody,
    body_example=EXAMPLE,
    response=BulkOut,
    errors=(404, 409, 412),
)
async def change_items(call: Call) -> web.StreamResponse:
    bulk = await call.body(BulkBody)
    outcomes = await call.get(BulkService).run(call.principal, call.site, bulk, to_app_error)
    failed = sum(outcome.error is not None for outcome in outcomes)
    # Together they may have a hundred megabytes.
    results = b",".join([json.dumps(_result(outcome)) async for outcome in in_turns(outcomes)])
    counts = json.dumps({"succeeded": len(outcomes) - failed, "failed": failed})
    return json_reply(b'{"results":[%s],%s' % (results, counts[1:]))


def _result(outcome: Outcome) -> dict[str, Any]:
    shown: dict[str, Any] = {"op": outcome.op, "status": outcome.status}
    if outcome.error is not None:
        shown["detail"] = error_detail(outcome.error, logs.request_id.get() or "")
    elif outcome.written is not None:
        shown["item"] = written_body(outcome.written, plan=outcome.publishes)
    return shown
