"""Reading what is imported: an upload becomes rows, and a mapping lays each over a content type.

Pure and synchronous: run it in a thread from the event loop. Nothing here knows the database.

    for row in open_source(path):
        if isinstance(row, BadRow): ...
        else: mapped = apply_mapping(row, fields, mapping)
"""

from .mapping import MappedRow, Mapping, apply_mapping
from .rows import (
    BadRow,
    BrokenSourceError,
    LimitExceededError,
    ReadLimits,
    Row,
    SourceError,
    UnknownFormatError,
)
from .sources import Kind, Source, count, open_source

__all__ = [
    "BadRow",
    "BrokenSourceError",
    "Kind",
    "LimitExceededError",
    "MappedRow",
    "Mapping",
    "ReadLimits",
    "Row",
    "Source",
    "SourceError",
    "UnknownFormatError",
    "apply_mapping",
    "count",
    "open_source",
]
