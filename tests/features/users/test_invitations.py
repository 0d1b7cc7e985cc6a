"""Inviting people: by mail, once, and with no more than the inviter holds."""

import asyncio
import secrets

import pytest

from scaicms.infra import db
from tests.conftest import PASSWORD
from tests.mails import mails_to, token_in

pytestmark = pytest.mark.usefixtures("unlimited")


@pytest.fixture
def email():
    return f"{secrets.token_hex(6)}@example.com"


@pytest.fixture
def invite(admin, drain, settings):
    """Invite somebody, and give the answer with the token that was mailed."""

    async def send(email, *, by=None, **more):
        answer = await (by or admin).post("/users/invitations", {"email": email, **more})
        await drain()
        mails = mails_to(settings, email)
        return answer, token_in(mails[-1]) if mails else None

    return send


def accept(api, token, *, name="Grace", password=PASSWORD):
    body = {"token": token, "name": name, "password": password}
    return api.anonymous().post("/auth/invitations/accept", body)


def login(api, email):
    return api.anonymous().post("/auth/login", {"email": email, "password": PASSWORD})


async def test_an_invitation_makes_a_user_with_its_roles_once_it_is_accepted(admin, site, email, invite):
    site_id = (await admin.get(f"/sites/{site.site}")).json["id"]
    invited, token = await invite(email.upper(), roles=[{"role": "editor", "site_id": site_id}])
    assert invited.status == 201, invited.raw
    assert invited.json["email"] == email
    assert invited.json["roles"] == [{"role": "editor", "site_id": site_id}]
    assert invited.headers["Location"] == f"/api/v1/users/{invited.json['user_id']}"
    assert token not in invited.raw.decode()
    assert (await admin.get(f"/users/{invited.json['user_id']}")).json["is_active"] is False
    accepted = await accept(admin, token)
    assert (accepted.status, accepted.json["name"], accepted.json["is_active"]) == (200, "Grace", True)
    entered = await login(admin, email)
    assert entered.status == 200
    profile = await admin.with_token(entered.json["access_token"]).get("/auth/profile")
    assert profile.json["roles"] == [{"role": "editor", "site_id": site_id}]


async def test_before_it_is_accepted_nothing_opens_the_account(admin, email, invite, drain, settings):
    await invite(email)
    assert (await login(admin, email)).status == 401
    asked = await admin.anonymous().post("/auth/password-reset", {"email": email})
    await drain()
    assert asked.status == 202
    assert len(mails_to(settings, email)) == 1


async def test_of_concurrent_acceptances_one_wins(admin, email, invite):
    _, token = await invite(email)
    answers = await asyncio.gather(*(accept(admin, token, name=f"Grace {n}") for n in range(6)))
    assert sorted(answer.status for answer in answers) == [200] + [422] * 5
    assert {answer.code for answer in answers if answer.status == 422} == {"invalid_token"}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE invitations SET expires_at = now() - interval '1 second' WHERE user_id = $1",
        "UPDATE users SET email = 'moved-' || email WHERE id = $1",
        "UPDATE users SET is_active = true WHERE id = $1",
        "DELETE FROM users WHERE id = $1",
    ],
)
async def test_an_invitation_ends_with_time_and_with_any_change_of_the_account(admin, email, invite, change):
    invited, token = await invite(email)
    await db.execute(change, invited.json["user_id"])
    assert (await accept(admin, token)).code == "invalid_token"


async def test_inviting_again_replaces_the_invitation_and_keeps_the_account(admin, email, invite):
    first, old = await invite(email, roles=[{"role": "viewer"}])
    second, new = await invite(email, roles=[{"role": "author"}])
    assert first.json["user_id"] == second.json["user_id"]
    assert (await accept(admin, old)).status == 422
    assert (await accept(admin, new)).status == 200
    profile = await admin.with_token((await login(admin, email)).json["access_token"]).get("/auth/profile")
    assert [given["role"] for given in profile.json["roles"]] == ["author"]
    again, _ = await invite(email)
    assert (again.status, again.code) == (409, "email_taken")


async def test_nobody_invites_with_more_than_they_hold(admin, user, email, invite):
    key = f"r{secrets.token_hex(4)}"
    await admin.post("/roles", {"key": key, "name": key})
    codes = ["users:read", "users:write", "roles:read", "roles:assign"]
    await admin.put(f"/roles/{key}/permissions", [{"permission": code} for code in codes])
    recruiter = await user(key)
    refused, token = await invite(email, by=recruiter, roles=[{"role": "administrator"}])
    assert (refused.status, refused.code, token) == (403, "more_than_held", None)
    assert (await admin.get(f"/users?q={email}")).json["total"] == 0
    assert (await invite(email, by=recruiter, roles=[{"role": key}]))[0].status == 201
    # Nor with less, over an account that was given more.
    other = f"{secrets.token_hex(6)}@example.com"
    await invite(other, roles=[{"role": "administrator"}])
    assert (await invite(other, by=recruiter, roles=[]))[0].status == 201
    assert (await invite(other, by=recruiter, roles=[{"role": key}]))[0].status == 403


async def test_who_may_not_write_users_invites_nobody(user, email, invite):
    assert (await invite(email, by=await user("viewer")))[0].status == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"email": "nonsense"}, 422),
        ({"email": "nobody.at.all@example.com", "roles": [{"role": "nothing"}]}, 422),
        (
            {
                "email": "nobody.at.all@example.com",
                "roles": [{"role": "viewer", "site_id": "019a1b2c-3d4e-7f00-8a1b-2c3d4e5f6071"}],
            },
            422,
        ),
        ({"email": "nobody.at.all@example.com", "is_active": True}, 422),
        ({}, 422),
    ],
)
async def test_an_invitation_that_cannot_be_is_refused_whole(admin, body, status):
    assert (await admin.post("/users/invitations", body)).status == status
    assert (await admin.get("/users?q=nobody.at.all")).json["total"] == 0


async def test_an_administrator_who_is_only_invited_does_not_count_as_the_last_one(admin, email, invite):
    await invite(email, roles=[{"role": "administrator"}])
    me = (await admin.get("/auth/profile")).json["id"]
    assert (await admin.delete(f"/users/{me}")).code == "last_administrator"
