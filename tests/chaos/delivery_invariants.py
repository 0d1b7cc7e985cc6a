"""Deliveries and the feed: each event at every webhook that asks for it, and in the feed once, in order."""

import asyncio
from urllib.parse import urlsplit

from scaicms.features.webhooks import leaving
from tests.chaos.client import Client
from tests.chaos.engines import Engines
from tests.chaos.feed_reader import FeedReader
from tests.chaos.receivers import Receivers
from tests.chaos.verdict import Verdict

API = "/api/v1"
SEALED_SECONDS = 30.0

# Written in the statement that writes the event: nothing is late here, only missing.
MISSING = """
SELECT h.name, e.id, e.type FROM webhooks h JOIN events e ON e.site_id = h.site_id
WHERE e.seq > $1 AND e.type = ANY($2) AND (h.content_types IS NULL OR e.payload->>'content_type' IS NULL
       OR e.payload->>'content_type' = ANY(h.content_types))
  AND h.events && ARRAY[e.type::text, split_part(e.type, '.', 1) || '.*', '*']
  AND NOT EXISTS (SELECT FROM webhook_deliveries d WHERE d.webhook_id = h.id AND d.event_id = e.id)
"""
DELIVERIES = """
SELECT d.event_id::text AS event, d.event_type, d.state, d.reason, d.attempts, h.url,
       count(a.id) AS written, count(a.status) AS answered
FROM webhook_deliveries d JOIN webhooks h ON h.id = d.webhook_id LEFT JOIN webhook_attempts a ON a.delivery_id = d.id
GROUP BY d.id, h.url
"""
FEED = """
SELECT e.id::text FROM events e JOIN sites s ON s.id = e.site_id
WHERE s.key = $1 AND e.type = ANY($2) ORDER BY e.position NULLS LAST
"""
UNSEALED = "SELECT count(*) FROM events WHERE hash IS NULL"


async def judge_deliveries(verdict: Verdict, engines: Engines, receivers: Receivers, since: int) -> int:
    """Compare events, ledger and what receivers got; the number of deliveries. `since`: the last event (`seq`) before
    the webhooks were there."""
    verdict.wrong += receivers.wrong
    for row in await engines.fetch(MISSING, since, list(leaving.leaving())):
        verdict.lost.append(f"there is no delivery of {dict(row)}")
    rows = await engines.fetch(DELIVERIES)
    for row in rows:
        came = receivers.requests[urlsplit(row["url"]).path][row["event"]]
        if row["state"] != "delivered" or came == 0:
            verdict.lost.append(f"came {came} times: delivery {dict(row)}")
        # An attempt is written down before it is sent, and its answer after it has come.
        if not row["answered"] <= came <= row["written"]:
            kind = verdict.doubled if came > row["written"] else verdict.lost
            kind.append(f"came {came} times, which the ledger does not say: delivery {dict(row)}")
    return len(rows)


async def judge_feed(verdict: Verdict, engines: Engines, readers: list[FeedReader]) -> None:
    """What was read all along is what is there now, in the order of the log, nothing twice and nothing left out."""
    deadline = asyncio.get_running_loop().time() + SEALED_SECONDS
    while True:
        for reader in readers:
            await reader.read()
        unsealed = await engines.fetchval(UNSEALED)
        if not unsealed or asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(0.5)
    if unsealed:
        verdict.wrong.append(f"{unsealed} events have no place in the feed {SEALED_SECONDS:g} s after the end")
    for reader in readers:
        stored = [row["id"] for row in await engines.fetch(FEED, reader.site, list(leaving.leaving()))]
        if len(set(reader.seen)) < len(reader.seen):
            verdict.doubled.append(f"the feed of {reader.site} has events twice")
        if missing := set(stored) - set(reader.seen):
            verdict.lost.append(f"the feed of {reader.site} left out {len(missing)} events: {sorted(missing)[:5]}")
        elif stored != reader.seen:
            verdict.wrong.append(f"the feed of {reader.site} came in another order than the log has")


async def judge_audit(verdict: Verdict, client: Client) -> None:
    answer = await client.ask("GET", f"{API}/users/audit/verify")
    if answer.status != 200 or not answer.json["intact"]:
        verdict.wrong.append(f"the audit log does not verify: {answer}")
