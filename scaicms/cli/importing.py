"""`scaicms import`: a folder or archive into a site, with a progress bar and a report."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from scaicms.connect import create_services
from scaicms.features.content.import_batches import ImportBatches
from scaicms.features.content.import_report import Report
from scaicms.features.content.importing import ImportOptions
from scaicms.features.content.reading.rows import SourceError
from scaicms.features.content.restoring import RestoreBatches
from scaicms.features.sites.service import SiteService
from scaicms.kit.principal import SYSTEM
from scaicms.settings import get_settings

SHOWN_PROBLEMS = 20


def import_(
    path: Annotated[Path, typer.Argument(exists=True, help="Folder, .md, .zip, .tar.gz, .ndjson or .csv.")],
    site: Annotated[str, typer.Option(help="Key or id of the site.")],
    type_: Annotated[str | None, typer.Option("--type", help="Key of the content type; not with an export.")] = None,
    format_: Annotated[str, typer.Option("--format", help="rows, or export: what `scaicms export` wrote.")] = "rows",
    publish: Annotated[bool, typer.Option(help="Publish what is no draft in its source, or nothing.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report what would happen; change nothing.")] = False,
    mapping: Annotated[str | None, typer.Option(help="JSON, or @FILE: field → source. See docs/import.md.")] = None,
) -> None:
    """Import Markdown with front matter, NDJSON or CSV. Running it again changes only what changed.

    Exit codes: 0 everything went in, 1 some rows did not (they are listed with file and line).
    """
    if format_ not in ("rows", "export") or (format_ == "rows") != (type_ is not None):
        raise typer.BadParameter("--type names the type of rows; with --format export there is none.")
    options = ImportOptions("", format="export")
    if type_ is not None:
        options = ImportOptions(type_, publish=publish, dry_run=dry_run, mapping=_read_mapping(mapping))
    console = Console()
    try:
        report = asyncio.run(_run(path.resolve(), site, options, console))
    except SourceError as error:
        console.print(f"[red]{error.code}:[/] {_plain(str(error))}", highlight=False)
        raise typer.Exit(1) from None
    _show(report, console)
    raise typer.Exit(1 if report.failed else 0)


def _read_mapping(mapping: str | None) -> dict[str, Any] | None:
    if mapping is None:
        return None
    try:
        text = Path(mapping[1:]).read_text(encoding="utf-8") if mapping.startswith("@") else mapping
        value = orjson.loads(text)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"--mapping cannot be read: {error}") from None
    if not isinstance(value, dict):
        raise typer.BadParameter('--mapping is a JSON object, such as {"title": "front.title"}.')
    return value


async def _run(path: Path, site_key: str, options: ImportOptions, console: Console) -> Report:
    async with create_services(get_settings(), kind="worker") as services:
        site = await services.get(SiteService).find(site_key)
        if site is None:
            raise typer.BadParameter(f"there is no site {site_key}.")
        report = Report()
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        ) as bar:
            task = bar.add_task(f"{_plain(path.name)} → {site.key}/{options.type}".rstrip("/"), total=None)
            importer: ImportBatches | RestoreBatches = services.get(ImportBatches)
            if options.format == "export":
                importer = services.get(RestoreBatches)
            batches = importer.batches(SYSTEM, site, path, options, filename=str(path), checkpoint=_no_checkpoint)
            async for report in batches:
                bar.update(task, total=report.total, completed=report.done)
    return report


async def _no_checkpoint(_: dict[str, Any]) -> None:
    """Run by hand there is nobody to continue: a broken run is run again, and skips what is in."""


def _plain(text: str) -> str:
    """What a file says, as it is: no markup of ours, nothing that a terminal would obey."""
    return escape("".join(char if char.isprintable() else repr(char)[1:-1] for char in text))


def _show(report: Report, console: Console) -> None:
    if report.problems:
        table = Table("", "where", "what", box=None)
        for problem in report.problems[:SHOWN_PROBLEMS]:
            colour = "red" if problem["level"] == "error" else "yellow"
            where = f"{problem['source']}:{problem['line']}"
            if problem["locale"] is not None:
                where += f" ({problem['locale']})"
            table.add_row(f"[{colour}]{problem['level']}[/]", _plain(where), _plain(problem["message"]))
        console.print(table)
        left = len(report.problems) - SHOWN_PROBLEMS + report.problems_left_out
        if left > 0:
            console.print(f"… and {left} more.")
    _show_not_published(report, console)
    for key, number in report.unmapped.items():
        console.print(f"[yellow]not imported:[/] {_plain(key)} of {number} rows has no field of that name")
    if report.unmapped_left_out:
        console.print(f"[yellow]not imported:[/] {report.unmapped_left_out} values of other names")
    console.print(
        f"{report.created} created, {report.translated} translated, {report.updated} updated, "
        f"{report.unchanged} unchanged, {report.failed} failed, of {report.total}; "
        f"{report.drafts} left as drafts, {report.scheduled} scheduled; {report.ignored_files} other files ignored."
    )


def _show_not_published(report: Report, console: Console) -> None:
    if not report.not_published:
        return
    table = Table("not published", "where", "why", box=None)
    for row in report.not_published[:SHOWN_PROBLEMS]:
        where = f"{row['source']}:{row['line']} ({row['locale']})"
        table.add_row(f"[yellow]{row['state']}[/]", _plain(where), _plain(row["reason"]))
    console.print(table)
    left = len(report.not_published) - SHOWN_PROBLEMS + report.not_published_left_out
    if left > 0:
        console.print(f"… and {left} more.")
