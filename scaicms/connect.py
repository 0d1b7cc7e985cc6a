"""`create_services()`: what every process connects and runs, be it web, worker or a command."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from scaicms import registry
from scaicms.features.content_types.service import declare_parts, declare_rows
from scaicms.features.permissions.service import declare
from scaicms.features.sites.service import declare_locale_rows
from scaicms.infra.db.retention import declare_retention
from scaicms.infra.engines import wait_for_postgres
from scaicms.infra.jobs.giving_up import declare_tasks
from scaicms.infra.jobs.metrics import declare_figures
from scaicms.infra.resources import open_resources
from scaicms.infra.services import Services
from scaicms.infra.storage.sweep import declare_files
from scaicms.infra.temporary import remove_abandoned
from scaicms.settings import Settings


@asynccontextmanager
async def create_services(settings: Settings, *, kind: Literal["web", "worker"]) -> AsyncIterator[Services]:
    """Connect this process and give the services over its connections. It waits for PostgreSQL, not for Redis.

    Raises:
        StartError: an engine refuses the settings, or PostgreSQL does not answer in time.
    """
    await wait_for_postgres(settings)
    declare(registry.permissions(), subjects=registry.subjects(), targets=registry.targets())
    declare_rows(registry.typed_rows())
    declare_locale_rows(registry.locale_rows())
    declare_parts(registry.bundle_parts())
    declare_files(registry.stored_files())
    declare_retention(registry.retention(), registry.legal_holds())
    declare_figures(registry.figures())
    declare_tasks(registry.tasks)
    registry.connect_events()
    if kind == "worker":
        await asyncio.to_thread(remove_abandoned)
    async with open_resources(settings, registry.model_modules(), kind=kind) as resources:
        yield Services(resources)
