"""The one converter from exceptions to answers: `{"detail": {code, message, request_id, errors?}}`."""

import asyncpg
import structlog
from aiohttp import web
from redis.exceptions import RedisError
from tortoise.exceptions import OperationalError, ValidationError

from scaicms.infra import db
from scaicms.kit import json
from scaicms.kit.errors import AppError, ConflictError, StorageFullError, UnavailableError, is_disk_full

log = structlog.get_logger(__name__)

# A file that cannot be read is our own fault, unlike a connection.
_OUTAGES = (ConnectionError, *(kind for kind in db.OUTAGES if kind is not OSError), RedisError)
_HTTP_CODES = {
    400: ("bad_request", "The request could not be read."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not answer that method; see Allow."),
    413: ("too_large", "The request is too large."),
}


def error_detail(error: AppError, request_id: str) -> dict[str, object]:
    """What a caller is told of an expected failure."""
    detail: dict[str, object] = {"code": error.code, "message": error.message, "request_id": request_id}
    if error.errors:
        detail["errors"] = [item.as_dict() for item in error.errors]
    detail.update(error.extra)
    return detail


def error_response(error: AppError, request_id: str) -> web.Response:
    """Render an expected failure."""
    body = json.dumps({"detail": error_detail(error, request_id)})
    return web.Response(status=error.status, body=body, content_type="application/json", headers=error.headers)


def to_app_error(error: Exception) -> AppError:
    """What the caller is told. What is unexpected is logged with its traceback and said in general terms."""
    if isinstance(error, AppError):
        return error
    if isinstance(error, web.HTTPException):
        return _from_http(error)
    cause = error.__cause__ if isinstance(error, OperationalError) and error.__cause__ else error
    if is_disk_full(cause):
        log.warning("request.no_space", error=str(cause))
        return StorageFullError()
    for kinds, answer in _KNOWN:
        if isinstance(cause, kinds):
            log.info("request.refused_below", error=f"{type(cause).__name__}: {cause}")
            return answer()
    log.error("request.crashed", exc_info=error)
    return AppError()


class UnstorableTextError(AppError):
    """Text that the database cannot hold."""

    status, code, message = (
        422,
        "unstorable_text",
        "Text may not contain the character U+0000 or lone surrogates.",
    )


class TimedOutError(UnavailableError):
    message = "This took too long and was stopped; narrow it down or try again."


class WriteConflictError(ConflictError):
    code = "write_conflict"
    message = "Somebody changed the same thing at the same moment; try again."


class UnstorableValueError(AppError):
    status, code, message = 422, "unstorable_value", "A value is too long or of a kind that cannot be stored."


# What the database says, in terms of what the caller can do about it. The first that fits.
_KNOWN: tuple[tuple[tuple[type[Exception], ...], type[AppError]], ...] = (
    ((asyncpg.QueryCanceledError, TimeoutError), TimedOutError),
    ((asyncpg.DiskFullError,), StorageFullError),
    ((asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.UniqueViolationError), WriteConflictError),
    ((asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError), UnstorableTextError),
    ((ValidationError, asyncpg.StringDataRightTruncationError), UnstorableValueError),
    (_OUTAGES, UnavailableError),
)


def _from_http(error: web.HTTPException) -> AppError:
    code, message = _HTTP_CODES.get(error.status, ("http_error", error.reason or "The request failed."))
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    converted = AppError(message, code=code, headers=headers)
    converted.status = error.status
    return converted
