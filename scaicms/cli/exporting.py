"""`scaicms export`: the content of a site into a file, with a progress bar."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from scaicms.connect import create_services
from scaicms.features.content.editing_schemas import ExportQuery
from scaicms.features.content.exporting import ExportService
from scaicms.features.sites.service import SiteService
from scaicms.infra.services import Services
from scaicms.kit.principal import SYSTEM
from scaicms.kit.sites import Site
from scaicms.settings import get_settings

_ITEM = b'{"kind":"item"'


def export(
    path: Annotated[Path, typer.Argument(dir_okay=False, help="The file to write, as NDJSON.")],
    site: Annotated[str, typer.Option(help="Key or id of the site.")],
    type_: Annotated[str | None, typer.Option("--type", help="Only items of this content type.")] = None,
    status: Annotated[str, typer.Option(help="any, draft, published or archived.")] = "any",
    locale: Annotated[str | None, typer.Option(help="Only this locale of items.")] = None,
) -> None:
    """Take content out: all of its drafts, what is published of them, taxonomies and terms, as of one moment.

    The file is there when all of it is: one that could not be finished is removed.
    """
    if status not in ("any", "draft", "published", "archived"):
        raise typer.BadParameter("--status is any, draft, published or archived.")
    query = ExportQuery.model_validate({"type": type_, "status": status, "locale": locale})
    console = Console(stderr=True)
    number = asyncio.run(_run(path, site, query, console))
    console.print(f"{number} items in {path}.", highlight=False)


async def _run(path: Path, site_key: str, query: ExportQuery, console: Console) -> int:
    async with create_services(get_settings(), kind="worker") as services:
        site = await services.get(SiteService).find(site_key)
        if site is None:
            raise typer.BadParameter(f"there is no site {site_key}.")
        unfinished = path.with_name(path.name + ".part")
        try:
            number = await _write(services, site, query, unfinished, console)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    return number


async def _write(services: Services, site: Site, query: ExportQuery, path: Path, console: Console) -> int:
    exports, number = services.get(ExportService), 0
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
    with bar, path.open("wb") as file:
        task = bar.add_task(f"{site.key} → {path.stem}", total=await exports.total(SYSTEM, site, query))
        async with aclosing(exports.chunks(SYSTEM, site, query)) as chunks:
            async for chunk in chunks:
                await asyncio.to_thread(file.write, chunk)
                number += chunk.count(_ITEM)
                bar.update(task, completed=number)
    return number
