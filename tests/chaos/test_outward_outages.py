"""Mail servers and receivers of webhooks that are out: no request waits, and nothing is lost. The page says how long.

`docs/operations/outages.md` has the tables.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio

from tests.chaos.ground import API, SITES, Ground
from tests.chaos.outage_table import Expected, tables
from tests.chaos.outages import away, half_open, mute, slow
from tests.chaos.probes import Answer, Probes
from tests.chaos.proxy import Proxy
from tests.chaos.test_outage_matrix import GRACE_SECONDS, judge
from tests.mailserver import Inbox, mail_server

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]
MAIL, RECEIVERS = tables()["Mail"], tables()["Receivers of webhooks"]
OUTAGE_SECONDS = 3.0
MANNERS = {"full": "refuses"}
"""How the receiver itself behaves; the others are out because of what is before them."""
DELIVERY = """
SELECT d.state, (SELECT count(*) FROM webhook_attempts a
                 WHERE a.delivery_id = d.id AND a.finished_at IS NOT NULL) AS ended
FROM webhook_deliveries d JOIN webhooks h ON h.id = d.webhook_id WHERE h.name = $1
"""
DOORS: dict[str, Callable[[Proxy], AbstractAsyncContextManager[None]]] = {
    "away": away,
    "frozen": mute,
    "half-open": half_open,
    "slow": slow,
}


class Outside:
    """A small fleet, a mail server behind a door, and requests to the fleet."""

    def __init__(self, ground: Ground, probes: Probes, inbox: Inbox, door: Proxy) -> None:
        self.ground, self.probes, self.inbox, self.mail_door = ground, probes, inbox, door

    @asynccontextmanager
    async def full_inbox(self) -> AsyncIterator[None]:
        self.inbox.answers[:] = ["452 4.3.1 Insufficient system storage"] * 100
        try:
            yield
        finally:
            self.inbox.answers.clear()

    async def user(self) -> str:
        """Somebody who can be sent mail."""
        email = f"{uuid4()}@example.com"
        body = {"email": email, "name": "Somebody", "password": "correct horse battery staple"}
        made = await self.probes.ask("POST", f"{API}/users", json=body)
        assert made.status == 201, made
        return email

    async def webhook(self, name: str, base: str) -> None:
        path = f"/{MANNERS.get(name, 'answers')}/{name}"
        body = {"name": name, "url": base + path, "events": ["content.published"]}
        made = await self.ground.client("webhooks").ask(
            "POST", f"{API}/webhooks", json=body, headers={"X-Site-ID": SITES[0]}
        )
        self.ground.receivers.secrets[path] = made.json["secret"]


@pytest_asyncio.fixture(scope="module")
async def outside(tmp_path_factory) -> AsyncIterator[Outside]:
    async with mail_server() as inbox:
        door = Proxy(inbox.address)
        await door.start()
        env = {"SMTP_URL": f"smtp://127.0.0.1:{door.port}"}
        size = {"webs": 1, "workers": 1, "envs": {"web-0": env, "worker-0": env}}
        home = tmp_path_factory.mktemp("outside")
        async with Ground.prepared(home, **size) as ground, aiohttp.ClientSession() as session:
            probes = Probes(ground, session, ground.fleet.webs[0])
            yield Outside(ground, probes, inbox, door)
        await door.stop()


async def within(condition: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if await condition():
            return True
        await asyncio.sleep(0.2)
    return False


@pytest.mark.parametrize("outage", list(MAIL))
async def test_a_mail_server_that_is_out_delays_mail_and_no_request(outside, outage):
    expected, email = MAIL[outage], await outside.user()
    async with outside.ground.engines.cache() as cache:
        await cache.flushall()  # requests for mails are counted

    async def arrived() -> bool:
        return any(mail["To"] == email for mail in outside.inbox.mails)

    made = outside.full_inbox() if outage == "full" else DOORS[outage](outside.mail_door)
    arrival = expected["the mail arrives"]
    async with made:
        answer = await outside.probes.ask("POST", f"{API}/auth/password-reset", json={"email": email}, is_public=True)
        assert judge("ask for a reset", expected["ask for a reset"], answer) == []
        if arrival.what == "during":
            assert await within(arrived, arrival.seconds + GRACE_SECONDS)
        else:
            await asyncio.sleep(OUTAGE_SECONDS)
            assert not await arrived()
    assert await within(arrived, arrival.seconds + GRACE_SECONDS)
    errors = await outside.ground.engines.fetch("SELECT last_error FROM jobs WHERE last_error IS NOT NULL")
    assert not any("Error" in row["last_error"] for row in errors), errors


async def test_receivers_that_are_out_delay_their_own_deliveries_alone(outside):
    async with AsyncExitStack() as stack:
        ends = {}
        for outage in RECEIVERS:
            base = outside.ground.receivers.base
            if outage in DOORS:
                door = Proxy(base.removeprefix("http://"))
                await door.start()
                stack.push_async_callback(door.stop)
                base = f"http://127.0.0.1:{door.port}"
                ends[outage] = await begun(DOORS[outage](door))
            await outside.webhook(outage, base)
        item = await outside.probes.create()
        assert judge("publish an item", RECEIVERS["away"]["publish an item"], published(item)) == []
        problems = await asyncio.gather(
            *(follow(outside, outage, RECEIVERS[outage], ends.get(outage)) for outage in RECEIVERS)
        )
    assert [problem for some in problems for problem in some] == []
    assert outside.ground.receivers.wrong == []


def published(answer: Answer) -> Answer:
    """Creating and publishing is one request here."""
    return Answer(200 if answer.status == 201 else answer.status, answer.code, answer.seconds, answer.text)


async def begun(outage: AbstractAsyncContextManager[None]) -> AsyncExitStack:
    stack = AsyncExitStack()
    await stack.enter_async_context(outage)
    return stack


async def follow(outside: Outside, outage: str, expected: dict[str, Expected], end: AsyncExitStack | None) -> list[str]:
    """Wait for the first attempt, end the outage, wait for the delivery."""

    async def attempted() -> bool:
        rows = await outside.ground.engines.fetch(DELIVERY, outage)
        return bool(rows) and rows[0]["ended"] > 0

    async def delivered() -> bool:
        rows = await outside.ground.engines.fetch(DELIVERY, outage)
        return bool(rows) and rows[0]["state"] == "delivered"

    problems, first, delivery = [], expected["the first attempt ends"], expected["the delivery"]
    if not await within(attempted, first.seconds + GRACE_SECONDS):
        problems.append(f"{outage}: the first attempt took longer than {first.seconds:g} s")
    if delivery.what == "during" and not await within(delivered, delivery.seconds + GRACE_SECONDS):
        problems.append(f"{outage}: not delivered during the outage")
    if end is not None:
        await end.aclose()
    else:
        outside.ground.receivers.are_well = True
    if not await within(delivered, delivery.seconds + GRACE_SECONDS):
        problems.append(f"{outage}: not delivered {delivery.seconds:g} s after the outage")
    return problems
