"""`/permissions`."""

from aiohttp import web

from scaicms.features.permissions import permissions
from scaicms.features.permissions.schemas import PermissionList, PermissionOut
from scaicms.features.permissions.service import PermissionService
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import reply

routes = Routes("permissions", "/permissions")


@routes.get(permission=permissions.READ, summary="List everything that can be permitted", response=PermissionList)
async def list_permissions(call: Call) -> web.StreamResponse:
    found = call.get(PermissionService).list_permissions(call.principal)
    items = [
        PermissionOut(code=p.code, resource=p.resource, action=p.action, description=p.description, scope=p.scope)
        for p in found
    ]
    return reply(PermissionList(items=items, total=len(items)))
