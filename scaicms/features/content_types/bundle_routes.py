"""`/content-types/bundle`."""

from dataclasses import asdict

from aiohttp import web

from scaicms.features.content_types import permissions
from scaicms.features.content_types.bundling import BundleService
from scaicms.features.content_types.schemas import Bundle, BundleDrift, BundleOut, BundleQuery, DryRun
from scaicms.kit import json
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import conditional, reply

routes = Routes("content-types", "/content-types", site=True)

EXAMPLE = {
    "version": 1,
    "content_types": [
        {"key": "article", "name": "Article", "fields": [{"key": "title", "type": "string", "required": True}]}
    ],
}


@routes.get(
    "/bundle",
    permission=permissions.READ,
    summary="The configuration of the site as one document",
    description="Content types, roles and what else features contribute, without ids, times and secrets. "
    "Parts that you may not read are named in `left_out`; `parts=` asks for some alone, and is refused then.",
    query=BundleQuery,
    response=Bundle,
    conditional=True,
)
async def read_bundle(call: Call) -> web.StreamResponse:
    wanted = call.query(BundleQuery).parts
    names = wanted.split(",") if wanted is not None else None
    return conditional(call.request, json.dumps(await call.get(BundleService).read(call.principal, call.site, names)))


@routes.post(
    "/bundle",
    permission=permissions.WRITE,
    summary="Make the site what a bundle says",
    description="All of it or nothing; what the bundle does not name stays. `dry_run=true` answers how the site "
    "differs and changes nothing. `bundle_blocked`: a content type would need a plan first.",
    query=DryRun,
    body=Bundle,
    body_example=EXAMPLE,
    response=BundleOut,
    errors=(409,),
)
async def apply_bundle(call: Call) -> web.StreamResponse:
    bundle = await call.body(Bundle)
    service, dry_run = call.get(BundleService), call.query(DryRun).dry_run
    run = service.compare if dry_run else service.apply
    drift = await run(call.principal, call.site, bundle.model_dump())
    return reply(BundleOut(dry_run=dry_run, drift=[BundleDrift.model_validate(asdict(found)) for found in drift]))
