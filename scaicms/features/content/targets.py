"""What relations and asset fields of a type lead to, as far as the caller may read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from scaicms.features.assets.permissions import READ as READ_ASSETS
from scaicms.features.content.chains import Chain
from scaicms.features.content.errors import FieldForbiddenError
from scaicms.features.content.paths import Visible
from scaicms.features.content_types.schemas import FieldDefinition
from scaicms.features.content_types.service import CompiledType, ContentTypeService
from scaicms.kit.principal import Scope
from scaicms.kit.sites import Site

MAX_HOPS = 3
RELATIONS = ("relation", "relations")
ASSETS = ("asset", "assets")


@dataclass(frozen=True, slots=True)
class Target:
    """A type as the caller reads it: the fields that exist for them, and in which locales whose items; None: all."""

    content_type: CompiledType
    visible: Visible
    chain: Chain | None = None

    def ways(self) -> list[FieldDefinition]:
        """The relations and asset fields that exist for the caller and are within reach."""
        fields = self.content_type.fields.values()
        seen = [f for f in fields if self.visible.knows(f) and self.visible.reaches(f.key)]
        return [f for f in seen if f.type in RELATIONS + ASSETS]


@dataclass(frozen=True, slots=True)
class Reading:
    """Where and how far what relations lead to is read."""

    site: Site
    locales: Sequence[str]
    scope: Scope | None
    as_of: datetime | None = None
    drafts: bool = False
    """Whether the relations are those of drafts."""
    assets: bool = False
    """Whether assets are within reach."""
    has_account: bool = True
    """Whether the caller is somebody, who may cost more than anybody."""

    def includes(self, include: str | None) -> tuple[str | None, bool]:
        """What an answer with these beside it depends on, besides what is everybody's."""
        return include, self.assets and bool(include)

    @property
    def is_everybodys(self) -> bool:
        """Whether all who read it now read the same: what is published, by no bounds of rights."""
        return self.scope is None and self.as_of is None and not self.drafts


class Targets:
    """Leads from relation to relation for one caller, in some locales."""

    def __init__(
        self,
        types: ContentTypeService,
        scope: Scope | None,
        site: Site,
        locales: Sequence[str],
        *,
        assets: bool = False,
    ) -> None:
        self._types = types
        self._site_id = site.id
        self._locales = locales
        self._scope = scope
        self._assets = assets
        self.types: dict[str, CompiledType] = {}
        """Those that it has led to."""

    async def behind(self, source: Target, key: str, path: str) -> Target | None:
        """What the relation `key` of `source` leads to; None where there is no such relation. `path` is how the caller
        names it.

        Raises:
            FieldForbiddenError: the relation, or everything of what it leads to, is out of the caller's reach.
        """
        field = source.content_type.fields.get(key)
        if field is None or field.target is None or not source.visible.knows(field):
            return None
        if not source.visible.reaches(key):
            raise FieldForbiddenError(f"Your rights do not reach {path}.")
        if self._scope is None:
            return Target(await self._found(field.target), Visible(False))
        chain = Chain.of(self._scope, field.target, self._locales)
        if not chain.locales:
            raise FieldForbiddenError(f"Your rights do not reach what {path} leads to.")
        return Target(await self._found(field.target), Visible(False, chain.fields), chain)

    def leads_to_assets(self, source: Target, key: str, path: str) -> bool:
        """Whether `key` of `source` is a field of assets.

        Raises:
            FieldForbiddenError: it is, and out of the caller's reach, or assets are.
        """
        field = source.content_type.fields.get(key)
        if field is None or field.type not in ASSETS or not source.visible.knows(field):
            return False
        if not source.visible.reaches(key):
            raise FieldForbiddenError(f"Your rights do not reach {path}.")
        if not self._assets:
            raise FieldForbiddenError(f"Your rights do not reach the assets of {path}: that needs {READ_ASSETS.code}.")
        return True

    async def _found(self, key: str) -> CompiledType:
        found = self.types[key] = await self._types.compiled(self._site_id, key)
        return found
