"""Logging in under attack: guessing, floods, races, and what the answers give away."""

import asyncio
import secrets
import time
from types import SimpleNamespace

import pytest
from argon2 import PasswordHasher

from scaicms.features.auth import limits as limits_module
from scaicms.features.auth import repository
from scaicms.features.auth.events import NOBODY
from scaicms.features.auth.limits import LoginLimits
from scaicms.features.auth.service import AuthService
from scaicms.infra import db
from scaicms.kit import passwords
from scaicms.kit.emails import normalise_email
from scaicms.kit.errors import TooManyRequestsError, UnauthorizedError, UnavailableError
from tests.checkers import checkers
from tests.conftest import PASSWORD

pytestmark = pytest.mark.usefixtures("unlimited")

WRONG = "certainly not the password"
TRIES = 30


@pytest.fixture
async def email(admin):
    """The address of a fresh account."""
    address = f"{secrets.token_hex(6)}@example.com"
    made = await admin.post("/users", {"email": address, "name": "A", "password": PASSWORD})
    assert made.status == 201
    return address


@pytest.fixture
def enter(services):
    """Log in from an address of one's own, past what others have used up."""

    async def login(email, password=PASSWORD, *, ip=None):
        return await services.get(AuthService).login(email, password, ip=ip or secrets.token_hex(8), user_agent="tests")

    return login


async def test_twenty_bad_logins_under_many_disguises_are_429_while_the_victim_elsewhere_enters(admin, email, enter):
    anonymous, statuses = admin.anonymous(), []
    for n in range(20):
        path = ("/auth/login", "/auth/login", "/auth/Login", "/auth/login/")[n % 4]
        spelled = (email, email.upper(), f" {email}")[n % 3]
        answer = await anonymous.post(
            path, {"email": spelled, "password": WRONG}, headers={"X-Forwarded-For": f"203.0.113.{n}, 198.51.100.{n}"}
        )
        statuses.append((path, answer.status))
    assert {status for path, status in statuses if path != "/auth/login"} == {404}
    tried = [status for path, status in statuses if path == "/auth/login"]
    assert tried.count(401) <= 5
    assert tried[-1] == 429
    refused = await anonymous.post("/auth/login", {"email": email, "password": PASSWORD})
    assert (refused.status, refused.code) == (429, "too_many_requests")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert (await enter(email)).user.email == email


async def test_one_address_may_not_try_many_accounts(services):
    limits, ip = services.get(LoginLimits), secrets.token_hex(8)
    for n in range(20):
        await limits.count(f"{n}@example.com", ip)
    with pytest.raises(TooManyRequestsError):
        await limits.count("another@example.com", ip)


async def test_failures_delay_further_tries_from_there_alone_and_success_ends_it(email, enter, services, monkeypatch):
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    monkeypatch.setattr(limits_module, "asyncio", SimpleNamespace(sleep=sleep))
    ip = secrets.token_hex(8)
    for _ in range(4):
        with pytest.raises(UnauthorizedError):
            await enter(email, WRONG, ip=ip)
    assert waited == [0.25, 0.5]
    await enter(email)
    assert waited == [0.25, 0.5]
    await enter(email, ip=ip)
    assert waited == [0.25, 0.5, 1.0]
    with pytest.raises(TooManyRequestsError):  # the sixth try in a minute: forgotten failures were tries
        await enter(email, ip=ip)
    await services.get(LoginLimits).delay(email, ip)
    assert waited == [0.25, 0.5, 1.0]


async def test_an_unknown_account_costs_an_attacker_as_much_time_as_a_known_one(email, enter):
    def used():
        # Of us and of the processes that check for us: what other programs do at the same time does not count.
        checking = [checker.cpu_times() for checker in checkers()]
        return time.process_time() + sum(times.user + times.system for times in checking)

    async def seconds(addresses):
        started = used()
        for address in addresses:
            with pytest.raises(UnauthorizedError):
                await enter(address, WRONG)
        return used() - started

    await passwords.verify_password(None, WRONG)  # the process has started
    known = await seconds([email] * TRIES)
    unknown = await seconds([f"{secrets.token_hex(6)}@example.com" for _ in range(TRIES)])
    # bench/login.py has it by the clock, over HTTP.
    assert abs(known - unknown) < 0.010 * TRIES < min(known, unknown)


async def test_a_password_that_no_account_stores_opens_nothing(email, enter):
    await db.execute("UPDATE users SET password_hash = $2 WHERE email = $1", email, passwords.UNUSABLE)
    for guess in ("nobody has this password, nobody at all", passwords.UNUSABLE, ""):
        with pytest.raises(UnauthorizedError):
            await enter(email, guess)


async def test_a_login_renews_a_hash_of_older_parameters(email, enter):
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    await db.execute("UPDATE users SET password_hash = $2 WHERE email = $1", email, old)
    await enter(email)
    stored = await db.fetchval("SELECT password_hash FROM users WHERE email = $1", email)
    assert "m=19456,t=2,p=1" in stored
    await enter(email)
    assert await db.fetchval("SELECT password_hash FROM users WHERE email = $1", email) == stored


async def test_a_login_does_not_overtake_the_reset_that_happens_meanwhile(email, enter, monkeypatch):
    verify = passwords.verify_password

    async def verify_then_change(stored, password):
        matched = await verify(stored, password)
        await db.execute("UPDATE users SET password_hash = $2 WHERE email = $1", email, passwords.UNUSABLE)
        return matched

    monkeypatch.setattr("scaicms.features.auth.service.verify_password", verify_then_change)
    with pytest.raises(UnauthorizedError):
        await enter(email)
    user = await db.fetchrow("SELECT id FROM users WHERE email = $1", email)
    assert await repository.sessions_of(user["id"]) == []


async def test_passwords_are_the_same_however_letters_are_composed(admin, enter):
    address = f"{secrets.token_hex(6)}@example.com"
    made = await admin.post("/users", {"email": address, "name": "A", "password": "na\u00efve caf\u00e9 pass"})
    assert made.status == 201
    assert (await enter(address, "nai\u0308ve cafe\u0301 pass")).user.email == address


async def test_a_user_agent_of_any_bytes_is_stored(admin, email, services):
    entered = await services.get(AuthService).login(
        email, PASSWORD, ip=secrets.token_hex(8), user_agent=b"caf\xff\xed\xa0\x80".decode("utf-8", "surrogateescape")
    )
    listed = await admin.with_token(entered.access_token).get("/auth/sessions")
    assert listed.status == 200
    assert [item["current"] for item in listed.json["items"]] == [True]


async def test_a_refresh_prolongs_the_session(admin, email, enter):
    entered = await enter(email)
    await db.execute("UPDATE sessions SET expires_at = now() + interval '1 hour' WHERE user_id = $1", entered.user.id)
    answer = await admin.anonymous().post("/auth/refresh", {"refresh_token": entered.refresh_token})
    left = await db.fetchval("SELECT expires_at - now() FROM sessions WHERE user_id = $1", entered.user.id)
    assert abs(left.total_seconds() - answer.json["refresh_expires_in"]) < 60


async def test_a_flood_of_logins_leaves_the_loop_free_and_is_refused_beyond_its_bound(monkeypatch):
    monkeypatch.setattr(passwords, "MAX_WAITING", 12)
    checks = [asyncio.ensure_future(passwords.verify_password(None, WRONG)) for _ in range(30)]
    longest, started = 0.0, time.perf_counter()
    while not all(check.done() for check in checks):
        before = time.perf_counter()
        await asyncio.sleep(0.001)
        longest = max(longest, time.perf_counter() - before)
    answers = await asyncio.gather(*checks, return_exceptions=True)
    assert sum(answer is False for answer in answers) == 12
    assert sum(isinstance(answer, UnavailableError) for answer in answers) == 18
    assert longest < 0.1 < time.perf_counter() - started


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        (" Ada@Example.COM ", "ada@example.com"),
        ("ame\u0301lie@example.com", "am\u00e9lie@example.com"),
        ("\u212aelvin@example.com", "kelvin@example.com"),
        ("STRA\u00dfE@example.com", "stra\u00dfe@example.com"),
    ],
)
def test_addresses_have_one_form(typed, stored):
    assert normalise_email(typed) == stored
    assert normalise_email(stored) == stored


def test_the_form_of_an_address_is_final():
    once = normalise_email("\u0130stanbul@example.com")
    assert normalise_email(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "a@",
        "@b",
        "a b@c.d",
        "a@b\r\nBcc: x@y.z",
        "a\u200b@b.c",
        "a\u202e@b.c",
        "a\x7f@b.c",
        "a\0@b.c",
        "a@b@c",
    ],
)
def test_what_looks_like_another_address_is_none(text):
    with pytest.raises(ValueError, match="not an e-mail address"):
        normalise_email(text)


async def test_a_failed_login_is_in_the_audit_log_without_what_was_typed(admin, email):
    anonymous, wrong = admin.anonymous(), f"wrong {secrets.token_hex(8)}"
    nobody = f"{secrets.token_hex(8)}@example.com"
    known, unknown = f"r-{secrets.token_hex(6)}", f"r-{secrets.token_hex(6)}"
    for address, request in ((email, known), (nobody, unknown)):
        sent = {"email": address, "password": wrong}
        answer = await anonymous.post("/auth/login", sent, headers={"X-Request-ID": request})
        assert answer.status == 401
    account = (await admin.get(f"/users?q={email}")).json["items"][0]["id"]
    log = (await admin.get("/users/audit?action=auth.login_failed")).json["items"]
    told = {entry["request_id"]: entry for entry in log}
    assert (told[known]["target"], told[known]["data"]) == (account, {"reason": "password"})
    assert (told[unknown]["target"], told[unknown]["actor"]["kind"]) == (str(NOBODY), "anonymous")
    assert wrong not in str(log)
    assert nobody not in str(log)
