"""Validators of representations (RFC 9110 §8.8.3) that name a version."""

import hashlib


def versioned_etag(version: int | str, body: bytes) -> str:
    """A strong validator of these very bytes that also names their version, for `If-Match`."""
    return f'"v{version}-{hashlib.blake2b(body, digest_size=6).hexdigest()}"'
