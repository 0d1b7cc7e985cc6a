"""Cursors of lists: opaque to clients, signed so that nobody makes up one of their own."""

import base64
import hashlib
import hmac

from scaicms.kit.errors import BadRequestError
from scaicms.kit.schemas import MAX_OFFSET

SIGNATURE_BYTES = 12


class InvalidCursorError(BadRequestError):
    code = "invalid_cursor"
    message = "This is no cursor of this list. Start again with `cursor=` and keep the filters and the order."


class PageTooDeepError(BadRequestError):
    code = "page_too_deep"
    message = f"The page begins after {MAX_OFFSET:,} items. Use `cursor=` to go that far."


def make_cursor(secret: str, purpose: str, place: str) -> str:
    """A cursor for `place`; `purpose` names the list, since a cursor of one is no cursor of another."""
    text = place.encode()
    return base64.urlsafe_b64encode(_sign(secret, purpose, text) + text).rstrip(b"=").decode()


def read_cursor(secret: str, purpose: str, cursor: str) -> str | None:
    """The place that a cursor of ours names, or None for anything else."""
    try:
        raw = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    signature, text = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
    return text.decode() if hmac.compare_digest(signature, _sign(secret, purpose, text)) else None


def _sign(secret: str, purpose: str, text: bytes) -> bytes:
    return hmac.digest(secret.encode(), f"cursor:{purpose}:".encode() + text, hashlib.sha256)[:SIGNATURE_BYTES]
