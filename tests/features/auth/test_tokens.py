"""Access tokens that somebody else made, or changed: each is refused in the same words."""

import base64
import hmac
import json
import secrets
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from scaicms.features.auth.service import AuthService
from tests.conftest import ADMIN, PASSWORD

pytestmark = pytest.mark.usefixtures("unlimited")


@pytest.fixture
def secret(database):
    return database.secret.get_secret_value()


@pytest.fixture
async def ours(services):
    """A token of ours that works; what follows is refused for no other reason than what is wrong with it."""
    entered = await services.get(AuthService).login(ADMIN, PASSWORD, ip=secrets.token_hex(8), user_agent="")
    return entered.access_token


@pytest.fixture
def refused(admin):
    async def check(token):
        answer = await admin.with_token(token).get("/auth/profile")
        assert (answer.status, answer.code) == (401, "invalid_token"), answer.raw
        assert token not in answer.raw.decode()
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="scaicms", error="invalid_token"'

    return check


def encoded(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


def signed(secret, header, claims):
    """By hand, since libraries refuse to make some of these."""
    text = f"{encoded(header)}.{encoded(claims)}"
    return f"{text}.{encoded(hmac.digest(secret.encode(), text.encode(), 'sha256'))}"


async def test_the_token_that_the_others_differ_from_is_good(admin, ours, secret):
    assert (await admin.with_token(ours).get("/auth/profile")).status == 200
    again = signed(secret, {"alg": "HS256", "typ": "JWT"}, claims_of(ours))
    assert (await admin.with_token(again).get("/auth/profile")).status == 200


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", None, "HS384", "HS512", "RS256", 7, ["HS256"]])
async def test_no_other_algorithm_is_believed(ours, secret, refused, alg):
    await refused(signed(secret, {"alg": alg, "typ": "JWT"}, claims_of(ours)))
    await refused(f"{encoded({'alg': alg, 'typ': 'JWT'})}.{encoded(claims_of(ours))}.")


async def test_keys_are_not_confused(ours, secret, refused):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    await refused(jwt.encode(claims_of(ours), key, algorithm="RS256"))
    await refused(signed(public.decode(), {"alg": "HS256"}, claims_of(ours)))
    numbers = key.public_key().public_numbers()
    jwk = {"kty": "RSA", "n": encoded(numbers.n.to_bytes(256, "big")), "e": "AQAB"}
    for header in (
        {"jwk": jwk},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/x"},
        {"kid": "../x"},
    ):
        await refused(jwt.encode(claims_of(ours), key, algorithm="RS256", headers=header))
        await refused(signed("x" * 40, {"alg": "HS256", **header}, claims_of(ours)))


@pytest.mark.parametrize(
    "header", [{"crit": ["x"], "x": 1}, {"crit": ["exp"]}, {"crit": []}, {"crit": "x"}, {"b64": False, "crit": ["b64"]}]
)
async def test_what_is_critical_and_not_understood_is_refused(ours, secret, refused, header):
    """RFC 7515 §4.1.11."""
    await refused(signed(secret, {"alg": "HS256", **header}, claims_of(ours)))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "other"},
        {"aud": None},
        {"aud": []},
        {"iss": "other"},
        {"iss": None},
        {"iss": ["scaicms"]},
        {"exp": int(time.time()) - 1},
        {"exp": None},
        {"exp": "tomorrow"},
        {"iat": int(time.time()) + 3600},
        {"iat": None},
        {"iat": "now"},
        {"nbf": int(time.time()) + 3600},
        {"sub": None},
        {"sub": 7},
        {"sub": "019a1b2c-3d4e-7f00-8a1b-2c3d4e5f6071"},
        {"sid": None},
        {"sid": "x"},
        {"sid": "019a1b2c-3d4e-7f00-8a1b-2c3d4e5f6071"},
    ],
)
async def test_claims_that_are_not_for_here_and_now_are_refused_even_signed(ours, secret, refused, changes):
    claims = {name: value for name, value in {**claims_of(ours), **changes}.items() if value is not None}
    await refused(signed(secret, {"alg": "HS256"}, claims))


async def test_any_changed_character_is_noticed(ours, refused):
    head, body, signature = ours.split(".")
    swap = {"A": "B"}
    for place in (2, len(body) // 2, len(body) - 3):
        await refused(f"{head}.{body[:place]}{swap.get(body[place], 'A')}{body[place + 1 :]}.{signature}")
    for token in (
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}..{signature}",
        f"{ours}.x",
        f"{ours}A",
        f".{body}.{signature}",
    ):
        await refused(token)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"7", b'"x"', b"{", b"\xff\xfe", b'{"a":' * 900, b"[" * 3000], ids=range(9)
)
async def test_what_is_signed_but_no_object_of_claims_is_refused(secret, refused, body):
    await refused(signed(secret, {"alg": "HS256"}, body))
    await refused(signed(secret, body, {"sub": "x"}))


async def test_a_huge_token_is_refused_without_being_looked_into(admin, client):
    for size in (7_000, 20_000, 200_000):
        answer = await client.get("/api/v1/auth/profile", headers={"Authorization": "Bearer " + "x" * size})
        assert answer.status in (400, 401, 431)
    assert (await admin.get("/auth/profile")).status == 200
