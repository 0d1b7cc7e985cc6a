"""What can be permitted: `resource:action`, declared by the feature that checks it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Permission:
    """One permission. `scope` says whether it is held for the whole installation or site by site."""

    code: str
    description: str
    scope: Literal["global", "site"] = "site"

    @property
    def resource(self) -> str:
        return self.code.partition(":")[0]

    @property
    def action(self) -> str:
        return self.code.partition(":")[2]
