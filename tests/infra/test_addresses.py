"""Addresses that are not the open Internet, derived from IANA's registries: none is called, in whichever form."""

import csv
import re
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path

import pytest

from scaicms.infra.http import OutboundError, Reach, check_url
from scaicms.infra.http.addresses import may_reach
from tests.features.webhooks.receiver import hooked

DATA = Path(__file__).parent / "data"
# Special in other registries: multicast (RFC 5771, RFC 4291), site-local (RFC 3879), 6bone (RFC 3701), IPv4-compatible
# (RFC 4291 §2.5.5.1), IPv4-translated (RFC 2765), unallocated space.
OTHERS = (
    "224.0.0.0/4", "ff00::/8", "fec0::/10", "3ffe::/16", "::/96", "::ffff:0:0:0/96", "::/8", "100::/8", "200::/7",
    "400::/6", "800::/5", "1000::/4", "4000::/3", "6000::/3", "8000::/3", "a000::/3", "c000::/3", "e000::/4",
    "f000::/5", "f800::/6", "fe00::/9",
)  # fmt: skip
CARRIED = "64:ff9b::/96"
MAPPED = "::ffff:0:0/96"
PUBLIC = ("8.8.8.8", "93.184.216.34", "198.17.255.255", "198.20.0.0", "172.32.0.0", "100.128.0.0", "223.255.255.255")
PUBLIC_IPV6 = ("2606:4700::1", "2a00:1450:4001::1", "2001:200::1", "2001:4860:4860::8888", "2003::1", "3fff:1000::1")


def rows():
    for name in ("iana-ipv4-special-registry", "iana-ipv6-special-registry"):
        with (DATA / f"{name}.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                for block in re.sub(r"\s*\[\d+\]", "", row["Address Block"]).split(","):
                    yield ip_network(block.strip()), row["Globally Reachable"].startswith("True")


# Amazon, Azure and Google, Alibaba, Oracle; Azure's is an ordinary public address, two lie in the space of the house.
METADATA = (
    "169.254.169.254", "169.254.170.2", "168.63.129.16", "::ffff:168.63.129.16", "64:ff9b::a83f:8110",
    "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "100.100.100.200", "192.0.0.192",
)  # fmt: skip

REFUSED = [block for block, is_reachable in rows() if not is_reachable and str(block) != MAPPED]
REFUSED += [ip_network(block) for block in OTHERS]
REFUSED_IPV4 = [block for block in REFUSED if block.version == 4]


def places(block):
    """Both ends of a block, and its middle."""
    first, last = int(block[0]), int(block[-1])
    kind = IPv4Address if block.version == 4 else IPv6Address
    # What the wide blocks hold that is carried to an IPv4 address, or called at wider reach, is tried elsewhere.
    held = [ip_network(one) for one in (CARRIED, MAPPED)]
    found = {
        kind(number) for number in (first, first + 1, (first + last) // 2, last - 1, last) if first <= number <= last
    }
    return [one for one in found if not any(one in other for other in held)]


def forms_of(inner):
    """IPv6 addresses that lead to an IPv4 address, or name one."""
    number = int(inner)
    upper, lower = number >> 16, number & 0xFFFF
    yield f"::ffff:{inner}"
    yield f"::ffff:{upper:x}:{lower:x}"
    yield f"::{inner}"
    yield f"::ffff:0:{upper:x}:{lower:x}"
    yield f"64:ff9b::{upper:x}:{lower:x}"
    yield f"64:ff9b:1::{upper:x}:{lower:x}"
    yield f"64:ff9b:1:{upper:x}:{lower >> 8:x}:{(lower & 0xFF) << 8:x}::"
    yield f"2002:{upper:x}:{lower:x}::1"
    yield f"2001:0:{upper:x}:{lower:x}::1"
    yield f"2001::{upper ^ 0xFFFF:x}:{lower ^ 0xFFFF:x}"
    yield f"2606:4700::5efe:{upper:x}:{lower:x}"
    yield f"2606:4700::200:5efe:{upper:x}:{lower:x}"
    yield f"fe80::5efe:{upper:x}:{lower:x}"


@pytest.mark.parametrize("block", REFUSED, ids=str)
def test_a_special_block_is_out_of_reach(block):
    for address in places(block):
        assert not may_reach(str(address), Reach.PUBLIC), address
        literal = f"[{address}]" if block.version == 6 else str(address)
        with pytest.raises(OutboundError):
            check_url(f"http://{literal}/", Reach.PUBLIC)


@pytest.mark.parametrize("block", REFUSED_IPV4, ids=str)
def test_a_special_ipv4_address_within_an_ipv6_one_is_out_of_reach(block):
    for inner in places(block):
        for address in forms_of(inner):
            assert not may_reach(address, Reach.PUBLIC), address
            with pytest.raises(OutboundError):
                check_url(f"https://[{address}]/", Reach.PUBLIC)


@pytest.mark.parametrize("reach", Reach)
@pytest.mark.parametrize("address", METADATA)
def test_what_tells_machines_of_a_cloud_their_secrets_is_never_called(address, reach):
    assert not may_reach(address, reach)
    literal = f"[{address}]" if ":" in address else address
    with pytest.raises(OutboundError):
        check_url(f"http://{literal}/latest/meta-data/", reach)


def test_the_open_internet_is_in_reach():
    for address in (*PUBLIC, *PUBLIC_IPV6, "::ffff:8.8.8.8", "64:ff9b::808:808", "2606:4700::5efe:808:808"):
        assert may_reach(address, Reach.PUBLIC), address


def test_the_house_and_this_machine_are_no_more_than_they_are():
    house = [ip_network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]
    machine = [ip_network(block) for block in ("127.0.0.0/8", "::1/128")]
    for block in REFUSED:
        for address in places(block):
            in_house = any(address in one for one in house)
            is_machine = any(address in one for one in machine)
            assert may_reach(str(address), Reach.PRIVATE) == in_house, address
            assert may_reach(str(address), Reach.LOOPBACK) == (in_house or is_machine), address


async def test_no_webhook_is_made_for_a_special_address(site, database, monkeypatch):
    monkeypatch.setattr(database, "webhook_reach", "public")
    made = await hooked(site, "https://receiver.example.com/")
    for number, block in enumerate(REFUSED):
        address = f"[{block[0]}]" if block.version == 6 else (f"{block[0]}", f"[::{block[0]}]")[number % 2]
        url = f"http://{address}/"
        answer = await site.post("/webhooks", {"name": "n", "url": url, "events": ["*"]})
        assert answer.json["detail"]["errors"][0]["code"] == "url_not_allowed", url
    assert (await site.patch(f"/webhooks/{made['id']}", {"url": url})).status == 422
