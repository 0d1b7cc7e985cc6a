"""Limits of attempts count networks, and accounts over all networks, whatever an attacker varies."""

import secrets
from ipaddress import IPv4Address, IPv6Address

import pytest

from scaicms.features.retention.service import RetentionService
from scaicms.infra import db
from scaicms.kit.networks import rate_networks
from scaicms.kit.principal import SYSTEM
from tests.conftest import PASSWORD
from tests.mails import mails_to, token_in

WRONG = "certainly not the password"


@pytest.fixture
async def email(admin):
    address = f"{secrets.token_hex(6)}@example.com"
    made = await admin.post("/users", {"email": address, "name": "A", "password": PASSWORD})
    assert made.status == 201
    return address


@pytest.fixture
def base():
    """A /32 that no other test uses, as a number."""
    return (0x2A00 << 112) | (secrets.randbits(16) << 96)


async def login(api, email, ip, password=WRONG):
    return await api.post("/auth/login", {"email": email, "password": password}, headers={"X-Forwarded-For": str(ip)})


def random_v4():
    return IPv4Address(0x0B000000 + secrets.randbits(24))


def written(address, n):
    """One address in its many spellings."""
    full = address.exploded
    return (str(address), full, full.upper(), f"[{address}]:{40000 + n}", f"{address}%eth{n}")[n % 5]


async def attack(api, email, addresses):
    return [(await login(api, email, ip)).status for ip in addresses]


@pytest.mark.parametrize(
    ("shift", "most"),
    [(0, 5), (64, 10), (72, 20), (80, 30), (96, 30)],
    ids=["in one /64", "in one /56", "in one /48", "in one /32", "anywhere"],
)
async def test_guesses_at_one_account_from_many_ipv6_addresses_end(proxied, email, base, shift, most):
    statuses = await attack(proxied, email, [IPv6Address(base + (n << shift) + 1) for n in range(60)])
    assert statuses.count(401) <= most
    assert set(statuses) == {401, 429}


async def test_guesses_at_one_account_from_many_ipv4_addresses_end(proxied, email):
    statuses = await attack(proxied, email, [random_v4() for _ in range(60)])
    assert statuses.count(401) <= 30
    assert statuses[-1] == 429


async def test_one_address_in_other_spellings_is_one_address(proxied, email, base):
    six, four = IPv6Address(base + 1), random_v4()
    statuses = await attack(proxied, email, [written(six, n) for n in range(10)])
    assert statuses.count(401) <= 5
    shapes = (str(four), f"::ffff:{four}", f"[::ffff:{four}]:443", f"{four}:5123", f"::ffff:{four.packed.hex(':', 2)}")
    statuses = await attack(proxied, f"{secrets.token_hex(6)}@example.com", [shapes[n % 5] for n in range(12)])
    assert statuses.count(401) <= 5


async def test_a_network_may_not_try_many_accounts(proxied, base):
    statuses = []
    for n in range(25):
        answer = await login(proxied, f"{secrets.token_hex(6)}@example.com", IPv6Address(base + n + 1))
        statuses.append(answer.status)
    assert statuses.count(401) <= 20
    assert statuses[-1] == 429


async def test_spellings_of_an_email_address_share_one_limit(proxied, email):
    spelled = [email.upper(), f" {email}", email.replace("@", "\uff20"), email.title(), f"{email}\u3000"]
    spelled = [text for text in spelled if "@" in text]
    statuses = [(await login(proxied, spelled[n % len(spelled)], random_v4())).status for n in range(40)]
    assert statuses.count(401) <= 30


async def test_the_owner_enters_from_a_network_they_have_logged_in_from(proxied, email, base):
    home, four = IPv6Address(base + (7 << 96) + 5), random_v4()
    assert (await login(proxied, email, home, PASSWORD)).status == 200
    assert (await login(proxied, email, four, PASSWORD)).status == 200
    attacked = [random_v4() for _ in range(35)] + [IPv6Address(base + (7 << 96) + (n << 64) + 9) for n in range(1, 40)]
    assert (await attack(proxied, email, attacked))[-1] == 429
    assert (await login(proxied, email, random_v4(), PASSWORD)).status == 429
    # Another address of the same /64, as privacy extensions (RFC 8981) make them.
    assert (await login(proxied, email, home + 77, PASSWORD)).status == 200
    assert (await login(proxied, email, four, PASSWORD)).status == 200


async def test_known_and_unknown_accounts_are_limited_alike(proxied, email, base):
    unknown = f"{secrets.token_hex(6)}@example.com"
    answers = []
    for address in (email, unknown):
        statuses = await attack(proxied, address, [random_v4() for _ in range(33)])
        answers.append(statuses)
    assert answers[0] == answers[1]


async def test_the_network_of_a_reset_counts_as_the_owners(proxied, email, settings, drain):
    await attack(proxied, email, [random_v4() for _ in range(35)])
    here = random_v4()
    assert (await login(proxied, email, here, PASSWORD)).status == 429
    asked = {"X-Forwarded-For": str(here)}
    assert (await proxied.post("/auth/password-reset", {"email": email}, headers=asked)).status == 202
    await drain()
    body = {"token": token_in(mails_to(settings, email)[-1]), "password": "a quite different staple"}
    assert (await proxied.post("/auth/password-reset/confirm", body, headers=asked)).status == 204
    assert (await login(proxied, email, here, "a quite different staple")).status == 200


async def test_resets_of_one_account_are_limited_over_all_networks(proxied, email, base):
    statuses = []
    for n in range(30):
        sent = {"X-Forwarded-For": str(IPv6Address(base + (n << 90) + 1))}
        statuses.append((await proxied.post("/auth/password-reset", {"email": email}, headers=sent)).status)
    assert statuses.count(202) <= 20
    assert statuses[-1] == 429


@pytest.mark.parametrize("path", ["/auth/password-reset/confirm", "/auth/invitations/accept"])
async def test_guesses_at_mailed_tokens_are_limited_by_network(proxied, base, path):
    statuses = []
    for n in range(25):
        body = {"token": secrets.token_urlsafe(32), "password": PASSWORD}
        body |= {"name": "A"} if "invitations" in path else {}
        sent = {"X-Forwarded-For": str(IPv6Address(base + n + 1))}
        statuses.append((await proxied.post(path, body, headers=sent)).status)
    assert statuses.count(422) <= 20
    assert statuses[-1] == 429


async def test_networks_are_remembered_for_ninety_days(proxied, email, services):
    here = random_v4()
    assert (await login(proxied, email, here, PASSWORD)).status == 200
    await db.execute(
        "UPDATE login_networks SET last_login_at = now() - interval '91 days' WHERE network = $1", str(here)
    )
    await services.get(RetentionService).remove_expired(SYSTEM, seconds=10)
    assert await db.fetchval("SELECT count(*) FROM login_networks WHERE network = $1", str(here)) == 0


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", ("192.0.2.7",)),
        ("::ffff:192.0.2.7", ("192.0.2.7",)),
        ("2001:DB8:1:203::9", ("2001:db8:1:203::/64", "2001:db8:1:200::/56", "2001:db8:1::/48")),
        ("fe80::1%eth0", ("fe80::/64", "fe80::/56", "fe80::/48")),
        ("nonsense", ("nonsense",)),
    ],
)
def test_networks_around_an_address(address, expected):
    assert rate_networks(address) == expected
