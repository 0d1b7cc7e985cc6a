"""Web hosts whose clocks differ by minutes: what one issues the other takes, and what has ended has ended on both."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta

import aiohttp
import pyotp
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from scaicms.embedded.valkey import EmbeddedValkey
from scaicms.infra import db
from tests.conftest import PASSWORD, Api
from tests.mails import mails_to, token_in
from tests.web_process import is_up, web_process

MINUTES = 10
pytestmark = pytest.mark.usefixtures("unlimited")


@pytest.fixture(scope="module", params=[-60 * MINUTES, 60 * MINUTES], ids=["behind", "ahead"])
def host(request, database, tmp_path_factory):
    # With limits of its own: those of the tests count what all of them do.
    with (
        EmbeddedValkey(tmp_path_factory.mktemp("shifted"), durable=False) as valkey,
        web_process(database, redis_url=valkey.url, clock_shift=request.param) as address,
    ):
        yield address, valkey.url


@pytest_asyncio.fixture
async def shifted(host):
    """The API on the other host, as nobody."""
    async with aiohttp.ClientSession(base_url=host[0]) as client:
        await is_up(client)
        yield Api(client)


@pytest_asyncio.fixture
async def person(admin):
    email = f"{secrets.token_hex(6)}@example.com"
    made = await admin.post("/users", {"email": email, "name": "Somebody", "password": PASSWORD})
    assert made.status == 201
    return {"email": email, "password": PASSWORD}


async def test_a_login_on_one_host_is_one_on_the_other(admin, shifted, person):
    for first, second in ((admin.anonymous(), shifted), (shifted, admin.anonymous())):
        entered = (await first.post("/auth/login", person)).json
        token = entered["access_token"]
        for host in (first, second):
            assert (await host.with_token(token).get("/auth/profile")).status == 200
        listed = (await second.with_token(token).get("/auth/sessions")).json
        assert listed["items"] if isinstance(listed, dict) else listed
        renewed = await second.post("/auth/refresh", {"refresh_token": entered["refresh_token"]})
        assert renewed.status == 200, renewed.raw
        assert (await first.with_token(renewed.json["access_token"]).get("/auth/profile")).status == 200


async def test_a_session_that_has_ended_is_renewed_on_no_host(admin, shifted, person):
    entered = (await shifted.post("/auth/login", person)).json
    await db.execute("UPDATE sessions SET expires_at = now() - interval '1 second' WHERE user_id = "
                     "(SELECT id FROM users WHERE email = $1)", person["email"])  # fmt: skip
    for host in (shifted, admin.anonymous()):
        assert (await host.post("/auth/refresh", {"refresh_token": entered["refresh_token"]})).status == 401


async def test_keys_end_at_the_same_time_everywhere(articles, shifted):
    ends = datetime.now(UTC) + timedelta(seconds=60 * MINUTES / 2)
    wanted = {"name": "k", "permissions": ["content:read"], "expires_at": ends.isoformat()}
    made = (await articles.post("/api-keys", wanted)).json
    there = shifted.at(articles.site)
    assert (await there.with_token(made["key"]).get("/content?type=article")).status == 200
    rotated = await articles.post(f"/api-keys/{made['id']}/rotate", {"grace_seconds": 30 * MINUTES})
    for key in (made["key"], rotated.json["key"]):
        assert (await there.with_token(key).get("/content?type=article")).status == 200
    past = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    short = (await articles.post("/api-keys", {**wanted, "expires_at": past})).json
    await asyncio.sleep(2.2)
    for host in (articles, there):
        assert (await host.with_token(short["key"]).get("/content?type=article")).status == 401


async def test_a_preview_of_one_host_opens_on_the_other(articles, shifted):
    item = (await articles.post("/content", {"type": "article", "data": {"title": "Draft"}})).json
    there = shifted.with_token(articles.token).at(articles.site)
    for first, second in ((articles, there), (there, articles)):
        made = await first.post(f"/content/{item['id']}/preview")
        assert made.status in (200, 201), made.raw
        opened = await second.with_token(made.json["token"]).get(f"/content/{item['id']}?locale=en")
        assert opened.status == 200, opened.raw
        expires = datetime.fromisoformat(made.json["expires_at"])
        assert abs((expires - datetime.now(UTC)).total_seconds() - 3600) < 60


async def test_a_code_of_now_is_one_on_every_host(admin, shifted, person):
    token = (await shifted.post("/auth/login", person)).json["access_token"]
    begun = await shifted.with_token(token).post("/auth/totp", {"password": PASSWORD})
    assert begun.status in (200, 201), begun.raw
    code = pyotp.TOTP(begun.json["secret"]).now()
    confirmed = await shifted.with_token(token).post("/auth/totp/confirm", {"otp": code})
    assert confirmed.status == 200, confirmed.raw


async def test_now_is_not_in_the_future(articles, shifted):
    there = shifted.with_token(articles.token).at(articles.site)
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    assert (await there.get(f"/content?type=article&as_of={now}")).status == 200
    soon = (datetime.now(UTC) + timedelta(minutes=MINUTES / 2)).isoformat().replace("+00:00", "Z")
    assert (await there.get(f"/content?type=article&as_of={soon}")).status == 400


async def test_a_job_that_the_other_host_rings_for_is_due_at_once(articles, shifted, host):
    there = shifted.with_token(articles.token).at(articles.site)
    assert (await there.post("/content", {"type": "article", "data": {"title": "x"}, "publish": True})).status == 201
    async with Redis.from_url(host[1]) as redis:
        bells = await redis.zrange("scaicms:queue:search", 0, -1, withscores=True)
    assert bells
    assert all(abs(score / 1000 - datetime.now(UTC).timestamp()) < 30 for _, score in bells)


async def test_resets_and_invitations_of_one_host_work_on_the_other(admin, shifted, person, drain, database):
    assert (await shifted.post("/auth/password-reset", {"email": person["email"]})).status < 300
    await drain()
    token = token_in(mails_to(database, person["email"])[-1])
    changed = await shifted.post("/auth/password-reset/confirm", {"token": token, "password": "another good password"})
    assert changed.status in (200, 204), changed.raw
