"""Slugs: the part of a URL that names one item."""

from __future__ import annotations

from slugify import slugify as _transliterate

MAX_LENGTH = 200


def slugify(text: str) -> str:
    """Turn any text into a slug of lower-case ASCII letters, digits and single hyphens.

    At most `MAX_LENGTH` characters, never with a hyphen at either end. Other scripts are
    transliterated ("Émile" gives "emile"). Empty when the text has no letter or digit.
    """
    # The modern pipeline cuts last, so the length is that of the result. The backend is named because
    # the automatic one changes with what else happens to be installed, and slugs must not.
    return _transliterate(text, max_length=MAX_LENGTH, algorithm="modern", backend="text-unidecode")


def numbered(slug: str, number: int) -> str:
    """Append `-number`, shortening the slug where it would pass `MAX_LENGTH`."""
    suffix = f"-{number}"
    return slug[: MAX_LENGTH - len(suffix)].rstrip("-") + suffix
