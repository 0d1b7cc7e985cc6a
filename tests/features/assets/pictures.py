"""Files to upload, and how they get there."""

import io
import struct
import zlib

import aiohttp
from PIL import Image

SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(document.domain)</script></svg>'


def picture(width=40, height=30, color=(200, 30, 30), kind="PNG", **saved):
    made = io.BytesIO()
    Image.new("RGB", (width, height), color).save(made, kind, **saved)
    return made.getvalue()


def photograph(width=400, height=200):
    """A JPEG with an orientation, a camera, and where it was taken."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Acme", 6
    place = exif.get_ifd(0x8825)
    place[1], place[2] = "N", (52.0, 31.0, 12.0)
    exif.get_ifd(0x8769)[0x9003] = "2026:01:02 03:04:05"
    return picture(width, height, kind="JPEG", exif=exif)


def bomb(width, height):
    """A PNG of few bytes and many pixels: black, one bit each."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer = zlib.compressobj(9)
    row = b"\0" * (1 + (width + 7) // 8)
    data = b"".join([packer.compress(row) for _ in range(height)] + [packer.flush()])
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


async def send(api, data, name="picture.png", content_type="image/png", **parts):
    form = aiohttp.FormData(quote_fields=False)  # as browsers do
    for part, text in parts.items():
        form.add_field(part, text)
    form.add_field("file", data, filename=name, content_type=content_type)
    return await api.call("POST", "/assets", data=form)


async def upload(api, data, name="picture.png", **parts):
    """The asset as it is answered."""
    answer = await send(api, data, name, **parts)
    assert answer.status == 202, answer.raw
    return answer.json


async def ready(api, drain, data, name="picture.png", **parts):
    """The asset when workers have read it."""
    made = await upload(api, data, name, **parts)
    await drain()
    answer = await api.get(f"/assets/{made['id']}")
    assert answer.json["status"] == "ready", answer.raw
    return answer.json
