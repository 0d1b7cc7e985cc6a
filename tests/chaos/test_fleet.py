"""A fleet of real processes under faults that a seed has chosen: nothing is lost, nothing is done twice."""

import pytest

from tests.chaos.run import run

pytestmark = pytest.mark.chaos


async def test_a_fleet_under_faults_loses_nothing_and_doubles_nothing(
    tmp_path, chaos_seed, chaos_minutes, chaos_without, keep_figures
):
    outcome = await run(tmp_path, seed=chaos_seed, minutes=chaos_minutes, without=chaos_without)
    keep_figures(outcome.figures)
    assert outcome.figures["acknowledged_writes"] > 20, outcome.report()
    if outcome.verdict.broken:
        pytest.fail(outcome.report(), pytrace=False)
