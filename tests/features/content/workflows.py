"""A workflow of three stages, and moves in it."""

WORKFLOW = {
    "initial": "writing",
    "stages": [
        {"key": "writing", "name": "Writing"},
        {"key": "review", "name": "Review", "roles": ["author", "editor"]},
        {"key": "ready", "name": "Ready", "permission": "content:publish", "publishable": True},
    ],
}


async def move(api, item, stage, **body):
    return await api.post(f"/content/{item['id']}/move", {"stage": stage, **body})


async def set_workflow(api, workflow):
    return await api.patch("/content-types/article", {"workflow": workflow})


def without(key):
    return {**WORKFLOW, "stages": [stage for stage in WORKFLOW["stages"] if stage["key"] != key]}
