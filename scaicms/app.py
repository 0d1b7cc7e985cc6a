"""`create_app()`: the web tier, where everything meets."""

import asyncio
from collections.abc import AsyncIterator
from pkgutil import resolve_name

from aiohttp import web

from scaicms import registry
from scaicms.connect import create_services
from scaicms.features.api_keys.service import ApiKeyService
from scaicms.features.auth.service import Authenticator
from scaicms.features.roles.service import AUTHORITY
from scaicms.features.sites.service import TOPIC as SITES_TOPIC
from scaicms.features.sites.service import SiteService
from scaicms.infra.db.migrations import pending_migrations
from scaicms.infra.memory import give_back_forever
from scaicms.infra.watchdog import watched_loop
from scaicms.kit.errors import UnavailableError
from scaicms.settings import Settings
from scaicms.web import protocol
from scaicms.web.dispatch import add_operations
from scaicms.web.middleware import outer
from scaicms.web.openapi import setup_openapi
from scaicms.web.operations import add_operations_endpoints
from scaicms.web.ports import AUTHENTICATOR, DRAINING, SERVICES, SITES, TRUSTED_PROXIES
from scaicms.web.streams import STREAMS, OpenStreams

TIDY_SECONDS = 5.0


def create_app(settings: Settings) -> web.Application:
    """The web application. Connections are opened at start-up and closed at clean-up."""
    protocol.install()
    # Bodies are decoded by `web/decoding.py`.
    handler_args = {"auto_decompress": False}
    app = web.Application(middlewares=[outer], client_max_size=settings.body_limit, handler_args=handler_args)

    async def connect(app: web.Application) -> AsyncIterator[None]:
        async with create_services(settings, kind="web") as services, watched_loop():
            await _refuse_old_schema(settings)
            app[SERVICES] = services
            app[AUTHENTICATOR] = services.get(Authenticator)
            app[SITES] = services.get(SiteService)
            for topic in (AUTHORITY, SITES_TOPIC):
                services.resources.notices.subscribe(topic, app[STREAMS].wake)
            tidying = asyncio.create_task(give_back_forever(TIDY_SECONDS))
            yield
            tidying.cancel()
            await services.get(ApiKeyService).usage.stop()

    app.cleanup_ctx.append(connect)
    app[DRAINING] = asyncio.Event()
    app[STREAMS] = OpenStreams()
    app[TRUSTED_PROXIES] = settings.trusted_proxies
    app.on_shutdown.append(_drain)
    add_operations(app, registry.operations())
    add_operations_endpoints(app)
    setup_openapi(app, settings.public_url)
    for feature in registry.FEATURES:
        if feature.pages is not None:
            resolve_name(feature.pages)(app)
    return app


async def _refuse_old_schema(settings: Settings) -> None:
    """Production does not serve over a schema that it does not know (design §7)."""
    missing = await pending_migrations() if settings.env == "production" else []
    if missing:
        raise UnavailableError(f"The database lacks {', '.join(missing)}; run `scaicms migrate` first.")


async def _drain(app: web.Application) -> None:
    """Say "not ready" while what has begun is finished; aiohttp waits for it."""
    app[DRAINING].set()
    app[STREAMS].wake()
