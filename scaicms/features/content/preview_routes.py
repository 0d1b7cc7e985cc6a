"""`/content/{id}/preview`."""

from aiohttp import web

from scaicms.features.content import permissions
from scaicms.features.content.editing_schemas import LocaleQuery, PreviewOut
from scaicms.features.content.previews import PreviewService
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import reply

routes = Routes("content", "/content", site=True)


@routes.post(
    "/{id}/preview",
    permission=permissions.READ_DRAFTS,
    summary="Make a token that shows a draft",
    description="`GET` the `url` with `Authorization: Bearer <token>` and `X-Site-ID`: the draft as publishing would "
    "render it, with what the creator of the token may read then; nothing else is found with it. Never put it into a "
    "URL.",
    query=LocaleQuery,
    response=PreviewOut,
    errors=(404,),
    repeatable=False,
)
async def open_preview(call: Call) -> web.StreamResponse:
    locale = call.query(LocaleQuery).locale
    opened = await call.get(PreviewService).open(call.principal, call.site, call.path_id(), locale)
    return reply(opened, headers={"Cache-Control": "no-store"})
