"""What can be wrong with content."""

from scaicms.kit.errors import ConflictError, ForbiddenError, NotFoundError


class ItemNotFoundError(NotFoundError):
    """The same for items that do not exist, are elsewhere, or may not be read."""


class SlugTakenError(ConflictError):
    code, message = "slug_taken", "Another item of this type has this slug."


class NotUniqueError(ConflictError):
    code, message = "not_unique", "Another item of this type has the same value in a unique field."


class SingleExistsError(ConflictError):
    code, message = "single_exists", "A type of the kind single has one item, and it exists."


class NotPublishedError(ConflictError):
    code, message = "not_published", "This item is not published."


class FieldForbiddenError(ForbiddenError):
    code, message = "field_forbidden", "Your rights do not reach these fields."


class LastLocaleError(ConflictError):
    code, message = "last_locale", "This is the only locale of the item; delete the item instead."
