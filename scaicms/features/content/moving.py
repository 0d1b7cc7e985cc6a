"""Moving items from stage to stage."""

from dataclasses import replace
from uuid import UUID

from scaicms.features.content import access, permissions, repository
from scaicms.features.content.errors import NoWorkflowError
from scaicms.features.content.events import ContentMoved
from scaicms.features.content.records import Item
from scaicms.features.content.service import ContentService, Written
from scaicms.features.content_types.service import Stage
from scaicms.features.roles.service import RoleService
from scaicms.infra import db
from scaicms.infra.events import record
from scaicms.infra.services import Service, Services
from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.principal import EVERYTHING, Principal
from scaicms.kit.sites import Site


class MovingService(Service):
    """Where items are in the workflows of their types."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._content = services.get(ContentService)
        self._roles = services.get(RoleService)

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
            await self._require(principal, site, item, stage)
            moved = replace(item, stage=stage)
            jobs = await self._put(principal, site, item, stage, comment) if stage.key != item.stage.key else []
            return Written(access.as_written(principal, moved), jobs)

    async def _put(self, principal: Principal, site: Site, item: Item, stage: Stage, comment: str | None) -> list[UUID]:
        await repository.put_stage(site.id, item.id, stage.key)
        before = item.stage.key if item.stage is not None else None
        fact = item.fact(ContentMoved, from_stage=before, to_stage=stage.key, comment=comment)
        return await record(fact, actor=principal)

    async def _require(self, principal: Principal, site: Site, item: Item, stage: Stage) -> None:
        """Raise unless the principal may move the item here: by the permission, by a role, or, where the stage names
        neither, by being able to change it. Who may do everything may move everywhere."""
        if principal.may(EVERYTHING, site.id) or not (stage.permission or stage.roles):
            return
        if stage.permission is not None and principal.may(stage.permission, site.id):
            scope = principal.scope(stage.permission, site.id)
            if access.view(scope, item.content_type.key, item.locale, item.created_by) is not None:
                return
        if stage.roles and principal.author_id is not None:
            held = await self._roles.all_assignments(principal.author_id)
            if any(role in stage.roles and place in (None, site.id) for role, place in held):
                return
        wanted = [*stage.roles, *([stage.permission] if stage.permission is not None else [])]
        raise principal.refusal(
            stage.permission or permissions.UPDATE.code,
            f"Items are moved to {stage.name} by who has one of: {', '.join(wanted)}.",
        )
