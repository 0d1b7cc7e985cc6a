"""`/auth`."""

from aiohttp import web

from scaicms.features.auth.replies import NO_STORE, token_reply
from scaicms.features.auth.schemas import (
    ChangePassword,
    EffectivePermissions,
    Login,
    Profile,
    Refresh,
    RoleAtSite,
    SessionList,
    SessionOut,
    TokenPair,
    UpdateProfile,
)
from scaicms.features.auth.service import AuthService
from scaicms.features.users.schemas import UserOut
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import no_content, reply

routes = Routes("auth", "/auth")

ONESELF = "about the caller alone"


@routes.post(
    "/login",
    repeatable=False,
    public="this is how a caller becomes known",
    summary="Log in",
    description="With two-factor login on, 401 `otp_required` asks for `otp`; each code works once.",
    body=Login,
    body_example={"email": "ada@example.com", "password": "correct horse battery"},
    response=TokenPair,
    errors=(401,),
)
async def login(call: Call) -> web.StreamResponse:
    body = await call.body(Login)
    request = call.request
    agent = request.headers.get("User-Agent", "")
    entered = await call.get(AuthService).login(
        body.email, body.password, otp=body.otp, ip=call.address, user_agent=agent
    )
    return token_reply(entered)


@routes.post(
    "/refresh",
    repeatable=False,
    public="the refresh token is the credential",
    summary="Exchange a refresh token for a new pair",
    description="Each is used once; a second use ends the session.",
    body=Refresh,
    body_example={"refresh_token": "AbCdEf…"},
    response=TokenPair,
    errors=(401,),
)
async def refresh(call: Call) -> web.StreamResponse:
    body = await call.body(Refresh)
    return token_reply(await call.get(AuthService).refresh(body.refresh_token))


@routes.post("/logout", authenticated=ONESELF, summary="Log out, at once", status=204)
async def logout(call: Call) -> web.StreamResponse:
    await call.get(AuthService).logout(call.principal)
    return no_content()


async def _profile(call: Call) -> web.Response:
    service = call.get(AuthService)
    user = await service.profile(call.principal)
    grants = call.principal.grants
    profile = Profile(
        **UserOut.model_validate(user).model_dump(),
        roles=[RoleAtSite(role=role, site_id=site_id) for role, site_id in await service.roles(call.principal)],
        permissions=EffectivePermissions(
            everywhere=sorted(grants.everywhere),
            by_site={site_id: sorted(held) for site_id, held in grants.by_site.items()},
        ),
        totp_enabled=await service.has_second_factor(call.principal),
    )
    return reply(profile, headers=NO_STORE)


@routes.get("/profile", authenticated=ONESELF, summary="Who am I, and what may I do", response=Profile)
async def read_profile(call: Call) -> web.StreamResponse:
    return await _profile(call)


@routes.patch(
    "/profile",
    authenticated=ONESELF,
    summary="Change one's name",
    body=UpdateProfile,
    body_example={"name": "Ada Lovelace"},
    response=Profile,
)
async def update_profile(call: Call) -> web.StreamResponse:
    await call.get(AuthService).update_profile(call.principal, await call.body(UpdateProfile))
    return await _profile(call)


@routes.post(
    "/password",
    authenticated=ONESELF,
    summary="Change one's password; other sessions end",
    body=ChangePassword,
    body_example={"current_password": "correct horse battery", "new_password": "a quite different staple"},
    status=204,
)
async def change_password(call: Call) -> web.StreamResponse:
    body = await call.body(ChangePassword)
    await call.get(AuthService).change_password(call.principal, body, ip=call.address)
    return no_content()


@routes.get(
    "/sessions",
    authenticated=ONESELF,
    summary="List one's sessions",
    description="The newest 200 that can still be used.",
    response=SessionList,
)
async def list_sessions(call: Call) -> web.StreamResponse:
    rows = await call.get(AuthService).list_sessions(call.principal)
    current = call.principal.session_id
    items = [SessionOut.model_validate(row).model_copy(update={"current": row.id == current}) for row in rows]
    return reply(SessionList(items=items, total=len(rows)))


@routes.delete("/sessions/{id}", authenticated=ONESELF, summary="End one of one's sessions", errors=(404,))
async def end_session(call: Call) -> web.StreamResponse:
    await call.get(AuthService).end_session(call.principal, call.path_id())
    return no_content()
