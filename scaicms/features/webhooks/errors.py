"""What can be wrong with webhooks."""

from scaicms.kit.errors import ConflictError, ForbiddenError, GoneError, InvalidError, NotFoundError


class WebhookNotFoundError(NotFoundError):
    code, message = "webhook_not_found", "This site has no webhook with this id."


class DeliveryNotFoundError(NotFoundError):
    code, message = "delivery_not_found", "This webhook has no delivery with this id."


class WebhookExistsError(ConflictError):
    code, message = "webhook_exists", "This site has a webhook with this name already."


class WebhookInactiveError(ConflictError):
    code, message = "webhook_inactive", "The webhook is not active: activate it first."


class EventsForbiddenError(ForbiddenError):
    code, message = "events_forbidden", "A webhook never gets what you may not read."


class HeadersRequiredError(InvalidError):
    code = "headers_required"
    message = (
        "Stored values of headers are not sent to another origin. Send `headers` with the new `url`: "
        "all of them with their values, or {} for none."
    )


class EventsExpiredError(GoneError):
    code, message = "events_expired", "Retention has removed these events."
