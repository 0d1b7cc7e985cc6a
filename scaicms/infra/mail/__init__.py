"""Mail behind one port: SMTP by `SMTP_URL`, files in the home on a laptop."""

from scaicms.infra.mail.letter import Letter
from scaicms.infra.mail.mailers import FileMailer, Mailer, NoMailer, SmtpMailer, open_mailer

__all__ = ["FileMailer", "Letter", "Mailer", "NoMailer", "SmtpMailer", "open_mailer"]
