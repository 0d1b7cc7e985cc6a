"""Answers about items."""

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
    body = render.draft(written.item)
    if schedule_id is not None:
        body["schedule_id"] = schedule_id
    if plan:
        body["plan"] = written.plan.model_dump()
    body["job_ids"] = list(written.job_ids)
    headers = {"ETag": written.item.etag}
    if status == 201:
        headers["Location"] = f"/api/v1/content/{written.item.id}{path}"
    return json_reply(json.dumps(body), status=status, headers=headers)
