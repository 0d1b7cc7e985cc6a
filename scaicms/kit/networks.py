"""Addresses and networks."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network

RATE_PREFIXES = (64, 56, 48)
"""IPv6 prefixes that one customer of an Internet provider has: the least, the usual and the most (RFC 6177)."""


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """An address without its zone; an IPv4 address mapped into IPv6 (RFC 4291 §2.5.5.2) is the IPv4 address."""
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed


def is_within(address: str, networks: Iterable[Network]) -> bool:
    """Whether an address lies in one of the networks. Text that is no address lies in none."""
    parsed = parse_address(address)
    return parsed is not None and any(parsed in network for network in networks)


def rate_networks(address: str) -> tuple[str, ...]:
    """The networks that rate limits count an address in, narrowest first: itself for IPv4, /64, /56 and /48 for IPv6.

    Text that is no address stands for itself.
    """
    parsed = parse_address(address)
    if parsed is None:
        return (address,)
    if isinstance(parsed, IPv4Address):
        return (str(parsed),)
    return tuple(str(IPv6Network((int(parsed), prefix), strict=False)) for prefix in RATE_PREFIXES)
