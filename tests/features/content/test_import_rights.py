"""Imports, plans and reports of jobs say nothing of what their caller may not read: right guesses and wrong ones are
answered with the same bytes."""

import json

import pytest

from tests.features.content.importing import archive, form
from tests.features.content.test_narrowing import READS, on

DOC = {
    "key": "doc",
    "name": "Doc",
    "fields": [
        {"key": "title", "type": "string", "localized": True},
        {"key": "body", "type": "markdown", "localized": True},
        {"key": "secret", "type": "string"},
        {"key": "covert", "type": "string", "private": True},
        {"key": "friend", "type": "relation", "target": "doc"},
    ],
}
BY_TAGS = json.dumps({"taxonomies.topics": "tags", "$slug": "slug"})
STORED = "---\ntitle: Plan\nsecret: salary-71\ncovert: h-1\ntags: [rust]\nslug: the-plan\n---\nText.\n"
# Values that may be guessed, beside wrong ones.
GUESSES = [
    ("secret: salary-71", "secret: salary-72"),
    ("covert: h-1", "covert: h-2"),
    ("slug: the-plan", "slug: no-plan"),
    ("tags: [rust]", "tags: [wood]"),
    ("secret: salary-71\ncovert: h-1\nslug: the-plan\ntags: [rust]", "secret: x\ncovert: y\nslug: z\ntags: [wood]"),
]
WRITES = ("content:create", "content:update", "content:publish")
BOUNDS = {
    "another locale": {"content_types": ["doc"], "locales": ["de"], "fields": ["title", "body"]},
    "both locales": {"locales": ["de", "en"], "fields": ["title", "body"]},
    "own alone": {"own_only": True},
    "another type": {"content_types": ["other"]},
}


def within(bounds, *codes):
    """Grants of these within bounds; what cannot be narrowed to fields is not."""
    narrow = {name: value for name, value in bounds.items() if name != "fields"}
    return [on(code, **(narrow if code == "content:publish" else bounds)) for code in codes]


@pytest.fixture
async def docs(admin, site, drain):
    """A site with an item that was imported in English, in English alone."""
    locales = [{"code": "en"}, {"code": "de"}]
    assert (await admin.patch(f"/sites/{site.site}", {"locales": locales})).status == 200
    assert (await site.post("/content-types", DOC)).status == 201
    await site.post("/taxonomies", {"key": "topics", "name": "Topics"})
    for name in ("rust", "wood"):
        await site.post("/taxonomies/topics/terms", {"name": name})
    report = await imported(site, site, drain, {"p.md": STORED}, mapping=BY_TAGS)
    assert report["created"] == 1
    return site


async def imported(api, reader, drain, files, **values):
    content = form(archive(files), type="doc", **values)
    answer = await api.call("POST", "/content/import", data=content)
    if answer.status != 202:
        return (answer.status, answer.code)
    await drain()
    return (await reader.get(f"/search/jobs/{answer.json['job_id']}")).json["result"]


async def reported(api, docs, drain, head, name="p.de.md", **values):
    text = f"---\ntitle: Plan\n{head}\n---\nText.\n"
    return await imported(api, docs, drain, {name: text}, dry_run="true", mapping=BY_TAGS, **values)


@pytest.mark.parametrize("publish", ["false", "true"])
@pytest.mark.parametrize("bounds", BOUNDS)
async def test_right_and_wrong_guesses_are_reported_alike(docs, granted, drain, bounds, publish):
    codes = (*READS, *WRITES)
    caller = await granted(docs, *within(BOUNDS[bounds], *codes), "content:import", "taxonomies:read")
    for name in ("p.md", "p.de.md"):
        for right, wrong in GUESSES:
            if bounds == "both locales" and "slug" in right:
                continue  # who reads the item reads its slug
            reports = [await reported(caller, docs, drain, head, name, publish=publish) for head in (right, wrong)]
            assert json.dumps(reports[0]) == json.dumps(reports[1]), (name, right)


async def test_a_source_that_is_not_there_is_reported_like_one_out_of_reach(docs, granted, drain):
    bounds = BOUNDS["another locale"]
    caller = await granted(docs, *within(bounds, *READS, *WRITES), "content:import")
    text = "---\ntitle: Plan\n---\nText.\n"
    there, missing = [
        await imported(caller, docs, drain, {name: text}, dry_run="true") for name in ("p.de.md", "q.de.md")
    ]
    assert json.dumps(there) == json.dumps(missing).replace('"q.', '"p.')
    assert there["created"] == 1


async def test_an_equal_row_does_not_tell_that_it_is_equal(docs, granted, drain):
    bounds = BOUNDS["both locales"]
    caller = await granted(docs, *within(bounds, *READS), *WRITES, "content:import", "taxonomies:read")
    reports = []
    for text in (STORED, STORED.replace("71", "72")):
        reports.append(await imported(caller, docs, drain, {"p.md": text}, dry_run="true", mapping=BY_TAGS))
    assert json.dumps(reports[0]) == json.dumps(reports[1])
    assert reports[0]["unchanged"] == 0


async def test_who_reads_everything_is_warned_as_before(docs, drain):
    report = await reported(docs, docs, drain, "secret: other\nslug: other\ntags: [wood]")
    said = " ".join(problem["message"] for problem in report["problems"])
    assert "secret: shared by all locales" in said
    assert "it stays the-plan" in said
    assert "taxonomies.topics" in said


async def test_an_import_waits_for_no_guess_of_what_its_item_may_show(docs, granted, drain):
    """Publishing a translation of a draft is held back, however its shared values were guessed."""
    bounds = BOUNDS["both locales"]
    caller = await granted(docs, *within(bounds, *READS, *WRITES), "content:import")
    for head in ("secret: salary-71", "secret: wrong"):
        report = await reported(caller, docs, drain, head, publish="true")
        assert report["drafts"] == 1
        assert "secret" not in json.dumps(report)


async def test_a_plan_names_no_rows_that_its_caller_may_not_read(docs, granted):
    await docs.post("/content", {"type": "doc", "data": {"title": "One", "covert": "salary-71", "secret": "s"}})
    cases = [
        ("content_types:read", ()),
        ("content:read", ()),
        (on("content:read_drafts", fields=["title"]), ()),
        (on("content:read_drafts", locales=["de"]), ()),
        (on("content:read_drafts", own_only=True), ()),
        (on("content:read_drafts", fields=["covert"]), ("covert",)),
        ("content:read_drafts", ("covert", "secret")),
    ]
    for field in ("covert", "secret"):
        fields = [{**one, "pattern": "x.*"} if one["key"] == field else one for one in DOC["fields"]]
        for grant, readable_fields in cases:
            caller = await granted(docs, "content_types:write", grant)
            plan = (await caller.post("/content-types/doc/plan", {"fields": fields})).json
            [change] = plan["changes"]
            assert change["failing_total"] >= 1
            readable = field in readable_fields
            assert bool(change["failing"]) is readable, (field, grant)
            applied = await caller.post(f"/content-types/doc/plan/{plan['plan_id']}/apply")
            assert applied.code == "plan_fails"
            assert bool(applied.json["detail"].get("errors")) is readable


async def test_a_renamed_field_is_named_only_to_who_reads_it_under_both_names(docs, granted):
    fields = [
        {**one, "key": "title2", "renamed_from": "secret", "pattern": "x"} if one["key"] == "secret" else one
        for one in DOC["fields"]
    ]
    caller = await granted(docs, "content_types:write", on("content:read_drafts", fields=["title2", "title"]))
    plan = (await caller.post("/content-types/doc/plan", {"fields": fields})).json
    assert sum(change["failing_total"] for change in plan["changes"]) >= 1
    assert not any(change["failing"] for change in plan["changes"])


async def test_the_report_of_an_import_is_whole_for_its_asker_and_readers_of_drafts_alone(docs, granted, drain):
    importer = await granted(docs, "content:import", *WRITES, "search:queues")
    text = "---\ntitle: [1]\nsecret: topsecret\nsalary: 71\nstatus: zzz-secret\n---\n"
    files = {"secret-name.md": text, "b.md": "---\ntitle: B\nstatus: zzz-secret\n---\n"}
    answer = await importer.call("POST", "/content/import", data=form(archive(files), type="doc", publish="true"))
    await drain()
    path = f"/search/jobs/{answer.json['job_id']}"
    whole = (await importer.get(path)).json
    assert whole["result"]["problems"]
    assert whole["result"]["not_published"]
    assert (await docs.get(path)).json == whole
    for grants in (
        ("search:queues",),
        ("search:queues", "content:read"),
        ("search:queues", on(READS[1], own_only=True)),
    ):
        other = await granted(docs, *grants)
        seen = await other.get(path)
        assert (seen.json["result"]["failed"], seen.json["result"]["total"]) == (1, 2)
        listed = await other.get("/search/jobs?name=content.import")
        for raw in (seen.raw, listed.raw):
            assert b"secret" not in raw
            assert b"salary" not in raw


async def test_who_starts_an_import_reads_its_report_without_a_right_on_queues(admin, docs, granted, drain):
    importer, other = [await granted(docs, "content:import", *WRITES) for _ in range(2)]
    answer = await importer.call(
        "POST", "/content/import", data=form(archive({"a.md": "---\ntitle: A\n---\n"}), type="doc")
    )
    await drain()
    path = f"/search/jobs/{answer.json['job_id']}"
    seen = await importer.get(path)
    assert (seen.status, seen.json["result"]["created"]) == (200, 1)
    assert (await importer.get("/search/jobs")).status == 403
    assert (await importer.post(f"{path}/cancel")).status == 403
    person = (await importer.get("/auth/profile")).json["id"]
    refused, missing = await other.get(path), await other.get(f"/search/jobs/{person}")
    assert (refused.status, refused.json["detail"]["code"]) == (404, "job_not_found")
    assert refused.json["detail"]["message"] == missing.json["detail"]["message"]
    assert (await admin.put(f"/users/{person}/roles", [])).status == 200
    assert (await importer.get(path)).status == 404
