"""`/permissions`."""

from aiohttp import web

from scaicms.features.permissions import permissions
from scaicms.features.permissions.schemas import (
    EffectiveList,
    EffectiveQuery,
    Explain,
    Explanation,
    PermissionList,
    PermissionOut,
)
from scaicms.features.permissions.service import PermissionService
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import reply

routes = Routes("permissions", "/permissions")

QUESTION = {
    "principal": {"kind": "user", "id": "019a1b2c-3d4e-7f00-8a1b-2c3d4e5f6071"},
    "action": "content:update",
    "target": {"site_id": "019a1b2c-3d4e-7f00-8a1b-2c3d4e5f6072", "content_type": "article", "locale": "de"},
}


@routes.get(permission=permissions.READ, summary="List everything that can be permitted", response=PermissionList)
async def list_permissions(call: Call) -> web.StreamResponse:
    items = [
        PermissionOut(
            code=permission.code,
            resource=permission.resource,
            action=permission.action,
            description=permission.description,
            scope=permission.scope,
            bounds=list(permission.bounds),
        )
        for permission in call.get(PermissionService).list_permissions(call.principal)
    ]
    return reply(PermissionList(items=items, total=len(items)))


@routes.get(
    "/effective",
    authenticated="about oneself; about others with permissions:read",
    summary="What somebody may do, all roles and groups together",
    query=EffectiveQuery,
    response=EffectiveList,
    errors=(403, 404),
)
async def read_effective(call: Call) -> web.StreamResponse:
    items = await call.get(PermissionService).effective(call.principal, call.query(EffectiveQuery))
    return reply(EffectiveList(items=items, total=len(items)))


@routes.post(
    "/explain",
    permission=permissions.READ,
    summary="Whether somebody may do something, and why",
    description="`because` names every rule that speaks about the action, and what it came to.",
    repeatable=False,
    body=Explain,
    body_example=QUESTION,
    response=Explanation,
    errors=(404,),
)
async def explain(call: Call) -> web.StreamResponse:
    return reply(await call.get(PermissionService).explain(call.principal, await call.body(Explain)))
