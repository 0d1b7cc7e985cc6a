"""What a scope reaches, as SQL over an item `i` and its content type `t`."""

from scaicms.features.content.paths import Bound
from scaicms.kit.principal import Narrowing, Scope

_IN_LOCALES = """(SELECT true FROM entries within WHERE within.item_id = i.id AND within.locale = ANY({locales})
                   LIMIT 1) IS TRUE"""


def reached(scope: Scope | None, bound: Bound, *, field: str | None = None) -> str:
    """The condition that an item is within the scope's reach, in any of its locales; `field` is an expression for the
    field of it that is asked about."""
    if scope is None:
        return "true"
    ways = [" AND ".join(_within(narrowing, scope, bound, field)) or "true" for narrowing in scope.bounds]
    return f"({' OR '.join(f'({way})' for way in ways) or 'false'})"


def _within(narrowing: Narrowing, scope: Scope, bound: Bound, field: str | None) -> list[str]:
    conditions = []
    if narrowing.content_types is not None:
        conditions.append(f"t.key = ANY({bound.bind(list(narrowing.content_types))})")
    if narrowing.locales is not None:
        conditions.append(_IN_LOCALES.format(locales=bound.bind(list(narrowing.locales))))
    if narrowing.fields is not None and field is not None:
        conditions.append(f"{field} = ANY({bound.bind(list(narrowing.fields))})")
    if narrowing.own_only:
        conditions.append(f"i.created_by = {bound.bind(scope.owner_id)}")
    return conditions
