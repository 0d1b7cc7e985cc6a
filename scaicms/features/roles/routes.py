"""`/roles`, and `/users/{id}/roles`."""

from aiohttp import web

from scaicms.features.roles import permissions
from scaicms.features.roles.models import RoleGrantRow
from scaicms.features.roles.schemas import (
    AssignmentOut,
    AssignmentPage,
    AssignRoles,
    CreateRole,
    GrantList,
    GrantOut,
    GrantPage,
    RoleOut,
    UpdateRole,
)
from scaicms.features.roles.service import RoleService
from scaicms.kit.schemas import ListQuery
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import Page, conditional_reply, created, no_content, reply

routes = Routes("roles", "/roles")
user_routes = Routes("users", "/users")

GRANTS = [
    {"permission": "content:read"},
    {"permission": "content:update", "content_types": ["article"], "locales": ["de"], "fields": ["title", "body"]},
]


def _grants(rows: list[RoleGrantRow], status: int = 200) -> web.Response:
    return reply(GrantPage(items=[GrantOut.model_validate(row) for row in rows], total=len(rows)), status=status)


@routes.get(permission=permissions.READ, summary="List roles", query=ListQuery, response=Page[RoleOut])
async def list_roles(call: Call) -> web.StreamResponse:
    query = call.query(ListQuery)
    found = await call.get(RoleService).list_roles(call.principal, query)
    items = [RoleOut.model_validate(row) for row in found.rows]
    return reply(Page(items=items, **found.about(query)))


@routes.post(
    permission=permissions.WRITE,
    summary="Create a role",
    body=CreateRole,
    body_example={"key": "translator", "name": "Translator"},
    response=RoleOut,
    status=201,
    errors=(409,),
)
async def create_role(call: Call) -> web.StreamResponse:
    row = await call.get(RoleService).create(call.principal, await call.body(CreateRole))
    return created(RoleOut.model_validate(row), f"/api/v1/roles/{row.id}")


@routes.get(
    "/{id}",
    permission=permissions.READ,
    summary="Read a role",
    response=RoleOut,
    errors=(404,),
    conditional=True,
)
async def read_role(call: Call) -> web.StreamResponse:
    row = await call.get(RoleService).get(call.principal, call.path("id"))
    return conditional_reply(call.request, RoleOut.model_validate(row))


@routes.patch(
    "/{id}",
    permission=permissions.WRITE,
    summary="Rename or describe a role",
    body=UpdateRole,
    body_example={"name": "Translators"},
    response=RoleOut,
    errors=(404,),
)
async def update_role(call: Call) -> web.StreamResponse:
    row = await call.get(RoleService).update(call.principal, call.path("id"), await call.body(UpdateRole))
    return reply(RoleOut.model_validate(row))


@routes.delete("/{id}", permission=permissions.WRITE, summary="Delete a role", errors=(404, 409))
async def delete_role(call: Call) -> web.StreamResponse:
    await call.get(RoleService).delete(call.principal, call.path("id"))
    return no_content()


@routes.get(
    "/{id}/permissions",
    permission=permissions.READ,
    summary="List what a role grants",
    response=GrantPage,
    errors=(404,),
)
async def list_grants(call: Call) -> web.StreamResponse:
    return _grants(await call.get(RoleService).grants(call.principal, call.path("id")))


@routes.put(
    "/{id}/permissions",
    permission=permissions.WRITE,
    summary="Say what a role grants, all of it",
    body=GrantList,
    body_example=GRANTS,
    response=GrantPage,
    errors=(404, 409),
)
async def replace_grants(call: Call) -> web.StreamResponse:
    return await _set_grants(call, add=False)


@routes.post(
    "/{id}/permissions",
    permission=permissions.WRITE,
    summary="Grant more permissions",
    body=GrantList,
    body_example=GRANTS,
    response=GrantPage,
    status=201,
    errors=(404,),
)
async def add_grant(call: Call) -> web.StreamResponse:
    return await _set_grants(call, add=True)


async def _set_grants(call: Call, *, add: bool) -> web.Response:
    body = await call.body(GrantList)
    rows = await call.get(RoleService).set_grants(call.principal, call.path("id"), body.root, add=add)
    return _grants(rows, 201 if add else 200)


@routes.delete(
    "/{id}/permissions/{grant_id}",
    permission=permissions.WRITE,
    summary="Take one permission from a role",
    errors=(404, 409),
)
async def delete_grant(call: Call) -> web.StreamResponse:
    await call.get(RoleService).remove_grant(call.principal, call.path("id"), call.path_id("grant_id"))
    return no_content()


@user_routes.put(
    "/{id}/roles",
    permission=permissions.ASSIGN,
    summary="Say which roles a user has, all of them",
    body=AssignRoles,
    body_example=[{"role": "editor"}],
    response=AssignmentPage,
    errors=(404, 409),
)
async def assign_roles(call: Call) -> web.StreamResponse:
    body = await call.body(AssignRoles)
    held = await call.get(RoleService).assign(call.principal, call.path_id(), body.root)
    items = [AssignmentOut(role=role, site_id=site_id) for role, site_id in held]
    return reply(AssignmentPage(items=items, total=len(items)))
