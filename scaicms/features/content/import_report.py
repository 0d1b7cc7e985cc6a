"""What an import tells about its rows."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from scaicms.features.content.reading.marks import Verdict

MAX_REPORTED = 1000
MAX_MESSAGE = 500
MAX_NAME = 200


@dataclass(slots=True)
class Report:
    """How an import stands. `problems` names every row that did not go in, or went in with a warning.

    Rows that became another locale of an item are `translated`; `updated` and `unchanged` are about what was there.
    """

    total: int = 0
    done: int = 0
    created: int = 0
    translated: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0
    problems: list[dict[str, Any]] = field(default_factory=list)
    problems_left_out: int = 0
    unmapped: dict[str, int] = field(default_factory=dict)
    unmapped_left_out: int = 0
    terms_made: int = 0
    ignored_files: int = 0
    drafts: int = 0
    """Rows that an import which publishes left as drafts, for what they say about their publication."""
    scheduled: int = 0
    """Rows that it publishes later, at the date that they state."""
    not_published: list[dict[str, Any]] = field(default_factory=list)
    """Which those are, and why."""
    not_published_left_out: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every row has been taken in, or was refused."""
        return 0 < self.total <= self.done

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def resumed(cls, progress: dict[str, Any] | None) -> "Report | None":
        """From where an earlier turn ended. Releases that did not join translations took rows in another order: what
        they began is begun anew, and finds unchanged what they have brought in."""
        return cls(**progress) if progress and "translated" in progress else None

    def copy(self) -> "Report":
        return replace(self, problems=[*self.problems], unmapped={**self.unmapped}, not_published=[*self.not_published])

    def problem(
        self,
        level: str,
        source: str,
        line: int,
        code: str,
        message: str,
        *,
        item: str | None = None,
        locale: str | None = None,
    ) -> None:
        """`item` is what joins the rows of one item, where the row could be read. Texts are cut: they quote the row."""
        if len(self.problems) >= MAX_REPORTED:
            self.problems_left_out += 1
            return
        names = {"source": source, "item": item, "locale": locale}
        about = {name: value and _short(value, MAX_NAME) for name, value in names.items()}
        self.problems.append(
            {"level": level, **about, "line": line, "code": code, "message": _short(message, MAX_MESSAGE)}
        )

    def hold_back(self, source: str, line: int, verdict: Verdict, *, item: str, locale: str) -> None:
        """Count and name a row that was not published at once."""
        if verdict.state == "schedule":
            self.scheduled += 1
        else:
            self.drafts += 1
        if len(self.not_published) >= MAX_REPORTED:
            self.not_published_left_out += 1
            return
        self.not_published.append(
            {
                "source": _short(source, MAX_NAME),
                "item": _short(item, MAX_NAME),
                "locale": _short(locale, MAX_NAME),
                "line": line,
                "state": "scheduled" if verdict.state == "schedule" else "draft",
                "publish_at": verdict.start.isoformat() if verdict.start is not None else None,
                "reason": _short(verdict.reason, MAX_MESSAGE),
            }
        )

    def not_mapped(self, names: Iterable[str]) -> None:
        """Count what no field takes, of up to so many different names."""
        for name in names:
            short = _short(name, MAX_NAME)
            if short in self.unmapped or len(self.unmapped) < MAX_REPORTED:
                self.unmapped[short] = self.unmapped.get(short, 0) + 1
            else:
                self.unmapped_left_out += 1


def _short(text: str, length: int) -> str:
    """Cut, and without NUL, which no JSON of the database can hold: what is wrong with a row may be just that."""
    text = text if len(text) <= length else f"{text[: length - 1]}…"
    return text.replace("\0", "\\0")
