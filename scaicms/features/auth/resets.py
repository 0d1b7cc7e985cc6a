"""Use cases of a forgotten password."""

import hmac
from uuid import UUID

import structlog

from scaicms.features.auth import repository, sessions
from scaicms.features.auth.errors import BadResetTokenError
from scaicms.features.auth.events import MailFailed, PasswordReset, PasswordResetRequested
from scaicms.features.auth.jobs import SEND_RESET, ResetPayload
from scaicms.features.auth.limits import LoginLimits
from scaicms.features.auth.models import PasswordResetRow
from scaicms.features.auth.notices import tell
from scaicms.features.users.models import UserRow
from scaicms.features.users.service import UserService
from scaicms.infra import db
from scaicms.infra.events import record
from scaicms.infra.jobs import enqueue
from scaicms.infra.mail import Letter
from scaicms.infra.services import Service, Services
from scaicms.kit.clock import utcnow
from scaicms.kit.crypto import derive_key, digest, make_token
from scaicms.kit.emails import normalise_email
from scaicms.kit.ids import new_id
from scaicms.kit.networks import rate_networks
from scaicms.kit.passwords import hash_password
from scaicms.kit.principal import Principal

PAGE = "/account/password"
log = structlog.get_logger(__name__)


class PasswordResetService(Service):
    """A new password for whoever reads the account's mail."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._users = services.get(UserService)
        self._limits = services.get(LoginLimits)
        self._key = derive_key(services.resources.settings.secret.get_secret_value(), "password-reset")

    async def request(self, email: str, *, ip: str) -> None:
        """Promise a mail. The same work for every address: nobody looks here whether there is such an account."""
        try:
            address = normalise_email(email)
        except ValueError:
            address = ""
        await self._limits.count_reset(address, ip)
        row = PasswordResetRow(id=new_id(), email=address, created_at=utcnow())
        async with db.transaction():
            await row.save(force_create=True)
            await enqueue(SEND_RESET.request(ResetPayload(reset_id=row.id), site_id=None))

    async def send(self, principal: Principal, reset_id: UUID) -> None:
        """Mail the link, if the address is an active account's. Sent again, it is the same mail with the same link."""
        async with db.transaction():
            reset = await repository.find_reset(reset_id, lock=True)
            user = await self._users.by_email(reset.email) if reset is not None else None
            if reset is None or user is None or not await self._may_be_sent(reset, user):
                await repository.drop_reset(reset_id)
                return
            token = self._token(reset, user)
            if reset.digest != digest(token):
                seconds = self.resources.settings.password_reset_seconds
                await repository.open_reset(reset.id, user.id, digest(token), seconds)
                await record(PasswordResetRequested(site_id=None, aggregate_id=user.id), actor=principal)
        await self.resources.mailer.send(self._letter(reset, user, token))

    async def give_up(self, principal: Principal, reset_id: UUID, reason: str) -> None:
        """Record that the mail with the link was not sent, where the address is an account's."""
        reset = await repository.find_reset(reset_id)
        if reset is None:
            return
        user = await self._users.by_email(reset.email)
        if user is not None:
            fact = MailFailed(site_id=None, aggregate_id=user.id, mail="password_reset_link", error=reason)
            await record(fact, actor=principal)

    async def confirm(self, principal: Principal, token: str, password: str, *, ip: str) -> None:
        """Set the password, once; every session ends at once. A second factor stays as it is.

        Raises:
            BadResetTokenError: the token is unknown, used, expired, or the password was changed since.
            TooManyRequestsError: this network has tried too many tokens.
        """
        await self._limits.count_mailed_token(ip)
        presented = digest(token)
        found = await repository.usable_reset(presented)
        if found is None or found.user_id is None:
            raise BadResetTokenError  # before the costly hash: guesses are cheap to refuse
        password_hash = await hash_password(password)
        async with db.transaction():
            user = await repository.lock_user(found.user_id)
            # Once more, now that nobody else can use it.
            reset = await repository.usable_reset(presented)
            if user is None or not user.is_active or reset is None or not self._fits(reset, user, token):
                raise BadResetTokenError
            await repository.store_password(user.id, password_hash)
            await repository.use_resets(user.id)
            await sessions.revoke_others(user.id, None)
            await repository.remember_network(user.id, rate_networks(ip)[0])
            await record(PasswordReset(site_id=None, aggregate_id=user.id), actor=principal)
            await tell(user.id, "password_reset")

    async def _may_be_sent(self, reset: PasswordResetRow, user: UserRow) -> bool:
        if not user.is_active or reset.used_at is not None:
            return False
        if self.resources.settings.link_base is None:
            log.error("auth.reset_not_mailed", reason="SCAICMS_PUBLIC_URL is not set: there is nothing to link to")
            return False
        return reset.digest is not None or await self._limits.may_mail(user.id)

    def _token(self, reset: PasswordResetRow, user: UserRow) -> str:
        """Of the address and the password as they are: a change of either leaves the link without effect."""
        return make_token(self._key, str(reset.id), user.email, user.password_hash)

    def _fits(self, reset: PasswordResetRow, user: UserRow, token: str) -> bool:
        return hmac.compare_digest(self._token(reset, user).encode(), token.encode("utf-8", "surrogatepass"))

    def _letter(self, reset: PasswordResetRow, user: UserRow, token: str) -> Letter:
        minutes = self.resources.settings.password_reset_seconds // 60
        return Letter(
            id=str(reset.id),
            to=user.email,
            subject="Reset your password",
            paragraphs=[
                f"Hello {user.name},",
                f"somebody, probably you, asked for a new password. The link works once, for {minutes} minutes.",
                "If it was not you, do nothing: your password stays as it is.",
            ],
            link_label="Choose a new password",
            link=f"{self.resources.settings.link_base}{PAGE}#token={token}",
        )
