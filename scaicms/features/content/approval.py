"""Who may put items into the stages of a workflow, and how a stage lapses when somebody else changes the item."""

from dataclasses import replace

from scaicms.features.content import access, repository
from scaicms.features.content.errors import NotPublishableError
from scaicms.features.content.events import ContentMoved
from scaicms.features.content.records import Item
from scaicms.features.content_types.service import Stage, Workflow
from scaicms.features.roles.service import RoleService
from scaicms.infra.events import record
from scaicms.infra.services import Service, Services
from scaicms.kit.principal import EVERYTHING, Principal


class ApprovalService(Service):
    """A stage that only some people may move items to is their approval of the content as they saw it."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._roles = services.get(RoleService)

    async def may_move(self, principal: Principal, item: Item, stage: Stage) -> bool:
        """Whether the principal may move the item to the stage: by its permission, by one of its roles, or, where it
        names neither, by being able to change the item. Callers who may do everything may move everywhere."""
        site_id = item.site_id
        if principal.may(EVERYTHING, site_id) or not (stage.permission or stage.roles):
            return True
        if stage.permission is not None and principal.may(stage.permission, site_id):
            scope = principal.scope(stage.permission, site_id)
            if access.view(scope, item.content_type.key, item.locale, item.created_by) is not None:
                return True
        if stage.roles and principal.author_id is not None:
            held = await self._roles.all_assignments(principal.author_id)
            return any(role in stage.roles and place in (None, site_id) for role, place in held)
        return False

    async def permitted_stage(self, principal: Principal, item: Item) -> Stage | None:
        """The stage of the item after a change by the principal: its own if they may move it there, else the nearest
        one before it that they may move it to, else the initial one."""
        workflow, stage = item.content_type.workflow, item.stage
        if workflow is None or stage is None or not workflow.approval_lapses or stage.key == workflow.initial:
            return stage
        return await self._nearest_stage(principal, item, workflow, stage)

    async def stage_of_import(self, principal: Principal, item: Item) -> Stage | None:
        """The stage of an item that comes with one in a file: that stage if the principal may move items there, else
        the nearest one before it, also where approvals do not lapse."""
        workflow, stage = item.content_type.workflow, item.stage
        if workflow is None or stage is None or stage.key == workflow.initial:
            return stage
        return await self._nearest_stage(principal, item, workflow, stage)

    async def require_publisher(self, principal: Principal, item: Item) -> None:
        """Refuse an item that comes published in a file, where the principal may move it to no stage for publication.

        Raises:
            NotPublishableError: its stages for publication need the approval of somebody else.
        """
        workflow = item.content_type.workflow
        if workflow is None:
            return
        for stage in workflow.stages:
            if stage.publishable and (stage.key == workflow.initial or await self.may_move(principal, item, stage)):
                return
        raise NotPublishableError(
            f"The workflow of {item.content_type.key} has no stage for publication that you may move items to."
        )

    async def _nearest_stage(self, principal: Principal, item: Item, workflow: Workflow, stage: Stage) -> Stage:
        position = next(number for number, one in enumerate(workflow.stages) if one.key == stage.key)
        for candidate in reversed(workflow.stages[: position + 1]):
            if await self.may_move(principal, item, candidate):
                return candidate
        return workflow.stage_of(None)

    async def after_change(self, principal: Principal, item: Item) -> Item:
        """The item in the stage that it keeps after the principal has changed its content. Needs an open transaction
        that locks the item. A lapse is an event `content.moved` with `lapsed`."""
        stage = await self.permitted_stage(principal, item)
        if stage is None or item.stage is None or stage.key == item.stage.key:
            return item
        await repository.put_stage(item.site_id, item.id, stage.key)
        about = {"from_stage": item.stage.key, "to_stage": stage.key, "comment": None, "lapsed": True}
        await record(item.fact(ContentMoved, **about), actor=principal)
        return replace(item, stage=stage, lapsed_stage=item.stage.key)
