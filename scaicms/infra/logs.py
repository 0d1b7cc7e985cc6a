"""Structured logs: JSON lines for machines, colours for a terminal. Values under secret names never pass."""

import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
import structlog

from scaicms.settings import Settings

_SECRET_NAME = re.compile(r"password|secret|token|authorization|api_key|cookie", re.IGNORECASE)
REDACTED = "[redacted]"


request_id: ContextVar[str | None] = ContextVar("scaicms_request_id", default=None)
"""The request that this task answers; every line says it."""
client_address: ContextVar[str | None] = ContextVar("scaicms_client_address", default=None)
"""Where that request came from, as far as configured proxies can be believed; events keep it."""


class AccessLog:
    """One line a request. JSON lines are written directly: a tenth of what structlog's chain costs, and the fields
    are fixed, so that there is nothing to redact."""

    def __init__(self) -> None:
        self._write: Callable[[dict[str, Any]], object] = _to_structlog

    def configure(self, settings: Settings) -> None:
        if settings.log_level in ("warning", "error"):
            self._write = _to_nowhere
        elif settings.log_format == "json":
            self._write = _to_json_line
        else:
            self._write = _to_structlog

    def __call__(self, fields: dict[str, Any]) -> None:
        self._write(fields)


def _to_structlog(fields: dict[str, Any]) -> None:
    structlog.get_logger("scaicms.access").info("request", **fields)


def _to_json_line(fields: dict[str, Any]) -> None:
    line = {
        "event": "request",
        "level": "info",
        "timestamp": datetime.now(UTC),
        "request_id": request_id.get(),
        **fields,
    }
    sys.stderr.buffer.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z))
    sys.stderr.buffer.flush()


class _WithoutTraceback(logging.Filter):
    """The error of a record in one line: asyncpg logs each of its tries to connect with a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            record.msg, record.args = f"{record.getMessage()} ({type(error).__name__}: {error})", ()
            record.exc_info = record.exc_text = None
        return True


def _to_nowhere(_: dict[str, Any]) -> None:
    """Below the level that is logged."""


log_access = AccessLog()


def configure_logs(settings: Settings) -> None:
    """Set up structlog and let the standard library's loggers write through it."""
    log_access.configure(settings)
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[Any] = [
        _add_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _redact,
    ]
    renderer: Any
    if settings.log_format == "json":
        shared.append(structlog.processors.format_exc_info)
        renderer = structlog.processors.JSONRenderer(serializer=_dumps)
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=True)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.INFO))
    for noisy in ("arq.worker", "tortoise", "asyncio", "watchfiles"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    pool = logging.getLogger("asyncpg.pool")
    pool.filters[:] = [_WithoutTraceback()]


def _dumps(event: Any, default: Any = None, **_: Any) -> str:
    return orjson.dumps(event, default=default or str).decode()


def _redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in event:
        if _is_secret(key):
            event[key] = REDACTED
    return event


def _add_request_id(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    known = request_id.get()
    if known is not None:
        event.setdefault("request_id", known)
    return event


@lru_cache(maxsize=1024)
def _is_secret(key: str) -> bool:
    return _SECRET_NAME.search(key) is not None
