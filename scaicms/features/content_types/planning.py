"""Planning changes of a type's fields: tried on the rows that are stored, handed to workers, undone again."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from scaicms.features.content_types import repository
from scaicms.features.content_types.definitions import check_defaults, fields_of, stored_form
from scaicms.features.content_types.errors import (
    NothingToRollBackError,
    PlanFailsError,
    PlanInProgressError,
    PlanNotFoundError,
    PlanStaleError,
)
from scaicms.features.content_types.fields import FieldDefinition, all_components
from scaicms.features.content_types.jobs import APPLY_PLAN, ApplyPayload
from scaicms.features.content_types.legal_holds import require_no_loss
from scaicms.features.content_types.models import ContentTypeRow, SchemaPlanRow, SchemaVersionRow
from scaicms.features.content_types.plan_reports import within_rights
from scaicms.features.content_types.reach import readable, writable
from scaicms.features.content_types.reshaping import inverted
from scaicms.features.content_types.trying import Trial
from scaicms.infra import db, lists
from scaicms.infra.jobs import enqueue
from scaicms.infra.lists import Found
from scaicms.infra.services import Service
from scaicms.kit.clock import utcnow
from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.ids import new_id
from scaicms.kit.principal import Principal
from scaicms.kit.schemas import ListQuery
from scaicms.kit.sites import Site


class PlanService(Service):
    """Plans of the types of a site."""

    async def plan(
        self, principal: Principal, site: Site, key: str, proposal: tuple[FieldDefinition, ...]
    ) -> SchemaPlanRow:
        """Say what a change would do to what is stored. Nothing changes. Rows that the caller may not read are counted
        and not named."""
        row = await writable(principal, site, key, lock=False)
        _check_sources(fields_of(row.definitions), proposal)
        await asyncio.to_thread(check_defaults, proposal)
        plan = await _tried(principal, site, row, proposal)
        plan.found = within_rights(_found(plan), principal, site, key)
        return plan

    async def apply(self, principal: Principal, site: Site, key: str, plan_id: UUID) -> SchemaPlanRow:
        """Hand a plan to the workers.

        Raises:
            PlanStaleError: the type is not what it was when the plan was made.
            PlanFailsError: there are rows that would not fit.
            TypeHeldError: an item on legal hold could lose values of its past.
            PlanInProgressError: workers are at another plan of the type.
        """
        async with db.transaction():
            row = await writable(principal, site, key)
            plan = await repository.find_plan(row.id, plan_id, lock=True)
            if plan is None:
                raise PlanNotFoundError
            if plan.state != "planned" or plan.base_version != row.version:
                raise PlanStaleError
            return await _hand_over(principal, site, row, plan)

    async def rollback(self, principal: Principal, site: Site, key: str) -> SchemaPlanRow:
        """Undo the last change of the fields, whether it came by a plan or at once; workers do it.

        Raises:
            NothingToRollBackError: the type is as it was made.
            PlanFailsError: what was stored since then would not fit.
        """
        async with db.transaction():
            row = await writable(principal, site, key)
            newest = await lists.first_models(SchemaVersionRow, repository.versions(row.id), 2)
            if len(newest) < 2:
                raise NothingToRollBackError
            last, before = newest
            proposal = inverted(fields_of(before.proposal), fields_of(last.proposal))
            plan = await _tried(principal, site, row, proposal, undone=last.plan_id)
            return await _hand_over(principal, site, row, plan)

    async def versions(self, principal: Principal, site: Site, key: str, query: ListQuery) -> Found[SchemaVersionRow]:
        """The fields that a type has had, newest first."""
        row = await readable(principal, site, key)
        return await lists.read_models(self.resources, SchemaVersionRow, repository.versions(row.id), query)


async def _tried(
    principal: Principal,
    site: Site,
    row: ContentTypeRow,
    proposal: Sequence[FieldDefinition],
    *,
    undone: UUID | None = None,
) -> SchemaPlanRow:
    await repository.forget_old_plans(row.id)
    # Kept with the plan: what it says is what will be, also if the site gets another default locale before.
    order = list(dict.fromkeys((site.default_locale, *site.locales)))
    plan_id = new_id()
    trial = await asyncio.to_thread(Trial, row, proposal, undone, order)
    return await SchemaPlanRow.create(
        id=plan_id,
        site_id=row.site_id,
        type_id=row.id,
        base_version=row.version,
        proposal=stored_form(proposal),
        found=await trial.run(plan_id),
        undoes=undone,
        state="planned",
        created_at=utcnow(),
        actor_kind=principal.kind,
        actor_id=principal.id,
    )


def _found(plan: SchemaPlanRow) -> dict[str, Any]:
    found: dict[str, Any] = plan.found  # type: ignore[assignment]  # JSON column, written here alone
    return found


async def _hand_over(principal: Principal, site: Site, row: ContentTypeRow, plan: SchemaPlanRow) -> SchemaPlanRow:
    if number := sum(change["failing_total"] for change in _found(plan)["changes"]):
        seen = within_rights(_found(plan), principal, site, row.key)
        failing = [one for change in seen["changes"] for one in change["failing"]]
        about = [FieldError(one["pointer"], one["code"], f"{one['item_id']}: {one['message']}") for one in failing]
        raise PlanFailsError(f"{PlanFailsError.message} Rows that fail: {number}.", errors=about[:_MAX_SAID])
    await require_no_loss(row.id, _found(plan))
    if await repository.is_being_changed(plan.type_id):
        raise PlanInProgressError
    plan.job_id = await enqueue(APPLY_PLAN.request(ApplyPayload(plan_id=plan.id), site_id=plan.site_id))
    plan.state = "applying"
    plan.actor_kind, plan.actor_id = principal.kind, principal.id
    await plan.save()
    return plan


_MAX_SAID = 20


def _check_sources(old: Sequence[FieldDefinition], proposal: Sequence[FieldDefinition]) -> None:
    """Every `renamed_from` names a field that there is, and none is named twice."""
    inner = {component.key: component.fields for component in all_components(old)}
    groups = [(old, proposal), *((inner.get(c.key, ()), c.fields) for c in all_components(proposal))]
    for before, after in groups:
        known = {field.key for field in before}
        named = [field.renamed_from for field in after if field.renamed_from is not None]
        wrong = sorted({key for key in named if key not in known or named.count(key) > 1})
        if wrong:
            message = f"renamed_from names a field of the type, and each once: not {', '.join(wrong)}."
            raise InvalidError(errors=[FieldError("/fields", "renamed_from", message)])
