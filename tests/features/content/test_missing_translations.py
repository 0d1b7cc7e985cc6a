"""What is to be translated: locales that items lack, and translations older than what they are of."""

from tests.features.content.stories import published, told, translated
from tests.features.content.test_narrowing import READS, on


async def missing(api, query):
    answer = await api.get(f"/content/translations/missing?{query}")
    assert answer.status == 200, answer.raw
    return [(one["id"], one["reason"], one["source"]) for one in answer.json["items"]]


async def test_what_is_to_be_translated_is_listed(stories):
    fresh, done, old = [await told(stories, body="English", publish=True) for _ in range(3)]
    for item in (done, old):
        await translated(stories, item, "de", body="Deutsch")
    assert await missing(stories, "locale=de&type=story") == [(fresh["id"], "missing", "en")]
    await stories.patch(f"/content/{old['id']}/translations/en", {"data": {"body": "Better"}})
    # Not before it is published.
    assert await missing(stories, "locale=de") == [(fresh["id"], "missing", "en")]
    await published(stories, old, "en")
    assert await missing(stories, "locale=de") == [(fresh["id"], "missing", "en"), (old["id"], "outdated", "en")]
    page = (await stories.get("/content/translations/missing?locale=de&page=2&page_size=1")).json
    assert (page["total"], page["page"], [one["id"] for one in page["items"]]) == (2, 2, [old["id"]])
    assert (page["items"][0]["version"], page["items"][0]["published"], page["items"][0]["slug"]) == (
        1,
        True,
        old["slug"],
    )
    # A shared field that changes leaves nothing to translate, and settles nothing.
    await stories.patch(f"/content/{done['id']}/translations/en", {"data": {"price": 3}})
    await stories.patch(f"/content/{old['id']}/translations/en", {"data": {"price": 3}})
    await published(stories, done, "en")
    assert [one[0] for one in await missing(stories, "locale=de")] == [fresh["id"], old["id"]]
    await stories.patch(f"/content/{old['id']}/translations/de", {"data": {"body": "Besser"}})
    assert await missing(stories, "locale=de") == [(fresh["id"], "missing", "en")]
    assert len(await missing(stories, "locale=fr")) == 3
    assert await missing(stories, "locale=en") == []
    only_german = await told(stories, locale="de")
    assert await missing(stories, "locale=en") == [(only_german["id"], "missing", "de")]
    for wrong, status in (("locale=xx", 422), ("", 400), ("locale=de&type=nothing", 404), ("locale=de&q=1", 400)):
        assert (await stories.get(f"/content/translations/missing?{wrong}")).status == status


async def test_work_for_translators_is_shown_as_far_as_they_read(stories, granted, user):
    item = await told(stories, publish=True)
    other = await told(stories, locale="fr", publish=True)
    everything = await granted(stories, *READS)
    assert len(await missing(everything, "locale=de")) == 2
    english = await granted(stories, *(on(code, locales=["en", "de"]) for code in READS))
    assert await missing(english, "locale=de") == [(item["id"], "missing", "en")]
    assert await missing(english, "locale=fr") == []
    types = await granted(stories, *(on(code, content_types=["page"]) for code in READS))
    assert await missing(types, "locale=de") == []
    assert (await types.get("/content/translations/missing?locale=de&type=story")).status == 404
    own = await granted(stories, *(on(code, own_only=True) for code in READS))
    assert await missing(own, "locale=de") == []
    titles = await granted(stories, *(on(code, fields=["title"]) for code in READS))
    await translated(stories, other, "de")
    await translated(stories, item, "de", body="Deutsch")
    await stories.patch(f"/content/{item['id']}/translations/en", {"data": {"body": "Better"}})
    await published(stories, item, "en")
    assert [one[1] for one in await missing(everything, "locale=de")] == ["outdated"]
    assert await missing(titles, "locale=de") == []
    assert (
        await (await user("public", site=stories.site)).get("/content/translations/missing?locale=de")
    ).status == 403
