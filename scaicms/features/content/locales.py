"""In which locales of a site a document is looked for."""

from scaicms.kit.errors import BadRequestError
from scaicms.kit.locales import known_locale
from scaicms.kit.sites import Site


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
