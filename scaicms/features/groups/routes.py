"""`/groups`."""

from aiohttp import web

from scaicms.features.groups import permissions
from scaicms.features.groups.schemas import AddMembers, CreateGroup, GroupOut, ListGroups, MemberOut, UpdateGroup
from scaicms.features.groups.service import GroupService
from scaicms.features.roles import permissions as role_permissions
from scaicms.features.roles.schemas import AssignmentPage, AssignRoles
from scaicms.kit.schemas import ListQuery
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import Page, conditional_reply, created, no_content, reply

routes = Routes("groups", "/groups")


@routes.get(permission=permissions.READ, summary="List groups", query=ListGroups, response=Page[GroupOut])
async def list_groups(call: Call) -> web.StreamResponse:
    query = call.query(ListGroups)
    found = await call.get(GroupService).list_groups(call.principal, query)
    return reply(Page(items=found.rows, **found.about(query)))


@routes.post(
    permission=permissions.WRITE,
    summary="Create a group",
    body=CreateGroup,
    body_example={"key": "newsroom", "name": "Newsroom"},
    response=GroupOut,
    status=201,
    errors=(409,),
)
async def create_group(call: Call) -> web.StreamResponse:
    group = await call.get(GroupService).create(call.principal, await call.body(CreateGroup))
    return created(group, f"/api/v1/groups/{group.id}")


@routes.get(
    "/{id}", permission=permissions.READ, summary="Read a group", response=GroupOut, errors=(404,), conditional=True
)
async def read_group(call: Call) -> web.StreamResponse:
    group = await call.get(GroupService).get(call.principal, call.path("id"))
    return conditional_reply(call.request, group)


@routes.patch(
    "/{id}",
    permission=permissions.WRITE,
    summary="Rename or describe a group",
    body=UpdateGroup,
    body_example={"name": "News room"},
    response=GroupOut,
    errors=(404,),
)
async def update_group(call: Call) -> web.StreamResponse:
    return reply(await call.get(GroupService).update(call.principal, call.path("id"), await call.body(UpdateGroup)))


@routes.delete("/{id}", permission=permissions.WRITE, summary="Delete a group", errors=(404, 409))
async def delete_group(call: Call) -> web.StreamResponse:
    await call.get(GroupService).delete(call.principal, call.path("id"))
    return no_content()


@routes.get(
    "/{id}/members",
    permission=permissions.READ,
    summary="List the members of a group",
    query=ListQuery,
    response=Page[MemberOut],
    errors=(404,),
)
async def list_members(call: Call) -> web.StreamResponse:
    return await _members(call, call.query(ListQuery))


@routes.post(
    "/{id}/members",
    permission=permissions.WRITE,
    summary="Put users into a group",
    description="All of them or, where one does not exist, none. Answers the first page of members.",
    body=AddMembers,
    body_example={"user_ids": ["0199aa00-0000-7000-8000-000000000000"]},
    response=Page[MemberOut],
    errors=(404,),
)
async def add_members(call: Call) -> web.StreamResponse:
    body = await call.body(AddMembers)
    await call.get(GroupService).add_members(call.principal, call.path("id"), body.user_ids)
    return await _members(call, ListQuery())


async def _members(call: Call, query: ListQuery) -> web.Response:
    found = await call.get(GroupService).members(call.principal, call.path("id"), query)
    items = [MemberOut.model_validate(dict(row)) for row in found.rows]
    return reply(Page(items=items, **found.about(query)))


@routes.delete(
    "/{id}/members/{user_id}", permission=permissions.WRITE, summary="Take a user out of a group", errors=(404, 409)
)
async def remove_member(call: Call) -> web.StreamResponse:
    await call.get(GroupService).remove_member(call.principal, call.path("id"), call.path_id("user_id"))
    return no_content()


@routes.put(
    "/{id}/roles",
    permission=role_permissions.ASSIGN,
    summary="Say which roles the members of a group have, all of them",
    body=AssignRoles,
    body_example=[{"role": "editor"}],
    response=AssignmentPage,
    errors=(404, 409),
)
async def assign_group_roles(call: Call) -> web.StreamResponse:
    body = await call.body(AssignRoles)
    items = await call.get(GroupService).set_roles(call.principal, call.path("id"), body.root)
    return reply(AssignmentPage(items=items, total=len(items)))
