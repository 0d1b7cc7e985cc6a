"""What was given to workers is done once: rows of imports, schedules, releases; files are where rows say."""

import random

from tests.chaos.client import Client
from tests.chaos.disk import SmallDisk
from tests.chaos.engines import Engines
from tests.chaos.fleet import Process
from tests.chaos.probes import command
from tests.chaos.publications import API, Publications
from tests.chaos.verdict import Verdict

SAMPLE = 20
OLD_SECONDS = 10 * 24 * 3600.0
"""Older than the grace period of the sweep."""

IMPORTS = "SELECT id::text, state, result, last_error FROM jobs WHERE name = 'content.import'"
PAGES = """
SELECT e.data->>'title' AS title, count(*) AS entries, count(d.id) AS documents, min(i.id::text) AS item
FROM entries e JOIN items i ON i.id = e.item_id JOIN content_types t ON t.id = i.type_id AND t.key = 'page'
LEFT JOIN documents d ON d.item_id = i.id AND d.data->>'title' = e.data->>'title' GROUP BY 1
"""
SCHEDULES = """
SELECT s.id::text, s.item_id::text AS item, s.state, s.error, s.release_id,
       (SELECT count(*) FROM events e WHERE e.aggregate_id = s.item_id AND e.type = 'content.published') AS published
FROM content_schedule s
"""
RELEASES = """
SELECT r.id::text, r.state, r.problems,
       (SELECT count(*) FROM events e
        WHERE e.aggregate_id = r.id AND e.type = 'content.release_published') AS published,
       (SELECT count(*) FROM content_release_items i JOIN documents d ON d.item_id = i.item_id
        WHERE i.release_id = r.id) AS documents,
       (SELECT count(*) FROM content_release_items i WHERE i.release_id = r.id) AS items
FROM content_releases r
"""
ASSETS = """
SELECT a.id::text, f.id::text AS file, f.status, f.problem, f.variants
FROM assets a JOIN asset_files f ON f.id = a.file_id
"""
KEYS = """
SELECT 'assets/' || f.id || '/' || name FROM asset_files f
CROSS JOIN LATERAL (SELECT 'original' AS name UNION SELECT v->>'name' FROM jsonb_array_elements(f.variants) v) names
"""


async def judge_publications(verdict: Verdict, engines: Engines, client: Client, record: Publications) -> None:
    verdict.wrong += record.wrong
    await _judge_imports(verdict, engines, record)
    await _judge_schedules(verdict, engines, record)
    await _judge_assets(verdict, engines, client, record)


async def _judge_imports(verdict: Verdict, engines: Engines, record: Publications) -> None:
    jobs = {row["id"]: row for row in await engines.fetch(IMPORTS)}
    pages = {row["title"]: row for row in await engines.fetch(PAGES)}
    for job_id, titles in record.imports.items():
        job = jobs.get(job_id)
        if job is None or job["state"] != "done":
            verdict.lost.append(f"import {job_id}: {dict(job) if job else None}")
            continue
        missing = [title for title in titles if title not in pages or not pages[title]["documents"]]
        if missing:
            verdict.lost.append(f"import {job_id}: {len(missing)} of {len(titles)} rows are not there: {missing[:3]}")
    for title, row in pages.items():
        if row["entries"] != 1 or row["documents"] > 1:
            verdict.doubled.append(f"{title} is there {row['entries']} times, published {row['documents']} times")


async def _judge_schedules(verdict: Verdict, engines: Engines, record: Publications) -> None:
    rows = {row["id"]: row for row in await engines.fetch(SCHEDULES)}
    for schedule_id in record.schedules:
        if schedule_id not in rows:
            verdict.lost.append(f"schedule {schedule_id} is not there")
    # Also those whose acknowledgement was lost.
    for row in rows.values():
        if row["state"] != "done" or row["published"] == 0:
            verdict.lost.append(f"a schedule that is not done: {dict(row)}")
        elif row["published"] > 1:
            verdict.doubled.append(f"a schedule that was done more than once: {dict(row)}")
    releases = {row["id"]: row for row in await engines.fetch(RELEASES)}
    verdict.lost += [f"release {id_} is not there" for id_ in record.releases if id_ not in releases]
    for row in releases.values():
        if row["state"] != "done" or row["documents"] != row["items"]:
            verdict.lost.append(f"a release that is not done: {dict(row)}")
        elif row["published"] != 1:
            verdict.doubled.append(f"a release that was done more than once: {dict(row)}")


async def _judge_assets(verdict: Verdict, engines: Engines, client: Client, record: Publications) -> None:
    rows = {row["id"]: row for row in await engines.fetch(ASSETS)}
    for asset_id in record.assets:
        row = rows.get(asset_id)
        if row is None or row["status"] != "ready":
            verdict.lost.append(f"asset {asset_id}: {dict(row) if row else None}")
    chosen = random.Random(len(rows)).sample(sorted(record.assets), min(SAMPLE, len(record.assets)))
    for asset_id in chosen:
        site, content = record.assets[asset_id]
        answer = await client.download(f"{API}/assets/{asset_id}/file", headers={"X-Site-ID": site})
        if answer != content:
            verdict.lost.append(f"asset {asset_id} does not give back its bytes")


async def judge_files(verdict: Verdict, engines: Engines, disk: SmallDisk, web: Process) -> list[str]:
    """Every row has its bytes, and the sweep removes all bytes that no row has: the keys of these."""
    keys = {row[0] for row in await engines.fetch(KEYS)}
    stored = set(disk.files())
    verdict.lost += [f"no bytes are stored under {key}" for key in sorted(keys - stored)]
    if stray := sorted(stored - keys):
        disk.age(stray, OLD_SECONDS)
        swept = await command(web, "storage", "sweep")
        left = sorted(set(disk.files()) - keys)
        verdict.wrong += [f"bytes that no row has, after the sweep ({swept.text[-200:]}): {key}" for key in left]
        lost = sorted(keys - set(disk.files()))
        verdict.lost += [f"the sweep has removed {key}, which a row has" for key in lost]
    return stray
