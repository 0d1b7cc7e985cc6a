"""Which PostgreSQL this system runs on."""

from typing import Any

from scaicms.infra.db.connection import server_version
from scaicms.kit.errors import UnavailableError

MINIMUM_VERSION = 15
"""The oldest major version that the tests run on: `UNIQUE NULLS NOT DISTINCT` came with it."""


class UnsupportedServerError(UnavailableError):
    code = "unsupported_postgresql"


def require_supported(version: Any) -> None:
    """Check a version as asyncpg's `get_server_version()` returns it.

    Raises:
        UnsupportedServerError: it is older than `MINIMUM_VERSION`.
    """
    if version.major < MINIMUM_VERSION:
        raise UnsupportedServerError(
            f"PostgreSQL {version.major} is not supported: DATABASE_URL must name version {MINIMUM_VERSION} or newer."
        )


async def check_server() -> None:
    """Check the database of this process.

    Raises:
        UnsupportedServerError: it is older than `MINIMUM_VERSION`.
    """
    require_supported(await server_version())
