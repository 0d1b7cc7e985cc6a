"""Answers about items."""

from typing import Any
from uuid import UUID

from aiohttp import web

from scaicms.features.content import render
from scaicms.features.content.service import Written
from scaicms.kit import json
from scaicms.web.replies import json_reply


def written_reply(
    written: Written, status: int = 200, *, plan: bool = False, path: str = "", schedule_id: UUID | None = None
) -> web.Response:
    """The answer to a write of an item; `path` is where in it the new thing is, where it is a part."""
    body = written_body(written, plan=plan)
    if schedule_id is not None:
        body["schedule_id"] = schedule_id
    headers = {"ETag": written.item.etag}
    if status == 201:
        headers["Location"] = f"/api/v1/content/{written.item.id}{path}"
    return json_reply(json.dumps(body), status=status, headers=headers)


def written_body(written: Written, *, plan: bool) -> dict[str, Any]:
    """The item as it is after a write; with what publishing it has found (`plan`)."""
    body = render.draft(written.item)
    if plan:
        body["plan"] = written.plan.model_dump()
    return {**body, "job_ids": list(written.job_ids)}
