"""`/users`."""

from aiohttp import web

from scaicms.features.users import permissions
from scaicms.features.users.models import UserRow
from scaicms.features.users.schemas import CreateUser, ListUsers, UpdateUser, UserDetail
from scaicms.features.users.service import UserService
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import Page, conditional_reply, created, etag_of, matcher, no_content, reply

routes = Routes("users", "/users")


async def _shown(call: Call, row: UserRow) -> UserDetail:
    return (await call.get(UserService).details(call.principal, [row]))[0]


def _etag(user: UserDetail) -> str:
    return etag_of(user.model_dump_json(exclude={"last_login_at"}).encode())


@routes.get(permission=permissions.READ, summary="List users", query=ListUsers, response=Page[UserDetail])
async def list_users(call: Call) -> web.StreamResponse:
    query = call.query(ListUsers)
    service = call.get(UserService)
    found = await service.list_users(call.principal, query)
    users = await service.details(call.principal, found.rows)
    return reply(Page(items=users, **found.about(query)))


@routes.post(
    permission=permissions.WRITE,
    summary="Create a user",
    body=CreateUser,
    body_example={"email": "ada@example.com", "name": "Ada", "password": "correct horse battery"},
    response=UserDetail,
    status=201,
    errors=(409,),
)
async def create_user(call: Call) -> web.StreamResponse:
    row = await call.get(UserService).create(call.principal, await call.body(CreateUser))
    return created(await _shown(call, row), f"/api/v1/users/{row.id}")


@routes.get(
    "/{id}",
    permission=permissions.READ,
    summary="Read a user",
    response=UserDetail,
    errors=(404,),
    conditional=True,
)
async def read_user(call: Call) -> web.StreamResponse:
    row = await call.get(UserService).get(call.principal, call.path_id())
    user = await _shown(call, row)
    return conditional_reply(call.request, user, _etag(user))


@routes.patch(
    "/{id}",
    permission=permissions.WRITE,
    summary="Change a user",
    description="The e-mail address and the password of one's own account need `current_password` (403 otherwise).",
    body=UpdateUser,
    body_example={"name": "Ada Lovelace"},
    response=UserDetail,
    errors=(404, 409, 412),
    conditional=True,
)
async def update_user(call: Call) -> web.StreamResponse:
    change = await call.body(UpdateUser)
    check = matcher(call.request, _etag)
    row = await call.get(UserService).update(call.principal, call.path_id(), change, ip=call.address, check=check)
    user = await _shown(call, row)
    return reply(user, headers={"ETag": _etag(user)})


@routes.delete("/{id}", permission=permissions.WRITE, summary="Delete a user", errors=(404, 409))
async def delete_user(call: Call) -> web.StreamResponse:
    await call.get(UserService).delete(call.principal, call.path_id())
    return no_content()
