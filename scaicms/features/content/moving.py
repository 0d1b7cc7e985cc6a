"""Moving items from stage to stage."""

from dataclasses import replace
from uuid import UUID

from scaicms.features.content import access, permissions, repository
from scaicms.features.content.approval import ApprovalService
from scaicms.features.content.errors import NoWorkflowError
from scaicms.features.content.events import ContentMoved
from scaicms.features.content.records import Item
from scaicms.features.content.service import ContentService, Written
from scaicms.features.content_types.service import Stage
from scaicms.infra import db
from scaicms.infra.events import record
from scaicms.infra.services import Service, Services
from scaicms.kit.errors import AppError, FieldError, InvalidError
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site


class MovingService(Service):
    """Where items are in the workflows of their types."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._content = services.get(ContentService)
        self._approval = services.get(ApprovalService)

    async def move(
        self,
        principal: Principal,
        site: Site,
        item_id: UUID,
        key: str,
        *,
        comment: str | None = None,
        expected_version: int | None = None,
    ) -> Written:
        """Put an item into a stage. What is published of it stays. Into the stage in which it is: nothing happens.

        Raises:
            NoWorkflowError: the type has none.
            InvalidError: the type has no such stage.
        """
        async with db.transaction():
            item = await self._content.hold(
                principal, permissions.UPDATE, site, item_id, expected_version=expected_version
            )
            access.require_everywhere(principal, permissions.UPDATE, item, await repository.locales_of(item.id))
            access.require_fields(access.require_item(principal, permissions.UPDATE, item), ["stage"])
            workflow = item.content_type.workflow
            if workflow is None or item.stage is None:
                raise NoWorkflowError
            stage = workflow.find(key)
            if stage is None:
                known = ", ".join(stage.key for stage in workflow.stages)
                wrong = FieldError("/stage", "unknown_stage", f"{item.content_type.key} has the stages {known}.")
                raise InvalidError(errors=[wrong])
            if not await self._approval.may_move(principal, item, stage):
                raise _refusal(principal, stage)
            moved = replace(item, stage=stage)
            jobs = await self._put(principal, site, item, stage, comment) if stage.key != item.stage.key else []
            return Written(access.as_written(principal, moved), jobs)

    async def _put(self, principal: Principal, site: Site, item: Item, stage: Stage, comment: str | None) -> list[UUID]:
        await repository.put_stage(site.id, item.id, stage.key)
        before = item.stage.key if item.stage is not None else None
        fact = item.fact(ContentMoved, from_stage=before, to_stage=stage.key, comment=comment)
        return await record(fact, actor=principal)


def _refusal(principal: Principal, stage: Stage) -> AppError:
    wanted = [*stage.roles, *([stage.permission] if stage.permission is not None else [])]
    return principal.refusal(
        stage.permission or permissions.UPDATE.code,
        f"Items are moved to {stage.name} by who has one of: {', '.join(wanted)}.",
    )
