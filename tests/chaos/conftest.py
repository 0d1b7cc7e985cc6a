"""How long and with which seeds: `pytest tests/chaos --chaos-minutes 10 --chaos-seeds 1,2,3`."""

import json

import pytest

SHORT_MINUTES = 1.5
SEEDS = "1"
# Start, settling and judging beside the faults themselves.
REST_SECONDS = 600
FIGURES = "chaos figures"


def pytest_addoption(parser):
    group = parser.getgroup("chaos")
    group.addoption("--chaos-minutes", type=float, default=SHORT_MINUTES, help="minutes of faults a seed")
    group.addoption("--chaos-seeds", default=SEEDS, help="seeds of the runs, by comma")
    group.addoption("--chaos-without", default="", help="faults to leave out, by comma")


def pytest_generate_tests(metafunc):
    if "chaos_seed" in metafunc.fixturenames:
        minutes = metafunc.config.getoption("chaos_minutes", SHORT_MINUTES)
        seeds = metafunc.config.getoption("chaos_seeds", SEEDS)
        limit = pytest.mark.timeout(minutes * 60 + REST_SECONDS)
        metafunc.parametrize("chaos_seed", [pytest.param(int(seed), marks=limit) for seed in seeds.split(",")])


@pytest.fixture
def chaos_minutes(request):
    return request.config.getoption("chaos_minutes", SHORT_MINUTES)


@pytest.fixture
def chaos_without(request):
    return frozenset(filter(None, request.config.getoption("chaos_without", "").split(",")))


@pytest.fixture
def keep_figures(record_property):
    """Shown at the end of the test run, whether anything failed or not, and whichever process ran the test."""
    return lambda figures: record_property(FIGURES, json.dumps(figures))


def pytest_terminal_summary(terminalreporter):
    reports = [report for some in terminalreporter.stats.values() for report in some]
    properties = [entry for report in reports for entry in getattr(report, "user_properties", ())]
    lines = list(dict.fromkeys(text for name, text in properties if name == FIGURES))
    if lines:
        terminalreporter.section("chaos")
    for line in lines:
        terminalreporter.write_line(line)
