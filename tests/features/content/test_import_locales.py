"""Importing items in several locales: files and rows that are one item become its entries."""

import io
import json
import tarfile
import zipfile

import pytest
from aiohttp import FormData

from scaicms.features.content import tasks
from scaicms.infra import db
from tests.conftest import role_with

POST = "---\ntitle: {0}\nprice: {1}\n{2}---\n{0} text.\n"


def post(title, price=1, *extra):
    return POST.format(title, price, "".join(f"{line}\n" for line in extra))


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def tarred(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


@pytest.fixture
async def run(stories, drain):
    """Import, wait, and give the report."""

    async def run(content, name="posts.zip", api=None, **values):
        data = FormData()
        data.add_field("file", zipped(content) if isinstance(content, dict) else content, filename=name)
        for key, value in {"type": "story", "publish": "true", **values}.items():
            data.add_field(key, value)
        answer = await (api or stories).call("POST", "/content/import", data=data)
        assert answer.status == 202, answer.raw
        await drain()
        job = (await stories.get(f"/search/jobs/{answer.json['job_id']}")).json
        assert job["state"] == "done", job
        return job["result"]

    return run


@pytest.fixture
def told(stories):
    """Every item of the site, by slug: its titles by locale, as drafts or as published."""

    async def told(status="published"):
        found = {}
        for locale in ("en", "de", "fr"):
            listed = await stories.get(f"/content?type=story&status={status}&locale={locale}&page_size=200")
            for item in listed.json["items"]:
                found.setdefault(item["slug"], {})[locale] = item["data"]["title"]
        return found

    return told


def counts(report):
    names = ("total", "created", "translated", "updated", "unchanged", "failed")
    return {name: report[name] for name in names if report[name]}


def problems(report, level="warning"):
    return [(p["source"], p["item"], p["locale"], p["message"]) for p in report["problems"] if p["level"] == level]


THREE = {"post.md": post("Post"), "post.de.md": post("Beitrag"), "post.fr.md": post("Article")}
JOINED = {"post": {"en": "Post", "de": "Beitrag", "fr": "Article"}}


@pytest.mark.parametrize(
    "names",
    [
        ("post.md", "post.de.md", "post.fr.md"),
        ("post.en.md", "post.DE.md", "post.fr.md"),
        ("blog/post/index.md", "blog/post/index.de.md", "blog/post/index.fr.md"),
        ("en/post.md", "de/post.md", "fr/post.md"),
        ("content/en/post.md", "content/de/post.md", "content/fr/post.md"),
        ("site/content/post.md", "site/content/de/post.md", "site/content/fr/post.md"),
        ("en/post.en.md", "de/post.de.md", "fr/post.fr.md"),
    ],
)
@pytest.mark.parametrize("pack", [zipped, tarred])
async def test_files_of_one_name_become_one_item_with_its_locales_published(run, told, names, pack):
    files = dict(zip(names, THREE.values(), strict=True))
    for ordered in (files, dict(reversed(files.items()))):
        report = await run(pack(ordered), "posts.zip")
        expected = {"total": 3, "created": 1, "translated": 2} if ordered is files else {"total": 3, "unchanged": 3}
        assert (counts(report), report["problems"]) == (expected, [])
    assert await told() == JOINED


async def test_a_translation_key_wins_over_names_and_front_matter_over_suffixes(run, told):
    report = await run(
        {
            "about.md": post("About", 1, "translationKey: us"),
            "ueber.md": post("Ueber", 1, "translationKey: us", "locale: DE"),
            "apropos.de.md": post("Apropos", 1, "translationKey: us", "lang: fr"),
            "about.fr.md": post("Alone"),
        }
    )
    assert counts(report) == {"total": 4, "created": 2, "translated": 2}
    assert report["unmapped"] == {}
    assert await told() == {"about-2": {"en": "About", "de": "Ueber", "fr": "Apropos"}, "about": {"fr": "Alone"}}
    assert problems(report) == [
        ("apropos.de.md", "us", "fr", "The name says de, but the file itself says fr, which was followed.")
    ]


async def test_names_that_say_no_locale_of_the_site_stay_as_they_are(run, told):
    report = await run({"v1.2.md": post("Version"), "post.es.md": post("Spanish"), "de.md": post("De"), ".de.md": "x"})
    assert counts(report) == {"total": 3, "created": 3}
    assert await told() == {"v1-2": {"en": "Version"}, "post-es": {"en": "Spanish"}, "de": {"en": "De"}}


async def test_a_file_added_later_adds_its_locale_and_changes_go_where_they_belong(run, told, stories):
    await run({"post.md": post("Post")})
    added = await run(THREE)
    assert counts(added) == {"total": 3, "translated": 2, "unchanged": 1}
    changed = await run({**THREE, "post.de.md": post("Neuer Beitrag")})
    assert counts(changed) == {"total": 3, "updated": 1, "unchanged": 2}
    assert (await told())["post"] == {"en": "Post", "de": "Neuer Beitrag", "fr": "Article"}
    alone = await run({"de/post.md": post("Aus dem Ordner")}, publish="false")
    assert counts(alone) == {"total": 1, "updated": 1}
    assert (await told("draft"))["post"]["de"] == "Aus dem Ordner"
    assert (await told())["post"]["de"] == "Neuer Beitrag"


async def test_the_default_locale_may_come_last_and_rules_what_is_shared_from_then_on(run, told, stories):
    first = await run({"post.de.md": post("Beitrag", 5), "post.fr.md": post("Article", 6)})
    assert counts(first) == {"total": 2, "created": 1, "translated": 1}
    assert problems(first) == [("post.fr.md", "post.md", "fr", "price: shared by all locales, and left as de has it.")]
    then = await run({"post.md": post("Post", 7)})
    assert counts(then) == {"total": 1, "translated": 1}
    assert problems(then) == [("post.md", "post.md", "en", "price: shared by all locales, and now as this one says.")]
    assert await told() == JOINED
    for locale in ("en", "de", "fr"):
        item = (await stories.get(f"/content/by-slug/story/post?locale={locale}")).json
        assert (item["status"], item["data"]["price"]) == ("published", 7)


async def test_shared_values_are_those_of_the_default_locale_and_others_are_said(run, stories):
    files = {
        "post.de.md": post("Beitrag", 2, "code: DDD", "slug: beitrag"),
        "post.md": post("Post", 1),
        "post.fr.md": "---\nprice: 1\n---\nTexte.\n",
    }
    report = await run(files)
    assert counts(report) == {"total": 3, "created": 1, "translated": 2}
    assert problems(report)[:2] == [
        ("post.de.md", "post.md", "de", "code, price: shared by all locales, and left as en has it."),
        ("post.de.md", "post.md", "de", "An item has one slug; it stays post, not beitrag."),
    ]
    item = (await stories.get("/content/by-slug/story/post?locale=de")).json
    assert item["data"]["price"] == 1
    assert "code" not in item["data"]
    assert counts(await run(files)) == {"total": 3, "unchanged": 3}


async def test_a_changed_shared_value_is_shown_by_every_locale_that_was_up_to_date(run, stories):
    await run(THREE)
    item = (await stories.get("/content/by-slug/story/post")).json
    await stories.patch(f"/content/{item['id']}/translations/fr", {"data": {"title": "Not ready"}})
    await run({**THREE, "post.md": post("Post", 9)})
    shown = {}
    for locale in ("en", "de", "fr"):
        read = (await stories.get(f"/content/{item['id']}?locale={locale}")).json
        shown[locale] = (read["data"]["title"], read["data"]["price"])
    assert shown == {"en": ("Post", 9), "de": ("Beitrag", 9), "fr": ("Article", 1)}


async def test_two_files_of_the_same_item_and_locale_are_an_error_of_the_second(run, told):
    report = await run({**THREE, "post.en.md": post("Again"), "de/post.md": post("Nochmal")})
    assert counts(report) == {"total": 5, "created": 1, "translated": 2, "failed": 2}
    assert {problem[0] for problem in problems(report, "error")} == {"post.en.md", "de/post.md"}
    assert await told() == JOINED


async def test_a_bad_translation_leaves_the_others_and_names_file_item_and_locale(run, told):
    files = {
        **THREE,
        "post.de.md": "---\nbody: 1\n---\n",
        "post.fr.md": "---\nprice: 3\n---\n",
        "other.xx.md": post("Other", 1, "locale: xx"),
        "broken.de.md": "---\n: :\n---\n",
    }
    report = await run(files)
    assert counts(report) == {"total": 5, "created": 1, "translated": 1, "failed": 3}
    wrong = {source: (item, locale) for source, item, locale, _ in problems(report, "error")}
    assert wrong == {
        "post.de.md": ("post.md", "de"),
        "other.xx.md": ("other.xx.md", "xx"),
        "broken.de.md": (None, None),
    }


async def test_what_is_localized_in_nothing_is_refused(run, stories):
    plain = {"key": "plain", "name": "Plain", "fields": [{"key": "title", "type": "string", "required": True}]}
    assert (await stories.post("/content-types", plain)).status == 201
    files = {"a.md": "---\ntitle: A\n---\n", "a.de.md": "---\ntitle: A auf Deutsch\n---\n"}
    report = await run(files, type="plain")
    assert counts(report) == {"total": 2, "created": 1, "failed": 1}
    assert "Nothing of it is localized in plain" in report["problems"][0]["message"]


async def test_a_dry_run_says_what_the_import_says_and_changes_nothing(run, told):
    files = {f"{n:02}/{name}": text for n in range(20) for name, text in THREE.items()}
    files["03/post.de.md"] = post("Beitrag", 8)
    files["04/post.md"] = "---\nprice: no\n---\n"
    dry = await run(files, dry_run="true")
    assert await told("any") == {}
    wet = await run(files)
    assert dry == wet
    assert counts(wet) == {"total": 60, "created": 20, "translated": 39, "failed": 1}
    assert {len(titles) for titles in (await told()).values()} == {2, 3}


async def test_a_long_import_goes_on_with_the_locales_of_an_item_together(run, told, monkeypatch):
    monkeypatch.setattr(tasks, "TURN_SECONDS", 0.0)
    files = {}
    for locale in ("fr", "de", "en"):  # as far apart as can be
        files |= {f"{locale}/post-{n}.md": post(f"{locale} {n}") for n in range(30)}
    assert counts(await run(files)) == {"total": 90, "created": 30, "translated": 60}
    found = await told()
    assert found == {f"post-{n}": {one: f"{one} {n}" for one in ("en", "de", "fr")} for n in range(30)}


async def test_an_import_that_an_older_release_began_is_begun_anew(stories, drain, told):
    """It took rows one by one in the order of their names; a number of them says nothing of what is in."""
    data = FormData()
    files = {f"{locale}/post-{n}.md": post("T") for n in range(5) for locale in ("de", "en")}
    data.add_field("file", zipped(files), filename="posts.zip")
    data.add_field("type", "story")
    answer = await stories.call("POST", "/content/import", data=data)
    progress = json.dumps({"total": 10, "done": 5, "created": 5})
    sql = "UPDATE jobs SET progress = $2::jsonb WHERE id = $1::uuid"
    await db.execute(sql, answer.json["job_id"], progress)
    await drain()
    report = (await stories.get(f"/search/jobs/{answer.json['job_id']}")).json["result"]
    assert counts(report) == {"total": 10, "created": 5, "translated": 5}
    assert len(await told("any")) == 5


@pytest.mark.parametrize("key", ["slug", "id", "translationKey"])
@pytest.mark.parametrize("name", ["rows.ndjson", "rows.csv"])
async def test_records_with_a_locale_join_wherever_they_stand(run, told, key, name):
    rows = [(locale, n) for locale in ("de", "", "FR") for n in range(12)]
    if name == "rows.csv":
        lines = [f"{key},locale,title,body", *(f'post-{n},{code},"{code}, {n}","two\nlines"' for code, n in rows)]
        content = "\r\n".join(lines).encode()
    else:
        wanted = [{key: f"post-{n}", "title": f"{code}, {n}"} | ({"locale": code} if code else {}) for code, n in rows]
        content = b"\n".join(json.dumps(row).encode() for row in wanted)
    assert counts(await run(content, name)) == {"total": 36, "created": 12, "translated": 24}
    found = await told()
    assert len(found) == 12
    assert {"en": ", 3", "de": "de, 3", "fr": "FR, 3"} in found.values()
    assert counts(await run(content, name)) == {"total": 36, "unchanged": 36}


async def test_the_same_record_twice_in_a_locale_is_an_error_that_names_the_line(run):
    rows = [{"slug": "a", "title": "A"}, {"slug": "a", "title": "B", "locale": "de"}, {"slug": "a", "title": "C"}]
    same = {"title": "The same", "locale": "de"}
    content = b"\n".join(json.dumps(row).encode() for row in [*rows, same, same])
    report = await run(content, "rows.ndjson")
    assert counts(report) == {"total": 5, "created": 3, "translated": 1, "failed": 1}
    assert problems(report, "error") == [
        ("rows.ndjson:3", None, None, 'Line 1 has the same slug, "a"; only that one was read.')
    ]


async def test_a_mapping_may_say_the_locale(run, told):
    mapping = json.dumps({"$locale": {"from": "$source", "pattern": r"_(\w\w)/"}, "$slug": {"value": "x"}})
    files = {
        "in_de/a.md": post("Beitrag", 1, "translationKey: a"),
        "in_en/a.md": post("Post", 1, "translationKey: a"),
    }
    assert counts(await run(files, mapping=mapping)) == {"total": 2, "created": 1, "translated": 1}
    assert await told() == {"x": {"en": "Post", "de": "Beitrag"}}


async def test_terms_are_those_of_the_default_locale_and_translations_make_none(run, stories):
    await stories.post("/taxonomies", {"key": "topics", "name": "Topics"})
    mapping = json.dumps({"taxonomies.topics": "tags"})
    files = {
        "post.md": post("Post", 1, "tags: [news]"),
        "post.de.md": post("Beitrag", 1, "tags: [Neuigkeiten]"),
        "post.fr.md": post("Article", 1, "tags: [News]"),
    }
    report = await run(files, mapping=mapping)
    assert (counts(report), report["terms_made"]) == ({"total": 3, "created": 1, "translated": 2}, 1)
    assert problems(report) == [
        ("post.de.md", "post.md", "de", "taxonomies.topics: shared by all locales, and left as en has it.")
    ]
    item = (await stories.get("/content/by-slug/story/post?locale=de")).json
    assert [term["name"] for term in item["taxonomies"]["topics"]] == ["news"]
    names = (await stories.get("/taxonomies/topics/terms")).json["items"]
    assert [term["name"] for term in names] == ["news"]


async def test_narrowed_rights_are_checked_for_each_locale(run, told, admin, user, stories):
    await run({"post.md": post("Post")})
    codes = ["content:read", "content:import", "content:create", "content:update", "content:publish"]
    role = await role_with(admin, *codes)
    free = ("content:read", "content:import")
    grants = [{"permission": code, **({} if code in free else {"locales": ["de"]})} for code in codes]
    assert (await admin.put(f"/roles/{role}/permissions", grants)).status == 200
    translator = await user(role, site=stories.site)
    files = {**THREE, "post.md": post("Changed"), "new.md": post("New")}
    report = await run(files, api=translator)
    assert counts(report) == {"total": 4, "translated": 1, "failed": 3}
    assert {source for source, *_ in problems(report, "error")} == {"post.md", "post.fr.md", "new.md"}
    assert await told() == {"post": {"en": "Post", "de": "Beitrag"}}
    blind = [{"permission": code, **({} if code == "content:import" else {"locales": ["fr"]})} for code in codes]
    assert (await admin.put(f"/roles/{role}/permissions", blind)).status == 200
    # The item does not exist for them, and neither does its source: what they may write is an item of their own.
    assert counts(await run(THREE, api=translator)) == {"total": 3, "created": 1, "failed": 2}
    assert counts(await run(THREE, api=translator)) == {"total": 3, "unchanged": 1, "failed": 2}
    assert await told() == {"post": {"en": "Post", "de": "Beitrag"}, "post-2": {"fr": "Article"}}


async def test_what_was_imported_before_the_site_had_the_locale_is_joined_and_said(run, told, admin, stories):
    await admin.patch(f"/sites/{stories.site}", {"locales": [{"code": "en"}]})
    assert counts(await run(THREE)) == {"total": 3, "created": 3}
    await admin.patch(f"/sites/{stories.site}", {"locales": [{"code": "en"}, {"code": "de"}, {"code": "fr"}]})
    report = await run(THREE)
    assert counts(report) == {"total": 3, "translated": 2, "unchanged": 1}
    assert [source for source, *_ in problems(report)] == ["post.de.md", "post.fr.md"]
    assert "was an item of its own, which stays" in problems(report)[0][3]
    assert (await told())["post"] == {"en": "Post", "de": "Beitrag", "fr": "Article"}


async def test_an_item_that_was_deleted_comes_back_with_all_of_its_locales(run, told, stories):
    await run(THREE)
    item = (await stories.get("/content/by-slug/story/post")).json
    assert (await stories.delete(f"/content/{item['id']}?permanent=true")).status == 204
    assert counts(await run(THREE)) == {"total": 3, "created": 1, "translated": 2}
    item = (await stories.get("/content/by-slug/story/post")).json
    assert (await stories.delete(f"/content/{item['id']}")).status == 204
    changed = await run({**THREE, "post.md": post("Post again")})
    assert counts(changed) == {"total": 3, "created": 1, "translated": 2}
    assert [*(await told()).values()] == [{"en": "Post again", "de": "Beitrag", "fr": "Article"}]


@pytest.mark.parametrize(
    "told_so", ["translationKey: [a]", f"translationKey: {'x' * 400}", "locale: xx", "locale: [de]"]
)
async def test_what_cannot_say_a_locale_or_a_key_is_said_and_harms_nothing_else(run, told, stories, told_so):
    await stories.post("/taxonomies", {"key": "topics", "name": "Topics"})
    mapping = json.dumps({"taxonomies.topics": "tags"})
    files = {**THREE, "post.de.md": post("Beitrag", 1, told_so, "tags: [a]"), "z.md": post("Z", 1, "lang: [de]")}
    report = await run(files, mapping=mapping)
    if told_so == "locale: [de]":
        assert counts(report) == {"total": 4, "created": 2, "translated": 2}
        assert (await told())["post"] == JOINED["post"]
    else:
        assert counts(report) == {"total": 4, "created": 2, "translated": 1, "failed": 1}
        assert [source for source, *_ in problems(report, "error")] == ["post.de.md"]
    assert report["unmapped"]["lang"] == 1


async def test_very_many_and_very_large_rows_of_one_item_are_taken_some_at_a_time(run, told):
    rows = [{"slug": "a", "title": "A", "locale": f"x{n}"} for n in range(600)]
    rows += [{"slug": "b", "title": "B", "pad": "b" * 800_000, "locale": code} for code in ("en", "de", "fr")]
    rows += [{"slug": f"c{n}", "title": "C", "pad": "c" * 800_000} for n in range(30)]
    content = b"\n".join(json.dumps(row).encode() for row in rows)
    report = await run(content, "rows.ndjson", publish="false")
    assert counts(report) == {"total": 633, "created": 31, "translated": 2, "failed": 600}
    assert (await told("any"))["b"] == {"en": "B", "de": "B", "fr": "B"}
