"""Which rules decide about an action, and what each comes to."""

from collections.abc import Iterable
from uuid import UUID

from scaicms.features.permissions.schemas import BoundsOut, Explanation, ReasonOut, TargetIn
from scaicms.kit.permissions import Permission
from scaicms.kit.principal import EVERYTHING, Narrowing
from scaicms.web.authority import HeldRule, Subject, TargetFacts


def explain(
    subject: Subject, everybody: Iterable[HeldRule], permission: Permission, target: TargetIn, facts: TargetFacts | None
) -> Explanation:
    """Weigh what the subject holds and what everybody does at the site."""
    held = [rule for rule in (*subject.held, *everybody) if rule.rule.permission in (permission.code, EVERYTHING)]
    reasons = [_weigh(rule, subject, permission, target, facts) for rule in held]
    allowed = any(reason.effect == "allows" for reason in reasons)
    if not held:
        reasons.append(ReasonOut(effect="denies", message=f"No role of theirs grants {permission.code}."))
    reasons += [ReasonOut(effect="limits", message=limit) for limit in subject.limits]
    if subject.barred is not None:
        reasons.insert(0, ReasonOut(effect="denies", message=subject.barred))
    return Explanation(allowed=allowed and subject.barred is None, because=reasons)


def _weigh(
    held: HeldRule, subject: Subject, permission: Permission, target: TargetIn, facts: TargetFacts | None
) -> ReasonOut:
    rule = held.rule
    miss = _misses_place(rule.site_id, permission, target.site_id) or _misses_bounds(
        rule.narrowing, subject, target, facts
    )
    through = f" through the group {held.group_id}" if held.group_id is not None else ""
    where = f" at the site {rule.site_id}" if rule.site_id is not None else ""
    says = f"The role {held.role}{through} grants {rule.permission}{where}"
    return ReasonOut(
        effect="does_not_reach" if miss else "allows",
        message=f"{says}, but {miss}." if miss else f"{says}.",
        role=held.role,
        group_id=held.group_id,
        site_id=rule.site_id,
        permission=rule.permission,
        bounds=BoundsOut.of(rule.narrowing) if rule.narrowing != Narrowing() else None,
    )


def _misses_place(held_at: UUID | None, permission: Permission, asked_at: UUID | None) -> str | None:
    if held_at is None:
        return None
    if permission.scope == "global":
        return "this permission is held everywhere or not at all"
    return None if held_at == asked_at else "that is another site"


def _misses_bounds(bound: Narrowing, subject: Subject, target: TargetIn, facts: TargetFacts | None) -> str | None:
    content_type = facts.content_type if facts is not None else target.content_type
    locale = facts.locale if facts is not None else target.locale
    own = target.own if facts is None else facts.created_by is not None and facts.created_by == subject.owner_id
    for name, within, asked in (
        ("content type", bound.content_types, content_type),
        ("locale", bound.locales, locale),
        ("field", bound.fields, target.field),
    ):
        if within is not None and asked is not None and asked not in within:
            return f"not for the {name} {asked}"
    if bound.own_only and (own is False or subject.owner_id is None):
        return "only for what is their own"
    return None
