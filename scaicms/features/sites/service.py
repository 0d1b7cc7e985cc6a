"""Use cases of sites."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from asyncpg import LockNotAvailableError
from tortoise.exceptions import IntegrityError

from scaicms.features.roles.service import RoleService, require_covered
from scaicms.features.sites import permissions, repository
from scaicms.features.sites.errors import (
    DefaultLocaleLackingError,
    DomainNotFoundError,
    DomainTakenError,
    LocaleInUseError,
    SiteExistsError,
    SiteInUseError,
    SiteNotFoundError,
)
from scaicms.features.sites.events import SiteCreated, SiteDeleted, SiteUpdated
from scaicms.features.sites.models import SiteDomainRow, SiteRow
from scaicms.features.sites.repository import declare as declare_locale_rows
from scaicms.features.sites.schemas import (
    DEFAULT_PUBLIC_ROLE,
    CreateDomain,
    CreateSite,
    Locale,
    UpdateSite,
    check_locales,
)
from scaicms.infra import db, lists
from scaicms.infra.db.notices import notify
from scaicms.infra.events import record
from scaicms.infra.lists import Found
from scaicms.infra.services import Service, Services
from scaicms.kit.clock import utcnow
from scaicms.kit.errors import FieldError, InvalidError, UnavailableError
from scaicms.kit.ids import new_id
from scaicms.kit.principal import Principal
from scaicms.kit.schemas import ListQuery
from scaicms.kit.sites import Site

__all__ = ["SiteService", "declare_locale_rows", "to_site"]

TOPIC = "sites"
MAX_CACHED = 10_000
# How long a change of locales waits for writers to finish; longer, and all of them would wait behind it.
LOCK_SECONDS = 1.0


class SiteService(Service):
    """Sites; those asked for are kept in the process until a notice says that one changed."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._roles = services.get(RoleService)
        self._by_name: dict[str, Site] = {}
        self._by_host: dict[str, Site | None] = {}
        self._generation = 0
        self._notices = services.resources.notices
        self._notices.subscribe(TOPIC, self._forget)

    def _forget(self, _: str | None) -> None:
        self._generation += 1
        self._by_name.clear()
        self._by_host.clear()

    async def find(self, id_or_key: str) -> Site | None:
        """The site that `X-Site-ID` names; whether the caller may enter it is asked elsewhere."""
        known = self._by_name.get(id_or_key)
        if known is not None and self._notices.is_listening:
            return known
        generation = self._generation
        row = await repository.find(id_or_key)
        if row is None:
            return None
        site = to_site(row)
        # What changed while we were asking may be what we were told: do not keep it.
        unchanged = generation == self._generation and not db.in_open_transaction()
        if unchanged and self._notices.is_listening and len(self._by_name) < MAX_CACHED:
            self._by_name[id_or_key] = site
        return site

    async def by_id(self, site_id: UUID | None) -> Site:
        """The site that a job is about.

        Raises:
            SiteNotFoundError: it has been deleted since.
        """
        site = await self.find(str(site_id))
        if site is None:
            raise SiteNotFoundError
        return site

    async def of_host(self, host: str) -> Site | None:
        """The site that answers on a verified host."""
        if host in self._by_host and self._notices.is_listening:
            return self._by_host[host]
        generation = self._generation
        row = await repository.site_of_host(host)
        site = to_site(row) if row is not None else None
        if generation == self._generation and self._notices.is_listening:
            if len(self._by_host) >= MAX_CACHED:
                self._by_host.clear()
            self._by_host[host] = site
        return site

    async def list_sites(self, principal: Principal, query: ListQuery) -> Found[SiteRow]:
        """The sites that the caller may see."""
        visible = None
        if not principal.may(permissions.READ.code):
            visible = [site for site in principal.grants.by_site if principal.may(permissions.READ.code, site)]
        return await lists.read_models(self.resources, SiteRow, repository.sites(visible), query)

    async def get(self, principal: Principal, id_or_key: str, *, lock: bool = False) -> SiteRow:
        """One site; where the caller has no rights, there is none."""
        row = await repository.find(id_or_key, lock=lock)
        if row is None or not principal.may(permissions.READ.code, row.id):
            raise SiteNotFoundError
        return row

    async def create(self, principal: Principal, new: CreateSite) -> SiteRow:
        principal.require(permissions.CREATE.code)
        now = utcnow()
        row = SiteRow(id=new_id(), created_at=now, updated_at=now, **new.model_dump(mode="json"))
        if new.settings.public_role != DEFAULT_PUBLIC_ROLE:
            await self._check_public_role(principal, row)
        try:
            async with db.transaction():
                await row.save(force_create=True)
                await record(SiteCreated(site_id=row.id, aggregate_id=row.id, key=row.key), actor=principal)
                await notify(TOPIC, str(row.id))
        except IntegrityError:
            raise SiteExistsError from None
        return row

    async def update(
        self,
        principal: Principal,
        id_or_key: str,
        change: UpdateSite,
        *,
        check: Callable[[SiteRow], None],
        force: bool = False,
    ) -> SiteRow:
        """Change a site. `check` may refuse the row as it is when we hold it.

        Raises:
            LocaleInUseError: there is content in a locale that would be gone.
            DefaultLocaleLackingError: there are items without the new default locale, and it is not to be so all the
                same (`force`).
        """
        async with db.transaction():
            row = await self.get(principal, id_or_key, lock=True)
            principal.require(permissions.UPDATE.code, row.id)
            check(row)
            before = to_site(row)
            row.update_from_dict(change.model_dump(mode="json", exclude_unset=True, exclude_none=True))
            _check(row)
            after = to_site(row)
            await _keep_content(before, after, force=force)
            if after.public_role != before.public_role:
                await self._check_public_role(principal, row)
            row.updated_at = utcnow()
            await row.save()
            changed = [after.chain(one) for one in after.locales] != [before.chain(one) for one in before.locales]
            fact = SiteUpdated(site_id=row.id, aggregate_id=row.id, key=row.key, locales_changed=changed)
            await record(fact, actor=principal)
            await notify(TOPIC, str(row.id))
        return row

    async def delete(self, principal: Principal, id_or_key: str) -> None:
        async with db.transaction():
            row = await self.get(principal, id_or_key, lock=True)
            principal.require(permissions.DELETE.code)
            if await repository.has_structure(row.id):
                raise SiteInUseError
            await repository.remove_domains(row.id)
            await self._roles.forget_site(row.id)
            await row.delete()
            await record(SiteDeleted(site_id=None, aggregate_id=row.id, key=row.key), actor=principal)
            await notify(TOPIC, str(row.id))

    async def domains(self, principal: Principal, id_or_key: str) -> list[SiteDomainRow]:
        return await repository.domains((await self.get(principal, id_or_key)).id)

    async def add_domain(self, principal: Principal, id_or_key: str, new: CreateDomain) -> SiteDomainRow:
        """Let the site answer on a host. `localhost` names are verified as they are; others wait for `verify`."""
        row = await self.get(principal, id_or_key)
        principal.require(permissions.UPDATE.code, row.id)
        now = utcnow()
        local = new.host == "localhost" or new.host.endswith(".localhost")
        domain = SiteDomainRow(
            id=new_id(),
            site_id=row.id,
            created_at=now,
            verified_at=now if local else None,
            **new.model_dump(),
        )
        try:
            async with db.transaction():
                await domain.save(force_create=True)
                await record(SiteUpdated(site_id=row.id, aggregate_id=row.id, key=row.key), actor=principal)
                await notify(TOPIC, str(row.id))
        except IntegrityError:
            raise DomainTakenError from None
        return domain

    async def remove_domain(self, principal: Principal, id_or_key: str, domain_id: UUID) -> None:
        row = await self.get(principal, id_or_key)
        principal.require(permissions.UPDATE.code, row.id)
        async with db.transaction():
            domain = await repository.find_domain(row.id, domain_id)
            if domain is None:
                raise DomainNotFoundError
            await domain.delete()
            await record(SiteUpdated(site_id=row.id, aggregate_id=row.id, key=row.key), actor=principal)
            await notify(TOPIC, str(row.id))

    async def _check_public_role(self, principal: Principal, row: SiteRow) -> None:
        """Whoever names the role of anonymous callers gives everybody what it grants."""
        key = to_site(row).public_role
        if not await self._roles.role_exists(key):
            wrong = FieldError("/settings/public_role", "unknown_role", f"There is no role {key}.")
            raise InvalidError(errors=[wrong])
        require_covered(principal, await self._roles.rules_of_role(key, row.id))


def to_site(row: SiteRow) -> Site:
    locales: list[dict[str, Any]] = row.locales  # type: ignore[assignment]  # JSON column, written here alone
    settings: dict[str, Any] = row.settings  # type: ignore[assignment]  # JSON column, written here alone
    return Site(
        id=row.id,
        key=row.key,
        name=row.name,
        default_locale=row.default_locale,
        locales=tuple(locale["code"] for locale in locales),
        public_role=settings.get("public_role", DEFAULT_PUBLIC_ROLE),
        title=settings.get("title") or row.name,
        description=settings.get("description") or "",
        fallbacks={locale["code"]: tuple(locale.get("fallback") or ()) for locale in locales},
    )


def _check(row: SiteRow) -> None:
    try:
        check_locales(row.default_locale, [Locale.model_validate(locale) for locale in row.locales])  # type: ignore[attr-defined]  # JSON column
    except ValueError as error:
        raise InvalidError(errors=[FieldError("/locales", "invalid_locales", str(error))]) from None


async def _keep_content(before: Site, after: Site, *, force: bool) -> None:
    """Refuse to leave content in a locale that is no more, or out of what is read without naming a locale. Looked at
    before anybody waits, and again when nobody writes."""
    removed = sorted(set(before.locales) - set(after.locales))
    default = after.default_locale if after.default_locale != before.default_locale and not force else None
    if not removed and default is None:
        return
    await _require_unused(after, removed, default)
    try:
        await repository.keep_locales(after.id, LOCK_SECONDS)
    except LockNotAvailableError:
        raise UnavailableError("Content of this site is being written all the time; try again.") from None
    await _require_unused(after, removed, default)


async def _require_unused(site: Site, removed: list[str], default: str | None) -> None:
    if removed and (used := await repository.used_locales(site.id, removed)):
        raise LocaleInUseError(errors=[FieldError("/locales", "locale_in_use", advice) for advice in used])
    if default is not None and (number := await repository.lacking(site.id, default)):
        message = (
            f"{number} items have no draft in {default}, or are published but not in {default}: they would be missing"
            f" wherever nobody names a locale. GET /content/translations/missing?locale={default} lists those without a"
            " draft; translate and publish them first, or repeat it with force=true."
        )
        wrong = FieldError("/default_locale", "default_locale_lacking", message)
        raise DefaultLocaleLackingError(errors=[wrong])
