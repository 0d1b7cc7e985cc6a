"""Mail over the wire to a real server, and into files."""

from email import message_from_bytes
from email.policy import default

import pytest
from pydantic import ValidationError

from scaicms.infra.jobs import PermanentJobError, TransientJobError
from scaicms.infra.mail import FileMailer, Letter, NoMailer, SmtpMailer, open_mailer
from scaicms.settings import Settings
from tests.mailserver import certificate, mail_server

SENDER = "The CMS <cms@example.com>"
LETTER = Letter(
    "0191-abc", "ada@example.com", "Hello Ada", ["One < two.", "Three."], "Go on", "https://cms.example.com/x#token=t&u"
)


def test_a_letter_has_both_bodies_and_the_same_id_however_often_it_is_sent():
    message = LETTER.message(SENDER)
    text, html = (part.get_content() for part in message.iter_parts())
    assert "One < two." in text
    assert "https://cms.example.com/x#token=t&u" in text
    assert "One &lt; two." in html
    assert 'href="https://cms.example.com/x#token=t&amp;u"' in html
    assert message["Message-ID"] == LETTER.message(SENDER)["Message-ID"] == "<0191-abc@example.com>"
    assert "token" not in repr(LETTER)
    assert b"\nhttps://cms.example.com/x#token=t&u" in message.as_bytes().replace(b"\r\n", b"\n")


async def test_a_mail_arrives():
    async with mail_server() as inbox:
        await SmtpMailer(f"smtp://{inbox.address}", SENDER).send(LETTER)
    assert [mail["To"] for mail in inbox.mails] == ["ada@example.com"]
    assert inbox.mails[0]["From"] == SENDER


async def test_an_address_of_another_script_gets_its_mail():
    async with mail_server() as inbox:
        await SmtpMailer(f"smtp://{inbox.address}", SENDER).send(
            Letter("1", "am\u00e9lie@example.com", "Caf\u00e9", ["x"])
        )
    assert inbox.mails[0]["To"] == "am\u00e9lie@example.com"
    assert inbox.mails[0]["Subject"] == "Caf\u00e9"


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_with_tls_the_password_and_the_mail_go_encrypted(tmp_path, monkeypatch, scheme):
    trusted, context = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    async with mail_server(user=("cms", "s3:cret@/"), tls=context, implicit=scheme == "smtps") as inbox:
        await SmtpMailer(f"{scheme}://cms:s3%3Acret%40%2F@{inbox.address}", SENDER).send(LETTER)
    assert (inbox.encrypted, inbox.logins) == ([True], ["cms"])


async def test_a_certificate_that_nobody_vouches_for_is_not_talked_to(tmp_path):
    _, context = certificate(tmp_path)
    async with mail_server(tls=context) as inbox:
        with pytest.raises(TransientJobError):
            await SmtpMailer(f"smtp://{inbox.address}", SENDER).send(LETTER)
    assert inbox.mails == []


async def test_no_password_leaves_the_machine_in_the_clear(monkeypatch):
    monkeypatch.setattr("scaicms.infra.mail.mailers.LOOPBACK", frozenset())
    async with mail_server(user=("cms", "secret")) as inbox:
        with pytest.raises(TransientJobError):
            await SmtpMailer(f"smtp://cms:secret@{inbox.address}", SENDER).send(LETTER)
    assert (inbox.mails, inbox.logins) == ([], [])


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ("451 4.7.1 come back later: https://cms.example.com/x#token=t", TransientJobError, "451 (4.7.1)"),
        ("554 5.7.1 we do not like https://cms.example.com/x#token=t", PermanentJobError, "554 (5.7.1)"),
    ],
)
async def test_what_the_server_says_tells_whether_to_try_again_and_is_never_quoted(answer, error, said):
    async with mail_server() as inbox:
        inbox.answers.append(answer)
        with pytest.raises(error) as raised:
            await SmtpMailer(f"smtp://{inbox.address}", SENDER).send(LETTER)
    assert str(raised.value) == f"the mail server answered {said}"
    assert raised.value.__suppress_context__


async def test_a_wrong_login_and_a_dead_server_are_worth_another_try():
    async with mail_server(user=("cms", "right")) as inbox:
        with pytest.raises(TransientJobError):
            await SmtpMailer(f"smtp://cms:wrong@{inbox.address}", SENDER).send(LETTER)
    with pytest.raises(TransientJobError):
        await SmtpMailer("smtp://127.0.0.1:1", SENDER).send(LETTER)


@pytest.mark.parametrize("to", ["a@b.c\r\nBcc: x@y.z", "a@b.c\nX: y"])
def test_headers_cannot_be_smuggled_in(to):
    with pytest.raises(ValueError, match="linefeed"):
        Letter("1", to, "s", ["x"]).message(SENDER)


async def test_a_laptop_without_a_server_writes_private_files(tmp_path):
    await FileMailer(tmp_path / "mail", SENDER).send(LETTER)
    (file,) = (tmp_path / "mail").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    assert message_from_bytes(file.read_bytes(), policy=default)["To"] == "ada@example.com"


async def test_production_without_a_server_says_so(tmp_path):
    said = {"secret": "x" * 40, "database_url": "postgresql://x/x", "redis_url": "redis://x"}
    mailer = open_mailer(Settings(env="production", **said))
    assert isinstance(mailer, NoMailer)
    with pytest.raises(PermanentJobError, match="SMTP_URL is not set"):
        await mailer.send(LETTER)
    assert isinstance(open_mailer(Settings(env="test", home=tmp_path)), FileMailer)
    assert isinstance(open_mailer(Settings(env="production", smtp_url="smtps://mail.example.com", **said)), SmtpMailer)


@pytest.mark.parametrize("url", ["http://cms:hunter2@mail", "smtp://", "mail.example.com:25"])
def test_a_mail_server_that_is_none_is_refused_without_naming_its_password(url):
    with pytest.raises(ValidationError, match="SMTP_URL must be like") as refused:
        Settings(env="test", smtp_url=url)
    assert "hunter2" not in str(refused.value)


def test_links_begin_with_the_public_address_alone():
    said = {"secret": "x" * 40, "database_url": "postgresql://x/x", "redis_url": "redis://x"}
    assert (
        Settings(env="production", public_url="https://cms.example.com/", **said).link_base == "https://cms.example.com"
    )
    assert Settings(env="production", **said).link_base is None
    assert Settings(env="development", port=8001).link_base == "http://localhost:8001"
