"""Answers that hold secrets, and that nobody on the way may keep."""

from aiohttp import web

from scaicms.features.auth.schemas import TokenPair
from scaicms.features.auth.sessions import Entered
from scaicms.features.users.schemas import UserOut
from scaicms.web.replies import reply

NO_STORE = {"Cache-Control": "no-store"}


def token_reply(entered: Entered) -> web.Response:
    pair = TokenPair(
        access_token=entered.access_token,
        refresh_token=entered.refresh_token,
        expires_in=entered.expires_in,
        refresh_expires_in=entered.refresh_expires_in,
        user=UserOut.model_validate(entered.user),
    )
    return reply(pair, headers=NO_STORE)
