"""Heads of Markdown files in the forms of other tools are read: what they say of a draft keeps it from the public."""

import pytest

from tests.features.content.importing import archive, form

YAML = "title: A page\n{}\n"
TOML = 'title = "A page"\n{}\n'
JSON = '"title": "A page",\n{}\n'
HEADS = {
    "blank lines before": ("\n \n---\n" + YAML + "---\n", "draft: true"),
    "spaces before": ("  ---\n" + YAML + "---\n", "draft: true"),
    "a byte order mark and a blank line": ("\ufeff\n---\n" + YAML + "---\n", "draft: true"),
    "blank lines before TOML": ("\n\n+++\n" + TOML + "+++\n", "draft = true"),
    "YAML by name": ("---yaml\n" + YAML + "---\n", "draft: true"),
    "YAML by name and space": ("--- yml\n" + YAML + "---\n", "draft: true"),
    "TOML by name": ("---toml\n" + TOML + "---\n", "draft = true"),
    "JSON by name": ("---json\n{{\n" + JSON + "}}\n---\n", '"draft": true'),
    "JSON in one line": ('{{"title": "A page", {}}}\n', '"draft": true'),
    "JSON that begins in the first line": ('{{ "title": "A page",\n  {}\n}}\n', '"draft": true'),
    "JSON before semicolons": (JSON + ";;;\n", '"draft": true'),
    "JSON between semicolons": (";;;\n" + JSON + ";;;\n", '"draft": true'),
    "lines of keys": ("Title: A page\nDate: 2020-01-01\n{}\n\n", "Status: draft"),
    "lines of keys that are continued": ("Title: A\n   page\n{}\n\n", "Status: hidden"),
    "front matter without its lines": ("title: A page\n{}\n\n", "draft: true"),
    "dotted lines": (".. title: A page\n{}\n\n", ".. status: draft"),
    "dotted lines in a comment": ("<!--\n.. title: A page\n{}\n-->\n", ".. status: private"),
    "no output by Hugo": ("---\n" + YAML + "---\n", "build: {{render: never}}"),
    "no output by older Hugo": ("---\n" + YAML + "---\n", "_build: {{render: false, list: never}}"),
    "a link alone by Hugo": ("---\n" + YAML + "---\n", "build: {{render: link}}"),
    "no output by Eleventy": ("---\n" + YAML + "---\n", "permalink: false"),
    "no output by Zola": ("+++\n" + TOML + "+++\n", "render = false"),
    "not for a digital garden": ("---\n" + YAML + "---\n", "dg-publish: false"),
    "for members": ("---\n" + YAML + "---\n", "access: members"),
}
PUBLIC = {
    "draft: true": "draft: false", "draft = true": "draft = false", '"draft": true': '"draft": false',
    "Status: draft": "Status: published", "Status: hidden": "Status: published", ".. status: draft": ".. slug: a",
    ".. status: private": ".. tags: b", "build: {{render: never}}": "build: {{render: always}}",
    "_build: {{render: false, list: never}}": "_build: {{render: always}}", "build: {{render: link}}": "build: {{}}",
    "permalink: false": "permalink: /a/", "render = false": "render = true", "dg-publish: false": "dg-publish: true",
    "access: members": "access: all",
}  # fmt: skip


async def imported(api, drain, text):
    content = form(archive({"page.md": text}), type="article", publish="true")
    answer = await api.call("POST", "/content/import", data=content)
    assert answer.status == 202, answer.raw
    await drain()
    report = (await api.get(f"/search/jobs/{answer.json['job_id']}")).json["result"]
    return report, (await api.get("/content?type=article&status=any")).json["items"]


def written(head, mark):
    return head.replace("{}", mark).replace("{{", "{").replace("}}", "}") + "The text."


@pytest.mark.parametrize("name", HEADS)
async def test_a_draft_stays_one_and_its_head_is_no_text(articles, drain, name):
    head, mark = HEADS[name]
    report, [item] = await imported(articles, drain, written(head, mark))
    assert (report["created"], report["drafts"]) == (1, 1), report
    assert item["status"] == "draft"
    assert item["data"]["body"] == "The text."
    assert item["data"]["title"].split() == ["A", "page"]
    assert (await articles.get("/content?type=article")).json["total"] == 0


@pytest.mark.parametrize("name", HEADS)
async def test_the_same_head_without_the_mark_is_published(articles, drain, name):
    head, mark = HEADS[name]
    report, [item] = await imported(articles, drain, written(head, PUBLIC[mark]))
    assert (report["created"], report["drafts"], item["status"]) == (1, 0, "published"), report
    assert item["data"]["body"] == "The text."


TEXTS = {
    "a word and a colon": "Note: this is no head.\n\nMore.",
    "a rule": "---\n\nAfter a rule.",
    "an indented rule": "    ---\n    code\n\nMore.",
    "a brace": '{"no": json}\n\nMore.',
    "quoted": '"Quoted," she said.\n\nMore.',
    "a comment": "<!-- nothing -->\n\nMore.",
    "a directive": ".. note:: of another language\n\nMore.",
}


@pytest.mark.parametrize("text", TEXTS)
async def test_a_text_that_begins_alike_is_text(articles, drain, text):
    report, [item] = await imported(articles, drain, TEXTS[text])
    assert report["created"] == 1, report
    assert item["data"]["body"] == TEXTS[text]


async def test_another_language_is_refused(articles, drain):
    report, items = await imported(articles, drain, "\n---js\n{draft: true}\n---\nText.")
    assert (report["failed"], items) == (1, [])
    assert report["problems"][0]["code"] == "unsupported_front_matter"
