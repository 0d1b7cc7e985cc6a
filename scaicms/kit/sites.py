"""The site that a request is about, as every layer passes it on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)

    def chain(self, locale: str) -> tuple[str, ...]:
        """Where a text is looked for: in the locale, in those it falls back to, nearest first, then in those that these
        fall back to, each once however they refer to each other; at last in the site's default."""
        found = [locale]
        for near in found:
            found += [code for code in dict.fromkeys(self.fallbacks.get(near, ())) if code not in found]
        return tuple(dict.fromkeys((*found, self.default_locale)))
