"""Keys from the installation's secret, tokens that are stored as digests, and values sealed at rest."""

import base64
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12


def derive_key(secret: str, purpose: str) -> bytes:
    """32 bytes for one purpose: HMAC-SHA256 over it (the extract step of RFC 5869). No purpose learns another's key."""
    return hmac.digest(secret.encode(), f"scaicms/{purpose}".encode(), "sha256")


def make_token(key: bytes, *parts: str) -> str:
    """The 43-character token for these parts: who lacks the key cannot guess it, who has it can make it again."""
    made = hmac.digest(key, "\0".join(parts).encode(), "sha256")
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def digest(token: str) -> str:
    """SHA-256 in hex, the stored form of tokens that are too long to guess."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def seal(key: bytes, value: bytes, context: str) -> bytes:
    """AES-256-GCM; opens with the same key and context (whose value it is) alone."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, value, context.encode())


def unseal(key: bytes, sealed: bytes, context: str) -> bytes | None:
    """What was sealed, or None when it was changed, moved or sealed under another key."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context.encode())
    except (InvalidTag, ValueError):
        return None
