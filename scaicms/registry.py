"""All features, one line each, lowest rank first."""

from pkgutil import resolve_name
from typing import TYPE_CHECKING

from scaicms.features.api_keys.feature import FEATURE as API_KEYS
from scaicms.features.assets.feature import FEATURE as ASSETS
from scaicms.features.audit.feature import FEATURE as AUDIT
from scaicms.features.auth.feature import FEATURE as AUTH
from scaicms.features.content.feature import FEATURE as CONTENT
from scaicms.features.content_types.feature import FEATURE as CONTENT_TYPES
from scaicms.features.groups.feature import FEATURE as GROUPS
from scaicms.features.permissions.feature import FEATURE as PERMISSIONS
from scaicms.features.retention.feature import FEATURE as RETENTION
from scaicms.features.roles.feature import FEATURE as ROLES
from scaicms.features.search.feature import FEATURE as SEARCH
from scaicms.features.sites.feature import FEATURE as SITES
from scaicms.features.taxonomies.feature import FEATURE as TAXONOMIES
from scaicms.features.template_packs.feature import FEATURE as TEMPLATE_PACKS
from scaicms.features.users.feature import FEATURE as USERS
from scaicms.features.webhooks.feature import FEATURE as WEBHOOKS
from scaicms.infra.db.locale_rows import LocaleRows
from scaicms.infra.db.retention import Retention
from scaicms.infra.db.typed_rows import TypedRows
from scaicms.infra.events import bind, fan_out, subscribe_all
from scaicms.infra.jobs.declare import Periodic, Task
from scaicms.infra.jobs.metrics import Figures
from scaicms.infra.retention import RETENTION as GROUND_RETENTION
from scaicms.infra.storage.sweep import StoredFiles
from scaicms.kit.permissions import Permission
from scaicms.web.feature import Feature

if TYPE_CHECKING:  # workers do without the web tier
    from scaicms.web.operation import Operation

FEATURES: tuple[Feature, ...] = (
    PERMISSIONS,
    AUDIT,
    RETENTION,
    ROLES,
    SITES,
    USERS,
    GROUPS,
    API_KEYS,
    AUTH,
    CONTENT_TYPES,
    TAXONOMIES,
    ASSETS,
    CONTENT,
    SEARCH,
    WEBHOOKS,
    TEMPLATE_PACKS,
)

# Tables that belong to no feature.
GROUND_MODELS = (
    "scaicms.infra.events.models",
    "scaicms.infra.jobs.models",
    "scaicms.infra.idempotency.models",
)


def model_modules() -> list[str]:
    """Every module with Tortoise models."""
    return [*GROUND_MODELS, *(feature.models for feature in FEATURES if feature.models is not None)]


def operations() -> "list[Operation]":
    """Every operation of the API. This imports all routes, and the web tier with them."""
    routes = [resolve_name(name) for feature in FEATURES for name in feature.routes]
    return [operation for declared in routes for operation in declared.operations]


def tasks() -> list[Task]:
    """What workers do. This imports all handlers, and what they need."""
    return [task for feature in FEATURES if feature.tasks is not None for task in resolve_name(feature.tasks)]


def periodic() -> list[Periodic]:
    return [periodic for feature in FEATURES for periodic in feature.periodic]


def permissions() -> list[Permission]:
    return [permission for feature in FEATURES for permission in feature.permissions]


def subjects() -> dict[str, str]:
    return {kind: finder for feature in FEATURES for kind, finder in feature.subjects.items()}


def targets() -> dict[str, str]:
    return {kind: finder for feature in FEATURES for kind, finder in feature.targets.items()}


def typed_rows() -> list[TypedRows]:
    return [rows for feature in FEATURES for rows in feature.typed_rows]


def locale_rows() -> list[LocaleRows]:
    return [rows for feature in FEATURES for rows in feature.locale_rows]


def retention() -> list[Retention]:
    """An entry for each table."""
    return [*GROUND_RETENTION, *(entry for feature in FEATURES for entry in feature.retention)]


def legal_holds() -> list[str]:
    return [query for feature in FEATURES for query in feature.legal_holds]


def bundle_parts() -> dict[str, str]:
    return {name: part for feature in FEATURES for name, part in feature.bundle.items()}


def stored_files() -> list[StoredFiles]:
    return [files for feature in FEATURES for files in feature.stored_files]


def figures() -> list[Figures]:
    return [figures for feature in FEATURES for figures in feature.figures]


def connect_events() -> None:
    """Make events known and connect their subscribers; every process that writes does this at start-up."""
    for feature in FEATURES:
        bind(feature.events)
        subscribe_all(feature.subscribers)
        if feature.fanout is not None:
            fan_out(feature.fanout)
