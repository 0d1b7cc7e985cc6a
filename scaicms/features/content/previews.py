"""Showing a draft to whoever has a token for it (docs/adr/0023-preview-tokens.md)."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import jwt

from scaicms.features.assets.service import known_assets
from scaicms.features.auth.service import Authenticator
from scaicms.features.content import access, fallbacks, links, permissions, render, repository
from scaicms.features.content.editing_schemas import PreviewOut
from scaicms.features.content.errors import ItemNotFoundError
from scaicms.features.content.events import ContentPreviewOpened
from scaicms.features.content.paths import Visible
from scaicms.features.content.projecting import project, projection
from scaicms.features.content.records import Item
from scaicms.features.content.service import ContentService
from scaicms.features.content.targets import Target
from scaicms.infra import db
from scaicms.infra.events import record
from scaicms.infra.services import Service, Services
from scaicms.kit import json
from scaicms.kit.clock import unix_now, utcnow
from scaicms.kit.crypto import derive_key
from scaicms.kit.errors import UnauthorizedError
from scaicms.kit.ids import parse_id
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site
from scaicms.web.ports import PREVIEW_PREFIX

ALGORITHM = "HS256"
AUDIENCE = "scaicms-preview"
REQUIRED = ["exp", "aud", "sub", "kind", "site", "item", "locale"]


@dataclass(frozen=True, slots=True)
class _Claims:
    """Which draft, and on whose authority."""

    site_id: UUID
    item_id: UUID
    locale: str
    kind: str
    creator_id: UUID


class PreviewService(Service):
    """A token opens one draft, with the rights that its creator has when it is used."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._content = services.get(ContentService)
        self._authenticator = services.get(Authenticator)
        self._key = derive_key(services.resources.settings.secret.get_secret_value(), "preview")

    async def open(self, principal: Principal, site: Site, item_id: UUID, locale: str | None) -> PreviewOut:
        """A token for the draft as the caller may read it."""
        principal.require(permissions.READ_DRAFTS.code, site.id)
        if principal.is_anonymous or principal.id is None:
            raise UnauthorizedError
        item = await self._content.draft(principal, site, item_id, locale)
        settings = self.resources.settings
        expires_at = (utcnow() + timedelta(seconds=settings.preview_seconds)).replace(microsecond=0)
        claims = {
            "aud": AUDIENCE,
            "exp": int(expires_at.timestamp()),
            "sub": str(principal.id),
            "kind": principal.kind,
            "site": str(site.id),
            "item": str(item.id),
            "locale": item.locale,
        }
        async with db.transaction():
            fact = ContentPreviewOpened(
                site_id=site.id, aggregate_id=item.id, locale=item.locale, expires_at=expires_at.isoformat()
            )
            await record(fact, actor=principal)
        url = f"{settings.link_base or ''}/api/v1/content/{item.id}?locale={item.locale}"
        token = PREVIEW_PREFIX + jwt.encode(claims, self._key, algorithm=ALGORITHM)
        return PreviewOut(token=token, url=url, expires_at=expires_at)

    async def read(self, token: str, site: Site, item_id: UUID, locale: str | None, fields: str | None) -> bytes:
        """The draft that the token is for, as publishing would render it now, or these members of it.

        Raises:
            BadRequestError: there are no such members.
            UnauthorizedError: the token is none, has ended, or its creator is no more.
            ItemNotFoundError: it is for another draft, or its creator may no longer read this one.
        """
        claims = self._claims(token)
        if claims is None:
            raise UnauthorizedError("This preview has ended, or never was one.", code="invalid_preview")
        asked = (site.id, item_id, locale or claims.locale)
        if asked != (claims.site_id, claims.item_id, claims.locale):
            raise ItemNotFoundError
        creator = await self._authenticator.principal_of(claims.kind, claims.creator_id)
        item = await self._content.draft(creator, site, item_id, claims.locale)
        document = await _rendered(site, item)
        scope = creator.scope(permissions.READ_DRAFTS.code, site.id)
        # What stands in for fields that the draft lacks comes from other locales, and from fields out of reach.
        body = document if scope is None else access.within(scope, document)
        seen = access.view(scope, item.content_type.key, item.locale, item.created_by)
        if body is None or seen is None:
            raise ItemNotFoundError
        wanted = projection(fields, Target(item.content_type, Visible(False, seen.fields)), {})
        return json.dumps(project(json.loads(body), wanted.own)) if wanted.own else body

    def _claims(self, token: str) -> _Claims | None:
        try:
            claims = jwt.decode(
                token.removeprefix(PREVIEW_PREFIX),
                self._key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                options={"require": REQUIRED, "verify_exp": False},  # by the database's time, below
            )
        except (jwt.InvalidTokenError, UnicodeEncodeError):
            return None
        if not isinstance(claims["exp"], int) or claims["exp"] <= unix_now():
            return None
        ids = [parse_id(str(claims[name])) for name in ("site", "item", "sub")]
        site_id, item_id, creator_id = ids
        if site_id is None or item_id is None or creator_id is None:
            return None
        return _Claims(site_id, item_id, str(claims["locale"]), str(claims["kind"]), creator_id)


async def _rendered(site: Site, item: Item) -> bytes:
    """The document that publishing the draft would make, with the targets that it would name as unpublished."""
    made = await fallbacks.rendered(site, item, item.published_at or utcnow())
    wanted = [link for link in links.found(item.content_type, made.data) if link.target != item.id]
    known = await repository.existing_targets(site.id, [link.target for link in wanted if not link.asset])
    there = {target for target, about in known.items() if about.published}
    there |= (await known_assets(site.id, [link.target for link in wanted if link.asset])).keys()
    pending = [(link.field, link.target) for link in wanted if link.target not in there]
    named = render.with_pending(made.body, item.version, pending)
    return made.body if named is None else named[0]
