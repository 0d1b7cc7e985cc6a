"""`/content/{id}/revisions`."""

from aiohttp import web

from scaicms.features.content import permissions, render
from scaicms.features.content.errors import RevisionNotFoundError
from scaicms.features.content.replies import written_body
from scaicms.features.content.revision_schemas import (
    MAX_NUMBER,
    DiffQuery,
    ListRevisions,
    RestoredOut,
    RestoreRevision,
    RevisionDiff,
    RevisionList,
    RevisionOut,
    RevisionQuery,
    RevisionSummary,
    SlugChange,
    TermsChange,
)
from scaicms.features.content.revisions import Difference, Revision, RevisionService
from scaicms.kit import json
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import conditional_reply, expected_version, json_reply, reply

routes = Routes("content", "/content/{id}/revisions", site=True)


def _number(call: Call) -> int:
    """The number in the path; what is no number is not found."""
    text = call.path("number")
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= MAX_NUMBER):
        raise RevisionNotFoundError
    return int(text)


def _summary(revision: Revision) -> dict[str, object]:
    return {
        "number": revision.number,
        "locale": revision.locale,
        "kind": revision.kind,
        "restored_from": revision.source,
        "slug": revision.slug,
        "created_at": revision.created_at,
        "created_by": revision.created_by,
        "is_current": revision.is_current,
        "is_published": revision.is_published,
    }


def _diff(found: Difference) -> RevisionDiff:
    revision, against = found.revision, found.against
    now = render.taxonomies(revision.terms)
    then = render.taxonomies(against.terms) if against is not None else {}
    moved = against is not None and against.slug != revision.slug
    return RevisionDiff(
        number=revision.number,
        against=against.number if against is not None else None,
        locale=revision.locale,
        fields=dict(found.fields),
        slug=SlugChange(before=against.slug, after=revision.slug) if against is not None and moved else None,
        taxonomies={
            key: TermsChange.model_validate({"before": then.get(key, []), "after": now.get(key, [])})
            for key in sorted({*then, *now})
            if then.get(key) != now.get(key)
        },
    )


@routes.get(
    permission=permissions.READ_DRAFTS,
    summary="List an item's revisions",
    description="Every save of the draft in one locale, the newest first.",
    query=ListRevisions,
    response=RevisionList,
    errors=(404,),
)
async def list_revisions(call: Call) -> web.StreamResponse:
    query = call.query(ListRevisions)
    service = call.get(RevisionService)
    found = await service.page(call.principal, call.site, call.path_id(), query.locale, query)
    items = [RevisionSummary.model_validate(_summary(revision)) for revision in found.rows]
    return reply(RevisionList(items=items, **found.about(query)))


@routes.get(
    "/{number}",
    permission=permissions.READ_DRAFTS,
    summary="Read one revision",
    query=RevisionQuery,
    response=RevisionOut,
    errors=(404,),
    conditional=True,
)
async def read_revision(call: Call) -> web.StreamResponse:
    query = call.query(RevisionQuery)
    revision = await call.get(RevisionService).get(
        call.principal, call.site, call.path_id(), query.locale, _number(call)
    )
    about = {
        **_summary(revision),
        "data": revision.data,
        "taxonomies": render.taxonomies(revision.terms),
        "lost_terms": revision.lost_terms,
    }
    return conditional_reply(call.request, RevisionOut.model_validate(about))


@routes.get(
    "/{number}/diff",
    permission=permissions.READ_DRAFTS,
    summary="Compare a revision with another",
    description="Field by field, from `against` to this one: inside long texts word by word, inside lists and blocks "
    "by the ids of their elements. By default `against` is the revision before.",
    query=DiffQuery,
    response=RevisionDiff,
    errors=(404,),
)
async def compare_revisions(call: Call) -> web.StreamResponse:
    query = call.query(DiffQuery)
    found = await call.get(RevisionService).compare(
        call.principal, call.site, call.path_id(), query.locale, _number(call), query.against
    )
    return reply(_diff(found))


@routes.post(
    "/{number}/restore",
    permission=permissions.UPDATE,
    summary="Restore a revision",
    description="Makes a new version of the draft with all that the revision had, or with some of its fields. Nothing "
    "is published by it. Fields out of your reach stay as they are.",
    query=RevisionQuery,
    body=RestoreRevision,
    body_required=False,
    body_example={"fields": ["title"]},
    response=RestoredOut,
    errors=(404, 409, 412),
    conditional=True,
)
async def restore_revision(call: Call) -> web.StreamResponse:
    query, wanted = call.query(RevisionQuery), await call.body(RestoreRevision)
    restored = await call.get(RevisionService).restore(
        call.principal,
        call.site,
        call.path_id(),
        query.locale,
        _number(call),
        wanted,
        expected_version=expected_version(call.request),
    )
    about = {"restored_from": restored.revision.number, "lost_terms": restored.revision.lost_terms}
    written = restored.written
    body = {**written_body(written, plan=False), **about}
    return json_reply(json.dumps(body), headers={"ETag": written.item.etag})
