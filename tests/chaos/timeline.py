"""What happened when: printed when an invariant fails, so that a run can be understood and done again."""

import time
from datetime import UTC, datetime
from pathlib import Path


class Timeline:
    """Lines with the second of the run they belong to, and the time of day that the processes' logs have."""

    def __init__(self, file: Path) -> None:
        self._began = time.monotonic()
        self._file = file
        self.lines: list[str] = []

    @property
    def now(self) -> float:
        return time.monotonic() - self._began

    def note(self, text: str) -> None:
        line = f"{self.now:7.2f} s  {datetime.now(UTC):%H:%M:%S.%f}  {text}"
        self.lines.append(line)
        with self._file.open("a") as file:
            file.write(line + "\n")

    def __str__(self) -> str:
        return "\n".join(self.lines)
