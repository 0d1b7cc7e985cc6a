"""What can be wrong with a content type."""

from scaicms.kit.errors import ConflictError, NotFoundError


class ContentTypeNotFoundError(NotFoundError):
    code, message = "content_type_not_found", "This site has no content type with this key."


def unknown_type(key: str) -> ContentTypeNotFoundError:
    """The one answer for a key that no type has and for a type that the caller may not know of."""
    return ContentTypeNotFoundError(f"This site has no content type {key!r}.")


class ContentTypeExistsError(ConflictError):
    code, message = "content_type_exists", "This site has a content type with this key already."


class ContentTypeInUseError(ConflictError):
    code, message = "content_type_in_use", "There is content of this type; delete it first."


class PlanInProgressError(ConflictError):
    code, message = "plan_in_progress", "Workers are changing this content type; wait until they are done."


class PlanStaleError(ConflictError):
    code, message = (
        "plan_stale",
        "The content type has changed since the plan was made, or the plan was used; plan anew.",
    )


class PlanFailsError(ConflictError):
    code, message = "plan_fails", "Stored items would not fit; change them or the proposal, then plan anew."


class NothingToRollBackError(ConflictError):
    code, message = "nothing_to_roll_back", "No change of this content type is known that could be undone."


class BundleBlockedError(ConflictError):
    code, message = "bundle_blocked", "Something in the bundle cannot be changed at once; nothing has changed."


class PlanNotFoundError(NotFoundError):
    code, message = "plan_not_found", "This content type has no plan with this id."


class PlanRequiredError(ConflictError):
    code = "plan_required"
    message = "This change could lose or invalidate stored data; it cannot be applied at once."


class TypeHeldError(ConflictError):
    """`held` in the answer counts the items."""

    code, message = "on_hold", "Items of this type are on legal hold; this change could lose values in their past."


class StageInUseError(ConflictError):
    code, message = "stage_in_use", "There are items in stages that would be no more; move them first."
