"""What can be wrong with an API key."""

from scaicms.kit.errors import ForbiddenError, NotFoundError


class ApiKeyNotFoundError(NotFoundError):
    code, message = "api_key_not_found", "There is no API key with this id."


class MoreThanHeldError(ForbiddenError):
    code, message = "more_than_held", "A key never may do more than its creator."


class OnlyPeopleError(ForbiddenError):
    code, message = "only_people", "Only a user who is logged in makes API keys; a key cannot make keys."


class OnlyOwnerError(ForbiddenError):
    code, message = "only_owner", "Only who made a key changes or rotates it; you may revoke it."


class AddressNotAllowedError(ForbiddenError):
    code, message = "address_not_allowed", "This key may not be used from your address."
