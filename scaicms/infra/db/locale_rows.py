"""What is stored by locale, as features declare it: whoever takes a locale away from a site asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LocaleRows:
    """Rows of one feature that belong to a locale of a site."""

    hold: str
    """Statement that waits for who writes such rows of the site $1 and keeps others out until the transaction ends. Who
    waited for it looks anew which locales the site has."""
    used: str
    """SQL: `locale`, `what` and `number` of what the site $1 has in the locales $2."""
    advice: Mapping[str, str]
    """What there can be → what to do with `{number}` of it in `{locale}` first."""
    lacking: str | None = None
    """SQL: how many things of the site $1 are missing where nobody names a locale, once $2 is the default."""
