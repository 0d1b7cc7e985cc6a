"""A type whose fields change, and how to change them."""

TITLE = {"key": "title", "type": "string", "required": True}
NOTE = {"key": "note", "type": "string"}
COUNT = {"key": "count", "type": "integer"}
BOX = {"key": "box", "fields": [{"key": "words", "type": "string"}, {"key": "hint", "type": "string"}]}
BODY = {"key": "body", "type": "blocks", "components": [BOX]}
FIELDS = [TITLE, NOTE, COUNT, BODY, {"key": "link", "type": "relation", "target": "thing"}]


def without(key):
    return [field for field in FIELDS if field["key"] != key]


def replaced(key, *new):
    return [*without(key), *new]


async def create(api, *, publish=True, **data):
    answer = await api.post("/content", {"type": "thing", "data": {"title": "One", **data}, "publish": publish})
    assert answer.status == 201, answer.raw
    return answer.json


async def plan(api, fields):
    answer = await api.post("/content-types/thing/plan", {"fields": fields})
    assert answer.status == 200, answer.raw
    return answer.json


async def apply(api, fields, drain):
    made = await plan(api, fields)
    answer = await api.post(f"/content-types/thing/plan/{made['plan_id']}/apply")
    assert answer.status == 202, answer.raw
    return await done(api, answer, drain)


async def done(api, answer, drain):
    assert answer.headers["Location"] == f"/api/v1/search/jobs/{answer.json['job_id']}"
    await drain()
    job = (await api.get(answer.headers["Location"])).json
    assert job["state"] == "done", job
    return job


async def roll_back(api, drain):
    answer = await api.post("/content-types/thing/rollback")
    assert answer.status == 202, answer.raw
    return await done(api, answer, drain)


async def draft(api, item):
    return (await api.get(f"/content/{item['id']}?status=draft")).json["data"]


async def document(api, item):
    return (await api.get(f"/content/{item['id']}?status=published")).json["data"]
