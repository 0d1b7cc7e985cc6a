"""Locales of a site."""

from scaicms.kit.errors import BadRequestError, FieldError, InvalidError
from scaicms.kit.sites import Site


def known_locale(site: Site, locale: str | None) -> str:
    """`locale` if the site has it, the site's default if None is given."""
    if locale is None:
        return site.default_locale
    if locale not in site.locales:
        known = ", ".join(site.locales)
        wrong = FieldError("/locale", "unknown_locale", f"The site has {known}.")
        raise InvalidError(f"The site {site.key} has no locale {locale!r}.", errors=[wrong])
    return locale


def locales_asked(site: Site, locale: str | None, fallback: str | None) -> tuple[str, ...]:
    """Where a document is looked for, in this order: in the locale, then in those that `fallback` says: `default`,
    which are those of the site, `none`, or some by name.

    Raises:
        BadRequestError: the site has no such locale.
    """
    first = known_locale(site, locale)
    if fallback in (None, "none"):
        return (first,)
    if fallback == "default":
        return site.chain(first)
    named = fallback.split(",")
    unknown = [name for name in named if name not in site.locales]
    if unknown:
        raise BadRequestError(
            f"fallback is default, none or locales of the site ({', '.join(site.locales)}), not {', '.join(unknown)}.",
            code="unknown_locale",
        )
    return tuple(dict.fromkeys((first, *named)))
