"""`/content/releases`."""

from aiohttp import web

from scaicms.features.content import permissions
from scaicms.features.content.publishing_schemas import CreateRelease, ReleaseOut, ReleasePage, UpdateRelease
from scaicms.features.content.releases import Release, ReleaseService
from scaicms.kit import json
from scaicms.kit.schemas import ListQuery
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import conditional_reply, created, expected_version, no_content, reply

routes = Routes("content", "/content/releases", site=True)

EXAMPLE = {
    "name": "Spring",
    "items": [
        {"id": "0198c5a0-0000-7000-8000-000000000001"},
        {"id": "0198c5a0-0000-7000-8000-000000000002", "locale": "en", "action": "unpublish"},
    ],
    "at": "2031-05-01T06:00:00Z",
}


def _out(release: Release) -> ReleaseOut:
    row = dict(release.row)
    return ReleaseOut.model_validate(
        {
            **row,
            "at": row["due_at"],
            "items": release.items,
            "errors": json.loads(row["problems"]),
            "job_ids": release.job_ids,
        }
    )


def _etag(release: Release) -> str:
    return f'"v{release.row["version"]}"'


@routes.get(
    permission=permissions.PUBLISH,
    summary="List releases, newest first",
    description="Those all of whose items you may publish.",
    query=ListQuery,
    response=ReleasePage,
)
async def list_releases(call: Call) -> web.StreamResponse:
    query = call.query(ListQuery)
    found = await call.get(ReleaseService).page(call.principal, call.site, query)
    return reply(ReleasePage(items=[_out(Release(row)) for row in found.rows], **found.about(query)))


@routes.post(
    permission=permissions.PUBLISH,
    summary="Put items together, to be published all or none",
    description="With `at` workers do it then, with the rights that you have then.",
    body=CreateRelease,
    body_example=EXAMPLE,
    response=ReleaseOut,
    status=201,
)
async def create_release(call: Call) -> web.StreamResponse:
    new = await call.body(CreateRelease)
    made = _out(await call.get(ReleaseService).create(call.principal, call.site, new))
    return created(made, f"/api/v1/content/releases/{made.id}")


@routes.get(
    "/{id}",
    permission=permissions.PUBLISH,
    summary="Read one release",
    response=ReleaseOut,
    errors=(404,),
    conditional=True,
)
async def read_release(call: Call) -> web.StreamResponse:
    found = await call.get(ReleaseService).get(call.principal, call.site, call.path_id())
    return conditional_reply(call.request, _out(found), _etag(found))


@routes.patch(
    "/{id}",
    permission=permissions.PUBLISH,
    summary="Change a release",
    description="Its name, its items (in place of those that it has), its time (null: none). From then on it is done "
    "with your rights.",
    body=UpdateRelease,
    body_example={"at": "2031-05-02T06:00:00Z"},
    response=ReleaseOut,
    errors=(404, 409, 412),
    conditional=True,
)
async def change_release(call: Call) -> web.StreamResponse:
    change = await call.body(UpdateRelease)
    version = expected_version(call.request)
    service = call.get(ReleaseService)
    changed = await service.update(call.principal, call.site, call.path_id(), change, expected_version=version)
    return reply(_out(changed), headers={"ETag": _etag(changed)})


@routes.delete(
    "/{id}",
    permission=permissions.PUBLISH,
    summary="Give a release up",
    description="Its items stay as they are.",
    errors=(404, 409, 412),
    conditional=True,
)
async def delete_release(call: Call) -> web.StreamResponse:
    version = expected_version(call.request)
    await call.get(ReleaseService).delete(call.principal, call.site, call.path_id(), expected_version=version)
    return no_content()


@routes.post(
    "/{id}/publish",
    permission=permissions.PUBLISH,
    summary="Do all of a release now",
    description="All or none: 409 `release_failed` names each item that stands in the way.",
    response=ReleaseOut,
    errors=(404, 409, 412),
)
async def publish_release(call: Call) -> web.StreamResponse:
    return reply(_out(await call.get(ReleaseService).publish(call.principal, call.site, call.path_id())))
