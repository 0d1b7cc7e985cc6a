"""E-mail addresses as identities."""

import re
import unicodedata

# What HTML's <input type=email> takes, with a dotted domain or localhost, and letters of any script.
_SHAPE = re.compile(r"[^\s@\"(),:;<>\[\\\]]{1,64}@[^\s@\"(),:;<>\[\\\]]{1,255}")


def normalise_email(text: str) -> str:
    """The form that is stored and compared: NFC, lower case.

    Raises:
        ValueError: it has not the shape of an address.
    """
    normal = unicodedata.normalize("NFC", text.strip()).lower()
    if _SHAPE.fullmatch(normal) is None or "\0" in normal:
        raise ValueError("this is not an e-mail address")
    return normal
