"""Slots of a worker: a job that only waits for an answer from outside gives its slot to another job meanwhile."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator

MAX_OUTSIDE = 250
"""Jobs of one queue in one process that may wait without a slot; those beyond keep theirs."""


class Slots:
    """Which running jobs of a process use no slot at the moment."""

    def __init__(self) -> None:
        self._outside: Counter[str] = Counter()
        self._freed: dict[str, Callable[[], None]] = {}

    def watch(self, queue: str, freed: Callable[[], None]) -> None:
        """Call `freed` whenever a job of the queue gives its slot away."""
        self._freed[queue] = freed

    def outside(self, queue: str) -> int:
        """How many running jobs of the queue use no slot."""
        return self._outside[queue]

    @contextlib.contextmanager
    def given_away(self, queue: str) -> Iterator[None]:
        """The caller's job needs no slot within this context. It does not wait for one afterwards."""
        if self._outside[queue] >= MAX_OUTSIDE:
            yield
            return
        self._outside[queue] += 1
        if queue in self._freed:
            self._freed[queue]()
        try:
            yield
        finally:
            self._outside[queue] -= 1
