"""Importing through HTTP and the queue, with everything that can be wrong with it."""

import asyncio
import json

import pytest

from scaicms import registry
from scaicms.features.content import tasks
from scaicms.infra.jobs.runner import Runner
from tests.conftest import role_with
from tests.features.content.importing import archive, form

GOOD = '+++\ntitle = "Post {0}"\ntags = ["a"]\nweight = 3\n+++\n\nText {0}.\n'


async def test_good_rows_go_in_and_bad_ones_are_reported_with_file_and_line(articles, run):
    files = {f"content/post-{n}.md": GOOD.format(n) for n in range(30)}
    files["content/bad.md"] = '+++\ntitle = "x\n+++\n'
    files["content/wrong.md"] = "+++\ntitle = 5\ncount = 'many'\n+++\n"
    files["content/picture.png"] = "not text"
    job = await run(archive(files), publish="true")
    report = job["result"]
    assert (report["total"], report["created"], report["failed"], report["ignored_files"]) == (32, 30, 2, 1)
    assert report["unmapped"] == {"weight": 30}
    assert {problem["source"] for problem in report["problems"] if problem["level"] == "error"} == {
        "content/bad.md",
        "content/wrong.md",
    }
    assert all(problem["line"] >= 1 for problem in report["problems"])
    assert (await articles.get("/content?type=article")).json["total"] == 30
    assert (await articles.get("/content/by-slug/article/post-7")).json["data"]["body"].strip() == "Text 7."
    assert (await articles.get("/search?q=text")).json["total"] == 30


async def test_running_it_again_changes_only_what_changed(articles, run):
    files = {f"post-{n}.md": GOOD.format(n) for n in range(3)}
    await run(archive(files), publish="true")
    files["post-1.md"] = GOOD.format("changed")
    files["post-9.md"] = GOOD.format(9)
    report = (await run(archive(files), publish="true"))["result"]
    assert (report["created"], report["updated"], report["unchanged"]) == (1, 1, 2)
    assert (await articles.get("/content/by-slug/article/post-1")).json["data"]["title"] == "Post changed"
    item = (await articles.get("/content/by-slug/article/post-0")).json
    await articles.delete(f"/content/{item['id']}?permanent=true")
    assert (await run(archive(files), publish="true"))["result"]["created"] == 1


async def test_a_dry_run_reports_and_changes_nothing(articles, run):
    report = (await run(archive({"a.md": GOOD.format(1), "b.md": "---\n: :\n---\n"}), dry_run="true"))["result"]
    assert (report["created"], report["failed"]) == (1, 1)
    assert (await articles.get("/content?type=article&status=any")).json["total"] == 0


async def test_equal_names_in_two_folders_get_two_slugs(articles, run):
    await run(archive({"all.md": GOOD.format(1), "inside/all.md": GOOD.format(2)}))
    listed = (await articles.get("/content?type=article&status=any")).json["items"]
    assert {item["slug"] for item in listed} == {"all", "inside-all"}


async def test_a_mapping_is_laid_over_the_names(articles, run):
    rows = b"".join(
        json.dumps({"id": n, "name": f"N{n}", "when": f"on 2026-01-0{n + 1}"}).encode() + b"\n" for n in range(3)
    )
    mapping = json.dumps({"title": "name", "day": {"from": "when", "pattern": r"(\d{4}-\d{2}-\d{2})"}})
    report = (await run(rows, "rows.ndjson", mapping=mapping))["result"]
    assert report["created"] == 3
    listed = (await articles.get("/content?type=article&status=any&sort=data.title")).json["items"]
    assert [(item["data"]["title"], item["data"]["day"]) for item in listed][:1] == [("N0", "2026-01-01")]


async def test_a_long_import_goes_on_in_another_turn(articles, run, monkeypatch):
    monkeypatch.setattr(tasks, "TURN_SECONDS", 0.0)
    job = await run(archive({f"p{n}.md": GOOD.format(n) for n in range(80)}))
    assert (job["state"], job["attempts"], job["result"]["created"]) == ("done", 1, 80)


async def test_a_source_that_cannot_be_read_is_dead_with_the_reason(run):
    job = await run(b"\x1f\x8b broken")
    assert job["state"] == "dead"
    assert job["last_error"]


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({}, "/type"),
        ({"type": "article", "publish": "yes"}, "/publish"),
        ({"type": "article", "mapping": "{"}, "/mapping"),
        ({"type": "article", "mapping": '{"title": {"from": "x", "pattern": "("}}'}, "/mapping/title"),
        ({"type": "article", "mapping": '{"fields": {"title": "x"}}'}, "/mapping/fields"),
        ({"type": "article", "colour": "red"}, "/colour"),
    ],
)
async def test_a_wrong_form_is_refused_before_anything_is_kept(articles, values, pointer, settings):
    answer = await articles.call("POST", "/content/import", data=form(b"x", **values))
    assert answer.status == 422
    assert answer.json["detail"]["errors"][0]["pointer"] == pointer
    assert not [path for path in (settings.home / "files" / "imports").glob("*") if path.read_bytes() == b"x"]


async def test_an_unknown_mapping_target_type_or_file_is_refused(articles):
    unknown = await articles.call(
        "POST", "/content/import", data=form(b"x", type="article", mapping='{"nothing": "x"}')
    )
    assert unknown.status == 422
    assert (await articles.call("POST", "/content/import", data=form(b"x", type="nothing"))).status == 404
    answer = await articles.call("POST", "/content/import", data=form("x", type="article"), headers={"X-Site-ID": "no"})
    assert answer.code == "site_forbidden"
    assert (await articles.call("POST", "/content/import", json={"type": "article"})).status == 415
    boundary = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await articles.call("POST", "/content/import", data=b"--x\r\nbroken", headers=boundary)).status in (
        400,
        422,
    )


async def test_importing_needs_its_permissions(articles, user):
    author = await user("author", site=articles.site)
    assert (await author.call("POST", "/content/import", data=form(b"x", type="article"))).status == 403


async def test_a_job_acts_with_the_rights_its_asker_has_when_it_runs(articles, admin, user, drain):
    editor = await user("editor", site=articles.site)
    content = archive({"a.md": GOOD.format(1)})
    answer = await editor.call("POST", "/content/import", data=form(content, type="article"))
    me = (await editor.get("/auth/profile")).json["id"]
    await admin.put(f"/users/{me}/roles", [])
    await drain()
    job = (await articles.get(f"/search/jobs/{answer.json['job_id']}")).json
    assert (job["state"], job["attempts"]) == ("dead", 1)
    assert (await articles.get("/content?type=article&status=any")).json["total"] == 0


async def test_an_upload_takes_no_idempotency_key(articles):
    headers = {"Idempotency-Key": "k"}
    answer = await articles.call("POST", "/content/import", data=form(b"x", type="article"), headers=headers)
    assert (answer.status, answer.code) == (400, "idempotency_key_not_taken")


TAGGED = "---\ntitle: Post {0}\ntags: [{1}]\n---\nText {0}.\n"
BY_TAGS = json.dumps({"taxonomies.topics": "tags"})


@pytest.fixture
async def topics(articles):
    await articles.post("/taxonomies", {"key": "topics", "name": "Topics"})

    async def names():
        found = (await articles.get("/taxonomies/topics/terms?page_size=200")).json["items"]
        return {term["name"]: term["slug"] for term in found}

    async def of(slug):
        item = (await articles.get(f"/content/by-slug/article/{slug}")).json
        return [term["name"] for term in item["taxonomies"].get("topics", ())]

    names.of = of
    return names


async def test_front_matter_lists_become_terms_that_are_made_where_they_are_missing(articles, run, topics):
    curated = {"name": "Machine Learning"}, {"name": "The Rust language", "slug": "rust"}
    for term in curated:
        await articles.post("/taxonomies/topics/terms", term)
    files = {f"p{n}.md": TAGGED.format(n, "machine-learning, rust, C++, C, c++") for n in range(30)}
    report = (await run(archive(files), publish="true", mapping=BY_TAGS))["result"]
    assert (report["created"], report["failed"], report["terms_made"], report["unmapped"]) == (30, 0, 2, {})
    assert await topics() == {
        "Machine Learning": "machine-learning",
        "The Rust language": "rust",
        "C++": "c",
        "C": "c-2",
    }
    assert await topics.of("p7") == ["Machine Learning", "The Rust language", "C++", "C"]
    found = await articles.get("/content?type=article&filter[terms.topics]=c-2")
    assert found.json["total"] == 30


async def test_importing_again_follows_what_changed_and_leaves_other_terms_alone(articles, run, topics):
    await articles.post("/taxonomies", {"key": "moods", "name": "Moods"})
    await articles.post("/taxonomies/moods/terms", {"name": "happy"})
    files = {f"p{n}.md": TAGGED.format(n, "a, b") for n in range(3)}
    await run(archive(files), publish="true", mapping=BY_TAGS)
    item = (await articles.get("/content/by-slug/article/p0")).json
    await articles.patch(f"/content/{item['id']}", {"taxonomies": {"moods": ["happy"]}})
    again = (await run(archive(files), publish="true", mapping=BY_TAGS))["result"]
    assert (again["unchanged"], again["terms_made"]) == (3, 0)
    files["p0.md"] = TAGGED.format(0, "b")
    changed = (await run(archive(files), publish="true", mapping=BY_TAGS))["result"]
    assert (changed["updated"], changed["terms_made"]) == (1, 0)
    assert await topics.of("p0") == ["b"]
    assert (await articles.get("/content/by-slug/article/p0")).json["taxonomies"]["moods"][0]["name"] == "happy"
    # What somebody has removed on purpose comes back with none of the files that did not change.
    term = (await articles.get("/taxonomies/topics/terms?q=a")).json["items"][0]["id"]
    await articles.delete(f"/taxonomies/topics/terms/{term}?force=true")
    await run(archive(files), publish="true", mapping=BY_TAGS)
    assert set(await topics()) == {"b"}


async def test_a_dry_run_makes_no_terms_and_says_how_many_it_would(articles, run, topics):
    files = {"a.md": TAGGED.format(1, "a, b"), "b.md": TAGGED.format(2, "b, c")}
    report = (await run(archive(files), dry_run="true", mapping=BY_TAGS))["result"]
    assert (report["created"], report["terms_made"], report["failed"]) == (2, 3, 0)
    assert await topics() == {}


async def test_who_may_not_write_taxonomies_imports_with_the_terms_there_are(articles, admin, user, drain, topics):
    await articles.post("/taxonomies/topics/terms", {"name": "known"})
    codes = ["content:read", "content:import", "content:create", "content:update", "search:queues"]
    importer = await user(await role_with(admin, *codes), site=articles.site)
    files = {"a.md": TAGGED.format(1, "known"), "b.md": TAGGED.format(2, "known, unknown")}
    answer = await importer.call("POST", "/content/import", data=form(archive(files), type="article", mapping=BY_TAGS))
    await drain()
    report = (await articles.get(f"/search/jobs/{answer.json['job_id']}")).json["result"]
    assert (report["created"], report["failed"], report["terms_made"]) == (1, 1, 0)
    assert "topics has no term unknown" in report["problems"][0]["message"]
    assert set(await topics()) == {"known"}


async def test_an_unknown_taxonomy_in_a_mapping_is_refused_at_once(articles):
    answer = await articles.call("POST", "/content/import", data=form(b"x", type="article", mapping=BY_TAGS))
    assert answer.status == 422
    assert "taxonomies.topics" in answer.json["detail"]["message"]


async def test_imports_at_the_same_moment_make_each_term_once(articles, services, topics):
    await articles.post("/taxonomies", {"key": "moods", "name": "Moods"})
    mapping = json.dumps({"taxonomies.topics": "tags", "taxonomies.moods": "tags"})
    for letter in "xyz":
        files = {f"{letter}{n}.md": TAGGED.format(n, f"t{n}, t{n + 1}, t{n + 2}") for n in range(60)}
        content = form(archive(files), type="article", mapping=mapping, publish="true")
        await articles.call("POST", "/content/import", data=content)
    runners = [Runner(registry.tasks(), services, name) for name in "abc"]
    while sum(await asyncio.gather(*(runner.run_due("default", 1) for runner in runners))):
        pass
    names = await topics()
    assert len(names) == 62
    assert set(names) == set(names.values())
    listed = await articles.get("/content?type=article&status=any&filter[terms.moods][exists]=true")
    assert listed.json["total"] == 180


async def test_nobody_imports_whom_the_worker_could_not_find_again(articles, admin):
    """A worker acts as who asked; an anonymous caller is nobody it could look up, whatever the public role may."""
    role = await role_with(admin, *(f"content:{action}" for action in ("import", "create", "update", "read")))
    changed = await admin.patch(f"/sites/{articles.site}", {"settings": {"public_role": role}})
    sent = {"data": form(archive({"a.md": GOOD.format(1)}), type="article")}
    refused = await articles.anonymous().call("POST", "/content/import", **sent)
    assert (refused.status, refused.code) == (401, "unauthorized")
    jobs = (await articles.get("/search/jobs?name=content.import&page_size=200")).json["items"]
    assert changed.json["id"] not in {job["site_id"] for job in jobs}
