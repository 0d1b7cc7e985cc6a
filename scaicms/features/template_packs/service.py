"""Use cases of the public site: which item answers an address, rendered by the built-in pack."""

import re
from functools import lru_cache
from html import unescape
from typing import Any

from jinja2 import PackageLoader, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from scaicms.features.auth.service import Authenticator
from scaicms.features.content.schemas import ListItems
from scaicms.features.content.service import DeliveryService
from scaicms.features.content_types.service import CompiledType, ContentTypeService
from scaicms.features.sites.service import SiteService
from scaicms.features.template_packs.errors import PageNotFoundError
from scaicms.infra.services import Service, Services
from scaicms.kit import json
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site

PAGE_SIZE = 20
MAX_PAGE = 1_000_000

_FIRST_HEADING = re.compile(r"\s*<h1[^>]*>([^<]*)</h1>")

_ENVIRONMENT = ImmutableSandboxedEnvironment(
    loader=PackageLoader("scaicms.features.template_packs", "starter"), autoescape=select_autoescape(), trim_blocks=True
)


class PublicSiteService(Service):
    """Pages of the site that answers on a host, as an anonymous reader may see them."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._sites = services.get(SiteService)
        self._types = services.get(ContentTypeService)
        self._content = services.get(DeliveryService)
        self._authenticator = services.get(Authenticator)

    async def site_of(self, host: str) -> tuple[Site, Principal] | None:
        """The site of a host with its anonymous reader; None where no site answers."""
        site = await self._sites.of_host(host)
        if site is None:
            return None
        return site, await self._authenticator.authenticate(None, site, "")

    async def home(self, site: Site, reader: Principal, page: int) -> str:
        """The newest items of the site's first type that has addresses."""
        if not 1 <= page <= MAX_PAGE:
            raise PageNotFoundError
        types = await self._types.with_addresses(site.id)
        listed = next((t for t in types if self._content.reads_type(reader, site, t.key)), None)
        if types and listed is None:
            raise PageNotFoundError
        if listed is None:
            return _render("home.html", site=site, items=[], page=1, pages=1)
        dates = [f.key for f in listed.fields.values() if f.type in ("date", "datetime")]
        dated = next((key for key in dates if self._content.may_sort_by(reader, site, listed.key, key)), None)
        query = ListItems(
            type=listed.key, page=page, page_size=PAGE_SIZE, sort=f"-data.{dated}" if dated else "-published_at"
        )
        found = json.loads(await self._content.page(reader, site, query))
        pages = max(1, -(-found["total"] // PAGE_SIZE))
        if page > pages:
            raise PageNotFoundError
        items = [_shown(listed, item) for item in found["items"]]
        return _render("home.html", site=site, items=items, page=page, pages=pages)

    async def item(self, site: Site, reader: Principal, path: str) -> str:
        """The item whose type's `url_pattern` fits the path."""
        for content_type in await self._types.with_addresses(site.id):
            matched = _pattern(content_type.url_pattern or "").fullmatch(path)
            if matched is not None:
                document = await self._content.by_slug(reader, site, content_type.key, matched["slug"])
                item = json.loads(document.body)
                html = _html(item, content_type)
                return _render("item.html", site=site, item=_shown(content_type, item), html=html)
        raise PageNotFoundError

    def not_found(self, site: Site) -> str:
        return _render("not_found.html", site=site)

    def welcome(self, host: str) -> str:
        """What answers on a host that no site has."""
        return _render("welcome.html", host=host)


def _html(item: dict[str, Any], content_type: CompiledType) -> Markup:
    """The item's texts, without a first heading that repeats the title, which the page shows already."""
    data = item["data"]
    texts = "\n".join(data[f.html_key] for f in content_type.fields.values() if f.html_key in data)
    heading = _FIRST_HEADING.match(texts)
    if heading is not None and unescape(heading[1]).strip() == data.get(content_type.title_key or ""):
        texts = texts[heading.end() :]
    return Markup(texts)  # noqa: S704 - sanitised where it was rendered


@lru_cache(maxsize=256)
def _pattern(url_pattern: str) -> re.Pattern[str]:
    before, _, after = url_pattern.partition("{slug}")
    return re.compile(f"{re.escape(before)}(?P<slug>[a-z0-9-]{{1,200}}){re.escape(after)}")


def _shown(content_type: CompiledType, item: dict[str, Any]) -> dict[str, Any]:
    """What templates see of an item."""
    data = item["data"]
    return {
        "title": data.get(content_type.title_key or "") or item["slug"],
        "description": data.get("description", ""),
        "url": (content_type.url_pattern or "").replace("{slug}", item["slug"]),
        "data": data,
    }


def _render(template: str, **values: Any) -> str:
    return _ENVIRONMENT.get_template(template).render(**values)
