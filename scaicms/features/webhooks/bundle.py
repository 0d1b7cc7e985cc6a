"""Webhooks in bundles: what they are and where they go; neither secrets nor values of headers.

A webhook that a bundle makes has a secret that its receiver does not know, lacks its headers' values, and may be the
copy of another installation's: it starts inactive, and no bundle turns one on. A bundle may turn one off.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from scaicms.features.webhooks.models import WebhookRow
from scaicms.features.webhooks.schemas import Address, CreateWebhook, Name, Patterns, TypeKeys, UpdateWebhook
from scaicms.features.webhooks.service import MAX_WEBHOOKS, WebhookService
from scaicms.infra.http import is_same_origin
from scaicms.infra.services import Services
from scaicms.kit.principal import Principal
from scaicms.kit.schemas import Body
from scaicms.kit.sites import Site
from scaicms.web.bundles import BundlePart

NEW = (
    "It starts inactive: rotate its secret (POST /webhooks/{id}/rotate-secret) and give that to the receiver, then "
    "activate it (PATCH is_active)."
)
STAYS_OFF = "It is not active, and a bundle activates nothing: PATCH is_active does."


class WebhookEntry(Body):
    """`key` is the webhook's name. `header_names` says which headers it has; values are never in a bundle."""

    key: Name
    url: Address
    events: Patterns
    content_types: TypeKeys | None = None
    header_names: list[str] = Field(default_factory=list, max_length=20)
    is_active: bool = True


async def _read(services: Services, principal: Principal, site: Site) -> Sequence[WebhookEntry]:
    webhooks = services.get(WebhookService)
    rows = await webhooks.first_webhooks(principal, site, MAX_WEBHOOKS)
    return [_entry(webhooks, row) for row in rows]


def _entry(webhooks: WebhookService, row: WebhookRow) -> WebhookEntry:
    members: dict[str, Any] = {name: getattr(row, name) for name in ("url", "events", "content_types", "is_active")}
    return WebhookEntry(key=row.name, header_names=sorted(webhooks.shown(row).headers), **members)


async def _write(services: Services, principal: Principal, site: Site, entry: WebhookEntry, is_new: bool) -> None:
    webhooks = services.get(WebhookService)
    members = entry.model_dump(include={"url", "events", "content_types"})
    if is_new:
        await webhooks.create(principal, site, CreateWebhook(name=entry.key, is_active=False, **members))
        return
    row = await webhooks.named(principal, site, entry.key)
    if not entry.is_active:
        members["is_active"] = False
    if not is_same_origin(row.url, entry.url):
        members["headers"] = {}  # stored values are for the origin before
    await webhooks.update(principal, site, row.id, UpdateWebhook(**members), check=lambda _: None)


def _notes(old: WebhookEntry | None, new: WebhookEntry) -> list[str]:
    notes = [NEW] if old is None else []
    if old is not None and new.is_active and not old.is_active:
        notes.append(STAYS_OFF)
    stored = old.header_names if old is not None and is_same_origin(old.url, new.url) else []
    if old is not None and len(stored) < len(old.header_names):
        notes.append(f"The url leads to another origin: the values of {', '.join(old.header_names)} are removed.")
    there = {name.lower() for name in stored}
    lacking = [name for name in new.header_names if name.lower() not in there]
    if lacking:
        notes.append(f"Values of headers are in no bundle: set {', '.join(lacking)} (PATCH headers).")
    named = {name.lower() for name in new.header_names}
    extra = [name for name in stored if name.lower() not in named]
    if extra:
        notes.append(f"Headers that the bundle does not name stay: {', '.join(extra)}.")
    return notes


PART = BundlePart(entry=WebhookEntry, read=_read, write=_write, notes=_notes)
