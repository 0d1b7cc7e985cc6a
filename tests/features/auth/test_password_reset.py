"""A forgotten password: by mail, once, and without a word about who has an account."""

import asyncio
import secrets
from dataclasses import replace

import pytest

from scaicms.features.auth.jobs import SEND_RESET
from scaicms.features.auth.limits import LoginLimits
from scaicms.features.auth.resets import PasswordResetService
from scaicms.features.auth.service import AuthService
from scaicms.infra import db
from scaicms.infra.mail import SmtpMailer
from scaicms.infra.services import Services
from scaicms.kit.errors import TooManyRequestsError, UnauthorizedError
from scaicms.kit.principal import SYSTEM
from tests.conftest import PASSWORD
from tests.mails import mails_to, token_in
from tests.mailserver import mail_server

pytestmark = pytest.mark.usefixtures("unlimited")

NEW = "an entirely new password"


@pytest.fixture
async def account(admin, services):
    """A fresh user with a session."""
    email = f"{secrets.token_hex(6)}@example.com"
    made = await admin.post("/users", {"email": email, "name": "Ada", "password": PASSWORD})
    entered = await services.get(AuthService).login(email, PASSWORD, ip=secrets.token_hex(8), user_agent="t")
    api = admin.with_token(entered.access_token)
    api.email, api.user_id, api.refresh_token = email, made.json["id"], entered.refresh_token
    return api


@pytest.fixture
def forget(services, drain, settings):
    """Ask for a reset from an address of one's own, and give the token that was mailed."""

    async def ask(email):
        await services.get(PasswordResetService).request(email, ip=secrets.token_hex(8))
        await drain()
        mails = mails_to(settings, email)
        return token_in(mails[-1]) if mails else None

    return ask


def confirm(api, token, password=NEW):
    return api.anonymous().post("/auth/password-reset/confirm", {"token": token, "password": password})


async def test_a_reset_by_mail_sets_the_password_ends_all_sessions_at_once_and_tells_the_owner(
    account, drain, settings, services
):
    asked = await account.anonymous().post("/auth/password-reset", {"email": account.email.upper()})
    assert (asked.status, asked.json) == (202, {"status": "accepted"})
    await drain()
    (mail,) = mails_to(settings, account.email)
    assert "http://localhost:8000/account/password#token=" in mail.get_body(("plain",)).get_content()
    assert (await account.get("/auth/profile")).status == 200
    assert (await confirm(account, token_in(mail))).status == 204
    await asyncio.sleep(0.1)
    assert (await account.get("/auth/profile")).status == 401
    assert (await account.post("/auth/refresh", {"refresh_token": account.refresh_token})).status == 401
    with pytest.raises(UnauthorizedError):
        await services.get(AuthService).login(account.email, PASSWORD, ip="reset-old", user_agent="")
    assert await services.get(AuthService).login(account.email, NEW, ip="reset-new", user_agent="")
    await drain()
    assert mails_to(settings, account.email)[-1]["Subject"] == "Your password was reset"


async def test_the_link_never_comes_from_the_host_header(account, drain, settings):
    await account.anonymous().post(
        "/auth/password-reset",
        {"email": account.email},
        headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"},
    )
    await drain()
    assert "evil" not in mails_to(settings, account.email)[-1].as_string()


async def test_unknown_and_impossible_addresses_answer_alike_and_leave_nothing(account, drain, settings):
    known = await account.anonymous().post("/auth/password-reset", {"email": account.email})
    before = len(list((settings.home / "mail").glob("*.eml")))
    for email in (f"{secrets.token_hex(6)}@example.com", "not an address"):
        unknown = await account.anonymous().post("/auth/password-reset", {"email": email})
        assert (unknown.status, unknown.raw) == (known.status, known.raw)
        await drain()
        assert await db.fetchval("SELECT count(*) FROM password_resets WHERE email = $1", email) == 0
    assert len(list((settings.home / "mail").glob("*.eml"))) == before + 1


async def test_of_concurrent_confirmations_one_wins(account, forget):
    token = await forget(account.email)
    answers = await asyncio.gather(*(confirm(account, token, f"{NEW} {n}") for n in range(6)))
    assert sorted(answer.status for answer in answers) == [204] + [422] * 5


async def test_concurrent_confirmations_of_two_mails_do_not_block_each_other(account, forget):
    tokens = [await forget(account.email), await forget(account.email)]
    answers = await asyncio.gather(*(confirm(account, token) for token in tokens * 2))
    assert sorted(answer.status for answer in answers) == [204, 422, 422, 422]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE password_resets SET expires_at = now() - interval '1 second' WHERE user_id = $1",
        "UPDATE users SET password_hash = 'x' WHERE id = $1",
        "UPDATE users SET email = 'moved-' || email WHERE id = $1",
        "UPDATE users SET is_active = false WHERE id = $1",
        "DELETE FROM users WHERE id = $1",
    ],
)
async def test_a_link_ends_with_time_and_with_any_change_of_the_account(account, forget, change):
    token = await forget(account.email)
    await db.execute(change, account.user_id)
    refused = await confirm(account, token)
    assert (refused.status, refused.code) == (422, "invalid_token")
    assert token not in refused.raw.decode()


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "\u00e9" * 40, "\0"])
async def test_guessed_tokens_are_refused_before_any_hashing(account, token, monkeypatch):
    async def never(_):
        raise AssertionError("hashed for a guess")

    monkeypatch.setattr("scaicms.features.auth.resets.hash_password", never)
    assert (await confirm(account, token)).status == 422


async def test_a_fourth_request_in_an_hour_is_429_and_mails_to_one_account_are_bounded(
    services, drain, settings, account
):
    limits, ip = services.get(LoginLimits), secrets.token_hex(8)
    for _ in range(3):
        await limits.count_reset(account.email, ip)
    with pytest.raises(TooManyRequestsError) as refused:
        await limits.count_reset(account.email, ip)
    assert 60 < int(refused.value.headers["Retry-After"]) <= 3600
    for n in range(10):
        await services.get(PasswordResetService).request(account.email, ip=f"{ip}-{n}")
    await drain()
    assert len(mails_to(settings, account.email)) == 6


async def test_a_deactivated_account_gets_no_link(account, forget):
    await db.execute("UPDATE users SET is_active = false WHERE id = $1", account.user_id)
    assert await forget(account.email) is None


async def test_without_a_public_address_in_production_nothing_is_mailed_and_the_log_says_why(
    account, services, drain, settings, capsys, caplog
):
    production = settings.model_copy(update={"env": "production", "public_url": None})
    await services.get(PasswordResetService).request(account.email, ip=secrets.token_hex(8))
    row = await db.fetchrow("SELECT id FROM password_resets WHERE email = $1", account.email)
    await PasswordResetService(_with(services, settings=production)).send(SYSTEM, row["id"])
    assert "SCAICMS_PUBLIC_URL is not set" in "".join(capsys.readouterr()) + caplog.text
    await drain()
    assert mails_to(settings, account.email) == []


async def test_a_mail_that_was_refused_for_now_comes_later_with_the_same_link(account, services):
    async with mail_server() as inbox:
        inbox.answers.append("451 4.3.0 later")
        mailer = SmtpMailer(f"smtp://{inbox.address}", "cms@example.com")
        resets = PasswordResetService(_with(services, mailer=mailer))
        await resets.request(account.email, ip=secrets.token_hex(8))
        job = await db.fetchrow(
            "SELECT payload->>'reset_id' AS id FROM jobs WHERE name = $1 ORDER BY id DESC", SEND_RESET.name
        )
        with pytest.raises(Exception, match=r"451 \(4.3.0\)"):
            await resets.send(SYSTEM, job["id"])
        await resets.send(SYSTEM, job["id"])
        await resets.send(SYSTEM, job["id"])
        await db.execute("UPDATE jobs SET state = 'cancelled' WHERE payload->>'reset_id' = $1", job["id"])
    first, second = inbox.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert token_in(first) == token_in(second)
    assert (await confirm(account, token_in(first))).status == 204


async def test_the_page_behind_the_link_keeps_to_itself(client):
    for path in ("/account/password", "/account/invitation", "/account/page.js", "/account/page.css"):
        page = await client.get(path)
        text = await page.text()
        assert page.status == 200
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert "://" not in text
        assert (await client.get(path, headers={"If-None-Match": page.headers["ETag"]})).status == 304


def _with(services, **changes):
    """Services over the same connections, with another setting or mailer."""
    return Services(replace(services.resources, **changes))
