"""Markdown files as rows."""

from __future__ import annotations

from hashlib import sha256

from pydantic import JsonValue

from scaicms.kit.slugs import slugify

from .frontmatter import parse_document
from .paths import Entry
from .rows import BadRow, ReadLimits, Row, RowError, name_parts


def read_markdown(entry: Entry, limits: ReadLimits) -> Row | BadRow:
    """Read one file of a listing; whatever is wrong with it becomes the `BadRow`."""
    try:
        if entry.problem:
            raise entry.problem
        data = entry.read()
        document = parse_document(data, limits)
    except RowError as error:
        return BadRow(entry.source, error.line, error.code, error.message)
    digest = sha256(data).hexdigest()
    slug, warnings = _slug(document.values.get("slug"), entry.key, digest)
    return Row(
        source=entry.source,
        line=1,
        key=entry.key,
        digest=digest,
        values=document.values,
        body=document.body,
        slug=slug,
        warnings=document.warnings + warnings,
    )


def _slug(wanted: JsonValue, key: str, digest: str) -> tuple[str, tuple[str, ...]]:
    """The front matter's `slug`, else the file's name, else its folder's for an index file."""
    warnings: tuple[str, ...] = ()
    if wanted is not None:
        slug = slugify(str(wanted)) if isinstance(wanted, str | int | float) else ""
        if slug == wanted:
            return slug, ()
        if slug:
            return slug, (f"The slug {wanted!r} was written as {slug!r}.",)
        warnings = ("The front matter's slug is not usable; the file's name was taken.",)
    if slug := slugify(name_parts(key)[-1]):
        return slug, warnings
    slug = f"untitled-{digest[:8]}"
    return slug, (*warnings, f"The file's name has no letter or digit; the slug is {slug!r}.")
