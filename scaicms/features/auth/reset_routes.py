"""`/auth/password-reset`."""

from aiohttp import web

from scaicms.features.auth.resets import PasswordResetService
from scaicms.features.auth.schemas import ConfirmReset, RequestReset, ResetAccepted
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import no_content, reply

routes = Routes("auth", "/auth/password-reset")


@routes.post(
    repeatable=False,
    public="who forgot the password cannot log in",
    summary="Ask for a link to choose a new password",
    description="Always 202, whether or not there is such an account; three an hour for an account and address.",
    body=RequestReset,
    body_example={"email": "ada@example.com"},
    response=ResetAccepted,
    status=202,
)
async def request_reset(call: Call) -> web.StreamResponse:
    body = await call.body(RequestReset)
    await call.get(PasswordResetService).request(body.email, ip=call.address)
    return reply(ResetAccepted(), status=202)


@routes.post(
    "/confirm",
    repeatable=False,
    public="the token from the mail is the credential",
    summary="Choose a new password",
    description="The token works once. Every session ends; two-factor login stays as it is.",
    body=ConfirmReset,
    body_example={"token": "wYv0…", "password": "correct horse battery"},
    status=204,
)
async def confirm_reset(call: Call) -> web.StreamResponse:
    body = await call.body(ConfirmReset)
    await call.get(PasswordResetService).confirm(call.principal, body.token, body.password, ip=call.address)
    return no_content()
