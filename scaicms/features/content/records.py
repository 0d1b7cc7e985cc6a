"""An item in one locale as services pass it around."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from scaicms.features.content_types.service import CompiledType
from scaicms.features.taxonomies.service import ItemTerm


@dataclass(frozen=True, slots=True)
class Item:
    """The current draft of an item with what is known of its publication."""

    id: UUID
    site_id: UUID
    content_type: CompiledType
    slug: str
    locale: str
    version: int
    published_version: int | None
    data: dict[str, Any]
    created_at: datetime
    created_by: UUID | None
    updated_at: datetime
    updated_by: UUID | None
    published_at: datetime | None
    terms: tuple[ItemTerm, ...] = ()

    @property
    def status(self) -> str:
        """`changed`: published, and saved since."""
        if self.published_version is None:
            return "draft"
        return "published" if self.published_version == self.version else "changed"

    @property
    def etag(self) -> str:
        """Validator of the draft: its version, how often its type has rewritten it, what its terms are called."""
        layout = self.content_type.layout
        suffix = f"{layout:x}" if layout else ""
        if self.terms:
            suffix += hashlib.blake2b(repr(self.terms).encode(), digest_size=6).hexdigest()
        return f'"v{self.version}-{suffix}"' if suffix else f'"v{self.version}"'


class Target(NamedTuple):
    """What is known of an item that a relation points to."""

    type_key: str
    published: bool
    created_by: UUID | None
