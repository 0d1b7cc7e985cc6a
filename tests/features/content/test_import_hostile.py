"""What is made to hurt is refused or reported, through HTTP and the queue; the rows beside it go in."""

import gzip
import json
import time
from uuid import uuid4

import pytest

from tests.features.content.importing import archive, form

GOOD = "# Good\n"
MOMENTS = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")


async def test_a_row_that_an_item_could_not_be_made_of_is_one_bad_row(run):
    bad = "---\ntitle: Bad\nlocale: " + "x" * 5000 + "\n---\n"
    job = await run(archive({"bad.md": bad, "good.md": GOOD}))
    assert job["state"] == "done"
    assert (job["result"]["created"], job["result"]["failed"]) == (1, 1)


async def test_a_report_stays_small_whatever_rows_say(run):
    rows = [{"slug": "X" * 200_000 + str(n), "title": "T"} for n in range(20)]
    rows += [{"title": "T", **{f"{n}-{key}": 1 for key in range(900)}, "k" * 100_000: 1} for n in range(20)]
    job = await run(b"\n".join(json.dumps(row).encode() for row in rows), "rows.ndjson")
    assert (job["state"], job["result"]["created"]) == ("done", 40)
    assert len(json.dumps(job)) < 100_000
    assert len(job["result"]["unmapped"]) == 1000
    assert sum(job["result"]["unmapped"].values()) + job["result"]["unmapped_left_out"] == 20 * 901


async def test_rows_of_very_many_keys_are_bad_rows(run):
    wide = {"title": "T", **{f"k{n}": 1 for n in range(1000)}}
    job = await run(json.dumps(wide).encode() + b'\n{"title": "T"}', "rows.ndjson")
    assert (job["result"]["created"], job["result"]["failed"]) == (1, 1)
    head = "\n".join(f"k{n}: 1" for n in range(1001))
    job = await run(archive({"wide.md": f"---\n{head}\n---\n", "good.md": GOOD}))
    assert (job["result"]["created"], job["result"]["failed"]) == (1, 1)
    assert "too_many_keys" in {problem["code"] for problem in job["result"]["problems"]}


@pytest.mark.parametrize("header", [",".join(f"c{n}" for n in range(100_000)), "title," + "h" * 5_000_000])
async def test_a_csv_header_that_every_row_would_repeat_is_refused_at_once(run, header):
    began = time.monotonic()
    job = await run((header + "\n" + "a,1\n" * 10_000).encode(), "rows.csv")
    assert job["state"] == "dead"
    assert "header" in job["last_error"]
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("text", ["![" * 32_000, "[" * 64_000, "*_" * 32_000, "# " + "[" * 60_000])
async def test_looking_for_a_title_in_what_hurts_parsers_takes_no_time(run, text):
    began = time.monotonic()
    job = await run(archive({f"{n}.md": text for n in range(10)}))
    assert job["result"]["total"] == 10
    assert time.monotonic() - began < 5


async def test_a_replacement_makes_no_gigabytes_of_a_group(run):
    mapping = {"body": {"from": "$body", "pattern": "(?s).*", "replace": "\\0" * 500}}
    posts = {"a.md": "---\ntitle: A\n---\n" + "b" * 500_000, "b.md": "---\ntitle: B\n---\nb"}
    job = await run(archive(posts), mapping=json.dumps(mapping))
    assert (job["result"]["created"], job["result"]["failed"]) == (2, 0)
    assert "gives too much" in job["result"]["problems"][0]["message"]


async def test_many_rows_of_one_title_all_get_slugs(run, articles):
    job = await run(b'{"title": "The same"}\n' * 60, "rows.ndjson")
    assert (job["result"]["created"], job["result"]["failed"]) == (60, 0)
    assert (await articles.get("/content/by-slug/article/the-same-60?status=draft")).status == 200


async def test_a_gzip_file_of_very_many_parts_is_refused_at_once_and_one_of_some_is_read(run):
    began = time.monotonic()
    job = await run(gzip.compress(b"") * 1_000_000)
    assert (job["state"], "too many parts" in job["last_error"]) == ("dead", True)
    assert time.monotonic() - began < 5
    plain = gzip.decompress(archive({"a.md": GOOD, "b.md": GOOD}))
    parts = [gzip.compress(plain[n : n + 1000]) for n in range(0, len(plain), 1000)]
    job = await run(b"".join([*parts, b"\0" * 5000]))
    assert job["result"]["created"] == 2
    job = await run(b"".join(parts)[:-4])
    assert (job["state"], "cut short" in job["last_error"]) == ("dead", True)


@pytest.fixture
async def exported(articles):
    """The line of an item that is there no more."""
    body = {"type": "article", "data": {"title": "A"}, "publish": True}
    item = (await articles.post("/content", body)).json
    [line] = [json.loads(one) for one in (await articles.get("/content/export")).raw.splitlines() if b'"item"' in one]
    assert (await articles.delete(f"/content/{item['id']}?permanent=true")).status == 204
    return line


async def test_each_line_of_an_export_that_says_what_no_database_holds_is_one_bad_row(exported, articles, drain):
    def line(number, **given):
        entries = [{**entry, "published": None} for entry in exported["entries"]]
        return {**exported, "id": str(uuid4()), "slug": f"s{number}", "entries": entries, **given}

    def published(**given):
        [entry] = exported["entries"]
        return {"entries": [{**entry, "published": {**entry["published"], **given}}]}

    wrong = [
        *({name: moment} for name in ("created_at", "archived_at") for moment in MOMENTS),
        *(published(**{name: moment}) for name in ("updated_at", "published_at") for moment in MOMENTS),
        *({name: "a\0b"} for name in ("id", "kind", "stage", "slug", "type", "created_by")),
        published(updated_by="a\0b"),
    ]
    lines = [line(number, **given) for number, given in enumerate(wrong)] + [line("good")]
    content = "\n".join(map(json.dumps, lines)).encode()
    answer = await articles.call("POST", "/content/import", data=form(content, "export.ndjson", format="export"))
    await drain()
    job = (await articles.get(f"/search/jobs/{answer.json['job_id']}")).json
    assert (job["state"], job["result"]["created"], job["result"]["failed"]) == ("done", 1, len(wrong))


async def test_what_files_say_is_shown_by_the_command_line_as_it_is(articles, command, tmp_path):
    (tmp_path / "[").mkdir()
    (tmp_path / "[" / "id].md").write_text("---\ntitle: 5\n'[/red]': 1\n\"\\e[2J\": 1\n---\n")
    (tmp_path / "b.md").write_text("---\ntitle: B\n'[/red]': 1\n\"\\e[2J\": 1\n---\n")
    code, said = await command("import", str(tmp_path), "--site", articles.site, "--type", "article")
    assert code == 1, said
    assert "[/id].md" in said
    assert "[/red]" in said
    assert "\x1b[2J" not in said
    assert "1 failed, of 2" in said
