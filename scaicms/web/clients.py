"""Who is at the other end: the address that limits count and logs name."""

import re

from aiohttp import web

from scaicms.kit.networks import Network, is_within, parse_address

# Some proxies add the port, which is another one for each connection: 192.0.2.1:443, [2001:db8::1]:443.
_WITH_PORT = re.compile(r"\[(?P<six>[0-9A-Fa-f:.%]+)\](?::\d+)?|(?P<four>[\d.]+):\d+")


def client_address(request: web.Request, trusted: tuple[Network, ...]) -> str:
    """The address of the caller, in its canonical form (RFC 5952).

    `X-Forwarded-For` is read from the right, and only as far as each hop is one of our own proxies: what stands
    further left was written by whoever called, and may be anything.
    """
    address = _canonical(request.remote or "")
    if not trusted:
        return address
    hops = [hop.strip() for value in request.headers.getall("X-Forwarded-For", ()) for hop in value.split(",")]
    while hops and is_within(address, trusted):
        address = _canonical(hops.pop())
    return address


def _canonical(text: str) -> str:
    """Every spelling of an address is one text; what is no address stays as it came, shortened."""
    match = _WITH_PORT.fullmatch(text)
    parsed = parse_address((match["six"] or match["four"]) if match is not None else text)
    return str(parsed) if parsed is not None else text[:64]
