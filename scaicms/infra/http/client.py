"""One request, one answer: no redirects, no proxies, bounded in time and size, over a connection of its own."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

import aiohttp
from yarl import URL

from scaicms.infra.http.addresses import AddressRefusedError, CheckedResolver, Reach, may_reach

SECONDS = 15.0
MAX_BYTES = 64 * 1024
PORTS = {"https": 443, "http": 80}


class OutboundError(Exception):
    """The call was not made or not answered; the message names the host and the kind of failure, nothing sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `truncated` when there was more than `MAX_BYTES` of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool


class HttpClient:
    """Calls out. A host beyond `reach` is refused by its resolved addresses, not by its name."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        reach: Reach = Reach.PUBLIC,
    ) -> Answer:
        """Send one request.

        Raises:
            OutboundError: the address is refused, or there was no answer within 15 s.
        """
        target = check_url(url, reach)
        connector = aiohttp.TCPConnector(resolver=CheckedResolver(reach), use_dns_cache=False, force_close=True)
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        # Not decompressed: a few bytes could become many.
        sent = {"User-Agent": "scaiCMS", "Accept-Encoding": "identity", **(headers or {})}
        try:
            async with (
                aiohttp.ClientSession(
                    connector=connector, timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
                ) as session,
                session.request(method, target, headers=sent, data=data, allow_redirects=False) as response,
            ):
                body = await _first(response.content, MAX_BYTES + 1)
                return Answer(response.status, response.headers.copy(), body[:MAX_BYTES], len(body) > MAX_BYTES)
        except aiohttp.ClientConnectorError as error:
            refused = isinstance(error.os_error, AddressRefusedError)
            said = str(error.os_error) if refused else f"{target.host} could not be reached ({type(error).__name__})"
            raise OutboundError(said) from None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise OutboundError(f"{target.host} could not be reached ({type(error).__name__})") from None


def check_url(url: str, reach: Reach) -> URL:
    """The address to call, if its form allows it; what its host resolves to is seen when it is called.

    Raises:
        OutboundError: it never can be.
    """
    try:
        if any(letter.isspace() or not letter.isprintable() for letter in url):
            raise ValueError("spaces and controls")
        target = URL(url)
        host, port = target.host, target.port
    except ValueError:
        raise OutboundError("this is no address to call") from None
    if target.scheme not in PORTS or not host or target.user is not None:
        raise OutboundError("only http and https addresses without a user can be called")
    if reach < Reach.LOOPBACK and port != PORTS[target.scheme]:
        raise OutboundError(f"{host} is only called on ports 80 and 443")
    literal = _literal(host)
    if literal is not None and not may_reach(literal, reach):
        raise OutboundError(f"{host} is an address that must not be called")
    return target


def is_same_origin(one: str, other: str) -> bool:
    """Whether two addresses have the same scheme, host and port (RFC 6454 §5)."""
    try:
        first, second = URL(one), URL(other)
        return (first.scheme, first.host, first.port) == (second.scheme, second.host, second.port)
    except ValueError:
        return False


def _literal(host: str) -> str | None:
    """The address that a host is, in whichever form resolvers take (`127.1`, `0x7f.1`, `2130706433`); None: a name."""
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None


async def _first(stream: aiohttp.StreamReader, limit: int) -> bytes:
    read = bytearray()
    while len(read) < limit:
        chunk = await stream.read(limit - len(read))
        if not chunk:
            break
        read += chunk
    return bytes(read)
