"""What features contribute to explaining authority.

`permissions` has the lowest rank and knows neither people, keys nor content. It asks who contributed: a feature's
manifest names the kinds of callers (`subjects`) and of things (`targets`) that the feature can tell about.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from scaicms.infra.services import Services
from scaicms.kit.principal import Rule


@dataclass(frozen=True, slots=True)
class HeldRule:
    """One rule that somebody holds, with the role it comes from and the group that gave the role."""

    rule: Rule
    role: str
    group_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """A caller whose rights are asked about. `barred` says why it can do nothing at all, whatever it holds; `owner_id`
    is whom "own" means; `limits` are sentences about what cuts down what its creator holds."""

    kind: str
    id: UUID | None
    owner_id: UUID | None
    held: tuple[HeldRule, ...]
    barred: str | None = None
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """What a grant can be narrowed by, of one thing."""

    content_type: str
    locale: str | None
    created_by: UUID | None


SubjectFinder = Callable[[Services, UUID | None, UUID | None], Awaitable[Subject | None]]
"""The caller with an id, as it stands at a site (or anywhere); None where there is none."""
TargetFinder = Callable[[Services, UUID, UUID, str | None], Awaitable[TargetFacts | None]]
"""The thing with an id, at a site, in a locale; None where there is none."""
