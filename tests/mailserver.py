"""A small real SMTP server on loopback, and a certificate for it."""

import asyncio
import re
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Inbox:
    """An aiosmtpd handler that keeps what it gets; `answers` are given first, one a mail, instead of taking it."""

    def __init__(self):
        self.mails: list[EmailMessage] = []
        self.answers: list[str] = []
        self.encrypted: list[bool] = []
        self.logins: list[str | None] = []
        self.address = ""

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's name for it
        if self.answers:
            # Spam filters quote what they do not like.
            link = re.search(rb"#token=(\S+)", envelope.content)
            return self.answers.pop(0).replace("QUOTED", link[1].decode() if link else "it")
        self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        self.logins.append(session.auth_data)
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        return "250 OK"


@asynccontextmanager
async def mail_server(*, user=None, tls=None, implicit=False):
    """Serve on a free port. `user` is (name, password), `tls` a server context."""
    inbox = Inbox()

    def check(_server, _session, _envelope, _mechanism, data):
        fits = isinstance(data, LoginPassword) and user is not None
        fits = fits and (data.login.decode(), data.password.decode()) == user
        return AuthResult(success=fits, handled=fits, auth_data=user[0] if fits else None)

    def session():
        return SMTP(
            inbox,
            enable_SMTPUTF8=True,
            hostname="mail.test",
            tls_context=None if implicit else tls,
            authenticator=check if user else None,
            auth_require_tls=tls is not None and not implicit,
            loop=asyncio.get_running_loop(),
        )

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0, ssl=tls if implicit else None)
    inbox.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield inbox
    finally:
        server.close()


def certificate(folder):
    """A self-signed certificate for 127.0.0.1; its path and a server context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "cert.pem", folder / "key.pem"
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    return certificate_file, context
