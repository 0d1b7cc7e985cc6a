"""How raster images begin that browsers show. Knows nothing else: what decodes them runs elsewhere."""

INLINE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})


def raster_type(head: bytes) -> str | None:
    """The type of a raster image that begins like this (32 bytes are enough); None for everything else."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp" and head[8:12] in _AVIF_BRANDS:
        return "image/avif"
    return None
