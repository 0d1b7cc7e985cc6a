"""The port and its adapters. What a server says about a mail may quote it, so only its codes are kept."""

import asyncio
import re
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import aiosmtplib
import structlog

from scaicms.infra.jobs.errors import PermanentJobError, TransientJobError
from scaicms.infra.mail.letter import Letter
from scaicms.kit.clock import utcnow
from scaicms.settings import Settings

SMTP_SECONDS = 15.0
MAX_FILES = 500
"""Mails that the folder of a laptop holds; older ones are removed."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ENHANCED = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b")
log = structlog.get_logger(__name__)


class Mailer(Protocol):
    """Sends one mail, from a job: errors say whether another try is worth it."""

    async def send(self, letter: Letter) -> None:
        """Hand the mail over.

        Raises:
            TransientJobError: the server cannot be reached or says "later".
            PermanentJobError: it refuses this mail, or no server is configured.
        """
        ...


class SmtpMailer:
    """SMTP (RFC 5321). `smtps:` is TLS from the start; `smtp:` takes STARTTLS where it is offered, and insists on it
    before a password leaves this machine."""

    def __init__(self, url: str, sender: str) -> None:
        parts = urlsplit(url)
        self._sender = sender
        self._host = parts.hostname or "localhost"
        self._tls = parts.scheme == "smtps"
        self._port = parts.port or (465 if self._tls else 25)
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None

    async def send(self, letter: Letter) -> None:
        must_upgrade = self._user is not None and not self._tls and self._host not in LOOPBACK
        try:
            await aiosmtplib.send(
                letter.message(self._sender),
                hostname=self._host,
                port=self._port,
                username=self._user,
                password=self._password,
                use_tls=self._tls,
                start_tls=False if self._tls else (True if must_upgrade else None),
                timeout=SMTP_SECONDS,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refusal(error.recipients[0].code, error.recipients[0].message) from None
        except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as error:
            raise _refusal(error.code, error.message) from None
        except aiosmtplib.SMTPNotSupported:
            raise PermanentJobError("the mail server takes no addresses of other scripts (SMTPUTF8)") from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise TransientJobError(_unusable(error)) from None
        log.info("mail.sent", subject=letter.subject, mail_id=letter.id)


class FileMailer:
    """Files in `<home>/mail`, for a laptop: the log says where."""

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    async def send(self, letter: Letter) -> None:
        path = self._folder / f"{utcnow():%Y%m%d-%H%M%S}-{letter.id}.eml"
        await asyncio.to_thread(_write, path, letter.message(self._sender))
        log.info("mail.written", path=str(path), subject=letter.subject)


class NoMailer:
    """Production without `SMTP_URL`: said for every mail, in the log and in the job."""

    async def send(self, letter: Letter) -> None:
        log.error("mail.not_sent", reason="SMTP_URL is not set", subject=letter.subject)
        raise PermanentJobError("SMTP_URL is not set: there is no server to hand mail to")


def open_mailer(settings: Settings) -> Mailer:
    """The mailer that the settings name."""
    url = settings.smtp_url.get_secret_value()
    if url:
        return SmtpMailer(url, settings.mail_from)
    if settings.env == "production":
        return NoMailer()
    return FileMailer(settings.home / "mail", settings.mail_from)


def _unusable(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return "The mail server refused the user name or the password."
    if isinstance(error, TimeoutError | aiosmtplib.SMTPTimeoutError):
        return f"The mail server did not answer within {SMTP_SECONDS:g} s."
    if isinstance(error, OSError | aiosmtplib.SMTPConnectError | aiosmtplib.SMTPServerDisconnected):
        return "The mail server cannot be reached."
    return "The mail server could not be used."


def _refusal(code: int, message: str) -> PermanentJobError | TransientJobError:
    enhanced = _ENHANCED.search(message)
    said = f"the mail server answered {code}{f' ({enhanced[0]})' if enhanced else ''}"
    return PermanentJobError(said) if code >= 500 else TransientJobError(said)


def _write(path: Path, message: EmailMessage) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(message.as_bytes())
    # Names begin with the time.
    for old in sorted(path.parent.glob("*.eml"))[:-MAX_FILES]:
        old.unlink(missing_ok=True)
