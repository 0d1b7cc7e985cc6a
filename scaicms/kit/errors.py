"""Errors that a caller can act on. They carry a code and a status; `web` renders them, `jobs` classifies them."""

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong with a body, named by a JSON pointer (RFC 6901)."""

    pointer: str
    code: str
    message: str

    def as_dict(self) -> dict[str, str]:
        return {"pointer": self.pointer, "code": self.code, "message": self.message}


class AppError(Exception):
    """Base of every expected failure: `status` is the HTTP status, `code` the stable name clients switch on."""

    status = 500
    code = "internal_error"
    message = "Something went wrong on our side."

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.message = message or type(self).message
        self.code = code or type(self).code
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})
        super().__init__(self.message)

    @property
    def in_words(self) -> str:
        """All of it in one line, for reports that are read later."""
        details = "; ".join(f"{wrong.pointer}: {wrong.message}" for wrong in self.errors)
        return f"{self.message} {details}".strip()


class BadRequestError(AppError):
    status, code, message = 400, "bad_request", "The request could not be read."


class UnknownParameterError(BadRequestError):
    code = "unknown_parameter"


class UnauthorizedError(AppError):
    status, code = 401, "unauthorized"
    message = "This needs a valid Bearer token or API key in the Authorization header."

    def __init__(self, message: str | None = None, *, code: str | None = None) -> None:
        challenge = 'Bearer realm="scaicms"' + (', error="invalid_token"' if message else "")
        super().__init__(message, code=code, headers={"WWW-Authenticate": challenge})


class ForbiddenError(AppError):
    status, code, message = 403, "forbidden", "You may not do this."


class NotFoundError(AppError):
    """Also what a caller gets for what they may not read: the answer must not tell the two apart."""

    status, code, message = 404, "not_found", "There is nothing here with this id."


class ConflictError(AppError):
    status, code, message = 409, "conflict", "This clashes with what is stored."


class GoneError(AppError):
    status, code, message = 410, "gone", "This was removed for good."


class PreconditionFailedError(AppError):
    status, code = 412, "precondition_failed"
    message = "The resource has changed since you read it."


class TooLargeError(AppError):
    status, code, message = 413, "too_large", "The request is too large."


class UnsupportedMediaTypeError(AppError):
    status, code, message = 415, "unsupported_media_type", "This content type is not accepted here."


class InvalidError(AppError):
    """A readable body whose content is wrong; `errors` says where."""

    status, code, message = 422, "invalid", "The body is not valid."


class TooManyRequestsError(AppError):
    status, code, message = 429, "too_many_requests", "Too many requests."

    def __init__(self, message: str | None = None, *, retry_after: int) -> None:
        super().__init__(message, headers={"Retry-After": str(max(1, retry_after))})


class UnavailableError(AppError):
    status, code, message = 503, "unavailable", "A part of the system cannot be reached; try again."

    def __init__(self, message: str | None = None, *, retry_after: int = 2) -> None:
        super().__init__(message, headers={"Retry-After": str(retry_after)})


NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Numbers of errors of the operating system: the disk is full, or the part of it that an account may use."""


def is_disk_full(error: BaseException) -> bool:
    """Whether a file could not be written because there is no space left."""
    return isinstance(error, OSError) and error.errno in NO_SPACE


class StorageFullError(AppError):
    """A disk has no room left; jobs try again."""

    status, code = 507, "storage_full"
    message = "There is no space left to store this. Nothing was stored. Try again when space has been freed."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message, headers={"Retry-After": "60"})
