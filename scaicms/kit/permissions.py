"""What can be permitted: `resource:action`, declared by the feature that checks it."""

from dataclasses import dataclass
from typing import Literal

Bound = Literal["content_types", "locales", "fields", "own_only"]
BOUNDS: tuple[Bound, ...] = ("content_types", "locales", "fields", "own_only")


@dataclass(frozen=True, slots=True)
class Permission:
    """One permission. `scope` says whether it is held for the whole installation or site by site; `bounds` by what
    a grant of it can be narrowed. A bound is declared where a service enforces it, and nowhere else."""

    code: str
    description: str
    scope: Literal["global", "site"] = "site"
    bounds: tuple[Bound, ...] = ()

    @property
    def resource(self) -> str:
        return self.code.partition(":")[0]

    @property
    def action(self) -> str:
        return self.code.partition(":")[2]
