"""Reading the past: where rows of a moment are found, and what such a moment is.

What is no more published is unpublished content: it is for who may read drafts, as far as they may read them.
"""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from scaicms.kit.clock import utcnow
from scaicms.kit.schemas import QueryMoment


def _past(moment: datetime) -> datetime:
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("this is before or after all time") from None
    if moment > utcnow():
        raise ValueError("lies in the future")
    return moment


AsOf = Annotated[
    QueryMoment,
    AfterValidator(_past),
    Field(description="What was delivered at this time (`2026-01-31T12:00:00Z`), for who may read drafts."),
]


def documents(moment: datetime | None) -> str:
    """Where lists of published documents read: what is delivered, or what was at a moment (UTC)."""
    return "documents" if moment is None else _valid("document_history", moment)


def document_terms(moment: datetime | None) -> str:
    """Where the terms of such documents stand."""
    return "document_terms" if moment is None else _valid("document_term_history", moment)


def _valid(table: str, moment: datetime) -> str:
    # The moment in words, as a datetime writes itself: arguments that come before or after it keep their numbers.
    at = f"'{moment.isoformat()}'::timestamptz"
    return f"(SELECT * FROM {table} WHERE valid_from <= {at} AND valid_to > {at})"
