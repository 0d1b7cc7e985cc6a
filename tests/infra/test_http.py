"""Calling out: only where a call may go, and never more than is bounded."""

import asyncio
import socket
import threading
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from scaicms.infra.http import HttpClient, OutboundError, Reach
from scaicms.infra.http import client as client_module
from scaicms.infra.http.addresses import may_reach


@asynccontextmanager
async def server(handler):
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
    ],
)  # fmt: skip
def test_addresses_that_are_not_the_open_internet_are_out_of_reach(address):
    assert not may_reach(address, Reach.PUBLIC)


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0", "::ffff:169.254.169.254"])
def test_metadata_services_are_never_in_reach(address):
    assert not may_reach(address, Reach.LOOPBACK)


def test_each_reach_includes_the_one_before():
    assert may_reach("93.184.216.34", Reach.PUBLIC)
    assert may_reach("2606:2800:220:1::1", Reach.PUBLIC)
    assert may_reach("10.0.0.1", Reach.PRIVATE)
    assert not may_reach("127.0.0.1", Reach.PRIVATE)
    assert may_reach("127.0.0.1", Reach.LOOPBACK)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://[::1]/", "http://localhost/", "http://2130706433/", "http://0x7f.1/",
        "http://0177.0.0.1/", "http://169.254.169.254/latest", "http://example.com:22/", "ftp://example.com/",
        "file:///etc/passwd", "http://user@example.com/", "http://", "//x", "http://exa mple/", "", "http://[::1",
        "http://example.com:99999/",
    ],
)  # fmt: skip
async def test_what_must_not_be_called_is_refused(url):
    with pytest.raises(OutboundError):
        await HttpClient().request("GET", url)


async def test_a_host_is_judged_by_all_that_it_resolves_to_and_asked_once(monkeypatch):
    asked = []

    def resolve(host, port, **_):
        asked.append(host)
        answers = ["93.184.216.34", "127.0.0.1"] if len(asked) == 1 else ["93.184.216.34"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(OutboundError, match=r"rebind\.example resolves to an address"):
        await HttpClient().request("GET", "http://rebind.example/")
    assert asked == ["rebind.example"]


async def test_redirects_are_answers_and_are_not_followed():
    seen = []

    async def handle(request):
        seen.append(request.path)
        raise web.HTTPFound("/elsewhere")

    async with server(handle) as url:
        answer = await HttpClient().request("GET", f"{url}/here", reach=Reach.LOOPBACK)
    assert (answer.status, answer.headers["Location"], seen) == (302, "/elsewhere", ["/here"])


async def test_an_endless_or_compressed_answer_is_cut_at_64_kib():
    async def handle(request):
        assert request.headers["Accept-Encoding"] == "identity"
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1000):
            await response.write(b"x" * 10_000)
        return response

    async with server(handle) as url:
        answer = await HttpClient().request("GET", url, reach=Reach.LOOPBACK)
    assert (len(answer.body), answer.truncated) == (64 * 1024, True)


async def test_a_server_that_does_not_answer_is_given_up(monkeypatch):
    monkeypatch.setattr(client_module, "SECONDS", 0.2)
    waiting = asyncio.Event()

    async def handle(_):
        await waiting.wait()
        return web.Response()

    async with server(handle) as url:
        with pytest.raises(OutboundError, match="TimeoutError"):
            await HttpClient().request("GET", url, reach=Reach.LOOPBACK)
        waiting.set()


async def test_names_that_are_never_resolved_keep_no_other_waiting(monkeypatch):
    monkeypatch.setattr(client_module, "SECONDS", 2.0)
    asked, real = threading.Event(), socket.getaddrinfo

    def resolve(host, port, **options):
        if host.startswith("stuck"):
            asked.wait(30)
        return real("127.0.0.1", port, **options)

    async def handle(_):
        return web.Response()

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    async with server(handle) as url:
        client, port = HttpClient(), url.rpartition(":")[2]
        calls = [client.request("GET", f"http://stuck{number}.example/", reach=Reach.LOOPBACK) for number in range(40)]
        stuck = asyncio.gather(*calls, return_exceptions=True)
        await asyncio.sleep(0.1)
        async with asyncio.timeout(1.5):
            answer = await client.request("GET", f"http://quick.example:{port}/", reach=Reach.LOOPBACK)
        assert answer.status == 200
        assert {type(outcome) for outcome in await stuck} == {OutboundError}
    asked.set()
