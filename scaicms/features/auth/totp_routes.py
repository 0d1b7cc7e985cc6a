"""`/auth/totp`."""

from aiohttp import web

from scaicms.features.auth.replies import NO_STORE
from scaicms.features.auth.schemas import ConfirmTotp, ProvePassword, RecoveryCodes, TotpSecret
from scaicms.features.auth.totp import TotpService
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import no_content, reply

routes = Routes("auth", "/auth/totp")

ONESELF = "about the caller alone"


@routes.post(
    repeatable=False,
    authenticated=ONESELF,
    summary="Begin two-factor login",
    description="A secret for an authenticator, and the same as a URI for a QR code. Confirm it with a code. It takes "
    "the password; an account without one logs in by its provider again, in the last 10 minutes (403 otherwise).",
    body=ProvePassword,
    body_required=False,
    body_example={"password": "correct horse battery"},
    response=TotpSecret,
    errors=(401, 403, 409),
)
async def begin_totp(call: Call) -> web.StreamResponse:
    body = await call.body(ProvePassword)
    begun = await call.get(TotpService).begin(call.principal, body.password, ip=call.address)
    return reply(TotpSecret(secret=begun.secret, uri=begun.uri), headers=NO_STORE)


@routes.post(
    "/confirm",
    repeatable=False,
    authenticated=ONESELF,
    summary="Turn two-factor login on",
    description="Other sessions end. The recovery codes are shown this once; each stands in for a code, once.",
    body=ConfirmTotp,
    body_example={"otp": "123456"},
    response=RecoveryCodes,
    errors=(404, 409),
)
async def confirm_totp(call: Call) -> web.StreamResponse:
    body = await call.body(ConfirmTotp)
    codes = await call.get(TotpService).confirm(call.principal, body.otp)
    return reply(RecoveryCodes(recovery_codes=codes), headers=NO_STORE)


@routes.delete(
    authenticated=ONESELF,
    summary="Turn two-factor login off",
    description="It takes the password, as beginning does.",
    body=ProvePassword,
    body_required=False,
    body_example={"password": "correct horse battery"},
    errors=(401, 403, 404),
)
async def disable_totp(call: Call) -> web.StreamResponse:
    body = await call.body(ProvePassword)
    await call.get(TotpService).disable(call.principal, body.password, ip=call.address)
    return no_content()
