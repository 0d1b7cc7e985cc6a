"""Imports that publish leave private what their source marks as not public."""

import csv
import io
import json

import pytest

from scaicms.infra import db
from tests.features.content.importing import archive, form
from tests.features.content.schedules import LATER, come

HEAD = {
    "draft: true": "draft",
    "draft: 'true'": "draft",
    "draft: yes": "draft",
    "draft: 1": "draft",
    "draft: 'on'": "draft",
    "Draft: True": "draft",
    "isDraft: true": "draft",
    "is_draft: true": "draft",
    "draft: maybe": "draft",
    "published: false": "draft",
    "published: 'no'": "draft",
    "published: 0": "draft",
    "published:": "draft",
    "published_at: null": "draft",
    "is_published: false": "draft",
    "public: false": "draft",
    "hidden: true": "draft",
    "private: true": "draft",
    "unlisted: true": "draft",
    "status: draft": "draft",
    "status: Draft": "draft",
    "status: private": "draft",
    "status: pending": "draft",
    "status: Auto-Draft": "draft",
    "status: in review": "draft",
    "status: zzz": "draft",
    "_status: draft": "draft",
    "status: future": "draft",
    "post_status: trash": "draft",
    "visibility: members": "draft",
    "visibility: private": "draft",
    "state: draft": "draft",
    "password: letmein": "draft",
    "extra: {draft: true}": "draft",
    "meta: {status: draft}": "draft",
    "date: 2099-01-01": "scheduled",
    "date: 2099-01-01T00:00:00Z": "scheduled",
    "date: 2099-01-01 10:00:00 +0100": "scheduled",
    "date: Thu, 01 Jan 2099 00:00:00 GMT": "scheduled",
    "date: January 1, 2099": "scheduled",
    "date: 01/02/2099": "scheduled",
    "date: 4070908800": "scheduled",
    "date: some day": "draft",
    "publishDate: 2099-01-01": "scheduled",
    "publish_date: 2099-01-01": "scheduled",
    "published_at: 2099-01-01T00:00:00Z": "scheduled",
    "published: 2099-01-01": "scheduled",
    "pubDate: 2099-01-01": "scheduled",
    "go_live_at: 2099-01-01": "scheduled",
    "status: scheduled\ndate: 2099-01-01": "scheduled",
    "draft: false\ndate: 2099-01-01": "scheduled",
    "draft: true\ndate: 2099-01-01": "draft",
    "draft: false\npublished: false": "draft",
    "draft: true\npublished: true": "draft",
    "expiryDate: 2001-01-01": "draft",
    "expires: 2001-01-01": "draft",
    "unpublishdate: 2001-01-01": "draft",
    "publishDate: 2099-01-02\nexpiryDate: 2099-01-01": "draft",
    "draft: false": "published",
    "published: true": "published",
    "published: 2020-01-01": "published",
    "status: publish": "published",
    "visibility: public": "published",
    "state: California": "published",
    "date: 2020-01-01": "published",
    "date: 2020-01-01 10:00:00 +0100": "published",
    "expiryDate: 2099-01-01": "published",
    "author: {status: inactive}": "published",
    "weight: 3": "published",
}
PATHS = {
    "_drafts/a.md": "draft",
    "blog/_drafts/2024/b.md": "draft",
    "Drafts/c.md": "draft",
    "posts/_d.md": "draft",
    "posts/e.draft.md": "draft",
    "_posts/2099-01-01-f.md": "scheduled",
    "posts/2099-01-01-bundle/index.md": "scheduled",
    "posts/2099/01/01/g.md": "scheduled",
    "_posts/2020-01-01-h.md": "published",
    "posts/_index.md": "published",
    "posts/drafts.md": "published",
}


async def states(api):
    """Title to state, as an editor sees it; and the titles that everybody reads."""
    found, public = {}, set()
    for page in (1, 2):
        listed = (await api.get(f"/content?type=article&status=any&page_size=200&page={page}")).json["items"]
        for item in listed:
            state = "scheduled" if item["publish_at"] else item["status"]
            found[item["data"]["title"]] = state
        shown = (await api.get(f"/content?type=article&page_size=200&page={page}")).json["items"]
        public |= {item["data"]["title"] for item in shown}
    return found, public


def post(title, head=""):
    return f"---\ntitle: {json.dumps(title)}\n{head}\n---\nText.\n"


async def test_marks_in_front_matter_and_paths_decide_what_becomes_public(articles, run):
    files = {f"posts/p{n}.md": post(head, head) for n, head in enumerate(HEAD)}
    files |= {path: post(path) for path in PATHS}
    report = (await run(archive(files), publish="true"))["result"]
    wanted = {**HEAD, **PATHS}
    found, public = await states(articles)
    assert {title: state for title, state in found.items() if wanted[title] != state} == {}
    assert public == {title for title, state in wanted.items() if state == "published"}
    assert report["failed"] == 0
    assert report["created"] == len(wanted)
    counts = {state: list(wanted.values()).count(state) for state in ("draft", "scheduled")}
    assert {"draft": report["drafts"], "scheduled": report["scheduled"]} == counts
    named = {row["source"]: row for row in report["not_published"]}
    for path, state in PATHS.items():
        assert named.get(path, {}).get("state", "published") == state
    assert named["_drafts/a.md"]["reason"] == "folder _drafts"
    assert named["_posts/2099-01-01-f.md"]["publish_at"].startswith("2099-01-01T00:00:00")
    warned = {row["source"] for row in report["problems"] if row["code"] == "not_published"}
    unclear = ("draft: maybe", "status: zzz", "status: future", "date: some day", "draft: true\npublished: true")
    assert {f"posts/p{list(HEAD).index(head)}.md" for head in unclear} <= warned
    assert "draft" not in report["unmapped"]


@pytest.mark.parametrize("mapping", [None, {"title": "name", "body": "name"}])
@pytest.mark.parametrize("kind", ["ndjson", "csv"])
async def test_records_have_marks_too_with_and_without_a_mapping(articles, run, kind, mapping):
    marks = [
        ({"draft": "true"}, "draft"),
        ({"draft": "yes"}, "draft"),
        ({"published": "0"}, "draft"),
        ({"published": ""}, "draft"),
        ({"published_at": ""}, "draft"),
        ({"wp:status": "pending"}, "draft"),
        ({"Status": "Private"}, "draft"),
        ({"Is Draft": "checked"}, "draft"),
        ({"meta.visibility": "members"}, "draft"),
        ({"date": "2099-01-01 00:00:00"}, "scheduled"),
        ({"published": "FALSE", "date": "2020-01-01"}, "draft"),
        ({"expires_at": "2001-01-01"}, "draft"),
        ({"published": "true", "Status": "publish", "date": "2020-01-01"}, "published"),
    ]
    title = "name" if mapping else "title"
    for number, (values, _) in enumerate(marks):
        rows = [{"id": f"r{number}", title: f"T{number}", **values}]
        content = json.dumps(rows[0]).encode()
        if kind == "csv":
            text = io.StringIO()
            writer = csv.DictWriter(text, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
            content = text.getvalue().encode()
        given = {"mapping": json.dumps(mapping)} if mapping else {}
        await run(content, f"rows.{kind}", publish="true", **given)
    found, public = await states(articles)
    assert found == {f"T{number}": state for number, (_, state) in enumerate(marks)}
    assert public == {f"T{number}" for number, (_, state) in enumerate(marks) if state == "published"}


async def test_values_of_records_that_no_csv_can_say(articles, run):
    rows = [
        ({"draft": True}, "draft"),
        ({"published": False}, "draft"),
        ({"publishedAt": None}, "draft"),
        ({"attributes": {"publishedAt": None}}, "draft"),
        ({"status": 0}, "draft"),
        ({"status": {"name": "Draft"}}, "draft"),
        ({"visibility": ["paid"]}, "draft"),
        ({"published_at": 4070908800000}, "scheduled"),
        ({"draft": {"is": "odd"}}, "draft"),
        ({"status": 1, "draft": False, "published_at": 1500000000}, "published"),
    ]
    lines = "\n".join(json.dumps({"id": n, "title": f"T{n}", **values}) for n, (values, _) in enumerate(rows))
    await run(lines.encode(), "rows.ndjson", publish="true")
    assert (await states(articles))[0] == {f"T{n}": state for n, (_, state) in enumerate(rows)}


async def test_an_export_of_drafts_is_named_so(articles, run):
    await run(b'{"id": 1, "title": "One"}', "drafts.ndjson", publish="true")
    await run(archive({"a.md": post("Two")}), "_drafts.tar.gz", publish="true")
    await run(archive({"a.md": post("Three")}), "site.tar.gz", publish="true")
    assert (await states(articles))[1] == {"Three"}


async def test_fields_of_the_type_hold_marks_and_words_of_their_own(articles, run, admin):
    body = {
        "key": "order",
        "name": "Order",
        "fields": [
            {"key": "title", "type": "string"},
            {"key": "status", "type": "string"},
            {"key": "draft", "type": "boolean"},
            {"key": "date", "type": "datetime"},
        ],
    }
    assert (await articles.post("/content-types", body)).status == 201
    rows = [
        {"title": "shipped", "status": "shipped"},
        {"title": "draft word", "status": "draft"},
        {"title": "draft", "draft": True},
        {"title": "later", "date": LATER},
        {"title": "mapped", "kind": "draft"},
    ]
    lines = "\n".join(json.dumps({"id": n, **row}) for n, row in enumerate(rows)).encode()
    report = (await run(lines, "rows.ndjson", type="order", publish="true", mapping='{"status": "kind"}'))["result"]
    assert (report["created"], report["drafts"], report["scheduled"]) == (5, 3, 1)
    again = (await run(lines, "rows.ndjson", type="order", publish="true"))["result"]
    assert (again["drafts"], again["scheduled"], again["failed"]) == (2, 1, 0)
    listed = (await articles.get("/content?type=order&status=published")).json["items"]
    assert {item["data"]["title"] for item in listed} == {"shipped", "mapped"}


async def test_a_mapping_says_where_status_and_date_really_are(articles, run):
    rows = [
        {"id": 1, "title": "Fair", "date": LATER, "status": "sold out"},
        {"id": 2, "title": "Secret fair", "date": LATER, "status": "sold out", "draft": True},
        {"id": 3, "title": "Planned fair", "date": "2020-01-01", "from": LATER},
        {"id": 4, "title": "Internal fair", "date": LATER, "kind": "private"},
    ]
    lines = "\n".join(json.dumps(row) for row in rows).encode()
    mapping = json.dumps({"$publish_at": "from", "$status": "kind"})
    await run(lines, "rows.ndjson", publish="true", mapping=mapping)
    wanted = {"Fair": "published", "Secret fair": "draft", "Planned fair": "scheduled", "Internal fair": "draft"}
    assert (await states(articles))[0] == wanted


async def test_a_mapping_whose_source_a_row_lacks_says_nothing(articles, run):
    """Only a row that has the key, without a value, says that it was never published."""
    fields = (await articles.get("/content-types/article")).json["fields"]
    added = await articles.patch(
        "/content-types/article", {"fields": [*fields, {"key": "published_on", "type": "date"}]}
    )
    assert added.status == 200, added.raw
    mapping = {"published_on": {"from": "path", "pattern": r"(\d{4})/(\d{2})", "replace": r"\1-\2-01"}}
    paths = {"Lacks it": {}, "Matches": {"path": "2015/05/x"}, "Does not": {"path": "about"}, "Empty": {"path": None}}
    lines = "\n".join(json.dumps({"title": title, **path}) for title, path in paths.items()).encode()
    report = (await run(lines, "rows.ndjson", publish="true", mapping=json.dumps(mapping)))["result"]
    assert (report["created"], report["drafts"]) == (4, 1)
    assert [row["reason"] for row in report["not_published"]] == ["published_on is empty"]


async def test_a_dry_run_says_it_and_schedules_nothing(articles, run):
    files = {"a.md": post("A", "draft: true"), "b.md": post("B", f"date: {LATER}"), "c.md": post("C")}
    report = (await run(archive(files), publish="true", dry_run="true"))["result"]
    assert (report["created"], report["drafts"], report["scheduled"]) == (3, 1, 1)
    assert (await articles.get("/content/schedule")).json["total"] == 0


async def test_what_waits_for_its_date_is_published_then_and_ends_then(articles, run, drain):
    head = f"date: {LATER}\nexpiryDate: 2099-02-01"
    await run(archive({"a.md": post("A", head)}), publish="true")
    rows = (await articles.get("/content/schedule")).json["items"]
    assert [(row["action"], row["due_at"]) for row in rows] == [
        ("publish", "2099-01-01T00:00:00Z"),
        ("unpublish", "2099-02-01T00:00:00Z"),
    ]
    await db.execute("UPDATE jobs SET run_at = now() WHERE id = $1::uuid", rows[0]["job_id"])
    await drain()
    assert (await states(articles))[1] == {"A"}
    await db.execute("UPDATE jobs SET run_at = now() WHERE id = $1::uuid", rows[1]["job_id"])
    await drain()
    assert (await states(articles))[1] == set()


async def test_importing_again_follows_the_marks(articles, run, drain):
    async def imported(head, text="A"):
        report = (await run(archive({"a.md": post(text, head)}), publish="true"))["result"]
        return report, (await states(articles))[0].get(text)

    assert (await imported(f"date: {LATER}"))[1] == "scheduled"
    report, state = await imported(f"date: {LATER}")
    assert (report["unchanged"], state) == (1, "scheduled")
    # Now a draft: the time that was set must not publish it.
    assert (await imported("draft: true"))[1] == "draft"
    item = (await articles.get("/content/by-slug/article/a?status=draft")).json
    await come(item["id"])
    await drain()
    assert (await states(articles))[1] == set()
    assert (await imported("draft: false"))[1] == "published"
    assert (await imported("draft: true"))[1] == "draft"
    assert (await states(articles))[1] == set()
    assert (await imported(""))[1] == "published"
    # Nobody can say what this means: it stays as it is.
    assert (await imported("status: zzz"))[1] == "changed"
    assert (await states(articles))[1] == {"A"}


async def test_an_import_that_publishes_nothing_takes_no_marks(articles, run):
    files = {"a.md": post("A", "draft: true"), "b.md": post("B", f"date: {LATER}")}
    report = (await run(archive(files)))["result"]
    assert (report["created"], report["drafts"], report["scheduled"]) == (2, 0, 0)
    assert set((await states(articles))[0].values()) == {"draft"}


async def test_drafts_of_earlier_releases_that_became_public_are_taken_back(articles, run):
    """They were published with no word of it; the same file, unchanged, is another input now."""
    files = {"a.md": post("A", "draft: true"), "b.md": post("B")}
    await run(archive(files), publish="true")
    await db.execute("UPDATE import_sources SET digest = 'as an earlier release made it' WHERE source_key = 'a.md'")
    item = (await articles.get("/content/by-slug/article/a?status=draft")).json
    await articles.post(f"/content/{item['id']}/publish")
    report = (await run(archive(files), publish="true"))["result"]
    assert (report["updated"], report["unchanged"], report["drafts"]) == (1, 1, 1)
    assert (await states(articles))[1] == {"B"}


async def test_the_command_keeps_drafts_private_and_says_so(articles, command, tmp_path):
    folder = tmp_path / "site"
    for name, head in {"posts/a.md": "", "posts/b.md": "draft: true", "posts/c.md": f"date: {LATER}"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(post(name, head))
    (folder / "_drafts").mkdir()
    (folder / "_drafts" / "d.md").write_text(post("_drafts/d.md"))
    code, out = await command("import", str(folder), "--type", "article", "--site", articles.site)
    assert code == 0, out
    assert "2 left as drafts, 1 scheduled" in " ".join(out.split())
    assert "posts/b.md" in out
    assert "draft: true" in out
    code, out = await command("import", str(folder / "_drafts"), "--type", "article", "--site", articles.site)
    one = folder / "_drafts" / "d.md"
    code, out = await command("import", str(one), "--type", "article", "--site", articles.site)
    assert (await states(articles))[1] == {"posts/a.md"}


async def test_each_locale_has_marks_of_its_own_and_shows_no_shared_value_of_a_draft(stories, drain):
    def story(title, *head):
        return "---\n" + "\n".join([f"title: {title}", *head]) + "\n---\nText.\n"

    files = {
        "a.md": story("A", "price: 1", "draft: true"),
        "a.de.md": story("A de", "price: 1"),
        "b.md": story("B", "price: 2"),
        "b.de.md": story("B de", "draft: true"),
        "c.md": story("C", "price: 3", "draft: true"),
        "c.de.md": story("C de"),
        "d.md": story("D", "price: 4", f"date: {LATER}"),
        "d.de.md": story("D de", f"date: {LATER}"),
    }
    sent = form(archive(files), type="story", publish="true")
    answer = await stories.call("POST", "/content/import", data=sent)
    await drain()
    report = (await stories.get(f"/search/jobs/{answer.json['job_id']}")).json["result"]
    assert (report["failed"], report["drafts"], report["scheduled"]) == (0, 4, 2)
    public = set()
    for locale in ("en", "de"):
        listed = (await stories.get(f"/content?type=story&locale={locale}&fallback=none")).json["items"]
        public |= {item["data"]["title"] for item in listed}
    assert public == {"A de", "B"}
    reasons = {row["source"]: row["reason"] for row in report["not_published"]}
    assert reasons["c.de.md"] == "price: shared with en, which is not published"


async def test_a_mapping_with_an_unknown_special_target_is_refused(articles):
    sent = form(b"x", type="article", publish="true", mapping='{"$draft": "x"}')
    answer = await articles.call("POST", "/content/import", data=sent)
    assert answer.status == 422
    assert "$status" in answer.json["detail"]["errors"][0]["message"]
