"""Reading files that anybody may have made, in a process of their own that can be lost."""

from scaicms.infra.media.reading import Facts, InterruptedReadError, MediaReader, UnreadableError
from scaicms.infra.media.signatures import INLINE_TYPES, raster_type

__all__ = [
    "INLINE_TYPES",
    "Facts",
    "InterruptedReadError",
    "MediaReader",
    "UnreadableError",
    "raster_type",
]
