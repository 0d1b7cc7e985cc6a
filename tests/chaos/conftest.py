"""How long and with which seeds: `pytest tests/chaos --chaos-minutes 10 --chaos-seeds 1,2,3`."""

import json

import pytest

SHORT_MINUTES = 1.5
SEEDS = "1"
# Start, settling and judging beside the faults themselves.
REST_SECONDS = 600
_figures: list[dict[str, object]] = []


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
def keep_figures():
    """Shown at the end of the test run, whether anything failed or not."""
    return _figures.append


def pytest_terminal_summary(terminalreporter):
    if _figures:
        terminalreporter.section("chaos")
    for figures in _figures:
        terminalreporter.write_line(json.dumps(figures))
