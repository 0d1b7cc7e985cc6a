"""`/taxonomies/{key}/terms/{id}/content`."""

from typing import Literal

from aiohttp import web

from scaicms.features.content import permissions
from scaicms.features.content.schemas import ChangeContent, ContentChanged, LinkedItem, LinkedItems, ListTermContent
from scaicms.features.content.term_content import TermContentService
from scaicms.features.taxonomies.schemas import TermCounts
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import no_content, reply

routes = Routes("taxonomies", "/taxonomies/{key}/terms/{id}/content", site=True)

EXAMPLE = {"content_ids": ["0198c5a0-0000-7000-8000-000000000001"]}


@routes.get(
    permission=permissions.READ,
    summary="List what has a term",
    description="Drafts for who may read them, else what is published; the newest first, each once. The published "
    "documents themselves: `GET /content?type=…&filter[terms.topics][under]=…`.",
    query=ListTermContent,
    response=LinkedItems,
    errors=(404,),
)
async def list_term_content(call: Call) -> web.StreamResponse:
    query = call.query(ListTermContent)
    found = await call.get(TermContentService).page(call.principal, call.site, call.path("key"), call.path_id(), query)
    items = [LinkedItem.model_validate(dict(row)) for row in found.found.rows]
    relation: Literal["at_least"] | None = "at_least" if found.is_lower_bound else None
    counts = TermCounts(content=found.direct, with_descendants=found.under, relation=relation)
    return reply(LinkedItems(items=items, counts=counts, **found.found.about(query)))


@routes.post(
    permission=permissions.UPDATE,
    summary="Give items a term",
    description="All or none; a new version of each draft. Where what is published is the draft, it is published anew "
    "at once by who may publish it.",
    body=ChangeContent,
    body_example=EXAMPLE,
    response=ContentChanged,
    errors=(404,),
)
async def add_term_content(call: Call) -> web.StreamResponse:
    ids = (await call.body(ChangeContent)).content_ids
    changed = await call.get(TermContentService).change(
        call.principal, call.site, call.path("key"), call.path_id(), ids, add=True
    )
    return reply(changed)


@routes.delete(
    permission=permissions.UPDATE,
    summary="Take a term from items",
    description="All or none, as giving it.",
    body=ChangeContent,
    body_example=EXAMPLE,
    errors=(404,),
)
async def remove_term_content(call: Call) -> web.StreamResponse:
    ids = (await call.body(ChangeContent)).content_ids
    await call.get(TermContentService).change(
        call.principal, call.site, call.path("key"), call.path_id(), ids, add=False
    )
    return no_content()
