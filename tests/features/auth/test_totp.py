"""Two-factor login: on with a code, off with the password, and no way past it."""

import asyncio
import secrets
import time
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from scaicms.features.auth.limits import LoginLimits
from scaicms.features.auth.resets import PasswordResetService
from scaicms.features.auth.second_factor import SecondFactor
from scaicms.features.auth.service import AuthService
from scaicms.infra import db
from scaicms.kit.errors import TooManyRequestsError, UnauthorizedError
from tests.conftest import PASSWORD
from tests.mails import mails_to, token_in

pytestmark = pytest.mark.usefixtures("unlimited")


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
async def protected(account):
    """The same with two-factor login on; its first code came from the step before this one."""
    begun = await account.post("/auth/totp", {"password": PASSWORD})
    assert begun.status == 200, begun.raw
    account.totp = pyotp.TOTP(begun.json["secret"])
    confirmed = await account.post("/auth/totp/confirm", {"otp": account.totp.at(time.time() - 30)})
    assert confirmed.status == 200, confirmed.raw
    account.codes = confirmed.json["recovery_codes"]
    return account


@pytest.fixture
def enter(services):
    """Log in from an address of one's own; the refusal's code, or the pair of tokens."""

    async def login(account, otp=None, password=PASSWORD, *, ip=None):
        try:
            return await services.get(AuthService).login(
                account.email, password, otp=otp, ip=ip or secrets.token_hex(8), user_agent="t"
            )
        except (UnauthorizedError, TooManyRequestsError) as refused:
            return refused.code

    return login


async def test_the_uri_is_what_authenticators_read(account):
    begun = await account.post("/auth/totp", {"password": PASSWORD})
    uri = urlsplit(begun.json["uri"])
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert parse_qs(uri.query) == {"secret": [begun.json["secret"]], "issuer": ["scaiCMS"]}
    assert begun.headers["Cache-Control"] == "no-store"
    assert (await account.get("/auth/profile")).json["totp_enabled"] is False


async def test_once_on_a_login_takes_a_code(protected, enter, drain, settings):
    anonymous = protected.anonymous()
    body = {"email": protected.email, "password": PASSWORD}
    without = await anonymous.post("/auth/login", body)
    assert (without.status, without.code) == (401, "otp_required")
    wrong = await anonymous.post("/auth/login", {**body, "otp": "000000"})
    assert (wrong.status, wrong.code) == (401, "bad_otp")
    code = protected.totp.now()
    entered = await anonymous.post("/auth/login", {**body, "otp": f" {code[:3]} {code[3:]} "})
    assert entered.status == 200
    profile = await protected.with_token(entered.json["access_token"]).get("/auth/profile")
    assert profile.json["totp_enabled"] is True
    await drain()
    assert mails_to(settings, protected.email)[-1]["Subject"] == "Two-factor login is on"


async def test_who_does_not_know_the_password_learns_nothing_of_a_second_factor(protected, enter):
    assert await enter(protected, password="not the password") == "bad_credentials"
    assert await enter(protected, otp=protected.totp.now(), password="not the password") == "bad_credentials"
    assert not isinstance(await enter(protected, otp=protected.totp.now()), str)


async def test_a_code_is_used_once_also_at_the_same_moment(protected, enter):
    code = protected.totp.now()
    answers = await asyncio.gather(*(enter(protected, code) for _ in range(5)))
    assert [answer for answer in answers if isinstance(answer, str)] == ["bad_otp"] * 4
    assert await enter(protected, code) == "bad_otp"


async def test_the_code_that_turned_it_on_is_used_too(protected, enter):
    assert await enter(protected, protected.totp.at(time.time() - 30)) == "bad_otp"


async def test_a_code_older_than_one_that_was_used_is_refused(protected, enter):
    now = time.time()
    assert not isinstance(await enter(protected, protected.totp.at(now + 30)), str)
    assert await enter(protected, protected.totp.at(now)) == "bad_otp"


@pytest.mark.parametrize("steps", [-3, 3])
async def test_clocks_may_differ_by_a_step_and_no_more(protected, enter, steps):
    assert await enter(protected, protected.totp.at(time.time() + 30 * steps)) == "bad_otp"


@pytest.mark.parametrize("code", ["", "12345", "1234567", "\u0661\u0662\u0663\u0664\u0665\u0666", "\0", "' or 1=1 --"])
async def test_what_is_no_code_is_refused(protected, enter, code):
    assert await enter(protected, code) in ("bad_otp", "otp_required")


async def test_recovery_codes_stand_in_once_each_also_at_the_same_moment(protected, enter, drain, settings):
    assert len(set(protected.codes)) == 10
    answers = await asyncio.gather(*(enter(protected, protected.codes[0]) for _ in range(5)))
    assert [answer for answer in answers if isinstance(answer, str)] == ["bad_otp"] * 4
    assert not isinstance(await enter(protected, protected.codes[1].upper().replace("-", " ")), str)
    await drain()
    subjects = [mail["Subject"] for mail in mails_to(settings, protected.email)]
    assert subjects.count("A recovery code was used") == 2, subjects


async def test_codes_of_others_do_not_help(protected, admin, services, enter):
    other = f"{secrets.token_hex(6)}@example.com"
    await admin.post("/users", {"email": other, "name": "B", "password": PASSWORD})
    api = admin.with_token(
        (await services.get(AuthService).login(other, PASSWORD, ip=secrets.token_hex(8), user_agent="")).access_token
    )
    totp = pyotp.TOTP((await api.post("/auth/totp", {"password": PASSWORD})).json["secret"])
    theirs = (await api.post("/auth/totp/confirm", {"otp": totp.now()})).json["recovery_codes"]
    assert await enter(protected, theirs[0]) == "bad_otp"


async def test_guessing_codes_from_everywhere_ends_but_the_owner_has_recovery_codes(protected, services, enter):
    limits = services.get(LoginLimits)
    for _ in range(20):
        await limits.wrong_code(protected.user_id, secrets.token_hex(8))
    assert await enter(protected, protected.totp.now()) == "too_many_requests"
    assert not isinstance(await enter(protected, protected.codes[0]), str)


async def test_wrong_codes_elsewhere_do_not_reach_a_network_that_the_owner_knows(protected, services, enter):
    home = secrets.token_hex(8)
    assert not isinstance(await enter(protected, protected.codes[0], ip=home), str)
    for _ in range(20):
        await services.get(LoginLimits).wrong_code(protected.user_id, secrets.token_hex(8))
    assert await enter(protected, "000000") == "too_many_requests"
    step = await db.fetchval("SELECT last_step FROM totp WHERE user_id = $1", protected.user_id)
    assert not isinstance(await enter(protected, protected.totp.at((step + 1) * 30), ip=home), str)


async def test_turning_it_on_ends_sessions_that_never_showed_a_code(account, enter, admin):
    other = await enter(account)
    totp = pyotp.TOTP((await account.post("/auth/totp", {"password": PASSWORD})).json["secret"])
    assert (await account.post("/auth/totp/confirm", {"otp": totp.now()})).status == 200
    await asyncio.sleep(0.1)
    assert (await admin.with_token(other.access_token).get("/auth/profile")).status == 401
    answer = await admin.anonymous().post("/auth/refresh", {"refresh_token": other.refresh_token})
    assert answer.status == 401
    assert (await account.get("/auth/profile")).status == 200


async def test_a_password_reset_does_not_get_past_it(protected, services, drain, settings, enter):
    await services.get(PasswordResetService).request(protected.email, ip=secrets.token_hex(8))
    await drain()
    # Beside it comes the notice that there is a second factor now, in whichever order they are sent.
    (reset,) = (mail for mail in mails_to(settings, protected.email) if "reset" in str(mail["Subject"]).lower())
    body = {"token": token_in(reset), "password": "an entirely new password"}
    confirmed = await protected.anonymous().post("/auth/password-reset/confirm", body)
    assert (confirmed.status, confirmed.raw) == (204, b"")
    assert await enter(protected, password="an entirely new password") == "otp_required"
    assert not isinstance(await enter(protected, protected.totp.now(), password="an entirely new password"), str)


async def test_a_begun_one_that_was_not_confirmed_asks_for_nothing(account, enter):
    first = (await account.post("/auth/totp", {"password": PASSWORD})).json["secret"]
    second = (await account.post("/auth/totp", {"password": PASSWORD})).json["secret"]
    assert first != second
    assert (await account.post("/auth/totp/confirm", {"otp": pyotp.TOTP(first).now()})).code == "bad_otp"
    assert not isinstance(await enter(account), str)


async def test_it_cannot_be_replaced_or_confirmed_twice(protected, account):
    assert (await protected.post("/auth/totp", {"password": PASSWORD})).code == "totp_active"
    assert (await protected.post("/auth/totp/confirm", {"otp": protected.totp.now()})).code == "totp_active"


async def test_of_concurrent_confirmations_one_shows_its_codes(account):
    totp = pyotp.TOTP((await account.post("/auth/totp", {"password": PASSWORD})).json["secret"])
    answers = await asyncio.gather(*(account.post("/auth/totp/confirm", {"otp": totp.now()}) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]


async def test_turning_it_off_takes_the_password(protected, enter):
    assert (await protected.delete("/auth/totp", json={"password": "not the password"})).code == "bad_credentials"
    assert await enter(protected) == "otp_required"
    assert (await protected.delete("/auth/totp", json={"password": PASSWORD})).status == 204
    assert not isinstance(await enter(protected), str)
    assert (await protected.delete("/auth/totp", json={"password": PASSWORD})).code == "totp_not_active"
    assert await db.fetchval("SELECT count(*) FROM recovery_codes WHERE user_id = $1", protected.user_id) == 0


async def test_the_secret_is_sealed_at_rest_for_its_owner_alone(protected, services):
    row = await db.fetchrow("SELECT sealed_secret FROM totp WHERE user_id = $1", protected.user_id)
    assert protected.totp.secret.encode() not in bytes(row["sealed_secret"])
    factor, code = services.get(SecondFactor), protected.totp.now()
    assert factor.step_of(protected.user_id, row["sealed_secret"], code) is not None
    assert factor.step_of("019a1b2c-3d4e-7f00-8a1b-2c3d4e5f6071", row["sealed_secret"], code) is None
    changed = bytes(row["sealed_secret"])[:-1] + b"\0"
    assert factor.step_of(protected.user_id, changed, code) is None


async def test_a_secret_that_cannot_be_opened_any_more_lets_nobody_in_but_by_recovery_code(protected, enter):
    await db.execute("UPDATE totp SET sealed_secret = '\\x00' WHERE user_id = $1", protected.user_id)
    assert await enter(protected, protected.totp.now()) == "bad_otp"
    assert await enter(protected) == "otp_required"
    assert not isinstance(await enter(protected, protected.codes[0]), str)


async def test_an_api_key_has_no_second_factor(admin):
    key = (await admin.post("/api-keys", {"name": "k", "permissions": ["content:read"]})).json["key"]
    for answer in (
        await admin.with_token(key).post("/auth/totp", {"password": PASSWORD}),
        await admin.with_token(key).post("/auth/totp/confirm", {"otp": "123456"}),
        await admin.with_token(key).delete("/auth/totp", json={"password": PASSWORD}),
    ):
        assert (answer.status, answer.code) == (401, "no_session")


async def test_a_stolen_token_alone_neither_enrols_a_factor_nor_removes_one(account, protected):
    del protected
    for answer in (
        await account.delete("/auth/totp"),
        await account.delete("/auth/totp", json={}),
        await account.delete("/auth/totp", json={"password": None}),
    ):
        assert (answer.status, answer.code) == (403, "fresh_authentication_required")


@pytest.mark.parametrize("body", [None, {}, {"password": None}, {"password": ""}, {"password": "guessed"}])
async def test_a_second_factor_begins_with_the_password(account, body):
    refused = await account.post("/auth/totp", body)
    assert (refused.status, refused.code) in ((403, "fresh_authentication_required"), (401, "bad_credentials"))
    assert (await account.post("/auth/totp/confirm", {"otp": "000000"})).code == "totp_not_active"


async def test_guesses_of_the_password_by_a_stolen_token_are_limited(account):
    statuses = [(await account.post("/auth/totp", {"password": f"guess {n}"})).status for n in range(8)]
    assert statuses == [401] * 5 + [429] * 3
