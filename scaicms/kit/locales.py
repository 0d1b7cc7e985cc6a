"""Locales of a site."""

from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.sites import Site


def known_locale(site: Site, locale: str | None) -> str:
    """`locale` if the site has it, the site's default if None is given.

    Raises:
        InvalidError: the site has no such locale.
    """
    if locale is None:
        return site.default_locale
    if locale not in site.locales:
        wrong = FieldError("/locale", "unknown_locale", f"The site has {', '.join(site.locales)}.")
        raise InvalidError(f"The site {site.key} has no locale {locale!r}.", errors=[wrong])
    return locale
