"""Legal holds and changes of a type: a change rewrites the past of items, and the past of a held item stays."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from scaicms.features.content_types import stored
from scaicms.features.content_types.errors import TypeHeldError


async def require_no_loss(type_id: UUID, found: Mapping[str, Any]) -> None:
    """Refuse a change, of which a plan has `found` this, where values could go that a held item has or had.

    A tightened field counts too: what has never been a reason to refuse the change, a past value that does not fit,
    leaves past documents.

    Raises:
        TypeHeldError: items of the type are on legal hold.
    """
    losing = [one["field"] for one in found["changes"] if one["destructive"] or one["op"] == "tighten"]
    if losing and (number := await stored.count_held(type_id)):
        raise TypeHeldError(
            f"Items of this type on legal hold: {number}. Values in their past could be lost by this change of "
            f"{', '.join(losing)}. Release the holds first, or leave these fields as they are.",
            extra={"held": number},
        )
