"""`fields=`: the members of items that a list gives."""

from collections.abc import Sequence
from dataclasses import replace

from scaicms.features.content.errors import FieldForbiddenError
from scaicms.features.content.targets import Target
from scaicms.kit.errors import BadRequestError

SELECTABLE = frozenset(
    [
        "id",
        "type",
        "slug",
        "locale",
        "locales",
        "status",
        "version",
        "taxonomies",
        "created_at",
        "created_by",
        "updated_at",
        "updated_by",
        "published_at",
        "publish_at",
        "unpublish_at",
        "fallback_fields",
        "unpublished",
        "stage",
        "data",
    ]
)


def wanted_members(fields: str | None, root: Target) -> list[str]:
    """The members that `fields=` asks for; what the type does not have, or the caller may not read, is refused."""
    content_type, visible = root.content_type, root.visible
    wanted = fields.split(",") if fields else []
    known = {*visible.of(content_type, html=not visible.private), *SELECTABLE}
    existing = {*replace(visible, fields=None).of(content_type, html=not visible.private)}
    hidden = [name for name in wanted if name in existing - known]
    if hidden:
        raise FieldForbiddenError(f"Your rights do not reach {', '.join(hidden)}.")
    unknown = [name for name in wanted if name not in known]
    if unknown:
        names = ", ".join(sorted(known))
        raise BadRequestError(f"fields: there is no {', '.join(unknown)}. Known: {names}.", code="unknown_field")
    return wanted


def project(document: dict[str, object], wanted: Sequence[str]) -> dict[str, object]:
    """A document with these members alone."""
    chosen = {name: document.get(name) for name in wanted if "." not in name}
    keys = [name.partition(".")[2] for name in wanted if "." in name]
    data = document["data"]
    if keys and "data" not in chosen and isinstance(data, dict):
        chosen["data"] = {key: data.get(key) for key in keys}
    return chosen
