"""Every lock in the code is in the table that says what happens when its holder vanishes."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = re.compile(
    r"pg_(?:try_)?advisory_(?:xact_)?lock|FOR (?:NO KEY )?UPDATE\b|FOR (?:KEY )?SHARE\b|LOCK TABLE"
    r"|select_for_update|fcntl\.flock|nx=True|\bSETNX\b",
    re.IGNORECASE,
)
ENTRY = re.compile(r"^\| `([\w/]+\.(?:py|sql))` (\d+) \|", re.MULTILINE)


def in_code():
    package = ROOT / "scaicms"
    sources = [*package.rglob("*.py"), *package.rglob("*.sql")]
    found = {path.relative_to(package).as_posix(): len(LOCK.findall(path.read_text())) for path in sources}
    return {name: number for name, number in found.items() if number}


def test_every_lock_is_in_the_table_of_locks():
    table = (ROOT / "docs" / "operations" / "locks.md").read_text(encoding="utf-8")
    assert {name: int(number) for name, number in ENTRY.findall(table)} == in_code()
