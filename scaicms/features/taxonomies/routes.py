"""`/taxonomies`."""

from aiohttp import web

from scaicms.features.taxonomies import permissions
from scaicms.features.taxonomies.models import TaxonomyRow
from scaicms.features.taxonomies.schemas import CreateTaxonomy, DeleteQuery, TaxonomyOut, UpdateTaxonomy
from scaicms.features.taxonomies.service import TaxonomyService
from scaicms.kit.schemas import ListQuery
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import Page, conditional_reply, created, etag_of, matcher, no_content, reply

routes = Routes("taxonomies", "/taxonomies", site=True)


def _out(row: TaxonomyRow) -> TaxonomyOut:
    return TaxonomyOut.model_validate(row)


def _etag(row: TaxonomyRow) -> str:
    return etag_of(f"{row.id}:{row.updated_at.isoformat()}".encode())


@routes.get(permission=permissions.READ, summary="List taxonomies", query=ListQuery, response=Page[TaxonomyOut])
async def list_taxonomies(call: Call) -> web.StreamResponse:
    query = call.query(ListQuery)
    found = await call.get(TaxonomyService).list_taxonomies(call.principal, call.site, query)
    return reply(Page(items=[_out(row) for row in found.rows], **found.about(query)))


@routes.post(
    permission=permissions.WRITE,
    summary="Create a taxonomy",
    body=CreateTaxonomy,
    body_example={"key": "topics", "name": "Topics", "hierarchical": True, "localized": True},
    response=TaxonomyOut,
    status=201,
    errors=(409,),
)
async def create_taxonomy(call: Call) -> web.StreamResponse:
    row = await call.get(TaxonomyService).create(call.principal, call.site, await call.body(CreateTaxonomy))
    return created(_out(row), f"/api/v1/taxonomies/{row.key}")


@routes.get(
    "/{key}",
    permission=permissions.READ,
    summary="Read a taxonomy",
    response=TaxonomyOut,
    errors=(404,),
    conditional=True,
)
async def read_taxonomy(call: Call) -> web.StreamResponse:
    row = await call.get(TaxonomyService).get(call.principal, call.site, call.path("key"))
    return conditional_reply(call.request, _out(row), _etag(row))


@routes.patch(
    "/{key}",
    permission=permissions.WRITE,
    summary="Change a taxonomy",
    description="It stays hierarchical while terms stand below others, and localized while terms have names in other "
    "locales: 409 `taxonomy_shape`.",
    body=UpdateTaxonomy,
    body_example={"name": "Subjects"},
    response=TaxonomyOut,
    errors=(404, 409, 412),
    conditional=True,
)
async def update_taxonomy(call: Call) -> web.StreamResponse:
    change = await call.body(UpdateTaxonomy)
    check = matcher(call.request, _etag)
    row = await call.get(TaxonomyService).update(call.principal, call.site, call.path("key"), change, check=check)
    return reply(_out(row), headers={"ETag": _etag(row)})


@routes.delete(
    "/{key}",
    permission=permissions.WRITE,
    summary="Delete a taxonomy",
    description="With terms in it: 409 `taxonomy_in_use`, whose `lost` counts terms, items and published items, unless "
    "`force=true`. Documents that show its terms are rendered anew by workers.",
    query=DeleteQuery,
    errors=(404, 409, 412),
    conditional=True,
)
async def delete_taxonomy(call: Call) -> web.StreamResponse:
    force = call.query(DeleteQuery).force
    check = matcher(call.request, _etag)
    await call.get(TaxonomyService).delete(call.principal, call.site, call.path("key"), force=force, check=check)
    return no_content()
