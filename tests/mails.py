"""What this test process has mailed: files in its home."""

import re
from email import message_from_bytes
from email.policy import default

from scaicms.kit.emails import normalise_email


def mails_to(settings, email):
    """The mails to an address, oldest first."""
    files = sorted((settings.home / "mail").glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    read = [message_from_bytes(path.read_bytes(), policy=default) for path in files]
    return [mail for mail in read if mail["To"] == normalise_email(email)]


def token_in(mail):
    """The token of the link in a mail."""
    found = re.search(r"#token=(\S+)", mail.get_body(("plain",)).get_content())
    return found[1]
