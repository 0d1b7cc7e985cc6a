"""Who is at the other end: the address that limits count and logs name."""

from aiohttp import web

from scaicms.kit.networks import Network, is_within


def client_address(request: web.Request, trusted: tuple[Network, ...]) -> str:
    """The address of the caller.

    `X-Forwarded-For` is read from the right, and only as far as each hop is one of our own proxies: what stands
    further left was written by whoever called, and may be anything.
    """
    address = request.remote or ""
    if not trusted:
        return address
    hops = [hop.strip() for value in request.headers.getall("X-Forwarded-For", ()) for hop in value.split(",")]
    while hops and is_within(address, trusted):
        address = hops.pop()
    return address[:64]
