"""Administrators change what secures their own account with their password, not with a token alone."""

import secrets

import pytest

from tests.conftest import PASSWORD

pytestmark = pytest.mark.usefixtures("unlimited")


@pytest.fixture
async def manager(user):
    """Somebody who may write users, and their id and address."""
    api = await user("administrator")
    profile = (await api.get("/auth/profile")).json
    api.user_id, api.email = profile["id"], profile["email"]
    return api


def changes():
    return [{"email": f"{secrets.token_hex(6)}@example.com"}, {"password": "a quite different staple"}]


@pytest.mark.parametrize("number", [0, 1])
async def test_the_own_address_and_password_need_the_current_password(manager, number):
    change, path = changes()[number], f"/users/{manager.user_id}"
    for extra in ({}, {"current_password": None}, {"current_password": "guessed"}):
        refused = await manager.patch(path, {**change, **extra})
        assert (refused.status, refused.code) == (403, "fresh_authentication_required")
    assert (await manager.get("/auth/profile")).json["email"] == manager.email
    assert (await manager.patch(path, {**change, "current_password": PASSWORD})).status == 200


async def test_a_key_of_the_owner_is_no_way_around_it(manager):
    key = (await manager.post("/api-keys", {"name": "k", "permissions": ["users:write"]})).json["key"]
    for change in changes():
        refused = await manager.with_token(key).patch(f"/users/{manager.user_id}", change)
        assert (refused.status, refused.code) == (403, "fresh_authentication_required")


async def test_guesses_of_the_current_password_are_limited(manager):
    statuses = []
    for n in range(8):
        body = {**changes()[0], "current_password": f"guess {n}"}
        statuses.append((await manager.patch(f"/users/{manager.user_id}", body)).status)
    assert statuses == [403] * 5 + [429] * 3


async def test_other_changes_and_other_people_need_no_password(manager, user):
    path = f"/users/{manager.user_id}"
    assert (await manager.patch(path, {"name": "Ada"})).status == 200
    assert (await manager.patch(path, {"name": "Ada", "email": manager.email})).status == 200
    other = (await (await user()).get("/auth/profile")).json["id"]
    for change in changes():
        assert (await manager.patch(f"/users/{other}", change)).status == 200
