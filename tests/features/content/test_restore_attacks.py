"""An export that was edited: nothing comes in that no save could have made, and what is wrong spoils nothing else."""

import copy
import json
from uuid import uuid4

import pytest

from scaicms.infra import db
from tests.features.content.stories import LOCALES
from tests.features.content.test_restore import export, made, restore, send

AUTHOR = {"key": "author", "name": "Author", "fields": [{"key": "title", "type": "string"}]}
POST = {
    "key": "post",
    "name": "Post",
    "fields": [
        {"key": "title", "type": "string", "required": True, "localized": True},
        {"key": "by", "type": "relation", "target": "author"},
        {"key": "with", "type": "relations", "target": "author", "localized": True},
        {"key": "price", "type": "number"},
        {"key": "code", "type": "string", "unique": True},
        {"key": "notes", "type": "string", "private": True},
        {
            "key": "blocks",
            "type": "blocks",
            "localized": True,
            "components": [
                {"key": "card", "fields": [{"key": "who", "type": "relation", "target": "author"}]},
                {"key": "more", "fields": [{"key": "post", "type": "relation", "target": "post"}]},
            ],
        },
    ],
    "workflow": {
        "initial": "open",
        "stages": [{"key": "open", "name": "Open"}, {"key": "ready", "name": "Ready", "publishable": True}],
    },
}


@pytest.fixture
async def posts(site, admin):
    assert (await admin.patch(f"/sites/{site.site}", {"locales": LOCALES})).status == 200
    for type_ in (AUTHOR, POST):
        assert (await site.post("/content-types", type_)).status == 201
    assert (await site.post("/taxonomies", {"key": "topics", "name": "Topics"})).status == 201
    return site


@pytest.fixture
async def line(posts):
    """The line of a post, published and translated, that is not there any more."""
    item = await made(posts, "post", data={"title": "Hello", "price": 3, "notes": "n"})
    path = f"/content/{item['id']}"
    assert (await posts.put(f"{path}/translations/de", {"data": {"title": "Hallo"}})).status == 201
    assert (await posts.post(f"{path}/move", {"stage": "ready"})).status == 200
    assert (await posts.post(f"{path}/publish", {"locales": ["en", "de"]})).status == 200
    assert (await posts.patch(path, {"data": {"title": "Newer"}})).status == 200
    found = json.loads((await export(posts)).splitlines()[-1])
    assert (await posts.delete(f"{path}?permanent=true")).status == 204
    assert [entry["locale"] for entry in found["entries"]] == ["de", "en"]
    return found


def another(line, **more):
    return {**copy.deepcopy(line), "id": str(uuid4()), **more}


def item_line(type_, id_, slug, **data):
    now = "2026-01-02T03:04:05Z"
    entry = {"locale": "en", "version": 1, "updated_at": now, "updated_by": None, "data": data, "published": None}
    about = {"created_at": now, "created_by": None, "archived_at": None, "stage": None, "taxonomies": {}}
    return {"kind": "item", "type": type_, "id": id_, "slug": slug, **about, "entries": [entry]}


async def take(api, drain, *lines):
    """The report, with what is wrong by line."""
    raw = b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in lines)
    report = await restore(api, raw, drain)
    errors = {one["line"]: one for one in report["problems"] if one["level"] == "error"}
    return report, errors


async def test_the_line_itself_goes_in(posts, line, drain):
    report, errors = await take(posts, drain, line)
    assert (report["created"], errors) == (1, {})
    assert json.loads((await export(posts)).splitlines()[-1]) == line


FUTURE, EARLY = "2999-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"
EDITS = {
    "an unknown field": lambda o: o["entries"][1]["data"].update(more=1),
    "an unknown field of what is published": lambda o: o["entries"][1]["published"]["data"].update(more=1),
    "the wrong kind of value": lambda o: o["entries"][1]["data"].update(price="much"),
    "several targets of one relation": lambda o: o["entries"][1]["data"].update(by=[str(uuid4()), str(uuid4())]),
    "no required field": lambda o: o["entries"][0]["data"].pop("title"),
    "a strange locale": lambda o: o["entries"][0].update(locale="nl"),
    "a locale twice": lambda o: o["entries"][0].update(locale="en"),
    "a shared field with two values": lambda o: o["entries"][0]["data"].update(price=4),
    "a shared field in one locale": lambda o: o["entries"][0]["data"].pop("notes"),
    "a slug that is none": lambda o: o.update(slug="No Slug"),
    "a published slug that is none": lambda o: o["entries"][1]["published"].update(slug="../up"),
    "a taxonomy that is not here": lambda o: o.update(taxonomies={"elsewhere": ["x"]}),
    "a term that is not here": lambda o: o["entries"][1]["published"].update(taxonomies={"topics": ["x"]}),
    "version 0": lambda o: o["entries"][1].update(version=0),
    "a version beyond all": lambda o: o["entries"][1].update(version=2**31),
    "published later than written": lambda o: o["entries"][1]["published"].update(version=9),
    "published otherwise than written": lambda o: o["entries"][0]["published"].update(data={"title": "Other"}),
    "created in the future": lambda o: o.update(created_at=FUTURE),
    "changed in the future": lambda o: o["entries"][1].update(updated_at=FUTURE),
    "published in the future": lambda o: o["entries"][1]["published"].update(published_at=FUTURE),
    "before time": lambda o: o.update(created_at=EARLY),
    "without an offset": lambda o: o.update(created_at="2026-01-01T00:00:00"),
    "a stage that is none": lambda o: o.update(stage="gone"),
    "a stage with a nul": lambda o: o.update(stage="a\0"),
    "published in the archive": lambda o: o.update(archived_at="2026-01-01T00:00:00Z"),
    "a type that is not here": lambda o: o.update(type="nothing"),
    "a type with a nul": lambda o: o.update(type="po\0st"),
    "a nul in a text": lambda o: o["entries"][1]["data"].update(title="a\0b"),
    "an unknown member": lambda o: o.update(site_id=str(uuid4())),
    "somebody who is nobody": lambda o: o.update(created_by="admin"),
    "no entries": lambda o: o.update(entries=[]),
}


async def test_what_no_save_could_have_made_is_told_by_line_and_the_rest_goes_in(posts, line, drain):
    lines = []
    for change in EDITS.values():
        lines.append(another(line))
        change(lines[-1])
    report, errors = await take(posts, drain, *lines, line)
    let_in = [name for number, name in enumerate(EDITS, start=1) if number not in errors]
    assert let_in == []
    assert (report["created"], report["failed"]) == (1, len(EDITS))
    assert {one["code"] for one in errors.values()} <= {
        "invalid",
        "content_type_not_found",
    }, errors
    stored = "SELECT count(*) FROM items i JOIN sites s ON s.id = i.site_id WHERE s.key = $1"
    assert await db.fetchval(stored, posts.site) == 1


async def test_terms_and_taxonomies_that_do_not_fit_are_told(posts, drain):
    assert (await posts.post("/taxonomies", {"key": "flat", "name": "Flat", "hierarchical": False})).status == 201
    assert (await posts.post("/taxonomies/flat/terms", {"name": "Top"})).status == 201
    term = {"kind": "term", "taxonomy": "topics", "slug": "a", "names": {"en": "A"}, "parent": None}
    assert (await posts.post("/taxonomies", {"key": "places", "name": "P", "localized": True})).status == 201
    wrong = [
        {**term, "taxonomy": "elsewhere"},
        {**term, "slug": "No Slug"},
        {**term, "parent": "nobody"},
        {**term, "parent": "a"},
        {**term, "names": {}},
        {**term, "names": {"en": "a\0"}},
        {**term, "taxonomy": "places", "names": {"nl": "Wenen"}},
        {**term, "taxonomy": "flat", "slug": "below", "parent": "top"},
        {"kind": "taxonomy", "key": "x", "name": "X", "description": "a\0", "hierarchical": True, "localized": False},
        {"kind": "taxonomy", "key": "Bad Key", "name": "X"},
    ]
    report, errors = await take(posts, drain, *wrong, term)
    assert [number for number in range(1, len(wrong) + 1) if number not in errors] == []
    assert report["created"] == 1


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("where", ["by", "with", "blocks"])
async def test_a_target_of_another_type_in_the_same_file_is_refused_in_any_order(posts, drain, where, order):
    author, other = str(uuid4()), str(uuid4())
    leads = {
        "by": lambda target: {"by": target},
        "with": lambda target: {"with": [author, target]},
        "blocks": lambda target: {"blocks": [{"_type": "card", "who": target}]},
    }[where]
    lines = [
        item_line("author", author, "author", title="A"),
        item_line("post", other, "other", title="Other"),
        item_line("post", str(uuid4()), "right", title="Right", **leads(author)),
        item_line("post", str(uuid4()), "wrong", title="Wrong", **leads(other)),
    ][::order]
    report, errors = await take(posts, drain, *lines)
    assert list(errors) == [4 if order == 1 else 1], errors
    (wrong,) = errors.values()
    assert f"There is no author with the id {other}" in wrong["message"]
    assert f"/entries/0/data/{where}" in wrong["message"]
    assert (report["created"], report["failed"]) == (3, 1)
    assert [one["code"] for one in report["problems"] if one["level"] == "warning"] == []


async def test_a_target_that_is_there_is_judged_by_what_it_is_also_in_the_trash(posts, drain):
    author = await made(posts, "author", data={"title": "A"})
    post = await made(posts, "post", data={"title": "P"})
    thrown = await made(posts, "post", data={"title": "T"})
    assert (await posts.delete(f"/content/{thrown['id']}")).status == 204
    lines = [
        item_line("post", str(uuid4()), f"n{number}", title="N", by=target["id"])
        for number, target in enumerate((author, post, thrown))
    ]
    # That this file calls it an author does not make it one.
    lie = item_line("author", post["id"], "lie", title="L")
    itself = str(uuid4())
    lines += [lie, item_line("post", itself, "itself", title="I", by=itself)]
    report, errors = await take(posts, drain, *lines)
    assert sorted(errors) == [2, 3, 5]
    assert (report["created"], report["unchanged"]) == (1, 1)


async def test_what_is_published_is_judged_like_the_draft(posts, line, drain):
    post = await made(posts, "post", data={"title": "P"})
    for number, path in enumerate((("data",), ("published", "data"))):
        wrong = another(line, slug=f"wrong-{number}")
        place = wrong["entries"][1]
        for name in path:
            place = place[name]
        if path == ("data",):
            for entry in wrong["entries"]:
                entry["data"]["by"] = post["id"]
        place["by"] = post["id"]
        _, errors = await take(posts, drain, wrong)
        assert "There is no author with the id" in errors[1]["message"], errors
        assert f"/entries/1/{'/'.join(path)}/by" in errors[1]["message"]


async def test_a_file_that_says_two_things_of_an_item_convinces_nobody(posts, drain):
    target = str(uuid4())
    broken = item_line("author", target, "broken", title=5)
    leads = item_line("post", str(uuid4()), "leads", title="L", by=target)
    twice = b'{"type": "author", ' + json.dumps(item_line("post", target, "twice", title="T")).encode()[1:]
    report, errors = await take(posts, drain, broken, leads, item_line("post", target, "second", title="S"))
    assert sorted(errors) == [1, 2]
    assert report["created"] == 1
    assert (await posts.delete(f"/content/{target}?permanent=true")).status == 204
    report, errors = await take(posts, drain, twice, leads)
    assert sorted(errors) == [2]


@pytest.mark.parametrize("where", ["by", "blocks"])
async def test_nothing_takes_the_place_of_a_lost_target_that_is_of_another_type(posts, drain, where):
    author = await made(posts, "author", data={"title": "A"})
    value = author["id"] if where == "by" else [{"_type": "card", "who": author["id"]}]
    await made(posts, "post", data={"title": "P", where: value})
    back = json.loads((await export(posts)).splitlines()[1])
    assert back["id"] == author["id"]
    assert (await posts.delete(f"/content/{author['id']}?permanent=true&force=true")).status == 204
    report, errors = await take(posts, drain, item_line("post", author["id"], "taken", title="T"))
    assert f"Items of post point to it by {where} as one of another type" in errors[1]["message"]
    report, errors = await take(posts, drain, back)
    assert (report["created"], errors) == (1, {})


async def test_a_published_slug_is_as_unique_as_that_of_a_draft(posts, line, drain):
    await made(posts, "post", data={"title": "P"}, slug="taken")
    wrong = another(line, slug="free")
    wrong["entries"][1]["published"]["slug"] = "taken"
    report, errors = await take(posts, drain, wrong, another(line, slug="fine"))
    assert errors[1]["code"] == "slug_taken"
    assert report["created"] == 1
    # Of two in one file the first has it.
    two = [another(line, slug=f"s{number}") for number in range(2)]
    for one in two:
        for entry in one["entries"]:
            entry["published"]["slug"] = "same"
    report, errors = await take(posts, drain, *two)
    assert (list(errors), errors[2]["code"]) == ([2], "slug_taken")


async def test_unique_values_and_single_types_hold(posts, line, drain):
    await made(posts, "post", data={"title": "P", "code": "A"})
    wrong = another(line, slug="wrong")
    for entry in wrong["entries"]:
        entry["data"]["code"] = "A"
    assert (await posts.post("/content-types", {**AUTHOR, "key": "home", "kind": "single"})).status == 201
    homes = [item_line("home", str(uuid4()), f"home-{number}", title="H") for number in range(2)]
    _, errors = await take(posts, drain, wrong, *homes)
    assert {number: one["code"] for number, one in errors.items()} == {1: "not_unique", 3: "single_exists"}


async def test_private_fields_come_in_and_do_not_go_out(posts, line, drain):
    await take(posts, drain, line)
    shown = (await posts.get(f"/content/{line['id']}?status=published")).json
    assert "notes" not in shown["data"]
    assert (await posts.get(f"/content/{line['id']}?status=draft")).json["data"]["notes"] == "n"


async def test_terms_of_another_site_are_not_there_by_slug_or_id(posts, line, admin, drain):
    key = f"s{uuid4().hex[:12]}"
    assert (await admin.post("/sites", {"key": key, "name": key})).status == 201
    elsewhere = admin.at(key)
    assert (await elsewhere.post("/taxonomies", {"key": "topics", "name": "Topics"})).status == 201
    term = (await elsewhere.post("/taxonomies/topics/terms", {"name": "Rust"})).json
    lines = [
        another(line, slug=f"s{number}", taxonomies={"topics": [name]})
        for number, name in enumerate(("rust", term["id"]))
    ]
    published = another(line, slug="s2")
    published["entries"][0]["published"]["taxonomies"] = {"topics": [term["id"]]}
    report, errors = await take(posts, drain, *lines, published)
    assert (report["created"], sorted(errors)) == (0, [1, 2, 3])
    assert all("topics has no term" in one["message"] for one in errors.values())


async def test_who_has_lost_a_right_meanwhile_takes_nothing_in(posts, line, granted, admin, drain):
    needed = ["content:read", "content:import", "content:create", "content:update", "content:publish"]
    somebody = await granted(posts, *needed)
    answer = await send(somebody, json.dumps(line).encode())
    assert answer.status == 202
    me = (await somebody.get("/auth/profile")).json["id"]
    assert (await admin.put(f"/users/{me}/roles", [])).status == 200
    await drain()
    stored = "SELECT count(*) FROM items i JOIN sites s ON s.id = i.site_id WHERE s.key = $1"
    assert await db.fetchval(stored, posts.site) == 0


APPROVED = {
    "initial": "open",
    "stages": [
        {"key": "open", "name": "Open"},
        {"key": "checked", "name": "Checked"},
        {"key": "ready", "name": "Ready", "permission": "content:hold", "publishable": True},
    ],
}
TAKES_EXPORTS = ("content:import", "content:create", "content:update", "content:publish", "content:read_drafts")


@pytest.mark.parametrize("lapses", [True, False])
async def test_an_export_is_no_way_round_an_approval(posts, line, granted, drain, lapses):
    workflow = {**APPROVED, "approval_lapses": lapses}
    assert (await posts.patch("/content-types/post", {"workflow": workflow})).status == 200
    importer = await granted(posts, *TAKES_EXPORTS)
    shown = {stage: another(line, slug=f"shown-{stage}".lower(), stage=stage) for stage in ("open", "ready", None)}
    for one in shown.values():
        for entry in one["entries"]:
            entry["published"]["slug"] = one["slug"]
    draft = another(line, slug="draft", stage="ready")
    for entry in draft["entries"]:
        entry["published"] = None
    lines = [*shown.values(), draft]
    raw = b"\n".join(json.dumps(one).encode() for one in lines)
    answer = await send(importer, raw)
    assert answer.status == 202, answer.raw
    await drain()
    report = (await importer.get(f"/search/jobs/{answer.json['job_id']}")).json["result"]
    assert [(one["line"], one["code"]) for one in report["problems"] if one["level"] == "error"] == [
        (number, "not_publishable") for number in (1, 2, 3)
    ]
    assert report["created"] == 1
    assert (await posts.get(f"/content/{draft['id']}?status=draft")).json["stage"] == "checked"
    for one in shown.values():
        assert (await posts.get(f"/content/{one['id']}?status=any")).status == 404
    approver = await granted(posts, *TAKES_EXPORTS, "content:hold")
    assert (await send(approver, raw)).status == 202
    await drain()
    assert (await posts.get(f"/content/{shown['ready']['id']}?status=published")).status == 200
    assert (await posts.get(f"/content/{shown['ready']['id']}?status=draft")).json["stage"] == "ready"
