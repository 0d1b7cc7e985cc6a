"""Telling people by mail what happened to their account, so that they notice when it was not them."""

from uuid import UUID

from scaicms.features.auth.jobs import SEND_NOTICE, Notice, NoticePayload
from scaicms.features.users.service import UserService
from scaicms.infra.jobs import enqueue
from scaicms.infra.mail import Letter
from scaicms.infra.services import Service, Services

TEXTS: dict[Notice, tuple[str, str]] = {
    "password_reset": (
        "Your password was reset",
        "The password of your account was reset by a link that we had mailed to you. All sessions have ended.",
    ),
    "password_changed": (
        "Your password was changed",
        "The password of your account was changed by somebody who was logged in and knew the old one.",
    ),
    "totp_enabled": (
        "Two-factor login is on",
        "From now on, logging in to your account takes a code from your authenticator as well.",
    ),
    "totp_disabled": (
        "Two-factor login is off",
        "Logging in to your account takes the password alone again. Somebody who is logged in turned this off.",
    ),
    "recovery_code_used": (
        "A recovery code was used",
        "Somebody logged in to your account with your password and one of your recovery codes. Each works once.",
    ),
}
NOT_YOU = "If this was not you, reset your password now and tell your administrator."


async def tell(user_id: UUID, notice: Notice) -> None:
    """Promise the mail. Needs the open transaction of what happened."""
    await enqueue(SEND_NOTICE.request(NoticePayload(user_id=user_id, notice=notice), site_id=None))


class NoticeService(Service):
    """Sends what `tell` promised."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._users = services.get(UserService)

    async def send(self, user_id: UUID, notice: Notice, *, letter_id: str) -> None:
        user = await self._users.by_id(user_id)
        if user is None:
            return
        subject, happened = TEXTS[notice]
        letter = Letter(letter_id, user.email, subject, [f"Hello {user.name},", happened, NOT_YOU])
        await self.resources.mailer.send(letter)
