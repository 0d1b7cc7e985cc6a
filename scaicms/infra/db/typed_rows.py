"""Tables whose rows hold `data` of content types, as their features declare them: a change of a type rewrites it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TypedRows:
    """One table. Its rows have `id`, `item_id`, `locale` and `data` (jsonb). Written by whoever declares it."""

    name: str
    """What a report calls a row of it: `draft`, `document`."""
    table: str
    key_type: str
    """SQL type of `id`."""
    belongs: str
    """SQL that tells whether the row `r` is of the type $1."""
    private: bool
    """Whether `data` holds private fields."""
    reads: str
    """Where the function is (`module:attribute`) that tells which fields a principal reads in all rows of a type and
    locale at a site; None is all."""
    rendered: bool = False
    """Whether rows also have `body`, the complete JSON with what readers get as its `data`, and its `etag`."""
    indexed: str | None = None
    """Where lists filter and sort by `data`: SQL of the rows of one type, with `{type_id}`, for partial indexes."""
    past: bool = False
    """Whether rows are of the past: rewritten as far as they can be, and no reason to refuse a change."""
    references: str | None = None
    """Table of what values point to (`site_id item_id field target_id asset`) that is kept in step with `data`."""
    keyed: tuple[str, ...] = ()
    """Columns (jsonb) that keep something by the keys of fields."""
    states: Mapping[str, str] = field(default_factory=lambda: {"now": "true"})
    """Rows of an item in the same state have the same values in fields that its locales share. Name to SQL that tells
    whether the row `{row}` is in it; what is in none, because it is past, keeps what it has."""
    settle: Sequence[str] = ()
    """Statements that bring in step what hangs on rows of which values came from others: plan $1, public fields $2."""
