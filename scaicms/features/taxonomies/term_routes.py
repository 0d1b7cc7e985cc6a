"""`/taxonomies/{key}/terms`."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from aiohttp import web

from scaicms.features.taxonomies import permissions
from scaicms.features.taxonomies.names import name_in
from scaicms.features.taxonomies.records import Counts, Term
from scaicms.features.taxonomies.schemas import (
    CreateTerm,
    DeleteTerm,
    ListTerms,
    LocaleQuery,
    MergeTerm,
    MoveTerm,
    TermCounts,
    TermOut,
    UpdateTerm,
)
from scaicms.features.taxonomies.tree import TermPage, TermService, WrittenTerm
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import Page, conditional_reply, created, etag_of, matcher, no_content, reply

routes = Routes("taxonomies", "/taxonomies/{key}/terms", site=True)

EXAMPLE_ID = "0198c5a0-0000-7000-8000-000000000001"


def _out(call: Call, term: Term, chain: Sequence[str], job_ids: Sequence[UUID] | None = None) -> TermOut:
    return TermOut(
        taxonomy=call.path("key"),
        name=name_in(term.names, chain),
        ancestors=list(term.path[:-1]),
        depth=term.depth,
        job_ids=list(job_ids) if job_ids is not None else None,
        **{name: getattr(term, name) for name in _AS_STORED},
    )


_AS_STORED = ("id", "slug", "names", "parent_id", "position", "created_at", "updated_at")


def _listed(call: Call, page: TermPage, term: Term) -> TermOut:
    out = _out(call, term, page.chain)
    if page.counts is not None:
        found = page.counts.get(term.id, Counts())
        relation: Literal["at_least"] | None = "at_least" if found.is_lower_bound else None
        out.counts = TermCounts(content=found.direct, with_descendants=found.under, relation=relation)
    if page.children is not None:
        out.children = [_listed(call, page, child) for child in page.children.get(term.id, ())]
    return out


def _etag(term: Term) -> str:
    # Its place changes with its siblings and ancestors, who leave its own time of change alone.
    place = f"{term.position}:{':'.join(map(str, term.path))}"
    return etag_of(f"{term.updated_at.isoformat()}:{place}".encode())


def _written(call: Call, written: WrittenTerm) -> web.Response:
    headers = {"ETag": _etag(written.term)}
    return reply(_out(call, written.term, written.chain, written.job_ids), headers=headers)


@routes.get(
    permission=permissions.READ,
    summary="List terms",
    description="Siblings in their order. `tree=true` nests what is below the roots, or below `parent`.",
    query=ListTerms,
    response=Page[TermOut],
    errors=(404,),
)
async def list_terms(call: Call) -> web.StreamResponse:
    query = call.query(ListTerms)
    page = await call.get(TermService).page(call.principal, call.site, call.path("key"), query)
    items = [_listed(call, page, term) for term in page.found.rows]
    return reply(Page(items=items, **page.found.about(query)))


@routes.post(
    permission=permissions.WRITE,
    summary="Create a term",
    body=CreateTerm,
    body_example={"name": {"en": "Rust", "de": "Rost"}, "slug": "rust", "parent_id": EXAMPLE_ID, "position": 0},
    query=LocaleQuery,
    response=TermOut,
    status=201,
    errors=(404, 409),
)
async def create_term(call: Call) -> web.StreamResponse:
    new, locale = await call.body(CreateTerm), call.query(LocaleQuery).locale
    written = await call.get(TermService).create(call.principal, call.site, call.path("key"), new, locale)
    out = _out(call, written.term, written.chain)
    return created(out, f"/api/v1/taxonomies/{call.path('key')}/terms/{out.id}")


@routes.get(
    "/{id}",
    permission=permissions.READ,
    summary="Read a term",
    query=LocaleQuery,
    response=TermOut,
    errors=(404,),
    conditional=True,
)
async def read_term(call: Call) -> web.StreamResponse:
    locale = call.query(LocaleQuery).locale
    found = await call.get(TermService).get(call.principal, call.site, call.path("key"), call.path_id(), locale)
    return conditional_reply(call.request, _out(call, found.term, found.chain), _etag(found.term))


@routes.patch(
    "/{id}",
    permission=permissions.WRITE,
    summary="Rename a term",
    description="Documents that show it are rendered anew by workers; `job_ids` tells by which.",
    body=UpdateTerm,
    body_example={"name": {"en": "The Rust language", "de": None}},
    query=LocaleQuery,
    response=TermOut,
    errors=(404, 409, 412),
    conditional=True,
)
async def update_term(call: Call) -> web.StreamResponse:
    change, locale = await call.body(UpdateTerm), call.query(LocaleQuery).locale
    check = matcher(call.request, _etag)
    written = await call.get(TermService).update(
        call.principal, call.site, call.path("key"), call.path_id(), change, locale, check=check
    )
    return _written(call, written)


@routes.delete(
    "/{id}",
    permission=permissions.WRITE,
    summary="Delete a term",
    description="With content or terms below it: 409 `term_in_use`, whose `lost` counts terms, items and published "
    "items, unless `force=true`.",
    query=DeleteTerm,
    errors=(404, 409, 412),
    conditional=True,
)
async def delete_term(call: Call) -> web.StreamResponse:
    force = call.query(DeleteTerm).force
    check = matcher(call.request, _etag)
    await call.get(TermService).delete(
        call.principal, call.site, call.path("key"), call.path_id(), force=force, check=check
    )
    return no_content()


@routes.post(
    "/{id}/move",
    permission=permissions.WRITE,
    summary="Move a term",
    description="With all that is below it. Never below itself: 409 `term_cycle`.",
    body=MoveTerm,
    body_example={"parent_id": EXAMPLE_ID, "position": 0},
    response=TermOut,
    errors=(404, 409, 412),
    conditional=True,
)
async def move_term(call: Call) -> web.StreamResponse:
    to = await call.body(MoveTerm)
    check = matcher(call.request, _etag)
    written = await call.get(TermService).move(
        call.principal, call.site, call.path("key"), call.path_id(), to, check=check
    )
    return _written(call, written)


@routes.post(
    "/{id}/merge",
    permission=permissions.WRITE,
    summary="Merge a term into another",
    description="The other takes over its content, once each, and the terms below it; answers that one.",
    body=MergeTerm,
    body_example={"into": EXAMPLE_ID},
    response=TermOut,
    errors=(404, 409, 412),
    conditional=True,
)
async def merge_term(call: Call) -> web.StreamResponse:
    into = (await call.body(MergeTerm)).into
    check = matcher(call.request, _etag)
    written = await call.get(TermService).merge(
        call.principal, call.site, call.path("key"), call.path_id(), into, check=check
    )
    return _written(call, written)
