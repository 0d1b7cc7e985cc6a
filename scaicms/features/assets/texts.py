"""Titles and alternative texts of assets: one for each locale; and names of files as we keep them."""

import re
from collections.abc import Mapping

from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.sites import Site

MAX_FILENAME = 255
_NOT_KEPT = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def laid_over(
    old: Mapping[str, str], given: str | Mapping[str, str | None] | None, site: Site, locale: str, *, member: str
) -> dict[str, str]:
    """`given` over the texts that are there: one in the locale, or several by locale; None removes one.

    Raises:
        InvalidError: a locale that the site does not have.
    """
    wanted = given if isinstance(given, Mapping) else {locale: given}
    for code in wanted:
        if code not in site.locales:
            message = f"The site has {', '.join(site.locales)}."
            raise InvalidError(errors=[FieldError(f"/{member}/{code}", "unknown_locale", message)])
    return {code: text for code, text in {**old, **wanted}.items() if text is not None}


def kept_name(given: str) -> str:
    """What a file is called: without the folders of whoever sent it, and without what changes how it is read."""
    name = _NOT_KEPT.sub("", re.split(r"[/\\]", given)[-1]).encode("utf-8", "ignore").decode().strip(" .")
    return name[:MAX_FILENAME] or "upload"
