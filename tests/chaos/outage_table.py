"""The tables of `docs/operations/outages.md`: what is expected is what operators read."""

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "operations" / "outages.md"
_HEADING = re.compile(r"^## (.+)$")


@dataclass(frozen=True)
class Expected:
    """`what` without its time: `503 unavailable`, `goes on`, `exit 1`. `seconds` bound it."""

    what: str
    seconds: float

    @property
    def answers(self) -> set[tuple[int, str]]:
        """Status and code of each answer that is right: `201 or 507 storage_full` are two."""
        parts = (answer.partition(" ") for answer in self.what.split(" or "))
        return {(int(status), code) for status, _, code in parts}


def tables(page: Path = PAGE) -> dict[str, dict[str, dict[str, Expected]]]:
    """Heading → outage → row → cell."""
    found: dict[str, dict[str, dict[str, Expected]]] = {}
    heading, columns = "", []
    for line in page.read_text(encoding="utf-8").splitlines():
        if match := _HEADING.match(line):
            heading, columns = match[1], []
        if not heading or not line.startswith("|") or set(line) <= set("|-"):
            continue
        cells = [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
        if not columns:
            columns = cells[1:]
            continue
        for outage, cell in zip(columns, cells[1:], strict=True):
            found.setdefault(heading, {}).setdefault(outage, {})[cells[0]] = _expected(cell)
    return found


def _expected(cell: str) -> Expected:
    what, _, seconds = cell.removesuffix(" s").rpartition(" ")
    return Expected(what.rstrip(","), float(seconds))
