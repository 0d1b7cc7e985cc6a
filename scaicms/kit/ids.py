"""Identifiers: UUID version 7 (RFC 9562 §5.7), so that keys made later sort later and indexes stay dense."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A fresh UUIDv7."""
    return uuid7()


MAX_KEY_CHARACTERS = 63


def is_key(text: str) -> bool:
    """Whether `text` could be the key of anything; what could not need not be looked up."""
    return 0 < len(text) <= MAX_KEY_CHARACTERS and "\0" not in text and text.isascii()


def parse_id(text: str) -> UUID | None:
    """The UUID that `text` is in its canonical form, or None: a key, a slug or garbage is no id.

    Only the 36-character lower- or upper-case form of RFC 9562 §4 is taken; `UUID()` alone would also
    admit braces, `urn:` and missing hyphens, that is, other names of the same thing.
    """
    if len(text) != 36:
        return None
    try:
        parsed = UUID(text)
    except ValueError:
        return None
    return parsed if str(parsed) == text.lower() else None
