"""Facts about assets."""

from typing import ClassVar

from scaicms.infra.events import Event


class AssetEvent(Event):
    """`aggregate_id` is the asset."""

    seen_with: ClassVar[str | None] = "assets:read"

    filename: str


class AssetUploaded(AssetEvent):
    """The file is stored; a worker reads it next, unless the site has the same bytes already."""

    type: ClassVar[str] = "asset.uploaded"
    size: int


class AssetProcessed(AssetEvent):
    """It is known what the file is."""

    type: ClassVar[str] = "asset.processed"
    content_type: str


class AssetFailed(AssetEvent):
    """The file cannot be read as what it begins like."""

    type: ClassVar[str] = "asset.failed"
    problem: str


class AssetUpdated(AssetEvent):
    type: ClassVar[str] = "asset.updated"


class AssetDeleted(AssetEvent):
    """So many `items` and published `documents` used it."""

    type: ClassVar[str] = "asset.deleted"
    items: int
    documents: int


ALL = (AssetUploaded, AssetProcessed, AssetFailed, AssetUpdated, AssetDeleted)
