"""Use cases of assets. Reading their files is in `processing`, sending them in `file_routes`."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from asyncpg import Record

from scaicms.features.assets import file_repository, permissions, repository
from scaicms.features.assets.errors import AssetHeldError, AssetInUseError, AssetNotFoundError
from scaicms.features.assets.events import AssetDeleted, AssetUpdated, AssetUploaded
from scaicms.features.assets.file_repository import Claimed
from scaicms.features.assets.jobs import READ_FILE, REMOVE_FILE, FilePayload
from scaicms.features.assets.records import Asset
from scaicms.features.assets.schemas import ListAssets, NewAsset, UpdateAsset
from scaicms.features.assets.texts import kept_name, laid_over
from scaicms.infra import db, lists
from scaicms.infra.events import record
from scaicms.infra.jobs import enqueue
from scaicms.infra.lists import Found
from scaicms.infra.media import raster_type
from scaicms.infra.services import Service
from scaicms.infra.storage import Storage
from scaicms.kit.clock import utcnow
from scaicms.kit.errors import FieldError, InvalidError, UnavailableError
from scaicms.kit.ids import new_id
from scaicms.kit.locales import known_locale
from scaicms.kit.permissions import Permission
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site

IMAGE_BYTES = 25 * 1024 * 1024
"""The most that a raster image may have; other files have the limit of all uploads."""

Check = Callable[[Asset], None]


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that has arrived, under the key of its id (`key_of`). `head`: how it begins."""

    file_id: UUID
    filename: str
    size: int
    digest: str
    head: bytes


def key_of(file_id: UUID, variant: str | None = None) -> str:
    """Where the bytes lie."""
    return f"assets/{file_id}/{variant or 'original'}"


class AssetService(Service):
    """Assets of a site."""

    async def list_assets(self, principal: Principal, site: Site, query: ListAssets) -> Found[Asset]:
        principal.require(permissions.READ.code, site.id)
        known_locale(site, query.locale)
        found = await lists.read_page(self.resources, repository.assets(site.id, query), query)
        return found.each(repository.of_row)

    async def get(self, principal: Principal, site: Site, asset_id: UUID) -> Asset:
        principal.require(permissions.READ.code, site.id)
        return await _found(site, asset_id)

    async def create(
        self, principal: Principal, site: Site, stored: Stored, new: NewAsset, locale: str | None = None
    ) -> Asset:
        """An asset with a file that has arrived. Where the site has the same bytes already, those are used, and what
        has arrived is removed."""
        principal.require(permissions.CREATE.code, site.id)
        locale = known_locale(site, locale)
        if stored.size == 0:
            raise InvalidError(errors=[FieldError("/file", "empty", "The file is empty.")])
        now, asset_id = utcnow(), new_id()
        async with db.transaction():
            claimed = await file_repository.claim(
                site.id,
                stored.file_id,
                digest=stored.digest,
                size=stored.size,
                raster_type=raster_type(stored.head),
                now=now,
            )
            await self._settle(site, stored, claimed)
            await repository.insert(
                asset_id,
                site.id,
                claimed.id,
                filename=kept_name(stored.filename),
                titles=laid_over({}, new.title, site, locale, member="title"),
                alts=laid_over({}, new.alt, site, locale, member="alt"),
                new=new,
                now=now,
                by=principal.author_id,
            )
            asset = await _found(site, asset_id)
            fact = AssetUploaded(site_id=site.id, aggregate_id=asset.id, filename=asset.filename, size=stored.size)
            await record(fact, actor=principal)
            return asset

    async def _settle(self, site: Site, stored: Stored, claimed: Claimed) -> None:
        """Have bytes read that are new, or that could not be read before: what was in the way may be gone."""
        storage, arrived = self.resources.storage, key_of(stored.file_id)
        if not claimed.is_new:
            if claimed.given_up:
                await storage.copy(arrived, key_of(claimed.id))
            db.after_commit(lambda: _discard(storage, arrived))
        if claimed.is_new or claimed.given_up:
            payload = FilePayload(file_id=claimed.id)
            job_id = await enqueue(READ_FILE.request(payload, site_id=site.id, dedupe_key=f"file:{claimed.id}"))
            await file_repository.put_job(claimed.id, job_id)

    async def update(
        self,
        principal: Principal,
        site: Site,
        asset_id: UUID,
        change: UpdateAsset,
        locale: str | None,
        *,
        check: Check,
    ) -> Asset:
        """Other words, another place. `check` may refuse the asset as it is when we hold it."""
        principal.require(permissions.UPDATE.code, site.id)
        locale = known_locale(site, locale)
        async with db.transaction():
            old = await _held(principal, permissions.UPDATE, site, asset_id)
            check(old)
            asset = replace(
                old,
                **_changed(old, change, site, locale),
                version=old.version + 1,
                updated_at=utcnow(),
                updated_by=principal.author_id,
            )
            await repository.update(asset)
            await record(AssetUpdated(site_id=site.id, aggregate_id=asset.id, filename=asset.filename), actor=principal)
        return asset

    async def delete(self, principal: Principal, site: Site, asset_id: UUID, *, force: bool, check: Check) -> None:
        """Away with an asset, for good; where it is in use only by `force`. Nobody begins to use it meanwhile.

        Raises:
            AssetInUseError: drafts or published documents use it; the error counts them.
            AssetHeldError: an item on legal hold has it in its past.
        """
        principal.require(permissions.DELETE.code, site.id)
        async with db.transaction():
            asset = await _held(principal, permissions.DELETE, site, asset_id)
            check(asset)
            if await repository.is_held(site.id, asset.id):
                raise AssetHeldError
            usage = await repository.usage(site.id, asset.id)
            if usage and not force:
                raise AssetInUseError(
                    f"{usage} use it (GET /assets/{asset.id}/usage); repeat it with force=true to delete it from them.",
                    extra={"usage": {"items": usage.items, "documents": usage.documents}},
                )
            await repository.remove(asset)
            if await file_repository.remove_unused(asset.file.id):
                payload = FilePayload(file_id=asset.file.id)
                await enqueue(REMOVE_FILE.request(payload, site_id=site.id))
            fact = AssetDeleted(
                site_id=site.id,
                aggregate_id=asset.id,
                filename=asset.filename,
                items=usage.items,
                documents=usage.documents,
            )
            await record(fact, actor=principal)


async def _discard(storage: Storage, key: str) -> None:
    with suppress(UnavailableError):  # nothing names these bytes: the sweep of the storage removes them
        await storage.delete(key)


async def known_assets(site_id: UUID, asset_ids: Sequence[UUID], *, hold: bool = False) -> Mapping[UUID, str | None]:
    """Of these assets those that the site has, with their types as far as they are known. With `hold` none is deleted
    until the transaction ends: for who is about to point to them."""
    return await repository.known(site_id, asset_ids, hold=hold) if asset_ids else {}


def among_sql(ids: str, site: str, limit: int) -> str:
    """SQL of the assets of a site (a placeholder) whose ids another query gives, for who has asked whether the caller
    may see assets; `shown_row` makes of a row what items show."""
    return repository.among(ids, site, limit)


def shown_row(row: Record, chain: Sequence[str]) -> dict[str, Any]:
    return shown(repository.of_row(row), chain)


def shown(asset: Asset, chain: Sequence[str]) -> dict[str, Any]:
    """An asset as items show it, with its words in the first of the locales that has some."""
    focal = {"x": asset.focal_x, "y": asset.focal_y} if asset.focal_x is not None else None
    file = asset.file
    return {
        "id": asset.id,
        "url": asset.url,
        "filename": asset.filename,
        "content_type": file.known_type,
        "status": file.status,
        "size": file.size,
        "width": file.width,
        "height": file.height,
        "alt": asset.alt(chain),
        "title": asset.title(chain),
        "blurhash": file.blurhash,
        "color": file.color,
        "focal_point": focal,
        "variants": variants(asset),
    }


def variants(asset: Asset) -> list[dict[str, Any]]:
    """Smaller pictures of an image, and where they are."""
    return [
        {
            "name": one.name,
            "content_type": "image/webp",
            "width": one.width,
            "height": one.height,
            "size": one.size,
            "url": asset.variant_url(one.name),
        }
        for one in asset.file.variants
    ]


async def _found(site: Site, asset_id: UUID) -> Asset:
    asset = await repository.find(site.id, asset_id)
    if asset is None:
        raise AssetNotFoundError
    return asset


async def _held(principal: Principal, permission: Permission, site: Site, asset_id: UUID) -> Asset:
    """The asset, to be changed: not found for who may not see it, refused for who may see it alone."""
    asset = await repository.find(site.id, asset_id, lock="delete" if permission is permissions.DELETE else "change")
    scope = principal.scope(permission.code, site.id)
    if asset is not None:
        bounds = scope.bounds if scope is not None else ()
        if scope is None or scope.is_own(asset.created_by) or any(not bound.own_only for bound in bounds):
            return asset
        if principal.may(permissions.READ.code, site.id):
            raise principal.refusal(permission.code, f"Your {permission.code} does not reach this asset.")
    raise AssetNotFoundError


def _changed(old: Asset, change: UpdateAsset, site: Site, locale: str) -> dict[str, Any]:
    given = change.model_fields_set
    changed: dict[str, Any] = {}
    if "title" in given:
        changed["titles"] = laid_over(old.titles, change.title, site, locale, member="title")
    if "alt" in given:
        changed["alts"] = laid_over(old.alts, change.alt, site, locale, member="alt")
    if change.folder is not None:
        changed["folder"] = change.folder
    if change.tags is not None:
        changed["tags"] = change.tags
    if "focal_point" in given:
        point = change.focal_point
        changed["focal_x"], changed["focal_y"] = (point.x, point.y) if point is not None else (None, None)
    return changed
