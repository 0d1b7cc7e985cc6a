"""`scaicms storage`: the file store beside the database."""

import asyncio
from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from scaicms.connect import create_services
from scaicms.features.assets.processing import FileService
from scaicms.infra.storage.sweep import Swept
from scaicms.kit.principal import SYSTEM
from scaicms.settings import get_settings

app = typer.Typer(name="storage", add_completion=False, help="The file store: sweep.", no_args_is_help=True)


@app.callback()
def _storage() -> None:
    """Keeps `sweep` a command of its own."""


@app.command()
def sweep(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be removed; remove nothing.")] = False,
    grace: Annotated[
        float | None, typer.Option(min=1, help="Hours that a file must be old; default SCAICMS_STORAGE_GRACE_HOURS.")
    ] = None,
) -> None:
    """Remove stored files that no row names, parts of killed uploads and empty folders.

    Workers do this every six hours.
    """
    console = Console()
    swept = asyncio.run(_sweep(console, dry_run=dry_run, grace=grace))
    done = "would be removed" if dry_run else "removed"
    console.print(
        f"{swept.seen} entries compared; {swept.files} files, {swept.parts} parts of uploads and {swept.folders} empty "
        f"folders {done}, {swept.bytes} bytes.",
        soft_wrap=True,
    )


async def _sweep(console: Console, *, dry_run: bool, grace: float | None) -> Swept:
    last = Swept()
    async with create_services(get_settings(), kind="worker") as services:
        hours = timedelta(hours=grace) if grace is not None else None
        async for swept, gone in services.get(FileService).sweep(SYSTEM, grace=hours, dry_run=dry_run):
            last = swept
            for blob in gone:
                console.print(f"{escape(blob.key)} ({blob.kind}, {blob.size} bytes)", soft_wrap=True, highlight=False)
    return last
