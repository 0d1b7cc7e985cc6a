"""`/users/audit`."""

from aiohttp import web

from scaicms.features.audit import permissions
from scaicms.features.audit.schemas import AuditFilters, AuditPage, ListAudit, VerdictOut
from scaicms.features.audit.service import AuditService
from scaicms.web.call import Call
from scaicms.web.ndjson import NDJSON, stream_ndjson
from scaicms.web.operation import Routes
from scaicms.web.replies import reply

routes = Routes("users", "/users/audit")


@routes.get(
    permission=permissions.READ,
    summary="Read the audit log, newest first",
    description="Every change, in every feature, is here from the moment it is made.",
    query=ListAudit,
    response=AuditPage,
)
async def list_audit(call: Call) -> web.StreamResponse:
    return reply(await call.get(AuditService).page(call.principal, call.query(ListAudit)))


@routes.get(
    "/export",
    permission=permissions.READ,
    summary="Take the audit log out as NDJSON, oldest first",
    query=AuditFilters,
    media_type=NDJSON,
    response_example={"seq": 7, "action": "user.updated", "actor": {"kind": "system", "id": None, "name": None}},
)
async def export_audit(call: Call) -> web.StreamResponse:
    batches = call.get(AuditService).export(call.principal, call.query(AuditFilters))
    return await stream_ndjson(call, batches, "audit.ndjson")


@routes.get(
    "/verify",
    permission=permissions.READ,
    summary="Check that the audit log is as it was written",
    description="Walks along the whole chain of hashes: changed, missing, inserted and backdated entries show.",
    response=VerdictOut,
)
async def verify_audit(call: Call) -> web.StreamResponse:
    return reply(await call.get(AuditService).verify(call.principal))
