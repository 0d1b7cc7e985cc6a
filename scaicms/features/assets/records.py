"""An asset as services pass it around."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

Status = Literal["processing", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class Variant:
    """A smaller picture, made when the file was read."""

    name: str
    width: int
    height: int
    size: int


@dataclass(frozen=True, slots=True)
class File:
    """Bytes, and what they are."""

    id: UUID
    digest: str
    size: int
    raster_type: str | None
    content_type: str | None
    status: Status
    problem: str | None
    width: int | None
    height: int | None
    blurhash: str | None
    color: str | None
    exif: Mapping[str, Any]
    variants: Sequence[Variant]
    job_id: UUID | None

    @property
    def known_type(self) -> str | None:
        """The type, as far as it is known before the file is read."""
        if self.status == "processing":
            return self.raster_type
        return self.content_type

    @property
    def version(self) -> str:
        """What `v=` names: other bytes are another version."""
        return self.digest[:16]


@dataclass(frozen=True, slots=True)
class Asset:
    """A file with what is said of it."""

    id: UUID
    site_id: UUID
    file: File
    filename: str
    titles: Mapping[str, str]
    alts: Mapping[str, str]
    folder: str
    tags: Sequence[str]
    focal_x: float | None
    focal_y: float | None
    version: int
    created_at: datetime
    created_by: UUID | None
    updated_at: datetime
    updated_by: UUID | None

    def title(self, chain: Sequence[str]) -> str | None:
        """The title in the first locale of the chain that has one."""
        return next((self.titles[locale] for locale in chain if locale in self.titles), None)

    def alt(self, chain: Sequence[str]) -> str | None:
        return next((self.alts[locale] for locale in chain if locale in self.alts), None)

    @property
    def url(self) -> str:
        """Where the file is, this very version of it."""
        return f"/api/v1/assets/{self.id}/file?v={self.file.version}"

    def variant_url(self, name: str) -> str:
        return f"{self.url}&variant={name}"


@dataclass(frozen=True, slots=True)
class Usage:
    """How many drafts and published documents use an asset."""

    items: int
    documents: int

    def __bool__(self) -> bool:
        return bool(self.items or self.documents)

    def __str__(self) -> str:
        return f"{self.items} items and {self.documents} published documents"
