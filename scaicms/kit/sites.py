"""The site that a request is about, as every layer passes it on."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Site:
    """Identity and locales of one site. `key` is its short name in `X-Site-ID`."""

    id: UUID
    key: str
    name: str
    default_locale: str
    locales: tuple[str, ...]
    public_role: str = "public"
    title: str = ""
    description: str = ""
