"""Mails to people who are about to become users."""

from uuid import UUID

from scaicms.infra.jobs import Job, JobPayload


class InvitationPayload(JobPayload):
    """Which invitation; its token is made when the mail is sent."""

    invitation_id: UUID


SEND_INVITATION = Job("users.send_invitation", "default", InvitationPayload, atomic=False)
