"""Terms that the rows of an import name: found, or made where they are missing and the importer may make them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from scaicms.features.taxonomies import permissions
from scaicms.features.taxonomies.service import TermService
from scaicms.infra import db
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site


class Named(NamedTuple):
    """Names of terms by taxonomy, and the locale of the row that names them; whether missing ones are to be made."""

    terms: Mapping[str, Sequence[str]]
    locale: str | None
    makes: bool = True


class ImportedTerms:
    """The terms of one import. `made` counts those that it made, or in a dry run would make."""

    def __init__(self, terms: TermService, principal: Principal, site: Site, *, dry_run: bool) -> None:
        self._terms = terms
        self._principal = principal
        self._site = site
        self._dry_run = dry_run
        self._may_make = principal.may(permissions.WRITE.code, site.id)
        self._known: dict[tuple[str, str], UUID | None] = {}
        self.made = 0

    async def prepare(self, rows: Iterable[Named]) -> None:
        """Find or make what the rows name. Call it outside of their transaction: while that is open, nobody could make
        a term of the same taxonomy, and two imports could wait for each other.
        """
        wanted: dict[tuple[bool, str, str | None], dict[str, None]] = {}
        for row in rows:
            locale = row.locale if row.locale in self._site.locales else None
            for key, names in row.terms.items():
                new = [name for name in names if (key, name) not in self._known]
                wanted.setdefault((not row.makes, key, locale), {}).update(dict.fromkeys(new))
        # Those that are only looked for may be among those that are made, which come first.
        for (only_found, key, locale), found in sorted(wanted.items(), key=lambda one: one[0][0]):
            names = [name for name in found if (key, name) not in self._known]
            await self._find(key, names, locale, make=not only_found)

    async def _find(self, key: str, names: Sequence[str], locale: str | None, *, make: bool) -> None:
        if not names:
            return
        found = await self._terms.named(self._site, key, names)
        missing = [name for name in names if name not in found] if make else []
        if missing and self._may_make and self._dry_run:
            self.made += len(missing)
            self._known.update({(key, name): None for name in missing})
        elif missing and self._may_make:
            there, made = await db.again(lambda: self._terms.ensure(self._principal, self._site, key, missing, locale))
            self.made += made
            found |= there
        self._known.update({(key, name): term_id for name, term_id in found.items()})

    def given(self, terms: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """The terms as an item takes them. What there is not stays as it is, for the item to refuse."""
        return {
            key: [
                str(self._known.get((key, name), name))
                for name in names
                if self._known.get((key, name), name) is not None
            ]
            for key, names in terms.items()
        }
