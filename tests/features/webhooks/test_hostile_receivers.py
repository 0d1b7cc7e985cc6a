"""Receivers that answer what they should not, or lead to where nobody should be called."""

import asyncio
import contextlib
import json

import pytest
from aiohttp import web

from scaicms.infra import db
from tests.features.content.test_items import create
from tests.features.webhooks.receiver import deliveries, hooked, receiving


async def test_an_endless_answer_is_cut_and_no_secret_in_it_is_kept(articles, receiver, drain):
    async def echo(request):
        words = f"{json.dumps(dict(request.headers))} {hook['secret']} ".encode()
        headers = {"X-Echo": request.headers["Authorization"], "Set-Cookie": "a=b"}
        return web.Response(body=words + b"x" * 100_000, headers=headers)

    hook = await hooked(articles, receiver.url, headers={"Authorization": "Bearer planted-value"})
    receiver.answers.append(echo)
    await create(articles)
    await drain()
    (delivery,) = await deliveries(articles, hook)
    response = delivery["attempts"][0]["response"]
    assert response["truncated"]
    assert 64_000 < len(response["body"]) <= 65_536
    assert "planted-value" not in str(delivery)
    assert hook["secret"] not in str(delivery)
    assert (response["headers"]["X-Echo"], response["headers"]["Set-Cookie"]) == ("***", "***")


@pytest.mark.parametrize("target", ["http://localhost:{port}/", "http://127.0.0.1:{port}/", "http://localhost/"])
async def test_a_name_that_leads_to_this_machine_is_not_called(
    articles, receiver, drain, database, monkeypatch, target
):
    port = receiver.url.split(":")[2].split("/")[0]
    hook = await hooked(articles, target.format(port=port))
    monkeypatch.setattr(database, "webhook_reach", "public")
    await create(articles)
    await drain()
    (delivery,) = await deliveries(articles, hook)
    (attempt,) = delivery["attempts"]
    assert (attempt["status"], attempt["response"], receiver.got) == (None, None, [])
    assert "must not be called" in attempt["error"] or "only called on ports" in attempt["error"]


async def test_redirects_are_not_followed(articles, receiver, drain):
    async with receiving() as other:
        hook = await hooked(articles, receiver.url)
        receiver.answers.append((307, {"Location": other.url}, b""))
        await create(articles)
        await drain()
        assert other.got == []
    assert (await deliveries(articles, hook))[0]["attempts"][0]["status"] == 307


@pytest.mark.parametrize(
    "said",
    [
        b"", b"garbage\r\n\r\n", b"HTTP/1.1 999999 x\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 500 \xff\xfe\r\nX-\xff: \xff\xfe\x00\r\nContent-Length: 3\r\n\r\n\xff\x00\xfe",
        b"HTTP/1.1 500 x\r\nX-Odd: \xff\xfe\r\nContent-Length: 3\r\n\r\n\xff\x00\xfe",
        b"HTTP/1.1 500 x\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 500 x\r\n" + b"A: b\r\n" * 500 + b"Content-Length: 0\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
)  # fmt: skip
async def test_whatever_a_receiver_says_is_an_outcome(articles, drain, said):
    async def answer(reader, writer):
        with contextlib.suppress(ConnectionError):
            await reader.readuntil(b"}}")
            writer.write(said)
            await writer.drain()
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        hook = await hooked(articles, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        await create(articles)
        await drain()
        (delivery,) = await deliveries(articles, hook)
    (attempt,) = delivery["attempts"]
    assert attempt["finished_at"] is not None
    assert (attempt["status"] is None) == (attempt["error"] is not None)
    assert (delivery["status"] == "delivered") == (attempt["status"] == 200)
    jobs = await db.fetch("SELECT last_error FROM jobs WHERE payload->>'delivery_id' = $1", delivery["id"])
    assert {job["last_error"] for job in jobs} == {None}
