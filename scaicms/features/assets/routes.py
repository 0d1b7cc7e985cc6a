"""`/assets`."""

from typing import Any

from aiohttp import web

from scaicms.features.assets import permissions
from scaicms.features.assets.records import Asset
from scaicms.features.assets.schemas import (
    AssetAccepted,
    AssetOut,
    DeleteQuery,
    FocalPoint,
    ListAssets,
    LocaleQuery,
    NewAsset,
    UpdateAsset,
)
from scaicms.features.assets.service import IMAGE_BYTES, AssetService, Stored, key_of, variants
from scaicms.infra.media import raster_type
from scaicms.kit.ids import new_id
from scaicms.kit.locales import known_locale
from scaicms.web.body import validate
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import Page, accepted, conditional_reply, etag_of, matcher, no_content, reply
from scaicms.web.uploads import Upload, received

routes = Routes("assets", "/assets", site=True)

PARTS = {
    "file": "The file: at most 200 MiB, raster images 25 MiB and 40 megapixels.",
    "title": "In the site's default locale.",
    "alt": "What a picture shows, for who does not see it; in the site's default locale.",
    "folder": "A path of names: `photos/2026`.",
    "tags": "Separated by commas.",
}
_SAME = (
    "id", "filename", "folder", "tags", "version", "created_at", "created_by", "updated_at", "updated_by", "url",
)  # fmt: skip
_OF_FILE = ("status", "problem", "size", "width", "height", "blurhash", "color", "exif")


def _values(call: Call, asset: Asset, locale: str | None) -> dict[str, Any]:
    chain = call.site.chain(known_locale(call.site, locale))
    return {
        **{name: getattr(asset, name) for name in _SAME},
        **{name: getattr(asset.file, name) for name in _OF_FILE},
        "content_type": asset.file.known_type,
        "title": asset.title(chain),
        "alt": asset.alt(chain),
        "titles": asset.titles,
        "alts": asset.alts,
        "focal_point": FocalPoint(x=asset.focal_x, y=asset.focal_y or 0) if asset.focal_x is not None else None,
        "variants": variants(asset),
    }


def _out(call: Call, asset: Asset, locale: str | None) -> AssetOut:
    return AssetOut.model_validate(_values(call, asset, locale))


def _etag(asset: Asset) -> str:
    return etag_of(f"{asset.id}:{asset.version}:{asset.file.status}".encode())


@routes.post(
    permission=permissions.CREATE,
    summary="Upload a file",
    description="A worker finds out what it is, and makes smaller pictures of an image. The same bytes are kept once.",
    multipart=PARTS,
    response=AssetAccepted,
    status=202,
)
async def upload_asset(call: Call) -> web.StreamResponse:
    settings, storage = call.services.resources.settings, call.services.resources.storage
    file_id, head = new_id(), b""

    def limit(begins: bytes) -> int:
        nonlocal head
        head = begins
        return min(settings.upload_limit, IMAGE_BYTES) if raster_type(begins) else settings.upload_limit

    async with received(
        call.request,
        storage,
        key_of(file_id),
        parts=frozenset(PARTS),
        limit=limit,
        idle_seconds=settings.body_idle_seconds,
    ) as upload:
        new = _form(upload)
        stored = Stored(file_id, upload.filename, upload.size, upload.digest, head)
        asset = await call.get(AssetService).create(call.principal, call.site, stored, new)
    out = AssetAccepted.model_validate({**_values(call, asset, None), "job_id": asset.file.job_id})
    return accepted(out, f"/api/v1/assets/{asset.id}")


def _form(upload: Upload) -> NewAsset:
    values: dict[str, Any] = {name: text for name, text in upload.values.items() if text.strip()}
    if "tags" in values:
        values["tags"] = [tag for tag in values["tags"].split(",") if tag.strip()]
    new: NewAsset = validate(NewAsset, values)
    return new


@routes.get(
    permission=permissions.READ,
    summary="List assets",
    query=ListAssets,
    response=Page[AssetOut],
)
async def list_assets(call: Call) -> web.StreamResponse:
    query = call.query(ListAssets)
    found = await call.get(AssetService).list_assets(call.principal, call.site, query)
    items = [_out(call, asset, query.locale) for asset in found.rows]
    return reply(Page(items=items, **found.about(query)))


@routes.get(
    "/{id}",
    permission=permissions.READ,
    summary="Read what is known of an asset",
    query=LocaleQuery,
    response=AssetOut,
    errors=(404,),
    conditional=True,
)
async def read_asset(call: Call) -> web.StreamResponse:
    locale = call.query(LocaleQuery).locale
    asset = await call.get(AssetService).get(call.principal, call.site, call.path_id())
    out = _out(call, asset, locale)
    return conditional_reply(call.request, out, _etag(asset))


@routes.patch(
    "/{id}",
    permission=permissions.UPDATE,
    summary="Change what is said of an asset",
    description="Items that show it show the change at once.",
    query=LocaleQuery,
    body=UpdateAsset,
    body_example={"alt": {"en": "A lighthouse at night"}, "focal_point": {"x": 0.5, "y": 0.25}},
    response=AssetOut,
    errors=(404, 412),
    conditional=True,
)
async def update_asset(call: Call) -> web.StreamResponse:
    change, locale = await call.body(UpdateAsset), call.query(LocaleQuery).locale
    check = matcher(call.request, _etag)
    asset = await call.get(AssetService).update(call.principal, call.site, call.path_id(), change, locale, check=check)
    return reply(_out(call, asset, locale), headers={"ETag": _etag(asset)})


@routes.delete(
    "/{id}",
    permission=permissions.DELETE,
    summary="Delete an asset",
    description="For good. Where drafts or published documents use it: 409 `asset_in_use`, whose `usage` counts them, "
    "unless `force=true`. Documents name it under `unpublished` then, as other targets that are gone.",
    query=DeleteQuery,
    errors=(404, 409, 412),
    conditional=True,
)
async def delete_asset(call: Call) -> web.StreamResponse:
    force = call.query(DeleteQuery).force
    check = matcher(call.request, _etag)
    await call.get(AssetService).delete(call.principal, call.site, call.path_id(), force=force, check=check)
    return no_content()
