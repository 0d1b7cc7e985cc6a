"""`/content/import`."""

import orjson
from aiohttp import web

from scaicms.features.content import permissions
from scaicms.features.content.importing import ImportOptions, ImportService
from scaicms.features.content.schemas import ImportAccepted
from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.ids import new_id
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import accepted
from scaicms.web.uploads import Upload, received

routes = Routes("content", "/content", site=True)

PARTS = {
    "file": "Markdown with TOML or YAML front matter as zip, tar.gz or a single file; NDJSON; CSV.",
    "type": "Key of the content type; not with an export.",
    "publish": "`true` publishes what the source does not mark as a draft, as private or with a date to come; "
    "default `false`.",
    "dry_run": "`true` reports what would happen and changes nothing; default `false`.",
    "format": "`rows` (default), or `export`: what `GET /content/export` gave, taken in as it was.",
    "mapping": 'JSON: field → source, e.g. {"title": "front.title", "body": "$body"}. Default: same names.',
}


@routes.post(
    "/import",
    permission=permissions.IMPORT,
    summary="Import items from a file",
    description="A worker does it; the job carries progress and a report of every row that did not go in. On a site "
    "with several locales, `post.md` and `post.de.md`, `en/post.md` and `de/post.md`, rows with the same "
    "`translationKey`, and records with the same `id` or `slug` and another `locale` become one item.",
    multipart=PARTS,
    response=ImportAccepted,
    status=202,
    errors=(404,),
)
async def import_items(call: Call) -> web.StreamResponse:
    settings = call.services.resources.settings
    storage = call.services.resources.storage
    async with received(
        call.request,
        storage,
        f"imports/{new_id()}",
        parts=frozenset(PARTS),
        limit=lambda _: settings.upload_limit,
        idle_seconds=settings.body_idle_seconds,
    ) as upload:
        service = call.get(ImportService)
        job_id = await service.start(call.principal, call.site, upload.key, upload.filename, _options(upload))
    return accepted(ImportAccepted(job_id=job_id), f"/api/v1/search/jobs/{job_id}")


def _options(upload: Upload) -> ImportOptions:
    values = upload.values
    kind = values.get("format", "rows")
    if kind not in ("rows", "export"):
        raise InvalidError(errors=[FieldError("/format", "unknown_format", "This is rows or export.")])
    if kind == "export":
        if wrong := [name for name in values if name not in ("format", "file")]:
            errors = [FieldError(f"/{name}", "unexpected", "An export says this itself.") for name in wrong]
            raise InvalidError(errors=errors)
        return ImportOptions("", format="export")
    if "type" not in values:
        raise InvalidError(errors=[FieldError("/type", "required", "Name the content type.")])
    mapping = None
    if "mapping" in values:
        try:
            mapping = orjson.loads(values["mapping"])
        except ValueError:
            raise InvalidError(errors=[FieldError("/mapping", "invalid_json", "This is not JSON.")]) from None
    return ImportOptions(values["type"], _flag(values, "publish"), _flag(values, "dry_run"), mapping)


def _flag(values: dict[str, str], name: str) -> bool:
    value = values.get(name, "false")
    if value not in ("true", "false"):
        raise InvalidError(errors=[FieldError(f"/{name}", "boolean", "This is true or false.")])
    return value == "true"
