"""What must hold when the faults are over: the acknowledged is stored, each effect is there once, nothing waits."""

import json
import random
from collections.abc import Iterator

from asyncpg import Record as Row

from tests.chaos.client import Client, Seen
from tests.chaos.engines import Engines
from tests.chaos.verdict import Verdict
from tests.chaos.work import TICK_SECONDS
from tests.chaos.workload import API, WORD, Item, Record

# How a job may end, and with how many effects. None: each of its steps once.
OUTCOMES: dict[str, dict[str, int | None]] = {
    "chaos.effect": {"done": 1},
    "chaos.flaky": {"done": 1},
    "chaos.novel": {"done": 1},
    "chaos.tick": {"done": 1},
    "chaos.steps": {"done": None},
    "chaos.stopped": {"done": None},
    "chaos.poison": {"quarantined": 0},
    "chaos.greedy": {"dead": 0, "quarantined": 0},
    "chaos.blocking": {"done": 1, "quarantined": 0},
}
SAMPLE = 40

ITEMS = """
SELECT i.id, s.key AS site, i.deleted_at IS NOT NULL AS deleted, e.data->>'title' AS draft, e.data->>'origin' AS origin,
       e.version, e.published_version, d.data->>'title' AS published, convert_from(d.body, 'UTF8')::jsonb AS body
FROM items i JOIN sites s ON s.id = i.site_id JOIN entries e ON e.item_id = i.id
JOIN content_types t ON t.id = i.type_id AND t.key = 'note'
LEFT JOIN documents d ON d.item_id = i.id AND d.locale = e.locale
"""
INDEX = """
SELECT coalesce(d.item_id, w.item_id) AS item_id, d.version AS document, w.version AS indexed, w.title,
       d.data->>'title' AS words
FROM documents d FULL JOIN search_documents w ON w.item_id = d.item_id AND w.locale = d.locale
WHERE d.version IS DISTINCT FROM w.version OR d.data->>'title' IS DISTINCT FROM w.title
"""
JOBS = """
SELECT j.id, j.name, j.state, j.payload, j.lost_leases, j.attempts, j.fence, j.last_error, j.run_at,
       array(SELECT step FROM chaos_effects f WHERE f.job_id = j.id ORDER BY step) AS steps,
       (SELECT min(at) FROM chaos_effects f WHERE f.job_id = j.id) AS began
FROM jobs j
WHERE NOT (j.name = 'chaos.tick' AND j.state = 'pending' AND j.created_at > now() - interval '15 seconds')
"""
TICKS = f"""
SELECT count(*), 1 + floor(extract(epoch FROM max(created_at) - min(created_at)) / {TICK_SECONDS} + 0.9)
FROM jobs WHERE name = 'chaos.tick'
"""
STRAY = "SELECT job_id FROM chaos_effects f WHERE NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = f.job_id)"


async def judge(engines: Engines, client: Client, record: Record, seen: Seen) -> Verdict:
    """Ask the database, and then the API, whether everything is as it was acknowledged."""
    verdict = Verdict()
    verdict.wrong += [*record.wrong, *seen.broken]
    _judge_items(verdict, record, await engines.fetch(ITEMS))
    for row in await engines.fetch(INDEX):
        verdict.lost.append(f"the index and the documents differ: {dict(row)}")
    _judge_jobs(verdict, record, await engines.fetch(JOBS))
    ticks, periods = (await engines.fetch(TICKS))[0]
    if not 0 < ticks <= periods:
        verdict.doubled.append(f"periodic work was promised {ticks} times in {periods} periods")
    for row in await engines.fetch(STRAY):
        verdict.wrong.append(f"an effect of job {row['job_id']}, which is not in the ledger")
    await _judge_delivery(verdict, client, record)
    return verdict


def _judge_items(verdict: Verdict, record: Record, rows: list[Row]) -> None:
    stored = {str(row["id"]): row for row in rows}
    for item in record.items:
        row = stored.pop(item.id, None)
        if row is None:
            verdict.lost.append(f"{item} is not stored")
        else:
            verdict.lost += [f"{item} is stored with {difference}" for difference in _differences(item, row)]
    # Every creation was asked for until it was acknowledged: what else is there was made by a retry.
    verdict.doubled += [f"nobody was told of item {dict(row)}" for row in stored.values()]


def _differences(item: Item, row: Row) -> Iterator[str]:
    expected = (item.deleted, item.draft, item.published, item.site, item.version)
    found = (row["deleted"], row["draft"], row["published"], row["site"], row["version"])
    if expected != found:
        yield f"(deleted, draft, published, site, version) = {found}"
    if (row["published_version"] is not None) != (item.published is not None):
        yield f"published_version = {row['published_version']}"
    if item.published is not None:
        body = json.loads(row["body"]) if row["body"] is not None else {}
        if body.get("data", {}).get("title") != item.published or body.get("status") != "published":
            yield f"the document {body}"


def _judge_jobs(verdict: Verdict, record: Record, rows: list[Row]) -> None:
    by_id = {str(row["id"]): row for row in rows}
    for job, name in record.jobs.items():
        if job not in by_id:
            verdict.lost.append(f"{name} {job} is not in the ledger")
    for row in rows:
        verdict.states[f"{row['name']} {row['state']}"] += 1
        kind, text = _outcome(row, str(row["id"]) in record.cancelled)
        if kind:
            getattr(verdict, kind).append(f"{text}: {dict(row)}")
        payload = json.loads(row["payload"])
        if row["name"].startswith("chaos.") and row["began"] is not None and row["began"].timestamp() < payload["due"]:
            verdict.wrong.append(f"begun before its time: {dict(row)}")


def _outcome(row: Row, cancelled: bool) -> tuple[str, str]:
    """What is wrong with the end of a job, as a list of the verdict and a text; empty when nothing is."""
    name, state, steps = row["name"], row["state"], list(row["steps"])
    if len(set(steps)) < len(steps):
        return "doubled", "an effect is there more than once"
    if cancelled:
        return ("", "") if state == "cancelled" else ("wrong", "was to be cancelled")
    outcomes = OUTCOMES.get(name, {"done": 0})
    if state not in outcomes:
        return ("lost" if "done" in outcomes else "wrong"), f"ended as {state}"
    expected = outcomes[state] if outcomes[state] is not None else json.loads(row["payload"])["steps"]
    if len(steps) != expected:
        return ("lost" if len(steps) < expected else "doubled"), f"has {len(steps)} effects, not {expected}"
    return "", ""


async def _judge_delivery(verdict: Verdict, client: Client, record: Record) -> None:
    for site in sorted({item.site for item in record.items}):
        headers = {"X-Site-ID": site}
        items = [item for item in record.items if item.site == site]
        published = [item for item in items if item.published is not None]
        found = await client.ask("GET", f"{API}/search?q={WORD}&page_size=1", headers=headers)
        if found.json["total"] != len(published):
            verdict.lost.append(f"{found.json['total']} items of {site} are found, {len(published)} are published")
        listed = await client.ask("GET", f"{API}/content?type=note&page_size=1", headers=headers)
        if listed.json["total"] != len(published):
            verdict.lost.append(f"{listed.json['total']} items of {site} are listed, {len(published)} are published")
        for item in random.Random(len(items)).sample(items, min(SAMPLE, len(items))):
            await _judge_one(verdict, client, item)


async def _judge_one(verdict: Verdict, client: Client, item: Item) -> None:
    headers = {"X-Site-ID": item.site}
    got = await client.ask("GET", f"{API}/content/{item.id}?status=published", headers=headers)
    title = got.json["data"]["title"] if got.status == 200 else None
    if title != item.published:
        verdict.lost.append(f"{item} is delivered as {title}")
    if item.published is not None:
        found = await client.ask("GET", f"{API}/search?q={item.published}", headers=headers)
        if [hit["id"] for hit in found.json["items"]] != [item.id]:
            verdict.lost.append(f"{item} is found as {found.json['items']}")
