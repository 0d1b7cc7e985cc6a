"""A caller who may write a field and not read it learns nothing of its value: right and wrong guesses get the same
answer, whatever the write would do elsewhere."""

import json

import pytest

from tests.features.content.importing import archive, form
from tests.features.content.test_import_rights import DOC
from tests.features.content.test_narrowing import READS, SAME, on

RIGHT, WRONG = "salary-71", "salary-72"
SHOWN = ["title", "body"]
WORKFLOW = {
    "initial": "open",
    "stages": [
        {"key": "open", "name": "Open"},
        {"key": "ready", "name": "Ready", "permission": "content:hold", "publishable": True},
    ],
}


@pytest.fixture
async def docs(admin, site):
    """A site with documents in two locales."""
    assert (await admin.patch(f"/sites/{site.site}", {"locales": [{"code": "en"}, {"code": "de"}]})).status == 200
    assert (await site.post("/content-types", {**DOC, "workflow": WORKFLOW})).status == 201
    return site


async def stored(docs, *, locales=("en", "de"), stage=None):
    data = {"title": "Plan", "body": "Text.", "secret": RIGHT, "covert": RIGHT}
    item = (await docs.post("/content", {"type": "doc", "locale": locales[0], "data": data})).json
    for locale in locales[1:]:
        added = await docs.put(f"/content/{item['id']}/translations/{locale}", {"data": {"title": "Plan", "body": "T"}})
        assert added.status == 201
    if stage is not None:
        assert (await docs.post(f"/content/{item['id']}/move", {"stage": stage})).status == 200
    return item["id"]


def bulk(item, **more):
    return "POST", "/content/bulk", {"operations": [{"op": "update", "id": item, **more}], "atomic": True}


WAYS = {
    "a change": lambda item, data: ("PATCH", f"/content/{item}?locale=de", {"data": data}),
    "a replacement": lambda item, data: ("PUT", f"/content/{item}?locale=de", {"data": {"title": "Plan", **data}}),
    "a translation": lambda item, data: ("PUT", f"/content/{item}/translations/de", {"data": {"title": "P", **data}}),
    "a changed translation": lambda item, data: ("PATCH", f"/content/{item}/translations/de", {"data": data}),
    "a bulk": lambda item, data: bulk(item, locale="de", data=data),
    "a bulk that replaces": lambda item, data: bulk(item, locale="de", data={"title": "P", **data}, replace=True),
}


def without(raw, *words):
    """An answer without what was sent and what differs from item to item."""
    for word in words:
        raw = raw.replace(word.encode(), b"-")
    return raw


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("field", ["secret", "covert"])
async def test_a_writer_of_one_locale_guesses_nothing_that_all_locales_share(docs, granted, way, field):
    writer = await granted(
        docs, on("content:update", locales=["de"]), *(on(code, locales=["de"], fields=SHOWN) for code in READS)
    )
    answers = []
    for guess in (WRONG, RIGHT):
        item = await stored(docs)
        method, path, body = WAYS[way](item, {field: guess})
        answer = await writer.call(method, path, json=body, headers=SAME)
        answers.append((answer.status, without(answer.raw, guess, item)))
    assert answers[0] == answers[1]
    assert answers[0][0] == 403


async def test_a_new_translation_guesses_nothing_either(docs, granted):
    writer = await granted(
        docs, on("content:update", locales=["de"]), *(on(code, locales=["en", "de"], fields=SHOWN) for code in READS)
    )
    statuses = []
    for guess in (WRONG, RIGHT):
        path = f"/content/{await stored(docs, locales=('en',))}/translations/de"
        statuses.append((await writer.put(path, {"data": {"title": "P", "secret": guess}})).status)
    assert statuses == [403, 403]
    assert (await writer.put(path, {"data": {"title": "P"}})).status == 201


async def test_what_a_writer_may_read_is_still_sent_back_freely(docs, granted):
    writer = await granted(docs, on("content:update", locales=["de"]), *(on(code, locales=["de"]) for code in READS))
    path = f"/content/{await stored(docs)}?locale=de"
    assert (await writer.patch(path, {"data": {"body": "New.", "secret": RIGHT}})).status == 200
    assert (await writer.patch(path, {"data": {"secret": WRONG}})).status == 403


async def reported(api, docs, drain, text, **values):
    answer = await api.call("POST", "/content/import", data=form(archive({"p.md": text}), type="doc", **values))
    assert answer.status == 202, answer.raw
    await drain()
    return (await docs.get(f"/search/jobs/{answer.json['job_id']}")).json["result"]


@pytest.mark.parametrize("locales", [["en"], ["en", "de"], None])
@pytest.mark.parametrize("stage", [None, "ready"])
@pytest.mark.parametrize("publish", ["true", "false"])
async def test_a_dry_run_tells_no_guess_by_what_it_would_do_elsewhere(docs, granted, drain, locales, stage, publish):
    text = "---\ntitle: Plan\nsecret: {}\n---\nText.\n"
    await reported(docs, docs, drain, text.format(RIGHT))
    [item] = (await docs.get("/content?type=doc&status=any")).json["items"]
    added = await docs.put(f"/content/{item['id']}/translations/de", {"data": {"title": "Plan", "body": "Text."}})
    assert added.status == 201
    if stage is not None:
        assert (await docs.post(f"/content/{item['id']}/move", {"stage": stage})).status == 200
    bounds = {"locales": locales} if locales is not None else {}
    writes = [on(f"content:{one}", **bounds) for one in ("create", "update", "publish")]
    reads = [on(code, **bounds, fields=SHOWN) for code in READS]
    writer = await granted(docs, *writes, *reads, "content:import")
    reports = [
        await reported(writer, docs, drain, text.format(guess), dry_run="true", publish=publish)
        for guess in (WRONG, RIGHT)
    ]
    assert json.dumps(reports[0]) == json.dumps(reports[1])


async def test_an_approval_lapses_whether_a_hidden_value_was_guessed_or_not(docs, granted):
    writer = await granted(docs, "content:update", *(on(code, fields=SHOWN) for code in READS))
    lapsed = []
    for guess in (WRONG, RIGHT):
        item = await stored(docs, stage="ready")
        changed = await writer.patch(f"/content/{item}", {"data": {"secret": guess}})
        lapsed.append((changed.status, changed.json["lapsed_stage"], changed.json["stage"]))
    assert lapsed == [(200, "ready", "open")] * 2


async def test_a_hidden_target_of_a_hidden_relation_is_not_found_by_trying(docs, granted):
    targets = [await stored(docs, locales=("en",)) for _ in range(2)]
    writer = await granted(
        docs, "content:update", *(on(code, fields=["title", "body"], own_only=True) for code in READS), "content:create"
    )
    item = (await writer.post("/content", {"type": "doc", "data": {"title": "Mine"}})).json["id"]
    assert (await docs.patch(f"/content/{item}", {"data": {"friend": targets[0]}})).status == 200
    answers = []
    for target in targets:
        answer = await writer.patch(f"/content/{item}", {"data": {"friend": target}}, headers=SAME)
        answers.append((answer.status, without(answer.raw, target)))
    assert answers[0] == answers[1]
    assert answers[0][0] == 422
    assert (await writer.patch(f"/content/{item}", {"data": {"title": "Still mine"}})).status == 200
    assert (await docs.get(f"/content/{item}?status=draft")).json["data"]["friend"] == targets[0]
