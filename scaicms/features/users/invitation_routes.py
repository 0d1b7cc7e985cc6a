"""`/users/invitations`, and `/auth/invitations` for those who got one."""

from aiohttp import web

from scaicms.features.roles.schemas import AssignmentOut
from scaicms.features.users import permissions
from scaicms.features.users.invitations import InvitationService
from scaicms.features.users.schemas import AcceptInvitation, InvitationOut, Invite, UserOut
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import created, reply

routes = Routes("users", "/users/invitations")
accept_routes = Routes("auth", "/auth/invitations")


@routes.post(
    permission=permissions.WRITE,
    summary="Invite somebody by mail",
    description="Inviting somebody again who has not accepted yet replaces the invitation and, if given, the roles.",
    body=Invite,
    body_example={"email": "grace@example.com", "roles": [{"role": "editor", "site_id": None}]},
    response=InvitationOut,
    status=201,
    errors=(404, 409),
)
async def invite_user(call: Call) -> web.StreamResponse:
    invited = await call.get(InvitationService).invite(call.principal, await call.body(Invite))
    out = InvitationOut(
        id=invited.invitation.id,
        user_id=invited.user.id,
        email=invited.user.email,
        roles=[AssignmentOut(role=role, site_id=site_id) for role, site_id in invited.roles],
        expires_at=invited.invitation.expires_at,
        job_id=invited.job_id,
    )
    return created(out, f"/api/v1/users/{invited.user.id}")


@accept_routes.post(
    "/accept",
    repeatable=False,
    public="the token from the mail is the credential",
    summary="Accept an invitation",
    description="The token works once; then one logs in with the password.",
    body=AcceptInvitation,
    body_example={"token": "wYv0…", "name": "Grace Hopper", "password": "correct horse battery"},
    response=UserOut,
)
async def accept_invitation(call: Call) -> web.StreamResponse:
    accepted = await call.body(AcceptInvitation)
    user = await call.get(InvitationService).accept(call.principal, accepted, ip=call.address)
    return reply(UserOut.model_validate(user))
