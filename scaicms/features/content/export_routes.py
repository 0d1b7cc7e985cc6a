"""`/content/export`."""

from aiohttp import web

from scaicms.features.content import permissions
from scaicms.features.content.editing_schemas import ExportQuery
from scaicms.features.content.exporting import ExportService
from scaicms.infra.spool import spooled
from scaicms.web.call import Call
from scaicms.web.ndjson import NDJSON, stream_ndjson
from scaicms.web.operation import Routes

routes = Routes("content", "/content", site=True)


@routes.get(
    "/export",
    permission=permissions.READ_DRAFTS,
    summary="Take content out as NDJSON",
    description="Taxonomies, terms, then items by type and id, as of one moment and as far as the caller may read "
    "drafts, private fields included. `POST /content/import` with `format=export` takes it in again. A connection that "
    "is cut before its end has not all of it.",
    query=ExportQuery,
    media_type=NDJSON,
    response_example={"kind": "term", "taxonomy": "topics", "slug": "rust", "names": {"en": "Rust"}, "parent": None},
    errors=(404,),
)
async def export_items(call: Call) -> web.StreamResponse:
    chunks = call.get(ExportService).chunks(call.principal, call.site, call.query(ExportQuery))
    read_ahead = spooled(chunks, call.services.resources.settings.export_spool_bytes)
    return await stream_ndjson(call, read_ahead, f"{call.site.key}.ndjson")
