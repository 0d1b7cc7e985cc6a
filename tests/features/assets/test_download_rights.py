"""A download ends when its caller's rights end: the connection is cut, so that no part is taken for the whole file."""

import asyncio

import pytest
from aiohttp import ClientPayloadError

from tests.conftest import API, role_with
from tests.features.assets.pictures import send

BYTES = 40_000_000
"""Far more than sockets buffer."""
MOST_BYTES = 30_000_000


@pytest.fixture
async def large(site):
    answer = await send(site, b"words " * (BYTES // 6), "large.txt", "text/plain")
    assert answer.status == 202, answer.raw
    return answer.json["id"]


async def demote(admin, reader):
    return await admin.put(f"/users/{reader.user_id}/roles", [])


async def weaken(admin, reader):
    return await admin.put(f"/roles/{reader.role}/permissions", [])


async def remove(admin, reader):
    return await admin.delete(f"/users/{reader.user_id}")


async def log_out(admin, reader):
    return await reader.post("/auth/logout")


@pytest.fixture
async def reader(admin, site, user):
    role = await role_with(admin, "assets:read")
    reader = await user(role, site=site.site)
    reader.role = role
    reader.user_id = (await reader.get("/auth/profile")).json["id"]
    return reader


def headers_of(site, token=None):
    return {"X-Site-ID": site.site} | ({"Authorization": f"Bearer {token}"} if token else {})


async def read_until_cut(site, large, headers, change):
    """Begin a download, change something, and read on; how many bytes came before the connection was cut."""
    async with site.client.get(f"{API}/assets/{large}/file", headers=headers) as response:
        assert (response.status, response.content_length) == (200, BYTES // 6 * 6)
        seen = len(await response.content.readany())
        answer = await change()
        assert answer.status in (200, 204), answer.raw
        async with asyncio.timeout(30):
            with pytest.raises(ClientPayloadError):
                while piece := await response.content.readany():
                    seen += len(piece)
    return seen


@pytest.mark.parametrize("change", [demote, weaken, remove, log_out])
async def test_a_download_is_cut_when_its_readers_rights_end(site, admin, reader, large, change):
    headers = headers_of(site, reader.token)
    assert await read_until_cut(site, large, headers, lambda: change(admin, reader)) < MOST_BYTES
    assert (await site.with_token(reader.token).get(f"/assets/{large}/file")).status in (401, 403, 404)


async def test_a_download_by_a_key_is_cut_when_the_key_is_revoked(site, large):
    key = (await site.post("/api-keys", {"name": "k", "permissions": ["assets:read"]})).json
    seen = await read_until_cut(
        site, large, headers_of(site, key["key"]), lambda: site.delete(f"/api-keys/{key['id']}")
    )
    assert seen < MOST_BYTES


async def test_a_public_download_is_cut_when_the_files_are_public_no_more(site, admin, large):
    before = (await admin.get("/roles/public/permissions")).json
    grants = [{"permission": grant["permission"]} for grant in before["items"]]
    public = [*grants, {"permission": "assets:read"}]
    assert (await admin.put("/roles/public/permissions", public)).status == 200
    try:
        hide = lambda: admin.put("/roles/public/permissions", grants)  # noqa: E731 - a step, said where it is used
        assert await read_until_cut(site, large, headers_of(site), hide) < MOST_BYTES
    finally:
        await admin.put("/roles/public/permissions", grants)


async def test_other_changes_of_rights_cut_nobody_elses_download(site, admin, reader, large, user):
    other = await user("editor", site=site.site)
    other_id = (await other.get("/auth/profile")).json["id"]
    async with site.client.get(f"{API}/assets/{large}/file", headers=headers_of(site, reader.token)) as response:
        seen = len(await response.content.readany())
        assert (await admin.put(f"/users/{other_id}/roles", [])).status == 200
        while piece := await response.content.readany():
            seen += len(piece)
    assert seen == BYTES // 6 * 6
