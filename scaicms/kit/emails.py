"""E-mail addresses as identities."""

import re
import unicodedata

# What HTML's <input type=email> takes, with a dotted domain or localhost, and letters of any script.
_SHAPE = re.compile(r"[^\s@\"(),:;<>\[\\\]]{1,64}@[^\s@\"(),:;<>\[\\\]]{1,255}")


def normalise_email(text: str) -> str:
    """The form that is stored and compared: lower case, NFC.

    Raises:
        ValueError: it has not the shape of an address.
    """
    # Once more after lowering: İ becomes two code points.
    normal = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text.strip()).lower())
    # Controls, invisible characters and spaces (categories C and Z) make two addresses look like one.
    if _SHAPE.fullmatch(normal) is None or any(unicodedata.category(letter)[0] in "CZ" for letter in normal):
        raise ValueError("this is not an e-mail address")
    return normal
