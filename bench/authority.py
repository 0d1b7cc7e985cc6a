"""What it costs a warm request to find out who calls and what they may do.

    .venv/bin/python -m bench.authority [--rounds 7] [--calls 20000]

Starts its own engines in a temporary folder and times the calls in this process, without HTTP, against the cost of a
bare dictionary look-up by the digest of the credential (the least that any cache could do). The budget is 60 µs.
"""

import argparse
import hashlib
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from scaicms import registry
from scaicms.connect import create_services
from scaicms.embedded.postgres import EmbeddedPostgres
from scaicms.embedded.valkey import EmbeddedValkey
from scaicms.features.api_keys.schemas import CreateApiKey
from scaicms.features.api_keys.service import ApiKeyService
from scaicms.features.auth.service import Authenticator, AuthService
from scaicms.features.roles.schemas import Assignment, CreateRole, Grant
from scaicms.features.roles.service import RoleService
from scaicms.features.sites.schemas import CreateSite
from scaicms.features.sites.service import SiteService
from scaicms.features.users.schemas import CreateUser
from scaicms.features.users.service import UserService
from scaicms.infra.db.migrations import migrate
from scaicms.infra.services import Services
from scaicms.kit.principal import SYSTEM
from scaicms.kit.sites import Site
from scaicms.settings import Settings

BUDGET_US = 60.0
EMAIL, PASSWORD = "ada@example.com", "correct horse battery"
TYPES = [f"type_{n}" for n in range(20)]


async def fill(services: Services) -> tuple[Site, dict[str, str | None]]:
    """A site, and headers of callers: anonymous, a session with many narrowed grants, an API key."""
    roles, users = services.get(RoleService), services.get(UserService)
    await roles.ensure_built_in(SYSTEM)
    await roles.set_grants(SYSTEM, "public", [Grant(permission="content:read")], add=False)
    row = await services.get(SiteService).create(SYSTEM, CreateSite(key="bench", name="Bench"))
    site = await services.get(SiteService).by_id(row.id)
    await roles.create(SYSTEM, CreateRole(key="narrow", name="Narrow"))
    narrow = [Grant(permission="content:read_drafts", content_types=[key], fields=["title"]) for key in TYPES]
    await roles.set_grants(SYSTEM, "narrow", narrow, add=False)
    user = await users.create(SYSTEM, CreateUser(email=EMAIL, name="Ada", password=PASSWORD))
    await roles.assign(SYSTEM, user.id, [Assignment(role="administrator")])
    entered = await services.get(AuthService).login(EMAIL, PASSWORD, ip="192.0.2.1", user_agent="bench")
    session = f"Bearer {entered.access_token}"
    principal = await services.get(Authenticator).authenticate(session, site, "192.0.2.1")
    new = CreateApiKey(name="k", permissions=["content:read"], rate_limit=1_000_000)
    _, key = await services.get(ApiKeyService).create(principal, new)
    bounded = CreateUser(email="bob@example.com", name="Bob", password=PASSWORD)
    bob = await users.create(SYSTEM, bounded)
    await roles.assign(SYSTEM, bob.id, [Assignment(role="narrow"), Assignment(role="viewer", site_id=site.id)])
    other = await services.get(AuthService).login(bounded.email, PASSWORD, ip="192.0.2.2", user_agent="bench")
    return site, {
        "anonymous": None,
        "session": session,
        "session, 20 narrowed grants": f"Bearer {other.access_token}",
        "API key, counted": f"Bearer {key}",
    }


async def timed(call: Callable[[], Awaitable[object]], calls: int, rounds: int) -> float:
    """Microseconds a call, the median of rounds."""
    found = []
    for _ in range(rounds):
        started = time.perf_counter()
        for _ in range(calls):
            await call()
        found.append((time.perf_counter() - started) / calls * 1e6)
    return statistics.median(found)


async def measure(settings: Settings, calls: int, rounds: int) -> None:
    await migrate(settings.database_url, registry.model_modules())
    async with create_services(settings, kind="web") as services:
        site, callers = await fill(services)
        authenticator = services.get(Authenticator)
        known = {hashlib.sha256(b"x" * 250).digest(): site}

        async def look_up() -> object:
            return known[hashlib.sha256(b"x" * 250).digest()]

        base = await timed(look_up, calls, rounds)
        print(f"{'a look-up by digest':30} {base:6.2f} µs")
        for name, header in callers.items():

            async def authorize(header: str | None = header) -> object:
                principal = await authenticator.authenticate(header, site, "192.0.2.1")
                principal.require("content:read", site.id)
                return principal.scope("content:read", site.id)

            spent = await timed(authorize, calls, rounds)
            verdict = "within" if spent < BUDGET_US else "OVER"
            print(f"{name:30} {spent:6.2f} µs  {spent / base:5.1f}x the look-up  {verdict} {BUDGET_US:g} µs")
        await services.get(ApiKeyService).usage.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        with EmbeddedPostgres(home) as postgres, EmbeddedValkey(home) as valkey:
            settings = Settings(
                env="test", home=home, database_url=postgres.url, redis_url=valkey.url, secret="for the benchmark only"
            )
            uvloop.run(measure(settings, given.calls, given.rounds))


if __name__ == "__main__":
    main()
