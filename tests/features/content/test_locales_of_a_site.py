"""Taking locales away from a site, and giving it another default, while there is content in them."""

import asyncio
import io
import json

import pytest

from scaicms.features.content.schemas import CreateItem
from scaicms.features.content.service import ContentService
from scaicms.features.content.translations import TranslationService
from scaicms.features.sites.service import SiteService
from scaicms.infra import db
from scaicms.kit.errors import InvalidError
from scaicms.kit.principal import SYSTEM
from tests.features.content.stories import LOCALES, told, translated

WITHOUT_GERMAN = {"locales": [{"code": "en"}, {"code": "fr"}]}


async def change(stories, admin, body, query=""):
    return await admin.patch(f"/sites/{stories.site}{query}", body)


def said(answer):
    return [wrong["message"] for wrong in answer.json["detail"]["errors"]]


async def codes(admin, stories):
    return [one["code"] for one in (await admin.get(f"/sites/{stories.site}")).json["locales"]]


async def test_a_locale_stays_while_there_are_translations_and_the_answer_says_what_to_do(stories, admin):
    item, other = await told(stories), await told(stories)
    await translated(stories, item, "de", True)
    await translated(stories, other, "de")
    answer = await change(stories, admin, WITHOUT_GERMAN)
    assert (answer.status, answer.code) == (409, "locale_in_use")
    drafts, documents = said(answer)
    assert drafts.startswith("2 items have a draft in de")
    assert documents.startswith("1 of them are published in de")
    assert await codes(admin, stories) == ["en", "de", "fr"]
    # What it says to do is done.
    listed = [json.loads(line) for line in (await stories.get("/content/export?locale=de")).raw.splitlines()]
    assert {line["id"] for line in listed} == {item["id"], other["id"]}
    for one in (item, other):
        assert "DELETE /content/{id}/translations/de" in drafts
        assert (await stories.delete(f"/content/{one['id']}/translations/de")).status == 204
    assert (await change(stories, admin, WITHOUT_GERMAN)).status == 200
    assert await codes(admin, stories) == ["en", "fr"]


async def test_texts_of_assets_count(stories, admin):
    made = await stories.call("POST", "/assets", data={"file": io.BytesIO(b"A file"), "alt": "A file"})
    path = f"/assets/{made.json['id']}"
    assert (await stories.patch(path, {"alt": {"de": "Eine Datei"}})).status == 200
    (texts,) = said(await change(stories, admin, WITHOUT_GERMAN))
    assert texts.startswith("1 assets have a title or an alternative text in de")
    assert (await stories.patch(path, {"title": {"de": None}, "alt": {"de": None}})).status == 200
    assert (await change(stories, admin, WITHOUT_GERMAN)).status == 200


async def test_what_lies_in_the_trash_counts(stories, admin):
    item = await told(stories)
    await translated(stories, item, "de")
    assert (await stories.delete(f"/content/{item['id']}")).status == 204
    (trash,) = said(await change(stories, admin, WITHOUT_GERMAN))
    assert trash.startswith("1 items in the trash have a draft in de")
    assert (await stories.post(f"/content/{item['id']}/restore")).status == 200
    assert (await stories.delete(f"/content/{item['id']}?permanent=true")).status == 204
    assert (await change(stories, admin, WITHOUT_GERMAN)).status == 200


async def test_names_of_terms_in_a_locale_count(stories, admin):
    await stories.post("/taxonomies", {"key": "topics", "name": "Topics", "localized": True})
    term = (await stories.post("/taxonomies/topics/terms", {"name": {"en": "Vienna", "de": "Wien"}})).json
    (names,) = said(await change(stories, admin, WITHOUT_GERMAN))
    assert names.startswith("1 terms have a name in de")
    path = f"/taxonomies/topics/terms/{term['id']}"
    assert (await stories.patch(path, {"name": {"de": None}})).status == 200
    assert (await change(stories, admin, WITHOUT_GERMAN)).status == 200


async def test_another_sites_content_and_locales_that_stay_do_not_count(stories, admin):
    item = await told(stories)
    await translated(stories, item, "fr")
    assert (await change(stories, admin, {"locales": [{"code": "fr"}, {"code": "en"}]})).status == 200
    assert await codes(admin, stories) == ["fr", "en"]


async def test_a_chain_that_names_a_removed_locale_is_refused(stories, admin):
    kept = [one for one in LOCALES if one["code"] != "fr"]
    answer = await change(stories, admin, {"locales": kept})
    assert (answer.status, answer.json["detail"]["errors"][0]["pointer"]) == (422, "/locales")
    assert "de cannot fall back to fr" in said(answer)[0]


async def test_who_may_not_change_the_site_learns_nothing(stories, user):
    await told(stories)
    editor = await user("editor", site=stories.site)
    assert (await editor.patch(f"/sites/{stories.site}", WITHOUT_GERMAN)).status == 403


async def test_another_default_locale_is_refused_while_items_have_nothing_in_it(stories, admin):
    whole, half, none = [await told(stories, publish=True) for _ in range(3)]
    await translated(stories, whole, "de", True)
    await translated(stories, half, "de")
    german = {"default_locale": "de"}
    answer = await change(stories, admin, german)
    assert (answer.status, answer.code) == (409, "default_locale_lacking")
    assert said(answer)[0].startswith("2 items have no draft in de, or are published but not in de")
    assert (await stories.get("/content?type=story")).json["total"] == 3
    missing = (await stories.get("/content/translations/missing?locale=de")).json["items"]
    assert [one["id"] for one in missing] == [none["id"]]
    await translated(stories, none, "de", True)
    assert (await stories.post(f"/content/{half['id']}/publish", {"locales": ["de"]})).status == 200
    assert (await change(stories, admin, german)).status == 200
    assert (await stories.get("/content?type=story")).json["total"] == 3


async def test_another_default_locale_all_the_same(stories, admin):
    item = await told(stories, publish=True)
    assert (await change(stories, admin, {"default_locale": "de"}, "?force=true")).status == 200
    path = f"/content/{item['id']}"
    assert (await stories.get(f"{path}?status=published")).status == 404
    assert (await stories.get(f"{path}?status=published&locale=en")).status == 200
    assert (await stories.get("/content?type=story")).json["total"] == 0
    # Editors find the draft that there is.
    assert (await stories.get(f"{path}?status=draft")).json["locale"] == "en"
    both = {"default_locale": "fr", "locales": [{"code": "fr"}, {"code": "de"}]}
    assert (await change(stories, admin, both, "?force=true")).code == "locale_in_use"


async def test_a_taxonomy_without_translations_can_be_changed_after_the_default_locale(stories, admin):
    await stories.post("/taxonomies", {"key": "topics", "name": "Topics"})
    await stories.post("/taxonomies/topics/terms", {"name": "Rust"})
    assert (await change(stories, admin, {"default_locale": "de"})).status == 200
    assert (await stories.patch("/taxonomies/topics", {"name": "Themes"})).status == 200


@pytest.fixture
async def known(stories, services):
    """The site as somebody has read it before it changed."""
    return await services.get(SiteService).find(stories.site)


async def test_a_translation_under_way_is_waited_for_and_counted(stories, admin, known, services):
    item = await told(stories)
    async with db.transaction():
        await services.get(TranslationService).put(SYSTEM, known, item["id"], "de", {"title": "Hallo"})
        removing = asyncio.create_task(change(stories, admin, WITHOUT_GERMAN))
        await asyncio.sleep(0.3)  # time enough to do it, did it not wait
        assert not removing.done()
    assert (await removing).code == "locale_in_use"


async def test_who_knows_the_site_of_before_writes_nothing_in_a_removed_locale(stories, admin, known, services):
    item = await told(stories)
    assert (await change(stories, admin, WITHOUT_GERMAN)).status == 200
    with pytest.raises(InvalidError) as refused:
        await services.get(TranslationService).put(SYSTEM, known, item["id"], "de", {"title": "Hallo"})
    assert refused.value.code == "unknown_locale"
    with pytest.raises(InvalidError):
        new = CreateItem(type="story", locale="de", data={"title": "Hallo"})
        await services.get(ContentService).create(SYSTEM, known, new)
    left = "SELECT count(*) FROM items i WHERE i.site_id = $1"
    assert await db.fetchval(left, known.id) == 1


async def test_a_locale_is_gone_or_its_translation_there_whoever_comes_first(stories, admin):
    outcomes = set()
    for number in range(8):
        item = await told(stories)
        new = {"title": f"T{number}"}
        answers = await asyncio.gather(
            stories.put(f"/content/{item['id']}/translations/de", {"data": new}),
            change(stories, admin, WITHOUT_GERMAN),
            stories.post("/content", {"type": "story", "locale": "de", "data": new}),
        )
        assert [one.status for one in answers if one.status >= 500] == [], [one.raw for one in answers]
        stored = """SELECT count(*) FROM entries e JOIN items i ON i.id = e.item_id
                    JOIN sites s ON s.id = i.site_id WHERE s.key = $1 AND e.locale = 'de'"""
        there = await db.fetchval(stored, stories.site)
        removed = answers[1].status == 200
        outcomes.add(removed)
        assert (there == 0) == removed, [one.raw for one in answers]
        await db.execute(
            """DELETE FROM entries USING items i, sites s
               WHERE i.id = item_id AND s.id = i.site_id AND s.key = $1 AND locale = 'de'""",
            stories.site,
        )
        assert (await change(stories, admin, {"locales": LOCALES})).status == 200
    assert outcomes


async def test_who_writes_for_too_long_lets_the_change_wait_no_longer(stories, admin, known, services):
    item = await told(stories)
    async with db.transaction():
        await services.get(TranslationService).put(SYSTEM, known, item["id"], "fr", {"title": "Salut"})
        assert (await change(stories, admin, WITHOUT_GERMAN)).status == 503
    assert (await change(stories, admin, WITHOUT_GERMAN)).status == 200
