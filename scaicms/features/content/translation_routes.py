"""`/content/{id}/translations`."""

from aiohttp import web

from scaicms.features.content import permissions, render
from scaicms.features.content.replies import written_reply
from scaicms.features.content.schemas import ItemOut
from scaicms.features.content.service import ContentService
from scaicms.features.content.translation_schemas import (
    ListMissing,
    MissingTranslations,
    PatchTranslation,
    PutTranslation,
    SaveTranslation,
    Translations,
)
from scaicms.features.content.translations import TranslationService
from scaicms.kit import json
from scaicms.kit.errors import NotFoundError
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import conditional, conditional_reply, expected_version, no_content, reply

routes = Routes("content", "/content", site=True)

EXAMPLE = {"data": {"title": "Hallo"}}


def _locale(call: Call) -> str:
    """The locale of the path; what the site does not have is not found."""
    locale = call.path("locale")
    if locale not in call.site.locales:
        raise NotFoundError
    return locale


@routes.get(
    "/translations/missing",
    permission=permissions.READ_DRAFTS,
    summary="List what is to be translated",
    description="Items without a draft in the locale, and those of which something localized was changed and published "
    "in the locale that it is translated from since it was last written here.",
    query=ListMissing,
    response=MissingTranslations,
    errors=(404,),
)
async def list_missing(call: Call) -> web.StreamResponse:
    query = call.query(ListMissing)
    found = await call.get(TranslationService).missing(call.principal, call.site, query)
    return reply(MissingTranslations(items=found.rows, **found.about(query)))


@routes.get(
    "/{id}/translations",
    permission=permissions.READ_DRAFTS,
    summary="Show how an item stands in each locale",
    description="Every locale of the site in which you read drafts: whether there is one, and which localized fields "
    "it lacks or has from before they were changed in the locale that it is translated from.",
    response=Translations,
    errors=(404,),
    conditional=True,
)
async def list_translations(call: Call) -> web.StreamResponse:
    found = await call.get(TranslationService).overview(call.principal, call.site, call.path_id())
    return conditional_reply(call.request, Translations(items=found, total=len(found)))


@routes.get(
    "/{id}/translations/{locale}",
    permission=permissions.READ_DRAFTS,
    summary="Read an item's draft in one locale",
    response=ItemOut,
    errors=(404,),
    conditional=True,
)
async def read_translation(call: Call) -> web.StreamResponse:
    item = await call.get(ContentService).draft(call.principal, call.site, call.path_id(), _locale(call))
    return conditional(call.request, json.dumps(render.draft(item)), item.etag)


@routes.put(
    "/{id}/translations/{locale}",
    permission=permissions.UPDATE,
    summary="Create or replace an item's draft in one locale",
    description="A new locale begins with the shared fields of the others.",
    body=PutTranslation,
    body_example=EXAMPLE,
    response=ItemOut,
    creates=True,
    errors=(404, 409, 412),
    conditional=True,
)
async def put_translation(call: Call) -> web.StreamResponse:
    written, created = await call.get(TranslationService).put(
        call.principal,
        call.site,
        call.path_id(),
        _locale(call),
        (await call.body(PutTranslation)).data,
        expected_version=expected_version(call.request),
        must_exist="If-Match" in call.request.headers,
    )
    return written_reply(written, 201 if created else 200, path=f"/translations/{written.item.locale}")


@routes.patch(
    "/{id}/translations/{locale}",
    permission=permissions.UPDATE,
    summary="Change fields of an item's draft in one locale",
    description="As `PATCH /content/{id}?locale=`: what collides is said in the 412, `merge=true` merges the rest.",
    query=SaveTranslation,
    body=PatchTranslation,
    body_example=EXAMPLE,
    response=ItemOut,
    errors=(404, 409, 412),
    conditional=True,
)
async def patch_translation(call: Call) -> web.StreamResponse:
    change = await call.body(PatchTranslation)
    written = await call.get(ContentService).save(
        call.principal,
        call.site,
        call.path_id(),
        change.data,
        locale=_locale(call),
        expected_version=expected_version(call.request),
        reconcile=call.query(SaveTranslation).merge,
    )
    return written_reply(written)


@routes.delete(
    "/{id}/translations/{locale}",
    permission=permissions.DELETE,
    summary="Remove one locale from an item",
    description="Its draft and what is published of it. The last one stays: delete the item instead.",
    errors=(404, 409, 412),
    conditional=True,
)
async def delete_translation(call: Call) -> web.StreamResponse:
    await call.get(TranslationService).remove(
        call.principal,
        call.site,
        call.path_id(),
        _locale(call),
        expected_version=expected_version(call.request),
    )
    return no_content()
