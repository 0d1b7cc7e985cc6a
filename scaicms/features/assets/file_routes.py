"""`/assets/{id}/file`."""

from aiohttp import web

from scaicms.features.assets import permissions
from scaicms.features.assets.errors import VariantNotFoundError
from scaicms.features.assets.records import Asset
from scaicms.features.assets.schemas import FileQuery
from scaicms.features.assets.service import AssetService, key_of
from scaicms.infra.media import INLINE_TYPES
from scaicms.web.call import Call
from scaicms.web.files import disposition, send_file
from scaicms.web.operation import ANY, BYTES, Routes

routes = Routes("assets", "/assets", site=True)

FOR_EVER = "max-age=31536000, immutable"


@routes.get(
    "/{id}/file",
    permission=permissions.READ,
    summary="The file of an asset",
    description="Ranges (one at a time) and If-None-Match are heeded. Raster images are shown in place, all else "
    "is to be saved; nothing of it runs. With the `v` of `url` it may be kept for ever; another `v` is not found.",
    query=FileQuery,
    media_type=ANY,
    response_example="…the bytes…",
    errors=(404,),
    conditional=True,
    ranges=True,
)
async def read_file(call: Call) -> web.StreamResponse:
    query = call.query(FileQuery)
    asset = await call.get(AssetService).get(call.principal, call.site, call.path_id())
    if query.v not in (None, asset.file.version):
        raise VariantNotFoundError
    storage = call.services.resources.storage
    size, content_type, name = _which(asset, query.variant)
    key = key_of(asset.file.id, query.variant)
    etag = f'"{asset.file.version}-{query.variant or asset.file.status}"'
    inline = content_type in INLINE_TYPES
    # The bytes are those for ever; what they are called may not be known yet.
    keep = FOR_EVER if query.v is not None and asset.file.status == "ready" else "no-cache"
    headers = {
        "Content-Type": content_type,
        "Content-Disposition": disposition("inline" if inline else "attachment", name),
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": f"{'public' if call.principal.is_anonymous else 'private'}, {keep}",
        "Vary": "Authorization, X-Site-ID",
    }
    return await send_file(
        call, lambda start, end: storage.reading(key, start, end), size=size, etag=etag, headers=headers
    )


def _which(asset: Asset, variant: str | None) -> tuple[int, str, str]:
    """Size, type and name of the file or a variant of it."""
    file = asset.file
    if variant is None:
        # What is not read yet may be anything.
        known = file.content_type if file.status == "ready" else None
        return file.size, known or BYTES, asset.filename
    found = next((one for one in file.variants if one.name == variant), None)
    if found is None:
        raise VariantNotFoundError
    return found.size, "image/webp", f"{asset.filename.rpartition('.')[0] or asset.filename}-{variant}.webp"
