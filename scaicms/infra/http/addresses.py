"""Which addresses a call may reach, whatever its host resolves to."""

import asyncio
import socket
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult

_NAT64 = IPv6Network("64:ff9b::/96")


class Reach(IntEnum):
    """How far: the open Internet; also the networks of the house; also this machine."""

    PUBLIC = 0
    PRIVATE = 1
    LOOPBACK = 2


class AddressRefusedError(OSError):
    """The host resolves to where this call may not go."""


def may_reach(text: str, reach: Reach) -> bool:
    """Whether an address is within reach. Link-local addresses (cloud metadata) and multicast never are."""
    address = _innermost(ip_address(text.partition("%")[0]))
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    if address.is_loopback:
        return reach >= Reach.LOOPBACK
    return address.is_global or (address.is_private and reach >= Reach.PRIVATE)


def _innermost(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for (RFC 4291 §2.5.5.2, RFC 3056, RFC 4380, RFC 6052)."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None) or address


class CheckedResolver(AbstractResolver):
    """Resolves once; aiohttp connects to what it answers and asks nobody again, so that no second answer counts."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        addresses = [(str(entry[4][0]), entry[0], entry[2]) for entry in found]
        if not addresses or not all(may_reach(address, self._reach) for address, _, _ in addresses):
            raise AddressRefusedError(f"{host} resolves to an address that must not be called")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=proto, flags=socket.AI_NUMERICHOST)
            for address, kind, proto in addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""
