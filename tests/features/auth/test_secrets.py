"""Secrets are planted in every use of an account, then looked for wherever something is kept or said."""

import logging
import secrets
from dataclasses import replace

import pyotp
import pytest
from aiohttp import web

from scaicms import registry
from scaicms.infra import db
from scaicms.infra.jobs import QUEUES
from scaicms.infra.jobs.runner import Runner
from scaicms.infra.mail import SmtpMailer
from scaicms.infra.services import Services
from tests.conftest import Answer
from tests.features.content.test_items import create
from tests.features.webhooks.receiver import hooked, receiving
from tests.mails import token_in
from tests.mailserver import mail_server

pytestmark = pytest.mark.usefixtures("unlimited")


class Planted:
    """An API caller that remembers what was secret and what was answered when something was wrong."""

    def __init__(self, api):
        self.api = api
        self.secrets = {}
        self.errors = []

    def plant(self, name, value=None):
        self.secrets[name] = value or f"planted-{name}-{secrets.token_hex(8)}"
        return self.secrets[name]

    async def post(self, path, body, *, token=None, method="POST") -> Answer:
        api = self.api.with_token(token) if token else self.api.anonymous()
        answer = await api.call(method, path, json=body)
        if answer.status >= 400:
            self.errors.append(answer.raw.decode())
        return answer


@pytest.fixture
def run(services):
    """Run due jobs with mail going to a server."""

    async def drain(inbox):
        mailer = SmtpMailer(f"smtp://{inbox.address}", "cms@example.com")
        runner = Runner(registry.tasks(), Services(replace(services.resources, mailer=mailer)), "tests")
        while sum([await runner.run_due(queue, 50) for queue in QUEUES]):
            pass

    return drain


async def _live(planted, email, run, inbox):
    """One account's life, with everything that is secret in it and everything that goes wrong."""
    invited = await planted.api.post("/users/invitations", {"email": email})
    assert invited.status == 201
    await run(inbox)
    password = planted.plant("password")
    token = planted.plant("invitation", token_in(inbox.mails[-1]))
    body = {"token": token, "name": "Ada", "password": password}
    assert (await planted.post("/auth/invitations/accept", body)).status == 200
    assert (await planted.post("/auth/invitations/accept", body)).status == 422
    await planted.post("/auth/login", {"email": email, "password": planted.plant("wrong password")})
    await planted.post("/auth/login", {"email": email, "password": planted.plant("too long", "planted-" + "x" * 1100)})
    await planted.post("/auth/login", {"email": email, "password": [planted.plant("password in a list")]})
    entered = (await planted.post("/auth/login", {"email": email, "password": password})).json
    access = planted.plant("access token", entered["access_token"])
    refresh = planted.plant("refresh token", entered["refresh_token"])
    begun = (await planted.post("/auth/totp", {"password": password}, token=access)).json
    secret = planted.plant("totp secret", begun["secret"])
    await planted.post("/auth/totp/confirm", {"otp": planted.plant("wrong code")}, token=access)
    confirmed = await planted.post("/auth/totp/confirm", {"otp": pyotp.TOTP(secret).now()}, token=access)
    codes = confirmed.json["recovery_codes"]
    planted.plant("used recovery code", codes[0])
    planted.plant("unused recovery code", codes[1])
    body = {"email": email, "password": password, "otp": codes[0]}
    assert (await planted.post("/auth/login", body)).status == 200
    assert (await planted.post("/auth/login", body)).status == 401
    await planted.post("/auth/totp", {"password": planted.plant("wrong again")}, token=access, method="DELETE")
    rotated = (await planted.post("/auth/refresh", {"refresh_token": refresh})).json
    planted.plant("rotated refresh token", rotated["refresh_token"])
    await planted.post("/auth/refresh", {"refresh_token": refresh})
    await planted.post("/auth/refresh", {"refresh_token": planted.plant("unknown refresh token")})


async def _forget(planted, email, run, inbox):
    """The password forgotten, and a mail server that quotes the link when it refuses the mail."""
    await planted.post("/auth/password-reset", {"email": email})
    inbox.answers.append("451 4.3.0 later, because of QUOTED")
    await run(inbox)
    assert await db.fetchval("SELECT count(*) FROM jobs WHERE last_error LIKE '%451 (4.3.0)%'") >= 1
    await db.execute("UPDATE jobs SET run_at = now() WHERE state = 'pending'")
    await run(inbox)
    token = planted.plant(
        "reset token", next(token_in(mail) for mail in reversed(inbox.mails) if "Reset" in mail["Subject"])
    )
    body = {"token": token, "password": planted.plant("reset password")}
    assert (await planted.post("/auth/password-reset/confirm", body)).status == 204
    assert (await planted.post("/auth/password-reset/confirm", body)).status == 422
    await planted.post("/auth/password-reset/confirm", {**body, "token": planted.plant("unknown reset token")})
    await run(inbox)


async def _hook(planted, articles, run, inbox):
    """A webhook whose receiver answers with all that it was sent, and with the secret; and what goes wrong with it."""
    api = planted.api.at(articles.site)
    value = planted.plant("header")
    async with receiving() as receiver:
        hook = await hooked(api, receiver.url, headers={"Authorization": f"Bearer {value}"})
        planted.plant("webhook secret", hook["secret"])
        planted.plant("signing key", hook["secret"].removeprefix("whsec_"))
        path = f"/webhooks/{hook['id']}"
        rotated = await api.post(f"{path}/rotate-secret", {"grace_seconds": 60})
        new = planted.plant("rotated webhook secret", rotated.json["secret"])
        planted.plant("rotated signing key", new.removeprefix("whsec_"))

        async def echo(request):
            said = f"{dict(request.headers)} {hook['secret']} {new.removeprefix('whsec_')} {value}"
            return web.Response(status=500, text=said, headers={"X-Echo": request.headers["Authorization"]})

        receiver.answers += [echo, echo]
        await create(api)
        assert (await api.post(f"{path}/test")).status == 202
        await run(inbox)
        assert len(receiver.got) == 2
        assert value in receiver.got[0].headers["authorization"]
    planted.errors.append((await api.get(f"{path}/deliveries")).raw.decode())
    planted.errors.append((await api.get("/content-types/bundle")).raw.decode())
    planted.errors.append((await api.get("/users/audit?page_size=200")).raw.decode())
    wrong = {"name": "n", "url": "https://example.com/", "events": ["*"]}
    for headers in ({"X-A": planted.plant("bad header") + "\n"}, {"Host": planted.plant("refused header")}):
        answer = await api.post("/webhooks", {**wrong, "headers": headers})
        assert answer.status == 422
        planted.errors.append(answer.raw.decode())


async def test_no_secret_is_found_in_any_table_log_or_error(admin, articles, run, capfd, caplog, database):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, "mail.log")  # the test's own mail server
    planted = Planted(admin)
    planted.plant("signing secret", database.secret.get_secret_value())
    async with mail_server() as inbox:
        email = f"{secrets.token_hex(6)}@example.com"
        await _live(planted, email, run, inbox)
        await _forget(planted, email, run, inbox)
        await _hook(planted, articles, run, inbox)
    captured = capfd.readouterr()
    said = {"logs": captured.out + captured.err + caplog.text, "errors": "\n".join(planted.errors)}
    assert "auth/password-reset" in said["logs"]
    assert len(planted.errors) >= 10
    for name, secret in planted.secrets.items():
        for where, text in said.items():
            assert secret not in text, f"{name} in {where}"
        for table in await db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
            # Bytes are shown in hexadecimal.
            sql = f"""SELECT count(*) FROM {table["tablename"]} AS t
                      WHERE position($1 in t::text) > 0 OR position($2 in t::text) > 0"""
            assert await db.fetchval(sql, secret, secret.encode().hex()) == 0, f"{name} in {table['tablename']}"


async def test_the_search_for_secrets_finds_what_is_there(admin):
    """Otherwise the test above could not fail."""
    email = f"planted-{secrets.token_hex(8)}@example.com"
    await admin.post("/users/invitations", {"email": email})
    assert await db.fetchval("SELECT count(*) FROM users AS t WHERE position($1 in t::text) > 0", email) == 1
