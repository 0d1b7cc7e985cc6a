"""`scaicms migrate`: bring the database to this version's schema."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from scaicms import registry
from scaicms.infra.db import migrations
from scaicms.infra.engines import wait_for_postgres
from scaicms.settings import Settings, get_settings


def migrate(
    check: Annotated[bool, typer.Option("--check", help="Apply nothing; exit 1 when something is missing.")] = False,
) -> None:
    """Apply missing migrations; safe to run from several places at once."""
    console = Console()
    settings = get_settings()
    if check:
        missing = asyncio.run(_missing(settings))
        console.print(f"Missing: {', '.join(missing)}" if missing else "Nothing to apply.")
        raise typer.Exit(1 if missing else 0)
    applied = asyncio.run(_migrate(settings))
    console.print(f"Applied: {', '.join(applied)}" if applied else "Nothing to apply.")


async def _missing(settings: Settings) -> list[str]:
    await wait_for_postgres(settings)
    return await migrations.missing(settings.database_url, registry.model_modules())


async def _migrate(settings: Settings) -> list[str]:
    await wait_for_postgres(settings)
    return await migrations.migrate(settings.database_url, registry.model_modules())
