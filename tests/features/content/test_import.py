"""Importing through HTTP and the queue, with everything that can be wrong with it."""

import io
import json
import tarfile

import pytest
from aiohttp import FormData

from scaicms.features.content import tasks

GOOD = '+++\ntitle = "Post {0}"\ntags = ["a"]\nweight = 3\n+++\n\nText {0}.\n'


def archive(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            data = text.encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def form(content, name="posts.tar.gz", **values):
    data = FormData()
    data.add_field("file", content, filename=name)
    for key, value in values.items():
        data.add_field(key, value)
    return data


@pytest.fixture
async def run(articles, drain):
    """Import, wait, and give the finished job."""

    async def run(content, name="posts.tar.gz", **values):
        answer = await articles.call(
            "POST", "/content/import", data=form(content, name, **{"type": "article", **values})
        )
        assert answer.status == 202, answer.raw
        assert answer.headers["Location"].endswith(answer.json["job_id"])
        await drain()
        return (await articles.get(f"/search/jobs/{answer.json['job_id']}")).json

    return run


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
        ({"type": "article", "mapping": '{"title": {"from": "x", "pattern": "("}}'}, "/mapping"),
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
