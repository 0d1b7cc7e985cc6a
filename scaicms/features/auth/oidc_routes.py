"""`/auth/oidc`."""

from aiohttp import web

from scaicms.features.auth.oidc import LOGIN_SECONDS, OidcService
from scaicms.features.auth.replies import NO_STORE, token_reply
from scaicms.features.auth.schemas import OidcCallback, OidcProviderList, OidcProviderOut, TokenPair
from scaicms.features.auth.sessions import Origin
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import reply

routes = Routes("auth", "/auth/oidc")

COOKIE = "scaicms_oidc"
COOKIE_PATH = "/api/v1/auth/oidc"


@routes.get(public="a login page shows them", summary="List the login providers", response=OidcProviderList)
async def list_oidc_providers(call: Call) -> web.StreamResponse:
    known = call.get(OidcService).providers()
    items = [OidcProviderOut(key=provider.key, name=provider.name or provider.key) for provider in known]
    return reply(OidcProviderList(items=items, total=len(items)))


@routes.get(
    "/{provider}/login",
    public="this is how a caller becomes known",
    summary="Log in by an OpenID provider",
    description="Sends the browser there, with a cookie that it must bring back to the callback.",
    status=302,
    errors=(404,),
)
async def begin_oidc_login(call: Call) -> web.StreamResponse:
    begun = await call.get(OidcService).begin(call.path("provider"), ip=call.address)
    response = web.Response(status=302, headers={"Location": begun.url, **NO_STORE})
    public_url = call.services.resources.settings.public_url or ""
    response.set_cookie(
        COOKIE,
        begun.cookie,
        max_age=LOGIN_SECONDS,
        path=COOKIE_PATH,
        httponly=True,
        samesite="Lax",
        secure=public_url.startswith("https:"),
    )
    return response


@routes.get(
    "/{provider}/callback",
    public="the provider's code and the cookie are the credentials",
    summary="Finish a login by an OpenID provider",
    description="With two-factor login on, 401 `otp_required` unless the provider asked for a second factor itself.",
    query=OidcCallback,
    response=TokenPair,
    errors=(401, 404),
)
async def finish_oidc_login(call: Call) -> web.StreamResponse:
    origin = Origin(call.address, call.request.headers.get("User-Agent", ""))
    cookie = call.request.cookies.get(COOKIE)
    answer = call.query(OidcCallback)
    response = token_reply(await call.get(OidcService).finish(call.path("provider"), answer, cookie, origin))
    response.del_cookie(COOKIE, path=COOKIE_PATH)
    return response
