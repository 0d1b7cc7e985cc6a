"""Reads one file and makes variants of an image, in a process of its own: a line of JSON out, then the end.

Run by its path, with nothing of scaiCMS in it: `process.py FILE FOLDER NAME TYPE`. FOLDER is where variants go, NAME
what the file was called, TYPE that of the raster image that it begins like, or empty. What it reads may have been made
to crash it, to fill the memory or never to end: it bounds itself, and nothing that it says is believed unchecked.
"""

import codecs
import ctypes
import errno
import json
import mimetypes
import os
import resource
import signal
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import blurhash
import puremagic
from PIL import ExifTags, Image, ImageFile, ImageOps

PR_SET_PDEATHSIG = 1
MEMORY_BYTES = 1024 * 1024 * 1024
CPU_SECONDS = 40
OUTPUT_BYTES = 32 * 1024 * 1024
NICENESS = 10
MAX_PIXELS = 40_000_000
FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WEBP", "image/avif": "AVIF"}
VARIANTS = {"small": 320, "medium": 800, "large": 1600}
"""Names to the longest side, in pixels."""
LIKELY = 0.3
"""How sure puremagic has to be."""
UNKNOWN = "application/octet-stream"
HEAD_BYTES = 64 * 1024
MAX_TEXT = 200
# What tells how a picture was made; nothing of where (GPS), of whom, or as long as the maker liked (MakerNote).
EXIF_TAGS = (
    "Make",
    "Model",
    "LensModel",
    "DateTimeOriginal",
    "ExposureTime",
    "FNumber",
    "ISOSpeedRatings",
    "FocalLength",
    "Flash",
    "Software",
    "Artist",
    "Copyright",
)


def bound() -> None:
    """Less of everything than would harm the machine, and an end with whoever started this (prctl(2))."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    libc = ctypes.CDLL(None)
    if hasattr(libc, "prctl"):
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(NICENESS)
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, OUTPUT_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(what, (most, most))
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def read_image(path: Path, folder: Path, content_type: str) -> dict[str, Any]:
    """Size, colours, EXIF and variants of a raster image."""
    with Image.open(path, formats=[FORMATS[content_type]]) as image:
        width, height = image.size
        exif = image.getexif()
        orientation = exif.get(ExifTags.Base.Orientation, 1)
        taken = _exif(exif)
        longest = max(VARIANTS.values())
        image.draft("RGB", (longest, longest))
        # Everything, so that a truncated image is told from a whole one; then small at once.
        image.load()
        small = image.copy() if max(image.size) <= longest else _shrunk(image, longest)
    small = ImageOps.exif_transpose(small) or small
    # Turned by a quarter (EXIF 2.32, tag 274): width and height as they are seen.
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    small = small.convert("RGBA" if small.has_transparency_data else "RGB")
    flat = _flat(small, 64)
    return {
        "width": width,
        "height": height,
        "exif": taken,
        "color": _dominant(flat),
        "blurhash": _blurhash(_flat(small, 32)),
        "variants": _variants(small, max(width, height), folder),
    }


def _shrunk(image: Image.Image, longest: int) -> Image.Image:
    if image.mode not in ("RGB", "RGBA", "L", "LA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    image.thumbnail((longest, longest), reducing_gap=2.0)
    return image


def _flat(image: Image.Image, longest: int) -> Image.Image:
    """A small picture of it, on white where one can see through."""
    tiny = image.copy()
    tiny.thumbnail((longest, longest))
    if tiny.mode == "RGB":
        return tiny
    ground = Image.new("RGBA", tiny.size, "white")
    ground.alpha_composite(tiny)
    return ground.convert("RGB")


def _dominant(image: Image.Image) -> str:
    """The most frequent of eight colours."""
    palette = image.quantize(8)
    counts = palette.histogram()[:8]
    first = 3 * counts.index(max(counts))
    red, green, blue = (palette.getpalette() or [0, 0, 0])[first : first + 3]
    return f"#{red:02x}{green:02x}{blue:02x}"


def _blurhash(image: Image.Image) -> str:
    width, height = image.size
    raw = image.tobytes()
    rows = [[list(raw[3 * (y * width + x) :][:3]) for x in range(width)] for y in range(height)]
    across = 4 if width >= height else 3
    return str(blurhash.encode(rows, components_x=across, components_y=7 - across))


def _variants(image: Image.Image, whole: int, folder: Path) -> list[dict[str, Any]]:
    """Smaller ones as WebP, without what the file says of where and with what it was taken."""
    made = []
    for name, longest in VARIANTS.items():
        if whole <= longest:
            break
        variant = image.copy()
        variant.thumbnail((longest, longest))
        target = folder / f"{name}.webp"
        variant.info.clear()
        variant.save(target, "WEBP", quality=80, method=4)
        width, height = variant.size
        made.append({"name": name, "width": width, "height": height, "size": target.stat().st_size})
    return made


def _exif(exif: Image.Exif) -> dict[str, str | float]:
    every = {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
    known = {ExifTags.TAGS.get(tag, ""): value for tag, value in every.items()}
    found: dict[str, str | float] = {}
    for name in EXIF_TAGS:
        with suppress(ValueError, TypeError, ZeroDivisionError, OverflowError):
            value = known.get(name)
            if isinstance(value, bytes | str):
                text = value.decode("latin-1") if isinstance(value, bytes) else value
                text = "".join(one for one in text if one.isprintable()).strip()[:MAX_TEXT]
                if text:
                    found[name] = text
            elif value is not None:
                number = float(value)
                if abs(number) < 1e15:  # NaN is not
                    found[name] = round(number, 6)
    return found


def type_of(path: Path, name: str) -> str:
    """The type of a file that is no raster image, by what is in it; what it is called decides among texts, and among
    types that begin alike."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if _is_text(head):
        lowered = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        if lowered.startswith((b"<!doctype html", b"<html", b"<script")):
            return "text/html"
        if b"<svg" in lowered and lowered.startswith((b"<svg", b"<?xml", b"<!")):
            return "image/svg+xml"
        guess = mimetypes.guess_type(name)[0] or "text/plain"
        return guess if guess.startswith("text/") or guess == "application/json" else "text/plain"
    return _by_signature(head, mimetypes.guess_type(name)[0])


def _by_signature(head: bytes, called: str | None) -> str:
    """Of the types that begin like this the one that it is called by, else the likeliest."""
    found: list[str] = []
    with suppress(puremagic.PureError, ValueError):
        likely = (one.mime_type for one in puremagic.magic_string(head) if one.confidence >= LIKELY)
        # It begins like none of the formats that are read, whatever else of it may look so.
        found = [str(one) for one in likely if one and one not in FORMATS]
    if called in found:
        return str(called)
    if head.startswith(b"PK\x03\x04"):
        return "application/zip"  # as many kinds of documents are
    return found[0] if found else UNKNOWN


def _is_text(head: bytes) -> bool:
    try:
        # A character may be cut at the end, of a file that goes on.
        text = codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < HEAD_BYTES)
    except UnicodeDecodeError:
        return False
    return "\0" not in text and bool(text)


def answer(path: Path, folder: Path, name: str, content_type: str) -> dict[str, Any]:
    if not content_type:
        return {"content_type": type_of(path, name)}
    try:
        return {"content_type": content_type, **read_image(path, folder, content_type)}
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return {"problem": f"The image has too many pixels; at most {MAX_PIXELS} are read."}
    except MemoryError:
        return {"problem": "The image takes more memory than reading one may."}
    except Exception as error:  # noqa: BLE001 - whatever a decoder raises, it is the file that cannot be read
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return {"no_space": True}
        return {"problem": f"The image cannot be read: {type(error).__name__}."}


def main() -> None:
    bound()
    path, folder, name, content_type = sys.argv[1:5]
    sys.stdout.write(json.dumps(answer(Path(path), Path(folder), name, content_type)))


if __name__ == "__main__":
    main()
