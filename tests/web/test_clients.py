"""Forwarded addresses are believed from our own proxies alone."""

from ipaddress import ip_network

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from scaicms.web.clients import client_address

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def address(remote, *forwarded, trusted=PROXIES):
    headers = CIMultiDict([("X-Forwarded-For", value) for value in forwarded])
    return client_address(make_mocked_request("GET", "/", headers=headers).clone(remote=remote), trusted)


@pytest.mark.parametrize(
    ("remote", "forwarded", "expected"),
    [
        ("203.0.113.9", ["1.2.3.4"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["1.2.3.4, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["1.2.3.4", "198.51.100.7, 10.0.0.2"], "198.51.100.7"),
        ("10.0.0.1", ["nonsense"], "nonsense"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("fd00::1", ["2001:db8::5"], "2001:db8::5"),
    ],
)
def test_only_what_a_trusted_hop_wrote_counts(remote, forwarded, expected):
    assert address(remote, *forwarded) == expected


def test_without_configured_proxies_nothing_is_believed():
    assert address("10.0.0.1", "1.2.3.4", trusted=()) == "10.0.0.1"
