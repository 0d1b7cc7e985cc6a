"""One run: start everything, let people work while things break, let it come to rest, judge."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.client import NoAnswerError
from tests.chaos.crowd import Crowd
from tests.chaos.delivery_invariants import judge_audit, judge_deliveries, judge_feed
from tests.chaos.faults import Faults
from tests.chaos.ground import API, SITES, Ground
from tests.chaos.invariants import judge
from tests.chaos.lease_invariants import judge_leases
from tests.chaos.publication_invariants import judge_files, judge_publications
from tests.chaos.settling import deliver, settle
from tests.chaos.timeline import Timeline
from tests.chaos.verdict import Verdict

ANSWER_SECONDS = 60.0
LONG_MINUTES = 3.0

ASIDE = "SELECT id, name FROM jobs WHERE state = 'quarantined' AND name <> ALL($1)"
KILLERS = ["chaos.poison", "chaos.greedy", "chaos.blocking"]


@dataclass
class Outcome:
    """A run that is over."""

    seed: int
    verdict: Verdict
    figures: dict[str, Any]
    timeline: Timeline

    def report(self) -> str:
        again = f"pytest tests/chaos --chaos-seeds {self.seed} --chaos-minutes {self.figures['minutes']}"
        broken = "\n".join(self.verdict.broken[:50])
        return f"{broken}\n\n{self.timeline}\n\n{json.dumps(self.figures)}\nAgain: {again}"


async def run(
    home: Path,
    *,
    seed: int,
    minutes: float,
    without: frozenset[str] = frozenset(),
    webs: int = 2,
    workers: int = 3,
) -> Outcome:
    """A whole run of this length, `without` some kinds of faults; the judgement is the caller's to act on."""
    async with Ground.prepared(home, webs=webs, workers=workers, novel=False) as ground:
        await ground.add_webhooks()
        crowd = Crowd(ground, seed, rows=100 if minutes < LONG_MINUTES else 400)
        faults = Faults(
            ground.engines,
            ground.fleet,
            crowd.promiser,
            ground.disk,
            ground.timeline,
            seed=seed,
            seconds=minutes * 60,
            without=without,
        )
        stuck = await _drive(ground, crowd, faults)
        late = await settle(ground)
        aside = await _replay(ground)
        await ground.rest()
        await deliver(ground, late)  # what the retried jobs have made
        record = crowd.record
        verdict = await judge(ground.engines, ground.client("judge"), record, ground.seen)
        more = await _judge_more(ground, crowd, verdict)
        verdict.wrong += [*stuck, *late.problems]
        figures = _figures(ground, crowd, faults, verdict)
        figures |= more | late.figures
        figures |= {"seed": seed, "minutes": minutes, "set_aside_and_replayed": aside}
        (home / "acknowledged.jsonl").write_text("\n".join(json.dumps(line) for line in record.lines))
        return Outcome(seed, verdict, figures, ground.timeline)


async def _drive(ground: Ground, crowd: Crowd, faults: Faults) -> list[str]:
    """Everybody works while things break; then everybody finishes what they have begun."""
    stop = asyncio.Event()
    working = [asyncio.create_task(work(stop)) for work in crowd.works]
    await faults.run()
    ground.receivers.are_well = True
    ground.timeline.note("calm")
    stop.set()
    deadline = asyncio.get_running_loop().time() + ANSWER_SECONDS
    for client in crowd.clients:
        client.deadline = deadline
    ended = await asyncio.gather(*working, return_exceptions=True)
    for error in ended:
        if isinstance(error, BaseException) and not isinstance(error, NoAnswerError):
            raise error
    return [f"no answer within {ANSWER_SECONDS:g} s of calm: {error}" for error in ended if error is not None]


async def _replay(ground: Ground) -> int:
    """Jobs that were set aside because their workers were killed under them three times: an operator retries them."""
    client = ground.client("operator")
    rows = await ground.engines.fetch(ASIDE, KILLERS)
    for row in rows:
        answer = await client.ask("POST", f"{API}/search/jobs/{row['id']}/retry", headers={"X-Site-ID": SITES[0]})
        ground.timeline.note(f"retried {row['name']} {row['id']}: {answer.status}")
    return len(rows)


async def _judge_more(ground: Ground, crowd: Crowd, verdict: Verdict) -> dict[str, Any]:
    """Deliveries, feed, audit log, work of workers, leases, files."""
    engines, client = ground.engines, ground.client("judge")
    await judge_publications(verdict, engines, client, crowd.publications)
    deliveries = await judge_deliveries(verdict, engines, ground.receivers, ground.first_event)
    await judge_feed(verdict, engines, crowd.readers)
    await judge_audit(verdict, client)
    leases = await judge_leases(verdict, engines, ground.fleet.unwell)
    stray = await judge_files(verdict, engines, ground.disk, ground.fleet.webs[0])
    ground.timeline.note(f"bytes without rows: {stray}")
    return {
        "deliveries": deliveries,
        "requests": sum(sum(events.values()) for events in ground.receivers.requests.values()),
        "feed_events": sum(len(reader.seen) for reader in crowd.readers),
        "imported_rows": sum(map(len, crowd.publications.imports.values())),
        "schedules": len(crowd.publications.schedules),
        "releases": len(crowd.publications.releases),
        "assets": len(crowd.publications.assets),
        "leases_lost": leases,
        "stray_files": len(stray),
    }


def _figures(ground: Ground, crowd: Crowd, faults: Faults, verdict: Verdict) -> dict[str, Any]:
    record = crowd.record
    return {
        "acknowledged_writes": sum(record.writes.values()),
        "acknowledged_jobs": len(record.jobs),
        "jobs": sum(verdict.states.values()),
        "faults": faults.count,
        "lost": len(verdict.lost),
        "doubled": len(verdict.doubled),
        "wrong": len(verdict.wrong),
        "unclear_answers": ground.seen.unclear,
        "answered_when_repeated": ground.seen.repeated,
        "statuses": dict(sorted(ground.seen.statuses.items())),
        "kinds": faults.kinds,
        "states": dict(sorted(verdict.states.items())),
    }
