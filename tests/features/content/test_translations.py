"""Drafts by locale: what they share, what is their own, adding and removing them, publishing some of them."""

import asyncio

from tests.features.content.stories import draft, published, told, translated
from tests.features.content.test_narrowing import RANDOM, READS, on, same_as_missing


async def test_a_translation_begins_with_what_is_shared(stories):
    item = await told(stories, price=3, body="English")
    path = f"/content/{item['id']}/translations/de"
    assert (await stories.get(path)).status == 404
    made = await stories.put(path, {"data": {"title": "Hallo"}})
    assert (made.status, made.headers["Location"]) == (201, f"/api/v1{path}")
    assert made.json["data"] == {"title": "Hallo", "price": 3, "kept": "by default"}
    assert (made.json["locale"], made.json["locales"]) == ("de", ["de", "en"])
    assert (await stories.get(f"/content/{item['id']}?locale=en")).json["data"]["title"] == "Zebra"
    again = await stories.put(path, {"data": {"title": "Hallo!"}})
    assert (again.status, again.json["version"]) == (200, 2)


async def test_a_shared_field_is_one_for_all_locales(stories):
    item = await told(stories, price=3)
    await translated(stories, item, "de", body="Deutsch")
    await translated(stories, item, "fr", price=4)
    before = {locale: await draft(stories, item, locale) for locale in ("en", "de", "fr")}
    assert {one["data"]["price"] for one in before.values()} == {4}
    changed = await stories.patch(f"/content/{item['id']}/translations/de", {"data": {"price": 5, "kept": None}})
    assert changed.status == 200
    for locale, old in before.items():
        now = await draft(stories, item, locale)
        assert now["version"] == old["version"] + 1
        assert now["data"] == {"title": "Zebra", "price": 5, **({"body": "Deutsch"} if locale == "de" else {})}
    # What is a locale's own changes there alone.
    assert (await stories.patch(f"/content/{item['id']}/translations/de", {"data": {"title": "X"}})).status == 200
    assert (await draft(stories, item, "en"))["version"] == before["en"]["version"] + 1


async def test_put_replaces_what_is_localized_and_leaves_what_is_shared(stories):
    item = await told(stories, price=3)
    await translated(stories, item, "de", body="Deutsch", secret="geheim")
    replaced = await stories.put(f"/content/{item['id']}/translations/de", {"data": {"title": "Neu"}})
    assert replaced.json["data"] == {"title": "Neu", "price": 3, "kept": "by default"}


async def test_saves_of_two_locales_lose_nothing_and_do_not_block_each_other(stories):
    items = [await told(stories, price=-1) for _ in range(2)]
    for item in items:
        await translated(stories, item, "de")
        await translated(stories, item, "fr")

    async def save(item, locale, data):
        answer = await stories.patch(f"/content/{item['id']}/translations/{locale}", {"data": data})
        assert answer.status == 200, answer.raw

    saves = []
    for number in range(8):
        for item in items:
            shared = {"en": {"price": number}, "de": {"kept": f"k{number}"}, "fr": {"code": f"{item['id']}-{number}"}}
            saves += [save(item, one, {**data, "body": f"{one} {number}"}) for one, data in shared.items()]
    await asyncio.gather(*saves)
    for item in items:
        drafts = [await draft(stories, item, locale) for locale in ("en", "de", "fr")]
        assert {one["version"] for one in drafts} == {8 * 3 + 1}
        shared = [{key: one["data"][key] for key in ("price", "kept", "code")} for one in drafts]
        assert shared[0] == shared[1] == shared[2]
        assert all(one["data"]["body"].startswith(one["locale"]) for one in drafts)


async def test_a_translation_that_is_added_meanwhile_gets_what_is_shared(stories):
    for number in range(5):
        item = await told(stories, price=1)
        path = f"/content/{item['id']}/translations"
        answers = await asyncio.gather(
            stories.put(f"{path}/de", {"data": {"title": "D"}}),
            stories.patch(f"{path}/en", {"data": {"price": 2 + number}}),
            stories.put(f"{path}/de", {"data": {"title": "E"}}),
        )
        assert sorted(answer.status for answer in answers) == [200, 200, 201]
        assert (await draft(stories, item, "de"))["data"]["price"] == 2 + number


async def test_unique_by_locale_where_localized_and_by_item_where_shared(stories):
    first = await told(stories, address="a", code="X")
    await translated(stories, first, "de", address="b")
    second = await told(stories, address="c", code="Y")
    path = f"/content/{second['id']}/translations/de"
    # Its own locales may have the same; another item's address in another locale is free.
    assert (await stories.put(path, {"data": {"title": "T", "address": "a"}})).status == 201
    assert (await stories.patch(path, {"data": {"address": "b"}})).code == "not_unique"
    for locale in ("de", "en"):
        answer = await stories.patch(f"/content/{second['id']}/translations/{locale}", {"data": {"code": "X"}})
        assert (answer.status, answer.code) == (409, "not_unique")


async def test_one_of_two_items_gets_a_shared_unique_value_in_a_race_of_locales(stories):
    first, second = await told(stories), await told(stories)
    await translated(stories, second, "de")
    for number in range(5):
        value = {"data": {"code": f"race-{number}"}}
        answers = await asyncio.gather(
            stories.patch(f"/content/{first['id']}/translations/en", value),
            stories.patch(f"/content/{second['id']}/translations/de", value),
        )
        assert sorted(answer.status for answer in answers) == [200, 409]


async def test_a_translation_is_written_conditionally(stories):
    item = await told(stories)
    path = f"/content/{item['id']}/translations/de"
    for tag in ("*", '"v1"'):
        assert (await stories.put(path, {"data": {"title": "T"}}, headers={"If-Match": tag})).status == 412
    made = await stories.put(path, {"data": {"title": "T"}})
    read = await stories.get(path, headers={"If-None-Match": made.headers["ETag"]})
    assert read.status == 304
    old = {"If-Match": made.headers["ETag"]}
    assert (await stories.patch(path, {"data": {"title": "U"}}, headers=old)).status == 200
    assert (await stories.put(path, {"data": {"title": "V"}}, headers=old)).status == 412
    assert (await stories.delete(path, headers=old)).status == 412
    assert (await stories.put(path, {"data": {"title": "V"}}, headers={"If-Match": "*"})).status == 200


async def test_a_locale_is_removed_but_not_the_last(stories, drain):
    item = await told(stories, publish=True)
    await translated(stories, item, "de", publish=True)
    await drain()
    assert (await stories.get(f"/content/{item['id']}")).json["locales"] == ["de", "en"]
    gone = await draft(stories, item, "de")
    path = f"/content/{item['id']}/translations/de"
    assert (await stories.delete(path)).status == 204
    assert (await stories.get(path)).status == 404
    assert (await stories.delete(path)).status == 404
    assert (await stories.get(f"/content/{item['id']}?locale=de&status=published")).status == 404
    await drain()
    assert (await stories.get(f"/content/{item['id']}")).json["locales"] == ["en"]
    assert (await stories.get("/search?q=zebra&locale=de")).json["total"] == 0
    last = await stories.delete(f"/content/{item['id']}/translations/en")
    assert (last.status, last.code) == (409, "last_locale")
    # What comes in its place is another thing: no ETag of before fits it.
    again = await stories.put(path, {"data": {"title": "T"}})
    assert again.json["version"] == gone["version"] + 1


async def test_wrong_translations_are_refused(stories):
    item = await told(stories)
    path = f"/content/{item['id']}/translations"
    assert (await stories.put(f"{path}/de", {"data": {"body": "no title"}})).status == 422
    assert (await stories.put(f"{path}/xx", {"data": {"title": "T"}})).status == 404
    assert (await stories.get(f"{path}/xx")).status == 404
    assert (await stories.put(f"{path}/de", {"data": {"title": "T"}, "slug": "s"})).status == 422
    assert (await stories.put(f"{path}/de", {"data": {"title": "T", "friend": RANDOM}})).status == 422
    assert (await stories.patch(f"{path}/de", {"data": {"title": "T"}})).status == 404
    assert (await stories.put(f"/content/{RANDOM}/translations/de", {"data": {"title": "T"}})).status == 404
    assert (await stories.get(f"/content/{item['id']}/translations?locale=de")).status == 400


async def test_what_a_translation_points_to_counts_as_used(stories, services):
    target, other = await told(stories), await told(stories)
    item = await told(stories, friend=target["id"])
    await translated(stories, item, "de", friend=other["id"])
    assert (await stories.patch(f"/content/{item['id']}", {"data": {"title": "U"}})).status == 200
    sql = "SELECT target_id::text FROM content_references WHERE item_id = $1"
    rows = await services.resources.reads.fetch(sql, item["id"])
    assert {row["target_id"] for row in rows} == {target["id"], other["id"]}
    assert (await stories.delete(f"/content/{item['id']}/translations/de")).status == 204
    rows = await services.resources.reads.fetch(sql, item["id"])
    assert [row["target_id"] for row in rows] == [target["id"]]


async def test_the_overview_tells_what_is_missing_and_outdated(stories):
    item = await told(stories, body="English", publish=True)
    path = f"/content/{item['id']}/translations"

    async def state(locale):
        found = (await stories.get(path)).json
        assert found["total"] == 3
        return next(one for one in found["items"] if one["locale"] == locale)

    assert (await state("fr")) == {
        "locale": "fr", "exists": False, "status": None, "version": None, "updated_at": None, "updated_by": None,
        "published_at": None, "source": "en", "missing": ["body", "title"], "outdated": [],
    }  # fmt: skip
    english = await state("en")
    assert (english["status"], english["source"], english["missing"]) == ("published", None, [])
    await translated(stories, item, "fr")
    assert ((await state("fr"))["missing"], (await state("fr"))["outdated"]) == (["body"], [])
    await translated(stories, item, "fr", body="Français")
    await stories.patch(f"{path}/en", {"data": {"body": "Better English", "price": 3}})
    assert (await state("fr"))["outdated"] == ["body"]
    # German is translated from French, where there is one.
    assert ((await state("de"))["source"], (await state("de"))["outdated"]) == ("fr", [])
    # Changes of other fields leave it outdated; looking at it again settles it.
    await stories.patch(f"{path}/fr", {"data": {"title": "U"}})
    assert (await state("fr"))["outdated"] == ["body"]
    await stories.patch(f"{path}/fr", {"data": {"body": "Français"}})
    assert (await state("fr"))["outdated"] == []
    # English written again as it is changes nothing for French.
    await stories.patch(f"{path}/en", {"data": {"body": "Better English"}})
    assert (await state("fr"))["outdated"] == []


async def test_renamed_fields_stay_outdated_and_taken(stories, drain):
    item = await told(stories, body="English", publish=True)
    await translated(stories, item, "fr", body="Français")
    await stories.patch(f"/content/{item['id']}/translations/en", {"data": {"body": "Better English"}})
    await translated(stories, item, "de", publish=True)
    fields = (await stories.get("/content-types/story")).json["fields"]
    wanted = [{**f, "key": "text", "renamed_from": "body"} if f["key"] == "body" else f for f in fields]
    plan = (await stories.post("/content-types/story/plan", {"fields": wanted})).json
    assert (await stories.post(f"/content-types/story/plan/{plan['plan_id']}/apply")).status == 202
    await drain()
    french = (await stories.get(f"/content/{item['id']}/translations")).json["items"][2]
    assert (french["locale"], french["outdated"]) == ("fr", ["text"])
    german = (await stories.get(f"/content/{item['id']}?locale=de")).json
    assert german["fallback_fields"] == {"text": "en"}
    assert german["data"]["text"] == "English"


async def test_locales_are_published_one_by_one_or_together(stories, drain):
    item = await told(stories)
    await translated(stories, item, "de")
    await translated(stories, item, "fr")
    path = f"/content/{item['id']}"

    async def delivered():
        answers = [await stories.get(f"{path}?status=published&locale={locale}") for locale in ("en", "de", "fr")]
        return [answer.status for answer in answers]

    answer = await published(stories, item, "de")
    assert (answer["locale"], answer["status"], answer["plan"]) == ("de", "published", {"unpublished_targets": []})
    assert await delivered() == [404, 200, 404]
    await published(stories, item, "fr", "en")
    assert await delivered() == [200, 200, 200]
    await drain()
    for locale in ("en", "de", "fr"):
        assert (await stories.get(f"{path}?locale={locale}")).json["locales"] == ["de", "en", "fr"]
        assert (await stories.get(f"/search?q=zebra&locale={locale}")).json["total"] == 1
    taken = await stories.post(f"{path}/unpublish", {"locales": ["de", "fr"]})
    assert (taken.status, taken.json["locale"]) == (200, "de")
    assert await delivered() == [200, 404, 404]
    await drain()
    assert (await stories.get(path)).json["locales"] == ["en"]
    assert (await stories.get("/search?q=zebra&locale=de")).json["total"] == 0


async def test_publishing_is_all_or_nothing(stories):
    item = await told(stories)
    await translated(stories, item, "de")
    path = f"/content/{item['id']}"
    assert (await stories.post(f"{path}/publish", {"locales": ["de", "fr"]})).status == 404
    assert (await stories.post(f"{path}/publish", {"locales": ["de", "xx"]})).status == 422
    assert (await stories.post(f"{path}/publish", {"locales": []})).status == 422
    assert (await stories.get(f"{path}?locale=de&status=published")).status == 404
    dry = await stories.post(f"{path}/publish?dry_run=true", {"locales": ["de", "en"]})
    assert (dry.status, dry.json["status"]) == (200, "draft")


async def test_grants_narrowed_by_locale_hold(stories, granted):
    item = await told(stories, body="English", price=3, publish=True)
    await translated(stories, item, "fr")
    translator = await granted(
        stories, *READS, *(on(f"content:{verb}", locales=["de"]) for verb in ("update", "publish", "delete"))
    )  # fmt: skip
    path = f"/content/{item['id']}"
    assert (await translator.put(f"{path}/translations/de", {"data": {"title": "T", "price": 3}})).status == 201
    # What all locales share is in those, too, that are out of reach.
    for refused in (
        await translator.patch(f"{path}/translations/de", {"data": {"price": 4}}),
        await translator.put(f"{path}/translations/de", {"data": {"title": "T", "price": 4}}),
    ):
        assert (refused.status, refused.code) == (403, "field_forbidden")
        assert [error["pointer"] for error in refused.json["detail"]["errors"]] == ["/data/price"]
    assert (await translator.patch(f"{path}/translations/fr", {"data": {"title": "X"}})).status == 403
    assert (await translator.put(f"{path}/translations/fr", {"data": {"title": "X"}})).status == 403
    assert (await translator.delete(f"{path}/translations/fr")).status == 403
    assert (await translator.post(f"{path}/publish", {"locales": ["de", "fr"]})).status == 403
    assert (await translator.post(f"{path}/unpublish", {"locales": ["en"]})).status == 403
    assert (await translator.post(f"{path}/publish", {"locales": ["de"]})).status == 200
    assert (await translator.delete(f"{path}/translations/de")).status == 204
    assert (await draft(stories, item, "en"))["data"]["price"] == 3


async def test_locales_out_of_reach_do_not_exist(stories, granted):
    item = await told(stories, price=3)
    await translated(stories, item, "de")
    hidden = await told(stories)
    path = f"/content/{item['id']}/translations"
    narrow = await granted(
        stories, *(on(code, locales=["de"]) for code in (*READS, "content:update", "content:delete"))
    )
    shown = (await narrow.get(path)).json
    assert ([one["locale"] for one in shown["items"]], shown["items"][0]["source"]) == (["de"], None)
    assert (await narrow.get(f"{path}/de")).json["locales"] == ["de"]
    assert (await narrow.get("/content?type=story&locale=de&status=any")).json["items"][0]["locales"] == ["de"]
    absent = f"/content/{RANDOM}/translations"
    await same_as_missing(narrow, f"{path}/en", f"{absent}/en")
    await same_as_missing(narrow, f"{path}/en", f"{absent}/en", "PATCH", json={"data": {"title": "X"}})
    await same_as_missing(narrow, f"{path}/en", f"{absent}/en", "PUT", json={"data": {"title": "X"}})
    await same_as_missing(narrow, f"{path}/en", f"{absent}/en", "DELETE")
    # Of an item of which nothing is seen no translation can be begun.
    theirs = f"/content/{hidden['id']}/translations"
    await same_as_missing(narrow, theirs, absent)
    await same_as_missing(narrow, f"{theirs}/de", f"{absent}/de", "PUT", json={"data": {"title": "X"}})
    await published(stories, item, "de", "en")
    reader = await granted(stories, on("content:read", locales=["de"]))
    assert (await reader.get(f"/content/{item['id']}?locale=de")).json["locales"] == ["de"]


async def test_a_translator_changes_nothing_by_what_others_took_away(stories, granted):
    item = await told(stories)
    await translated(stories, item, "de")
    assert (await stories.patch(f"/content/{item['id']}", {"data": {"kept": None}})).status == 200
    translator = await granted(stories, *READS, on("content:update", locales=["de"]))
    saved = await translator.patch(f"/content/{item['id']}/translations/de", {"data": {"title": "Zebras"}})
    assert (saved.status, saved.json["data"]) == (200, {"title": "Zebras"})
    assert (await draft(stories, item, "en"))["data"] == {"title": "Zebra"}


async def test_what_shared_fields_and_locales_go_through_is_kept_as_revisions(stories):
    item = await told(stories, price=1)
    path = f"/content/{item['id']}/translations/de"
    await translated(stories, item, "de")
    await stories.patch(f"/content/{item['id']}/translations/en", {"data": {"price": 2}})
    assert (await stories.delete(path)).status == 204
    assert (await stories.put(path, {"data": {"title": "Again"}})).status == 201
    revisions = (await stories.get(f"/content/{item['id']}/revisions?locale=de")).json["items"]
    assert [one["number"] for one in revisions] == [3, 2, 1]
    first = (await stories.get(f"/content/{item['id']}/revisions/1?locale=de")).json
    assert first["data"] == {"title": "Zebra", "price": 1, "kept": "by default"}
    restored = await stories.post(f"/content/{item['id']}/revisions/1/restore?locale=de")
    assert restored.status == 200, restored.raw
    # Restoring is saving: what is shared goes to all locales.
    assert (await draft(stories, item, "en"))["data"]["price"] == 1
