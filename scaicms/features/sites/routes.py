"""`/sites`."""

from aiohttp import web

from scaicms.features.sites import permissions
from scaicms.features.sites.models import SiteRow
from scaicms.features.sites.schemas import CreateDomain, CreateSite, DomainOut, SiteOut, UpdateSite, UpdateSiteQuery
from scaicms.features.sites.service import SiteService
from scaicms.kit.schemas import ListQuery
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import Page, conditional_reply, created, etag_of, matcher, no_content, reply

routes = Routes("sites", "/sites")

ANYBODY_KNOWN = "shows the sites where the caller has rights, and no others"


def _out(row: SiteRow) -> SiteOut:
    return SiteOut.model_validate(row)


def _etag(row: SiteRow) -> str:
    return etag_of(f"{row.id}:{row.updated_at.isoformat()}".encode())


@routes.get(authenticated=ANYBODY_KNOWN, summary="List sites", query=ListQuery, response=Page[SiteOut])
async def list_sites(call: Call) -> web.StreamResponse:
    query = call.query(ListQuery)
    found = await call.get(SiteService).list_sites(call.principal, query)
    return reply(Page(items=[_out(row) for row in found.rows], **found.about(query)))


@routes.post(
    permission=permissions.CREATE,
    summary="Create a site",
    body=CreateSite,
    body_example={"key": "blog", "name": "Blog", "default_locale": "en", "locales": [{"code": "en"}]},
    response=SiteOut,
    status=201,
    errors=(409,),
)
async def create_site(call: Call) -> web.StreamResponse:
    row = await call.get(SiteService).create(call.principal, await call.body(CreateSite))
    return created(_out(row), f"/api/v1/sites/{row.id}")


@routes.get(
    "/{id}",
    authenticated=ANYBODY_KNOWN,
    summary="Read a site",
    response=SiteOut,
    errors=(404,),
    conditional=True,
)
async def read_site(call: Call) -> web.StreamResponse:
    row = await call.get(SiteService).get(call.principal, call.path("id"))
    return conditional_reply(call.request, _out(row), _etag(row))


@routes.patch(
    "/{id}",
    authenticated="needs sites:update at the site, which the service checks",
    summary="Change a site",
    description="409 `locale_in_use` where there is content, also in the trash, in a locale that is not among `locales`"
    " any more; 409 `default_locale_lacking` where items have nothing in another `default_locale`: `errors` say how"
    " much there is and what to do.",
    query=UpdateSiteQuery,
    body=UpdateSite,
    body_example={"name": "The Blog"},
    response=SiteOut,
    errors=(404, 409, 412, 503),
    conditional=True,
)
async def update_site(call: Call) -> web.StreamResponse:
    change = await call.body(UpdateSite)
    check = matcher(call.request, _etag)
    row = await call.get(SiteService).update(
        call.principal, call.path("id"), change, check=check, force=call.query(UpdateSiteQuery).force
    )
    return reply(_out(row), headers={"ETag": _etag(row)})


@routes.delete("/{id}", permission=permissions.DELETE, summary="Delete an empty site", errors=(404, 409))
async def delete_site(call: Call) -> web.StreamResponse:
    await call.get(SiteService).delete(call.principal, call.path("id"))
    return no_content()


@routes.get(
    "/{id}/domains",
    authenticated=ANYBODY_KNOWN,
    summary="List the hosts of a site",
    response=Page[DomainOut],
    errors=(404,),
)
async def list_domains(call: Call) -> web.StreamResponse:
    rows = await call.get(SiteService).domains(call.principal, call.path("id"))
    return reply(Page(items=[DomainOut.model_validate(row) for row in rows], total=len(rows)))


@routes.post(
    "/{id}/domains",
    authenticated="needs sites:update at the site, which the service checks",
    summary="Let a site answer on a host",
    body=CreateDomain,
    body_example={"host": "blog.example.com", "is_primary": True},
    response=DomainOut,
    status=201,
    errors=(404, 409),
)
async def create_domain(call: Call) -> web.StreamResponse:
    site = call.path("id")
    domain = await call.get(SiteService).add_domain(call.principal, site, await call.body(CreateDomain))
    return created(DomainOut.model_validate(domain), f"/api/v1/sites/{site}/domains/{domain.id}")


@routes.delete(
    "/{id}/domains/{domain_id}",
    authenticated="needs sites:update at the site, which the service checks",
    summary="Take a host from a site",
    errors=(404,),
)
async def delete_domain(call: Call) -> web.StreamResponse:
    await call.get(SiteService).remove_domain(call.principal, call.path("id"), call.path_id("domain_id"))
    return no_content()
