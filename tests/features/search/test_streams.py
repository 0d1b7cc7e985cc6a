"""Long responses end with their caller's rights, and no caller takes all of them."""

import asyncio
import contextlib
import json
import secrets
import socket

import pytest
from aiohttp import ClientPayloadError

from scaicms.features.auth import tokens
from scaicms.infra import db
from scaicms.web.streams import EVENTS, EXPORTS
from tests.conftest import API, PASSWORD, role_with

pytestmark = pytest.mark.usefixtures("unlimited")

SOON = 1.5
"""Seconds; less than the two of a stream's step, so that a notice must have done it."""


class Watcher:
    """One open event stream."""

    def __init__(self, api, token=None):
        headers = {"X-Site-ID": api.site} | ({"Authorization": f"Bearer {token or api.token}"})
        self._request = api.client.get(f"{API}/search/queues/stream", headers=headers)

    async def __aenter__(self):
        self.response = await self._request
        assert self.response.status == 200, await self.response.read()
        await self.until("queues")
        return self

    async def __aexit__(self, *_):
        self.response.close()

    async def until(self, event, seconds=5.0):
        """The data of the next event of this name."""
        async with asyncio.timeout(seconds):
            while line := (await self.response.content.readline()).decode():
                if line == f"event: {event}\n":
                    return json.loads((await self.response.content.readline()).decode().removeprefix("data: "))
        raise AssertionError(f"the stream ended without an event {event}")

    async def ended(self):
        async with asyncio.timeout(5):
            return await self.response.content.read()


@pytest.fixture
async def reader(admin, site):
    """Somebody who may watch queues and make keys, by a role of their own and a session."""
    role = await role_with(admin, "search:queues", "content:read_drafts", "api_keys:manage")
    email = f"{secrets.token_hex(6)}@example.com"
    made = await admin.post("/users", {"email": email, "name": "R", "password": PASSWORD})
    site_id = (await admin.get(f"/sites/{site.site}")).json["id"]
    given = await admin.put(f"/users/{made.json['id']}/roles", [{"role": role, "site_id": None}])
    assert given.status == 200, given.raw
    entered = await site.anonymous().post("/auth/login", {"email": email, "password": PASSWORD})
    api = site.with_token(entered.json["access_token"])
    api.user_id, api.role, api.site_id = made.json["id"], role, site_id
    return api


async def key_of(api, **more):
    made = await api.post("/api-keys", {"name": "k", "permissions": ["search:queues"], **more})
    assert made.status == 201, made.raw
    return made.json


async def suspend(admin, reader):
    return await admin.patch(f"/users/{reader.user_id}", {"is_active": False})


async def demote(admin, reader):
    return await admin.put(f"/users/{reader.user_id}/roles", [])


async def weaken(admin, reader):
    return await admin.put(f"/roles/{reader.role}/permissions", [{"permission": "content:read_drafts"}])


async def remove(admin, reader):
    return await admin.delete(f"/users/{reader.user_id}")


async def log_out(admin, reader):
    return await reader.post("/auth/logout")


async def end_session(admin, reader):
    (session,) = (await reader.get("/auth/sessions")).json["items"]
    return await reader.delete(f"/auth/sessions/{session['id']}")


async def remove_site(admin, reader):
    return await admin.delete(f"/sites/{reader.site_id}")


@pytest.mark.parametrize("change", [suspend, demote, weaken, remove, log_out, end_session, remove_site])
async def test_a_stream_ends_at_once_with_the_rights_of_its_reader(admin, reader, change):
    async with Watcher(reader) as stream:
        answer = await change(admin, reader)
        assert answer.status in (200, 204), answer.raw
        closed = await stream.until("closed", SOON)
        assert closed["code"] in {"invalid_token", "forbidden", "site_forbidden"}
        assert b"event: queues" not in await stream.ended()


@pytest.mark.parametrize("change", ["revoke", "rotate", "suspend the owner", "other networks"])
async def test_a_stream_of_an_api_key_ends_with_the_key(admin, reader, change):
    key = await key_of(reader)
    async with Watcher(reader, key["key"]) as stream:
        if change == "revoke":
            answer = await reader.delete(f"/api-keys/{key['id']}")
        elif change == "rotate":
            answer = await reader.post(f"/api-keys/{key['id']}/rotate", {"grace_seconds": 0})
        elif change == "other networks":
            answer = await reader.patch(f"/api-keys/{key['id']}", {"allowed_ips": ["192.0.2.0/24"]})
        else:
            answer = await suspend(admin, reader)
        assert answer.status in (200, 201, 204), answer.raw
        await stream.until("closed", SOON)


async def test_a_stream_ends_with_its_token_and_goes_on_with_a_change_elsewhere(admin, reader, database):
    secret = database.secret.get_secret_value()
    claims = tokens.read(secret, reader.token)
    short = tokens.issue(secret, user_id=claims.user_id, session_id=claims.session_id, seconds=3)
    async with Watcher(reader) as lasting, Watcher(reader, short) as ending:
        assert (await admin.post("/roles", {"key": f"r{secrets.token_hex(6)}", "name": "x"})).status == 201
        assert (await ending.until("closed", 8))["code"] == "invalid_token"
        await lasting.until("queues")


async def test_one_caller_has_five_streams_and_others_are_served(admin, reader, site, granted):
    key = (await key_of(reader))["key"]
    async with contextlib.AsyncExitStack() as stack:
        for n in range(EVENTS.per_caller):
            await stack.enter_async_context(Watcher(reader, key if n % 2 else None))
        for token in (reader.token, key):
            refused = await site.with_token(token).get("/search/queues/stream")
            assert (refused.status, refused.code) == (429, "too_many_streams")
            assert int(refused.headers["Retry-After"]) > 0
        async with Watcher(await granted(site, "search:queues")):
            pass
    async with asyncio.timeout(5):
        while True:
            with contextlib.suppress(AssertionError):
                async with Watcher(reader):
                    break
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("path", ["/search/queues/stream", "/content/export"])
async def test_head_of_a_long_response_has_no_body(reader, path):
    async with asyncio.timeout(3):
        for _ in range(EVENTS.per_caller + 1):
            assert (await reader.call("HEAD", path)).status == 200


@pytest.fixture(scope="module")
async def large(admin):
    """A site whose export is larger than what sockets buffer (some 40 MB)."""
    key = f"s{secrets.token_hex(6)}"
    site = (await admin.post("/sites", {"key": key, "name": key})).json
    api = admin.at(key)
    made = await api.post("/content-types", {"key": "t", "name": "T", "fields": [{"key": "title", "type": "string"}]})
    type_id = await db.fetchval("SELECT id FROM content_types WHERE site_id = $1 AND key = 't'", site["id"])
    assert made.status == 201
    await db.execute(
        """WITH made AS (INSERT INTO items (id, site_id, type_id, slug, created_at)
                         SELECT gen_random_uuid(), $1, $2, 'n-' || n, now() FROM generate_series(1, 4000) n
                         RETURNING id)
           INSERT INTO entries (id, item_id, locale, data, version, updated_at)
           SELECT gen_random_uuid(), id, 'en', jsonb_build_object('title', repeat('words ', 1700)), 1, now()
           FROM made""",
        site["id"],
        type_id,
    )
    return api


def slow_reader(api, path, token):
    """A connection that asks and then reads nothing, with the smallest of buffers."""
    server = api.client.server
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((server.host, server.port))
    request = f"GET {API}{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nX-Site-ID: {api.site}\r\n\r\n"
    connection.sendall(request.encode())
    return connection


async def test_slow_readers_of_exports_do_not_hold_up_others(large, granted, services):
    readers = [await granted(large, "content:read_drafts") for _ in range(3)]
    with contextlib.ExitStack() as stack:
        for reader in readers:
            for _ in range(2):
                stack.enter_context(contextlib.closing(slow_reader(large, "/content/export", reader.token)))
        await asyncio.sleep(1)
        quick = await granted(large, "content:read_drafts")
        async with asyncio.timeout(60):
            whole = await quick.get("/content/export?type=t")
        assert (whole.status, whole.raw.count(b"\n")) == (200, 4000)
        mine = await large.with_token(readers[0].token).get("/content/export")
        assert (mine.status, mine.code) == (429, "too_many_streams")
        for _ in range(100):
            await asyncio.sleep(0.1)
            if services.resources.reads.get_size() == services.resources.reads.get_idle_size():
                break
        busy = (
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'scaicms-read' AND xact_start IS NOT NULL"
            " AND datname = current_database()"
        )
        assert await db.fetchval(busy) == 0


@pytest.mark.parametrize("change", [demote, log_out])
async def test_an_export_is_cut_when_its_readers_rights_end(large, admin, user, change):
    role = await role_with(admin, "content:read_drafts")
    reader = await user(role, site=large.site)
    reader.user_id = (await reader.get("/auth/profile")).json["id"]
    headers = {"Authorization": f"Bearer {reader.token}", "X-Site-ID": large.site}
    async with large.client.get(f"{API}/content/export", headers=headers) as response:
        seen = len(await response.content.readany())
        assert (await change(admin, reader)).status in (200, 204)
        with pytest.raises(ClientPayloadError):
            while piece := await response.content.readany():
                seen += len(piece)
    assert seen < 30_000_000


async def test_exports_of_one_caller_are_bounded_and_places_come_back(large, admin):
    headers = {"Authorization": f"Bearer {large.token}", "X-Site-ID": large.site}
    running = [await large.client.get(f"{API}/content/export", headers=headers) for _ in range(EXPORTS.per_caller)]
    assert (await large.get("/content/export")).status == 429
    assert (await admin.get("/users/audit/export")).status == 429
    for response in running:
        response.close()
    for _ in range(50):
        await asyncio.sleep(0.1)
        if (await admin.get("/users/audit/export?action=none")).status == 200:
            return
    raise AssertionError("the places of clients that left never come back")
