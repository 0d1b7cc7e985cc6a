"""What was wrong with a run; nothing is what everybody wants to read."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Verdict:
    """Texts by kind, and how jobs have ended."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)

    @property
    def broken(self) -> list[str]:
        return [
            f"{kind}: {text}"
            for kind, texts in (("lost", self.lost), ("doubled", self.doubled), ("wrong", self.wrong))
            for text in texts
        ]
