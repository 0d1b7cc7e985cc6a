"""What can be wrong with content."""

from scaicms.kit.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    PreconditionFailedError,
    UnavailableError,
)


class ItemNotFoundError(NotFoundError):
    """The same for items that do not exist, are elsewhere, or may not be read."""


class RevisionNotFoundError(NotFoundError):
    """There is none with this number, or it is no more kept. The same words as for a missing item."""


class NotHeldError(NotFoundError):
    code, message = "not_held", "This item is not on legal hold."


class HeldError(ConflictError):
    code, message = "on_hold", "This item is on legal hold and cannot be removed for good."


class LocaleGoneError(InvalidError):
    code, message = "unknown_locale", "The site does not have this locale any more."


class SlugTakenError(ConflictError):
    code, message = "slug_taken", "Another item of this type has this slug."


class NotUniqueError(ConflictError):
    code, message = "not_unique", "Another item of this type has the same value in a unique field."


class SingleExistsError(ConflictError):
    code, message = "single_exists", "A type of the kind single has one item, and it exists."


class NotPublishedError(ConflictError):
    code, message = "not_published", "This item is not published."


class ItemArchivedError(ConflictError):
    code, message = "archived", "This item is in the archive; restore it first."


class NotAwayError(ConflictError):
    code, message = "not_away", "This item is neither in the trash nor in the archive."


class ItemInUseError(ConflictError):
    code, message = "item_in_use", "Other items point to this one; force=true deletes it all the same."


class IdTakenError(ConflictError):
    code, message = "id_taken", "Another site has an item with this id."


class SourceTakenError(ConflictError):
    code = "source_taken"
    message = "This was imported before, into an item that your rights do not reach; give it another slug or file name."


class TooManyExportsError(UnavailableError):
    code, message = "too_many_exports", "Other exports are running. Retry when one has ended."


class FieldForbiddenError(ForbiddenError):
    code, message = "field_forbidden", "Your rights do not reach these fields."


class LastLocaleError(ConflictError):
    code, message = "last_locale", "This is the only locale of the item; delete the item instead."


class ScheduleOverError(ConflictError):
    code, message = "schedule_over", "This is done, has failed or is cancelled: there is nothing left to cancel."


class ReleaseOverError(ConflictError):
    code, message = "release_over", "This release has been published; make another."


class ReleaseFailedError(ConflictError):
    code, message = "release_failed", "Nothing of this release was done; `errors` name the items that cannot be."


class ScheduledByReleaseError(ConflictError):
    code, message = "scheduled_by_release", "This belongs to a release; change the release."


class TooManyTargetsError(ConflictError):
    code, message = (
        "too_many_targets",
        "More than 100 items would be published with this one; publish some first.",
    )


class NotPublishableError(ConflictError):
    code, message = "not_publishable", "The item is in a stage in which nothing is published."


class NoWorkflowError(ConflictError):
    code, message = "no_workflow", "The type of this item has no workflow, so there are no stages to move it to."


class VersionConflictError(PreconditionFailedError):
    """`conflict` has what is stored and what was sent; `errors` points to what collides."""
