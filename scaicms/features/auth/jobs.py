"""Mails about accounts, and tidying up.

Payloads name rows; a token is made when its mail is sent, and stored as a digest alone.
"""

from typing import Literal
from uuid import UUID

from scaicms.infra.jobs import Job, JobPayload

Notice = Literal["password_reset", "password_changed", "totp_enabled", "totp_disabled", "recovery_code_used"]


class ResetPayload(JobPayload):
    """The wish to be answered, whose address may be nobody's."""

    reset_id: UUID


class NoticePayload(JobPayload):
    """Who is to be told, and what."""

    user_id: UUID
    notice: Notice


class PrunePayload(JobPayload):
    """Nothing to say."""


PRUNE = Job("auth.prune", "default", PrunePayload, atomic=False)
SEND_RESET = Job("auth.send_password_reset", "default", ResetPayload, atomic=False)
SEND_NOTICE = Job("auth.send_notice", "default", NoticePayload, atomic=False)
