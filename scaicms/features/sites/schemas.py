"""Sites in and out."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from scaicms.kit.schemas import Answer, Body, Query

DEFAULT_PUBLIC_ROLE = "public"
SiteKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
# The shape of a language tag (RFC 5646 §2.1): language, script, region, variants.
LocaleCode = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$")]
# A host name (RFC 1123 §2.1), lower case, without port.
Host = Annotated[
    str,
    StringConstraints(
        pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$",
        max_length=253,
    ),
]


class Locale(Answer):
    model_config = ConfigDict(extra="forbid")

    code: LocaleCode
    fallback: list[LocaleCode] = Field(default_factory=list, max_length=10)


class SiteSettings(Answer):
    model_config = ConfigDict(extra="forbid")

    public_role: str = Field(
        default=DEFAULT_PUBLIC_ROLE, description="Key of the role of anonymous callers on this site.", max_length=63
    )
    title: str | None = Field(default=None, max_length=200, description="Shown on the public site.")
    description: str | None = Field(default=None, max_length=500)


def check_locales(default: str, locales: list[Locale]) -> None:
    codes = [locale.code for locale in locales]
    if len(set(codes)) != len(codes):
        raise ValueError("a locale is given twice")
    if default not in codes:
        raise ValueError(f"default_locale {default} is not among the locales")
    for locale in locales:
        strange = [code for code in locale.fallback if code not in codes or code == locale.code]
        if strange:
            raise ValueError(f"{locale.code} cannot fall back to {', '.join(strange)}")


class CreateSite(Body):
    key: SiteKey
    name: str = Field(min_length=1, max_length=200)
    default_locale: LocaleCode = "en"
    locales: list[Locale] = Field(default_factory=lambda: [Locale(code="en")], min_length=1, max_length=100)
    settings: SiteSettings = Field(default_factory=SiteSettings)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if "locales" not in self.model_fields_set:
            self.locales = [Locale(code=self.default_locale)]
        check_locales(self.default_locale, self.locales)
        return self


class UpdateSite(Body):
    name: str | None = Field(default=None, min_length=1, max_length=200)
    default_locale: LocaleCode | None = None
    locales: list[Locale] | None = Field(default=None, min_length=1, max_length=100)
    settings: SiteSettings | None = None


class UpdateSiteQuery(Query):
    force: bool = Field(
        default=False, description="Take another default locale although there are items that have nothing in it."
    )


class SiteOut(Answer):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    key: str
    name: str
    default_locale: str
    locales: list[Locale]
    settings: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class CreateDomain(Body):
    host: Host
    is_primary: bool = False


class DomainOut(Answer):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    host: str
    is_primary: bool
    verified_at: datetime | None
    created_at: datetime
