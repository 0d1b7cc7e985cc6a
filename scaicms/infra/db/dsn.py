"""A PostgreSQL URL, taken apart for Tortoise and asyncpg alike (libpq's form, sockets in `?host=` included)."""

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


def parse_dsn(url: str) -> dict[str, Any]:
    """Keyword arguments (`host port user password database`) of a `postgresql://` URL.

    Raises:
        ValueError: another scheme, or no database named.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres"):
        raise ValueError(f"DATABASE_URL must begin with postgresql://, not {parts.scheme or 'nothing'}://")
    query = parse_qs(parts.query)
    database = unquote(parts.path.lstrip("/"))
    if not database:
        raise ValueError("DATABASE_URL names no database (postgresql://user:password@host/DATABASE)")
    arguments: dict[str, Any] = {
        "host": query["host"][0] if "host" in query else (parts.hostname or "localhost"),
        "port": parts.port or int(query.get("port", ["5432"])[0]),
        "user": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "database": database,
    }
    if "sslmode" in query:
        arguments["ssl"] = query["sslmode"][0]
    return arguments
