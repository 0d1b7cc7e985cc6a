"""Use cases of invitations: an account is made inactive, with its roles, and waits for its owner."""

import hmac
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from tortoise.exceptions import IntegrityError

from scaicms.features.roles.service import AUTHORITY, RoleService
from scaicms.features.users import permissions, repository
from scaicms.features.users.errors import BadInvitationError, EmailTakenError
from scaicms.features.users.events import InvitationAccepted, InvitationFailed, UserCreated, UserInvited
from scaicms.features.users.jobs import SEND_INVITATION, InvitationPayload
from scaicms.features.users.models import InvitationRow, UserRow
from scaicms.features.users.schemas import AcceptInvitation, Invite
from scaicms.infra import db
from scaicms.infra.db.notices import notify
from scaicms.infra.events import record
from scaicms.infra.jobs import enqueue
from scaicms.infra.limits import MAILED_TOKENS_PER_NETWORK, RateLimits
from scaicms.infra.mail import Letter
from scaicms.infra.services import Service, Services
from scaicms.kit.clock import utcnow
from scaicms.kit.crypto import derive_key, digest, make_token
from scaicms.kit.ids import new_id
from scaicms.kit.passwords import UNUSABLE, hash_password
from scaicms.kit.principal import Principal

PAGE = "/account/invitation"
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation with what its sender wants to see."""

    invitation: InvitationRow
    user: UserRow
    roles: list[tuple[str, UUID | None]]
    job_id: UUID


class InvitationService(Service):
    """Inviting people, and becoming a user by it."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._roles = services.get(RoleService)
        self._rates = RateLimits(services.resources.redis)
        self._key = derive_key(services.resources.settings.secret.get_secret_value(), "invitation")

    async def invite(self, principal: Principal, new: Invite) -> Invited:
        """Make the account and promise the mail; for one that still waits, make the invitation anew.

        Roles are given here and now, by the rules of giving roles: nobody gives more than they hold.
        """
        principal.require(permissions.WRITE.code)
        try:
            async with db.transaction():
                user = await self._account(principal, new)
                roles = await self._roles.assign(principal, user.id, new.roles) if new.roles else []
                invitation = self._invitation(user)
                await repository.replace_invitation(invitation)
                await record(UserInvited(site_id=None, aggregate_id=user.id), actor=principal)
                payload = InvitationPayload(invitation_id=invitation.id)
                job_id = await enqueue(SEND_INVITATION.request(payload, site_id=None))
        except IntegrityError:
            raise EmailTakenError from None
        return Invited(invitation, user, roles, job_id)

    async def send(self, principal: Principal, invitation_id: UUID) -> None:
        """Mail the link. Sent again, it is the same mail with the same link."""
        principal.require(permissions.WRITE.code)
        invitation = await repository.find_invitation(invitation_id)
        user = await repository.find(invitation.user_id) if invitation is not None else None
        if invitation is None or user is None or invitation.accepted_at is not None:
            return
        token = self._token(invitation.id, user)
        if digest(token) != invitation.digest:
            return  # the address was changed since: whoever did that invites anew
        base = self.resources.settings.link_base
        if base is None:
            log.error(
                "users.invitation_not_mailed", reason="SCAICMS_PUBLIC_URL is not set: there is nothing to link to"
            )
            return
        await self.resources.mailer.send(_letter(invitation, user, f"{base}{PAGE}#token={token}"))

    async def give_up(self, principal: Principal, invitation_id: UUID, reason: str) -> None:
        """Record that the mail of an invitation that still waits was not sent."""
        principal.require(permissions.WRITE.code)
        invitation = await repository.find_invitation(invitation_id)
        if invitation is not None and invitation.accepted_at is None:
            fact = InvitationFailed(site_id=None, aggregate_id=invitation.user_id, error=reason)
            await record(fact, actor=principal)

    async def accept(self, principal: Principal, accepted: AcceptInvitation, *, ip: str) -> UserRow:
        """Choose name and password, once; then one can log in.

        Raises:
            BadInvitationError: the token is unknown, used or expired, or the account is not what it was.
            TooManyRequestsError: this network has tried too many tokens.
        """
        await self._rates.take_address(MAILED_TOKENS_PER_NETWORK, ip)
        presented = digest(accepted.token)
        found = await repository.usable_invitation(presented)
        if found is None:
            raise BadInvitationError  # before the costly hash: guesses are cheap to refuse
        password_hash = await hash_password(accepted.password)
        async with db.transaction():
            user = await repository.find(found.user_id, lock=True)
            # Once more, now that nobody else can use it.
            invitation = await repository.usable_invitation(presented)
            if user is None or invitation is None or not self._fits(invitation, user, accepted.token):
                raise BadInvitationError
            user.update_from_dict({"name": accepted.name, "password_hash": password_hash, "is_active": True})
            user.updated_at = utcnow()
            await user.save()
            await repository.accept_invitation(invitation.id)
            await record(InvitationAccepted(site_id=None, aggregate_id=user.id), actor=principal)
            await notify(AUTHORITY, str(user.id))
        return user

    async def _account(self, principal: Principal, new: Invite) -> UserRow:
        known = await repository.find_by_email(new.email)
        if known is not None:
            user = await repository.find(known.id, lock=True)
            if user is None or user.is_active or not await repository.is_invited(user.id):
                raise EmailTakenError
            return user
        now = utcnow()
        user = UserRow(
            id=new_id(),
            email=new.email,
            name=new.name or new.email[:200],
            password_hash=UNUSABLE,
            is_active=False,
            created_at=now,
            updated_at=now,
        )
        await user.save(force_create=True)
        await record(UserCreated(site_id=None, aggregate_id=user.id), actor=principal)
        return user

    def _invitation(self, user: UserRow) -> InvitationRow:
        invitation_id, now = new_id(), utcnow()
        return InvitationRow(
            id=invitation_id,
            user_id=user.id,
            digest=digest(self._token(invitation_id, user)),
            created_at=now,
            expires_at=now + timedelta(seconds=self.resources.settings.invitation_seconds),
        )

    def _token(self, invitation_id: UUID, user: UserRow) -> str:
        """Of the account as it is: a change of its address or password leaves the link without effect."""
        return make_token(self._key, str(invitation_id), user.email, user.password_hash)

    def _fits(self, invitation: InvitationRow, user: UserRow, token: str) -> bool:
        expected = self._token(invitation.id, user).encode()
        return not user.is_active and hmac.compare_digest(expected, token.encode("utf-8", "surrogatepass"))


def _letter(invitation: InvitationRow, user: UserRow, link: str) -> Letter:
    return Letter(
        id=str(invitation.id),
        to=user.email,
        subject="You are invited",
        paragraphs=[
            "Hello,",
            f"an account for {user.email} is waiting for you. The link works once, until "
            f"{invitation.expires_at:%d %B %Y, %H:%M} UTC.",
        ],
        link_label="Choose a name and a password",
        link=link,
    )
