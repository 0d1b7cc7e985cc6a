"""Names of terms: one for each locale of a localized taxonomy, else one alone."""

import re
from collections.abc import Mapping, Sequence

from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.sites import Site


def name_in(names: Mapping[str, str], chain: Sequence[str]) -> str:
    """The name in the first locale of the chain that has one, else in any."""
    return next((names[locale] for locale in chain if locale in names), None) or next(iter(names.values()), "")


def alike(name: str) -> str:
    """The same for names that differ in case and separators alone."""
    return re.sub(r"[\s_-]+", "-", name.lower())


def laid_over(
    old: Mapping[str, str],
    given: str | Mapping[str, str | None],
    site: Site,
    *,
    localized: bool,
    locale: str,
) -> dict[str, str]:
    """`given` over the names that are there.

    Raises:
        InvalidError: a locale that the site does not have, names by locale where there is only one, or none left.
    """
    if not localized:
        if not isinstance(given, str):
            raise _wrong("", "not_localized", "This taxonomy is not localized; give one name.")
        return {site.default_locale: given}
    wanted = {locale: given} if isinstance(given, str) else given
    for code in wanted:
        if code not in site.locales:
            raise _wrong(f"/{code}", "unknown_locale", f"The site has {', '.join(site.locales)}.")
    names = {code: name for code, name in {**old, **wanted}.items() if name is not None}
    if not names:
        raise _wrong("", "required", "A term has a name in one locale at least.")
    return names


def _wrong(pointer: str, code: str, message: str) -> InvalidError:
    return InvalidError(errors=[FieldError(f"/name{pointer}", code, message)])
