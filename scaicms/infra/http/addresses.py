"""Which addresses a call may reach, whatever its host resolves to.

The blocks are those of IANA's registries of special-purpose addresses, of multicast and of deprecated addresses. For
IPv6 the rule is closed: only the space that is allocated for global unicast is public, so that a block that is added to
the registries later is refused unless it lies within that space.

https://www.iana.org/assignments/iana-ipv4-special-registry/
https://www.iana.org/assignments/iana-ipv6-special-registry/
"""

import asyncio
import contextlib
import socket
import threading
from enum import IntEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

_PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
_LOOPBACK = tuple(map(ip_network, ("127.0.0.0/8", "::1/128")))
_SPECIAL_IPV4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            # Two anycast addresses of 192.0.0.0/24 are reachable, but lead to the nearest router: our own.
            "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
            "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        ),
    )
)  # fmt: skip
_METADATA = tuple(map(ip_network, ("168.63.129.16/32", "fd00:ec2::/64", "fd20:ce::/64")))
"""Where clouds tell machines their secrets at addresses that are not link-local: Azure, Amazon, Google."""
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_SPECIAL_IPV6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments: Teredo, benchmarking, ORCHID, anycast of the nearest router
            "2001:db8::/32", "3fff::/20",  # documentation
            "2002::/16",  # 6to4 (RFC 7526 deprecates it)
            "3ffe::/16",  # 6bone (RFC 3701 ended it)
        ),
    )
)  # fmt: skip
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)
"""The upper half of an interface identifier that ends with an IPv4 address (RFC 5214 §6.1)."""


class Reach(IntEnum):
    """How far: the open Internet; also the networks of the house; also this machine."""

    PUBLIC = 0
    PRIVATE = 1
    LOOPBACK = 2


class AddressRefusedError(OSError):
    """The host resolves to where this call may not go."""


def may_reach(text: str, reach: Reach) -> bool:
    """Whether an address is within reach. Link-local addresses, cloud metadata and multicast never are."""
    address = _carried(ip_address(text.partition("%")[0]))
    if any(address in block for block in _METADATA):
        return False
    if any(address in block for block in _LOOPBACK):
        return reach >= Reach.LOOPBACK
    if any(address in block for block in _PRIVATE):
        return reach >= Reach.PRIVATE
    if isinstance(address, IPv4Address):
        return not any(address in block for block in _SPECIAL_IPV4)
    if address not in _GLOBAL_UNICAST or any(address in block for block in _SPECIAL_IPV6):
        return False
    inner = _isatap(address)
    return inner is None or may_reach(str(inner), reach)


def _carried(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that is called through an IPv4-mapped (RFC 4291 §2.5.5.2) or a NAT64 address (RFC 6052)."""
    if isinstance(address, IPv6Address) and (address in _NAT64 or address.ipv4_mapped is not None):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _isatap(address: IPv6Address) -> IPv4Address | None:
    identifier = int(address) & 0xFFFFFFFFFFFFFFFF
    return IPv4Address(identifier & 0xFFFFFFFF) if identifier >> 32 in _ISATAP else None


def _settle(future: "asyncio.Future[list[Any]]", found: list[Any], error: Exception | None) -> None:
    if future.done():  # nobody waits any more
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(found)


async def _look_up(host: str, port: int, family: int) -> list[Any]:
    """`getaddrinfo` in a thread of its own. Event loops share four or six threads for all lookups: a few names whose
    servers give no answer would keep everybody else waiting, and the process from ending."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[list[Any]] = loop.create_future()

    def ask() -> None:
        found, failure = [], None
        try:
            found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(_settle, future, found, failure)

    threading.Thread(target=ask, name=f"resolve-{host}", daemon=True).start()
    return await future


class CheckedResolver(AbstractResolver):
    """Resolves once; aiohttp connects to what it answers and asks nobody again, so that no second answer counts."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await _look_up(host, port, family)
        addresses = [(str(entry[4][0]), entry[0], entry[2]) for entry in found]
        if not addresses or not all(may_reach(address, self._reach) for address, _, _ in addresses):
            raise AddressRefusedError(f"{host} resolves to an address that must not be called")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=proto, flags=socket.AI_NUMERICHOST)
            for address, kind, proto in addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""
