"""What the stage of an item, in the workflow of its type, means: whether it may be published, how it is found."""

from scaicms.features.content.errors import NotPublishableError
from scaicms.features.content.paths import Bound
from scaicms.features.content.query_tree import FilterError
from scaicms.features.content.records import Item
from scaicms.features.content_types.service import CompiledType


def require_publishable(item: Item) -> None:
    """Refuse to publish what is in a stage that is not for it."""
    if item.stage is not None and not item.stage.publishable:
        raise NotPublishableError(
            f"The item is in the stage {item.stage.name}, in which nothing is published.",
            extra={"stage": item.stage.key},
        )


def in_stage(content_type: CompiledType, key: str, bound: Bound, *, drafts: bool) -> str:
    """SQL that tells whether the draft `d` is in the stage.

    Raises:
        FilterError: the type has no such stage, or it is not drafts that are listed.
    """
    workflow = content_type.workflow
    if not drafts:
        raise FilterError("stage: what is published has none; ask for status=draft or any.")
    stage = workflow.find(key) if workflow is not None else None
    if workflow is None or stage is None:
        known = ", ".join(stage.key for stage in workflow.stages) if workflow is not None else "none"
        raise FilterError(f"stage: {content_type.key} has no {key}. Known: {known}.")
    if key != workflow.initial:
        return f"d.stage = {bound.bind(key)}"
    others = [other.key for other in workflow.stages if other.key != key]
    return f"(d.stage IS NULL OR d.stage <> ALL({bound.bind(others)}))"
