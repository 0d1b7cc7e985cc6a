"""Logging in, tokens, sessions, and what attackers try with them."""

import asyncio
import secrets
import time

import jwt
import pytest

from scaicms.features.auth import tokens
from scaicms.features.auth.limits import LoginLimits
from scaicms.features.auth.service import AuthService
from scaicms.kit.errors import TooManyRequestsError
from tests.conftest import ADMIN, PASSWORD

pytestmark = pytest.mark.usefixtures("unlimited")


def login_body(email=ADMIN, password=PASSWORD):
    return {"email": email, "password": password}


@pytest.fixture
async def account(admin, services):
    """A fresh user with a session, not counted by the limits."""

    email = f"{secrets.token_hex(6)}@example.com"
    made = await admin.post("/users", {"email": email, "name": "A", "password": PASSWORD})
    entered = await services.get(AuthService).login(email, PASSWORD, ip=secrets.token_hex(6), user_agent="t")
    api = admin.with_token(entered.access_token)
    api.refresh_token, api.user_id, api.email = entered.refresh_token, made.json["id"], email
    return api


async def test_a_login_gives_tokens_and_the_user(admin):
    answer = await admin.anonymous().post("/auth/login", login_body())
    assert answer.status == 200
    assert answer.json["token_type"] == "bearer"
    assert answer.json["expires_in"] == 1800
    assert answer.json["user"]["email"] == ADMIN
    assert "password" not in answer.raw.decode()
    assert answer.headers["Cache-Control"] == "no-store"


async def test_addresses_are_compared_as_people_mean_them(account, services):

    entered = await services.get(AuthService).login(
        f" {account.email.upper()} ", PASSWORD, ip=secrets.token_hex(4), user_agent=""
    )
    assert str(entered.user.id) == account.user_id


async def test_known_and_unknown_accounts_answer_alike(account):
    wrong = await account.anonymous().post("/auth/login", login_body(account.email, "wrong password here"))
    unknown = await account.anonymous().post("/auth/login", login_body("nobody@example.com", "wrong password here"))
    assert (wrong.status, wrong.code) == (unknown.status, unknown.code) == (401, "bad_credentials")
    assert wrong.json["detail"]["message"] == unknown.json["detail"]["message"]


async def test_too_many_tries_are_429_with_retry_after(services):

    limits, email = services.get(LoginLimits), f"{secrets.token_hex(4)}@example.com"
    for _ in range(5):
        await limits.count(email, "10.9.9.9")
    with pytest.raises(TooManyRequestsError) as refused:
        await limits.count(email, "10.9.9.9")
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 60
    await limits.count(email, "10.9.9.10")  # the victim elsewhere enters


async def test_a_refresh_token_works_once_and_its_reuse_ends_the_session(account):
    first = await account.post("/auth/refresh", {"refresh_token": account.refresh_token})
    assert first.status == 200
    renewed = account.with_token(first.json["access_token"])
    assert (await renewed.get("/auth/profile")).status == 200
    assert (await account.post("/auth/refresh", {"refresh_token": account.refresh_token})).status == 401
    await asyncio.sleep(0.1)
    assert (await renewed.get("/auth/profile")).status == 401
    assert (await account.post("/auth/refresh", {"refresh_token": first.json["refresh_token"]})).status == 401


async def test_of_concurrent_refreshes_one_wins(account):
    answers = await asyncio.gather(
        *(account.post("/auth/refresh", {"refresh_token": account.refresh_token}) for _ in range(5))
    )
    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401, 401]


async def test_logout_takes_effect_at_once(account):
    assert (await account.get("/auth/profile")).status == 200
    assert (await account.post("/auth/logout")).status == 204
    await asyncio.sleep(0.1)
    assert (await account.get("/auth/profile")).status == 401


async def test_deactivation_and_deletion_end_sessions_at_once(account, admin):
    assert (await account.get("/auth/profile")).status == 200
    assert (await admin.patch(f"/users/{account.user_id}", {"is_active": False})).status == 200
    await asyncio.sleep(0.1)
    assert (await account.get("/auth/profile")).status == 401
    assert (await admin.delete(f"/users/{account.user_id}")).status == 204
    assert (await admin.get(f"/users/{account.user_id}")).status == 404


async def test_a_demotion_takes_effect_at_once(account, admin):
    path = f"/users/{account.user_id}/roles"
    assert (await account.get("/users")).status == 403
    await admin.put(path, [{"role": "administrator"}])
    await asyncio.sleep(0.1)
    assert (await account.get("/users")).status == 200
    await admin.put(path, [])
    await asyncio.sleep(0.1)
    assert (await account.get("/users")).status == 403


async def test_a_new_password_ends_other_sessions(account, services):

    other = await services.get(AuthService).login(account.email, PASSWORD, ip=secrets.token_hex(4), user_agent="")
    wrong = await account.post("/auth/password", {"current_password": "x" * 12, "new_password": "y" * 12})
    assert wrong.status == 401
    done = await account.post("/auth/password", {"current_password": PASSWORD, "new_password": "a new password"})
    assert done.status == 204
    await asyncio.sleep(0.1)
    assert (await account.get("/auth/profile")).status == 200
    assert (await account.with_token(other.access_token).get("/auth/profile")).status == 401


async def test_sessions_are_listed_and_ended(account):
    sessions = (await account.get("/auth/sessions")).json
    assert sessions["total"] == 1
    assert (await account.delete(f"/auth/sessions/{sessions['items'][0]['id']}")).status == 204
    await asyncio.sleep(0.1)
    assert (await account.get("/auth/sessions")).status == 401


async def test_the_profile_shows_roles_and_permissions_and_takes_a_name(account):
    profile = await account.patch("/auth/profile", {"name": "Ada"})
    assert (profile.json["name"], profile.json["roles"]) == ("Ada", [])
    assert profile.json["permissions"] == {"everywhere": [], "by_site": {}}


async def test_passwords_have_bounds(admin):
    for password in ("short", "x" * 1025):
        answer = await admin.post("/users", {"email": "x@example.com", "name": "x", "password": password})
        assert answer.json["detail"]["errors"][0]["pointer"] == "/password"
        assert password not in answer.raw.decode()


def forged(secret, *, algorithm="HS256", **changes):
    now = int(time.time())
    claims = {
        "iss": tokens.ISSUER,
        "aud": tokens.AUDIENCE,
        "sub": "019a1b2c-3d4e-7f00-8a1b-2c3d4e5f6071",
        "sid": "019a1b2c-3d4e-7f00-8a1b-2c3d4e5f6071",
        "iat": now,
        "exp": now + 60,
        **changes,
    }
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, secret, algorithm=algorithm)


@pytest.mark.parametrize(
    "changes",
    [
        {"algorithm": "none", "secret": ""},
        {"algorithm": "HS384"},
        {"secret": "x" * 40},
        {"aud": "other"},
        {"iss": "other"},
        {"exp": 1},
        {"exp": None},
        {"sub": None},
        {"sid": None},
        {"sub": "x"},
        {},
    ],
)
async def test_forged_tokens_are_refused(admin, database, changes):
    secret = changes.pop("secret", database.secret.get_secret_value())
    answer = await admin.with_token(forged(secret, **changes)).get("/auth/profile")
    assert (answer.status, answer.code) == (401, "invalid_token")


async def test_a_key_does_what_it_names_and_no_more(articles, admin):
    site_id = (await admin.get(f"/sites/{articles.site}")).json["id"]
    made = await admin.post("/api-keys", {"name": "web", "permissions": ["content:read"], "site_ids": [site_id]})
    assert made.status == 201
    key = articles.with_token(made.json["key"])
    assert made.json["key"].startswith("scai_")
    assert (await key.get("/content?type=article")).status == 200
    assert (await key.post("/content", {"type": "article", "data": {"title": "x"}})).status == 403
    assert (await key.get("/users")).status == 403
    listed = (await admin.get("/api-keys")).raw.decode()
    assert made.json["key"] not in listed
    assert made.json["prefix"] in listed
    assert (await admin.delete(f"/api-keys/{made.json['id']}")).status == 204
    await asyncio.sleep(0.1)
    assert (await key.get("/content?type=article")).code == "invalid_api_key"


async def test_a_key_stays_on_its_sites(articles, admin):
    other = (await admin.post("/sites", {"key": f"k{secrets.token_hex(4)}", "name": "Other"})).json
    made = await admin.post("/api-keys", {"name": "w", "permissions": ["content:read"], "site_ids": [other["id"]]})
    answer = await articles.with_token(made.json["key"]).get("/content?type=article")
    assert answer.code == "site_forbidden"


async def test_a_key_shrinks_with_its_owner(account, admin, articles):
    await admin.put(f"/users/{account.user_id}/roles", [{"role": "administrator"}])
    await asyncio.sleep(0.1)
    made = await account.post("/api-keys", {"name": "k", "permissions": ["content:read", "users:read"]})
    key = articles.with_token(made.json["key"])
    assert (await key.get("/users")).status == 200
    await admin.put(f"/users/{account.user_id}/roles", [])
    await asyncio.sleep(0.1)
    assert (await key.get("/users")).status == 403


async def test_a_key_cannot_be_made_with_more_than_one_has(admin, user, articles):
    site_id = (await admin.get(f"/sites/{articles.site}")).json["id"]
    editor = await user("editor", site=articles.site)
    answer = await editor.post("/api-keys", {"name": "k", "permissions": ["content:read"], "site_ids": [site_id]})
    assert answer.status == 403
    unknown = await admin.post("/api-keys", {"name": "k", "permissions": ["content:fly"]})
    assert unknown.json["detail"]["errors"][0]["code"] == "unknown_permission"
    key = (await admin.post("/api-keys", {"name": "k", "permissions": ["api_keys:manage"]})).json["key"]
    assert (await admin.with_token(key).post("/api-keys", {"name": "x", "permissions": ["api_keys:manage"]})).code == (
        "only_people"
    )


async def test_answers_with_secrets_are_never_kept(admin, account):
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    for path, body in (
        ("/auth/login", login_body(account.email)),
        ("/auth/refresh", {"refresh_token": account.refresh_token}),
        ("/api-keys", {"name": "k", "permissions": ["content:read"]}),
    ):
        answer = await admin.post(path, body, headers=headers)
        assert (answer.status, answer.code) == (400, "idempotency_key_not_taken")
    assert (await account.post("/auth/refresh", {"refresh_token": account.refresh_token})).status == 200
