"""A mail as we write it: a few paragraphs and at most one link, as plain text and as HTML."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTPUTF8
from email.utils import format_datetime, parseaddr

from markupsafe import escape

from scaicms.kit.clock import utcnow

_HTML = """<!doctype html>
<html><head><meta charset="utf-8"></head>
<body style="font-family: sans-serif; max-width: 36em; margin: 2em auto; line-height: 1.5">
{body}
</body></html>
"""
_BUTTON = "padding: .6em 1.2em; background: #1d4ed8; color: #fff; text-decoration: none; border-radius: 4px"


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail. `id` is the same however often it is sent, so that mail programs show it once (RFC 5322 §3.6.4)."""

    id: str
    to: str
    subject: str
    paragraphs: Sequence[str]
    link_label: str = ""
    link: str | None = field(default=None, repr=False)
    """Holds the token: never in a log, nor in the repr that a traceback shows."""

    def message(self, sender: str) -> EmailMessage:
        """RFC 5322, with both bodies. `sender` may have a name: `scaiCMS <cms@example.com>`."""
        message = EmailMessage(policy=SMTPUTF8)
        message["From"] = sender
        message["To"] = self.to
        message["Subject"] = self.subject
        message["Date"] = format_datetime(utcnow())
        message["Message-ID"] = f"<{self.id}@{parseaddr(sender)[1].rpartition('@')[2] or 'localhost'}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: holiday notes do not answer
        text, html = self._text(), self._html()
        message.set_content(text, cte=_encoding(text))
        message.add_alternative(html, subtype="html", cte=_encoding(html))
        return message

    def _text(self) -> str:
        parts = [*self.paragraphs, *([f"{self.link_label}:\n{self.link}"] if self.link else [])]
        return "\n\n".join(parts) + "\n"

    def _html(self) -> str:
        parts = [f"<p>{escape(paragraph)}</p>" for paragraph in self.paragraphs]
        if self.link:
            parts.append(f'<p><a style="{_BUTTON}" href="{escape(self.link)}">{escape(self.link_label)}</a></p>')
        return _HTML.format(body="\n".join(parts))


def _encoding(body: str) -> str:
    """As it is: quoted-printable would break links for those who read the file or the source of a mail."""
    return "7bit" if body.isascii() else "8bit"
