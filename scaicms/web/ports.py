"""What the web tier needs from features, and the keys under which the application holds it."""

import asyncio
from typing import Protocol

from aiohttp import web

from scaicms.infra.services import Services
from scaicms.kit.networks import Network
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site


class Authenticator(Protocol):
    """Tells who calls. Warm answers take no database query."""

    async def authenticate(self, authorization: str | None, site: Site | None, ip: str) -> Principal:
        """The principal behind an `Authorization` header, with the rights that everybody has at `site` added.

        Raises:
            UnauthorizedError: there is a header, and it is malformed, unknown, expired or revoked.
        """
        ...

    async def authenticate_again(self, authorization: str | None, site: Site | None, ip: str) -> Principal:
        """The principal of a running request. It does not count as another request; raises as `authenticate`."""
        ...


class SiteDirectory(Protocol):
    """Knows sites by id and key. Warm answers take no database query."""

    async def find(self, id_or_key: str) -> Site | None: ...


PREVIEW_PREFIX = "scaip_"
"""How the credentials begin that open one draft and nothing else."""

PRINCIPAL = web.RequestKey("principal", Principal)
ADDRESS = web.RequestKey("address", str)
RAW_BODY = web.RequestKey("raw_body", bytes)
SERVICES = web.AppKey("services", Services)
AUTHENTICATOR = web.AppKey("authenticator", Authenticator)
SITES = web.AppKey("sites", SiteDirectory)
TRUSTED_PROXIES = web.AppKey("trusted_proxies", tuple[Network, ...])
DRAINING = web.AppKey("draining", asyncio.Event)
MIGRATED = web.AppKey("migrated", asyncio.Event)
"""Set once the schema has every migration of this release, which it then keeps."""
