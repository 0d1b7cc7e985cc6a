"""The manifest of a feature: all that the rest of the system needs to know of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scaicms.infra.db.locale_rows import LocaleRows
from scaicms.infra.db.retention import Retention
from scaicms.infra.db.typed_rows import TypedRows
from scaicms.infra.events import Event, Fanout
from scaicms.infra.events.record import Subscriber
from scaicms.infra.jobs.declare import Periodic
from scaicms.infra.jobs.metrics import Figures
from scaicms.infra.storage.sweep import StoredFiles
from scaicms.kit.permissions import Permission


@dataclass(frozen=True, slots=True)
class Feature:
    """Declared once, in the feature's `feature.py`; collected by `scaicms/registry.py`.

    What only the web tier runs is named (`module:attribute`), not imported: a worker is the smaller by it.
    """

    name: str
    models: str | None = None
    """Module with the feature's Tortoise models."""
    routes: Sequence[str] = ()
    """Where its `Routes` are; earlier ones win where paths overlap."""
    events: Sequence[type[Event]] = ()
    subscribers: Mapping[type[Event], Sequence[Subscriber]] = field(default_factory=dict)
    fanout: Fanout | None = None
    """What becomes of facts that may leave, in the statement that writes them; one feature has it."""
    tasks: str | None = None
    """Where the `Task`s are, which only workers import."""
    periodic: Sequence[Periodic] = ()
    """What the fleet does again and again for this feature: prune, verify, seal."""
    permissions: Sequence[Permission] = ()
    subjects: Mapping[str, str] = field(default_factory=dict)
    """Kinds of callers → where the `SubjectFinder` is that tells their rights, for `/permissions/explain`."""
    targets: Mapping[str, str] = field(default_factory=dict)
    """Kinds of things → where the `TargetFinder` is that tells what grants are narrowed by."""
    pages: str | None = None
    """Where the function is that adds routes outside `/api` to an `aiohttp.web.Application`."""
    bundle: Mapping[str, str] = field(default_factory=dict)
    """Parts of bundles → where the `BundlePart` is, for `/content-types/bundle`."""
    typed_rows: Sequence[TypedRows] = ()
    """Tables with `data` of content types, for whoever changes the types."""
    stored_files: Sequence[StoredFiles] = ()
    """What it keeps in the file store, for the sweep that removes files without a row."""
    figures: Sequence[Figures] = ()
    """Gauges that `/metrics` asks the database for."""
    retention: Sequence[Retention] = ()
    """How the feature's tables grow, and what ends their rows."""
    legal_holds: Sequence[str] = ()
    """SQL: ids of things on legal hold, whose events stay."""
    locale_rows: Sequence[LocaleRows] = ()
    """What is stored by locale, for whoever takes a locale away from a site."""
