"""What stands in for a locale that an item lacks, or for fields that a locale lacks."""

import asyncio

import pytest

from tests.features.content.stories import published, story_site, told, translated
from tests.features.content.test_narrowing import RANDOM, on, same_as_missing


async def read(api, item, query, status=200):
    answer = await api.get(f"/content/{item['id']}?status=published&{query}")
    assert answer.status == status, answer.raw
    return answer.json


async def test_an_item_is_looked_for_along_the_chain(stories):
    item = await told(stories, publish=True, slug="s")
    for path in (f"/content/{item['id']}?status=published", "/content/by-slug/story/s?status=published"):
        for query, found in (
            ("locale=de", None),
            ("locale=de&fallback=none", None),
            ("locale=de&fallback=fr", None),
            ("locale=de&fallback=fr,en", "en"),
            ("locale=de&fallback=default", "en"),
            ("fallback=default", "en"),
        ):
            answer = await stories.get(f"{path}&{query}")
            assert (answer.json.get("locale") if answer.status == 200 else None) == found, (path, query)
    await translated(stories, item, "fr", publish=True)
    assert (await read(stories, item, "locale=de&fallback=default"))["locale"] == "fr"
    assert (await read(stories, item, "locale=de&fallback=en,fr"))["locale"] == "en"
    first = await stories.get(f"/content/{item['id']}?locale=de&fallback=default")
    again = await stories.get(
        f"/content/{item['id']}?locale=de&fallback=default", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert again.status == 304


async def test_chains_may_go_round_in_circles(admin, site):
    locales = [
        {"code": "en", "fallback": ["de"]},
        {"code": "de", "fallback": ["fr", "de-AT"]},
        {"code": "fr", "fallback": ["de"]},
        {"code": "de-AT", "fallback": ["de"]},
        {"code": "it"},
    ]
    await story_site(admin, site)
    assert (await admin.patch(f"/sites/{site.site}", {"locales": locales})).status == 200
    item = await told(site, locale="it", publish=True)
    for locale in ("en", "de", "fr", "de-AT"):
        await read(site, item, f"locale={locale}&fallback=default", 404)
    await translated(site, item, "en", publish=True)
    assert (await read(site, item, "locale=fr&fallback=default"))["locale"] == "en"
    await translated(site, item, "de-AT", publish=True)
    # French goes to German, and on from there, before it comes to the site's default.
    assert (await read(site, item, "locale=fr&fallback=default"))["locale"] == "de-AT"


@pytest.mark.parametrize("fallback", ["xx", "en,xx", "", "en,", "default,en", "none,en", "DEFAULT"])
async def test_unknown_fallbacks_are_refused(stories, fallback):
    item = await told(stories, publish=True)
    for path in (f"/content/{item['id']}?", "/content/by-slug/story/x?", "/content?type=story&"):
        answer = await stories.get(f"{path}fallback={fallback}")
        assert (answer.status, answer.code) == (400, "unknown_locale"), path
    assert (await stories.patch(f"/content/{item['id']}?fallback=default", {"data": {}})).status == 400


async def test_an_item_found_by_the_slug_of_another_locale_is_read_in_the_first(stories):
    item = await told(stories, publish=True, slug="old")
    await translated(stories, item, "de")
    assert (await stories.patch(f"/content/{item['id']}", {"slug": "new"})).status == 200
    await published(stories, item, "de")
    for slug in ("old", "new"):
        answer = await stories.get(f"/content/by-slug/story/{slug}?locale=de&fallback=default")
        assert (answer.json["locale"], answer.json["slug"]) == ("de", "new")


async def test_drafts_fall_back_too(stories):
    item = await told(stories, slug="s")
    for path in (f"/content/{item['id']}", "/content/by-slug/story/s"):
        assert (await stories.get(f"{path}?status=draft&locale=de")).status == 404
        assert (await stories.get(f"{path}?status=draft&locale=de&fallback=default")).json["locale"] == "en"
    listed = (await stories.get("/content?type=story&status=any&locale=de&fallback=default")).json
    assert ([one["locale"] for one in listed["items"]], listed["total"]) == (["en"], 1)


async def listed(api, query):
    answer = await api.get(f"/content?type=story&{query}")
    assert answer.status == 200, answer.raw
    assert answer.json["total"] == len(answer.json["items"]) or "page" in query
    return [(one["locale"], one["data"]["title"]) for one in answer.json["items"]]


async def test_lists_show_each_item_once_as_it_is_read(stories):
    both = await told(stories, publish=True, title="B english")
    for locale, title in (("en", "A english"), ("fr", "C french"), ("de", "D german")):
        await told(stories, locale=locale, publish=True, title=title)
    await translated(stories, both, "de", publish=True, title="Z german")
    sort = "locale=de&fallback=default&sort=data.title"
    everything = [("en", "A english"), ("fr", "C french"), ("de", "D german"), ("de", "Z german")]
    assert await listed(stories, sort) == everything
    assert await listed(stories, sort.replace("data.title", "-data.title")) == everything[::-1]
    assert await listed(stories, "locale=de&sort=data.title") == everything[2:]
    assert await listed(stories, "locale=de&fallback=fr&sort=data.title") == everything[1:]
    # Filters are about what is shown: "B english" is not what a reader of German gets.
    assert await listed(stories, f"{sort}&filter[data.title][contains]=english") == [("en", "A english")]
    assert await listed(stories, f"{sort}&filter[data.title][gt]=C french") == everything[2:]
    for page in range(4):
        answer = (await stories.get(f"/content?type=story&{sort}&page_size=1&page={page + 1}")).json
        assert (answer["total"], answer["items"][0]["data"]["title"]) == (4, everything[page][1])
    past = (await stories.get(f"/content?type=story&{sort}&page=9")).json
    assert (past["items"], past["total"]) == ([], 4)
    drafts = await listed(stories, f"{sort}&status=any&filter[data.title][ends_with]=german")
    assert drafts == everything[2:]
    assert await listed(stories, f"{sort}&status=draft") == []


async def test_lists_filter_by_terms_along_the_chain(stories):
    assert (await stories.post("/taxonomies", {"key": "topics", "name": "Topics"})).status == 201
    assert (await stories.post("/taxonomies/topics/terms", {"name": "Rust"})).status == 201
    body = {"type": "story", "data": {"title": "Zebra"}, "taxonomies": {"topics": ["rust"]}, "publish": True}
    assert (await stories.post("/content", body)).status == 201
    assert await listed(stories, "locale=de&fallback=default&filter[terms.topics]=rust") == [("en", "Zebra")]


async def test_an_empty_field_is_taken_from_the_nearest_published_locale(stories, drain):
    item = await told(stories, body="English", secret="hidden", publish=True)
    await translated(stories, item, "fr", body="Français")
    await translated(stories, item, "de", publish=True, title="Zebra auf Deutsch")
    german = await read(stories, item, "locale=de")
    # French is nearer, and not published yet.
    assert (german["data"]["body"], german["fallback_fields"]) == ("English", {"body": "en"})
    assert "secret" not in german["data"]
    assert "fallback_fields" not in (await read(stories, item, "locale=en"))
    assert "body" not in (await stories.get(f"/content/{item['id']}/translations/de")).json["data"]
    assert await listed(stories, "locale=de&filter[data.body]=English") == [("de", "Zebra auf Deutsch")]
    await published(stories, item, "fr")
    await drain()
    german = await read(stories, item, "locale=de")
    assert (german["data"]["body"], german["fallback_fields"]) == ("Français", {"body": "fr"})
    shown = (await stories.get("/content?type=story&locale=de&fields=fallback_fields,data.body")).json["items"]
    assert shown == [{"fallback_fields": {"body": "fr"}, "data": {"body": "Français"}}]
    assert await listed(stories, "locale=de&filter[data.body]=English") == []
    assert (await stories.get("/search?q=Français&locale=de")).json["total"] == 1
    # An empty text is a text: nothing stands in for it.
    await translated(stories, item, "de", publish=True, body="")
    await drain()
    german = await read(stories, item, "locale=de")
    assert (german["data"]["body"], "fallback_fields" in german) == ("", False)


async def test_what_was_taken_follows_its_source(stories, drain):
    item = await told(stories, body="one", publish=True)
    await translated(stories, item, "fr", publish=True)
    await translated(stories, item, "de", publish=True)
    await drain()
    # What French has taken is not French: German says where it is from.
    assert (await read(stories, item, "locale=de"))["fallback_fields"] == {"body": "en"}
    before = await stories.get(f"/content/{item['id']}?locale=de")
    await stories.patch(f"/content/{item['id']}", {"data": {"body": "two", "price": 3}})
    await published(stories, item, "en")
    await drain()
    after = await stories.get(f"/content/{item['id']}?locale=de")
    assert (after.json["data"]["body"], after.json["version"]) == ("two", before.json["version"])
    assert after.headers["ETag"] != before.headers["ETag"]
    # What is shared goes out when the locale itself is published.
    assert "price" not in after.json["data"]
    await published(stories, item, "en")
    await drain()
    assert (await stories.get(f"/content/{item['id']}?locale=de")).headers["ETag"] == after.headers["ETag"]
    assert (await stories.post(f"/content/{item['id']}/unpublish", {"locales": ["en"]})).status == 200
    await drain()
    german = await read(stories, item, "locale=de")
    assert ("body" in german["data"], "fallback_fields" in german, german["locales"]) == (False, False, ["de", "fr"])


async def test_publishing_all_locales_at_once_from_many_sides_settles(stories, drain):
    item = await told(stories, body="0")
    await translated(stories, item, "de")
    await translated(stories, item, "fr")

    async def publish(number):
        await stories.patch(f"/content/{item['id']}", {"data": {"body": f"{number}"}})
        answer = await stories.post(f"/content/{item['id']}/publish", {"locales": ["fr", "en", "de"][number % 3 :]})
        assert answer.status == 200, answer.raw

    await asyncio.gather(*(publish(number) for number in range(9)), drain(), drain())
    await drain()
    english = await read(stories, item, "locale=en")
    for locale in ("de", "fr"):
        found = await read(stories, item, f"locale={locale}")
        assert (found["data"]["body"], found["fallback_fields"]) == (english["data"]["body"], {"body": "en"})
        assert found["locales"] == ["de", "en", "fr"]


async def test_the_job_finds_nothing_of_items_that_are_gone(stories, drain, granted):
    item = await told(stories, publish=True)
    await translated(stories, item, "de", publish=True)
    assert (await stories.delete(f"/content/{item['id']}?permanent=true")).status == 204
    await drain()
    operator = await granted(stories, "search:queues")
    jobs = (await operator.get("/search/jobs?name=content.refresh_locales")).json["items"]
    assert [(job["state"], job["result"]) for job in jobs] == [("done", {"changed": 0})]


async def test_items_of_one_locale_cost_no_job(stories, granted):
    await told(stories, publish=True)
    operator = await granted(stories, "search:queues")
    assert (await operator.get("/search/jobs?name=content.refresh_locales")).json["total"] == 0


async def test_a_narrowed_reader_falls_back_within_reach(stories, granted):
    item = await told(stories, publish=True, slug="s")
    await translated(stories, item, "fr", publish=True)
    reader = await granted(stories, on("content:read", locales=["de", "en"]))
    assert (await read(reader, item, "locale=de&fallback=default"))["locale"] == "en"
    assert (await read(reader, item, "locale=de&fallback=default"))["locales"] == ["en"]
    by_slug = await reader.get("/content/by-slug/story/s?locale=de&fallback=default")
    assert by_slug.json["locale"] == "en"
    assert await listed(reader, "locale=de&fallback=default") == [("en", "Zebra")]
    blind = await granted(stories, on("content:read", locales=["de"]))
    query = "?locale=de&fallback=default"
    await same_as_missing(blind, f"/content/{item['id']}{query}", f"/content/{RANDOM}{query}")
    assert await listed(blind, "locale=de&fallback=default") == []
    own = await granted(
        stories,
        on("content:create"),
        on("content:read", locales=["fr"], own_only=True),
        on("content:read", locales=["en"]),
    )
    assert await listed(own, "locale=fr&fallback=default") == [("en", "Zebra")]
    assert (await read(own, item, "locale=fr&fallback=default"))["locale"] == "en"
    await published(stories, await told(own, locale="fr", title="Mine"), "fr")
    assert await listed(own, "locale=fr&fallback=default&sort=-data.title") == [("en", "Zebra"), ("fr", "Mine")]


async def test_fields_of_lists_are_those_within_reach_in_all_their_locales(stories, granted):
    item = await told(stories, body="English", publish=True)
    await translated(stories, item, "fr", body="Français", publish=True)
    reader = await granted(
        stories, on("content:read", locales=["en"], fields=["title"]), on("content:read", locales=["fr"])
    )
    assert (await reader.get("/content?type=story&locale=fr&filter[data.body]=x")).status == 200
    for asked in ("filter[data.body]=x", "sort=data.body", "fields=data.body"):
        answer = await reader.get(f"/content?type=story&locale=fr&fallback=default&{asked}")
        assert (answer.status, answer.code) == (403, "field_forbidden")
    shown = (await reader.get("/content?type=story&locale=de&fallback=en")).json["items"]
    assert [one["data"] for one in shown] == [{"title": "Zebra"}]


async def test_terms_renamed_while_locales_are_published_are_shown_in_the_end(stories, drain):
    assert (await stories.post("/taxonomies", {"key": "topics", "name": "Topics"})).status == 201
    term = (await stories.post("/taxonomies/topics/terms", {"name": "Rust"})).json["id"]
    body = {"type": "story", "data": {"title": "Zebra", "body": "0"}, "taxonomies": {"topics": ["rust"]}}
    items = [(await stories.post("/content", body)).json for _ in range(4)]
    for item in items:
        for locale in ("de", "fr"):
            await translated(stories, item, locale)

    async def rename(number):
        changed = await stories.patch(f"/taxonomies/topics/terms/{term}", {"name": f"Name {number}"})
        assert changed.status == 200

    async def publish(item, number):
        saved = await stories.patch(f"/content/{item['id']}", {"data": {"body": f"{number}", "price": number}})
        assert saved.status == 200
        await published(stories, item, *["de", "en", "fr"][: number % 3 + 1])

    changes = (change for number in range(6) for change in (rename(number), *(publish(one, number) for one in items)))
    await asyncio.gather(*changes, drain(), drain())
    await rename(7)
    await drain()
    for item in items:
        english = await read(stories, item, "locale=en")
        for locale in ("en", "de", "fr"):
            found = await read(stories, item, f"locale={locale}")
            assert [shown["name"] for shown in found["taxonomies"]["topics"]] == ["Name 7"]
            assert (found["data"]["body"], found["locales"]) == (english["data"]["body"], ["de", "en", "fr"])


async def test_documents_follow_when_chains_change(admin, stories, drain, granted):
    item = await told(stories, body="English", publish=True)
    await translated(stories, item, "fr", publish=True, body="Français")
    await translated(stories, item, "de", publish=True)
    await told(stories, publish=True)
    await drain()
    assert (await read(stories, item, "locale=de"))["fallback_fields"] == {"body": "fr"}
    locales = [{"code": "en"}, {"code": "de"}, {"code": "fr"}]
    assert (await admin.patch(f"/sites/{stories.site}", {"locales": locales})).status == 200
    await drain()
    german = await read(stories, item, "locale=de")
    assert (german["data"]["body"], german["fallback_fields"]) == ("English", {"body": "en"})
    operator = await granted(stories, "search:queues")
    jobs = "/search/jobs?name=content.refresh_chains"
    done = (await operator.get(jobs)).json
    assert done["items"][0]["result"] == {"changed": 1}
    # What is no matter of chains calls for no work.
    assert (await admin.patch(f"/sites/{stories.site}", {"name": "Other"})).status == 200
    assert (await operator.get(jobs)).json["total"] == done["total"]


async def test_cursors_and_totals_go_along_the_chain(stories):
    titles = []
    for number, locale in enumerate(("en", "de", "fr", "en", "fr", "de", "en")):
        titles.append(f"{number}")
        await told(stories, locale=locale, publish=True, title=f"{number}", price=number % 2)
    both = await told(stories, publish=True, title="9", price=0)
    await translated(stories, both, "de", publish=True, title="25")
    expected = sorted([*titles, "25"])
    even = [title for title in expected if title == "25" or int(title) % 2 == 0]
    for more, wanted in (("", expected), ("&filter[data.price]=0", even)):
        query, cursor, seen = (
            f"/content?type=story&locale=de&fallback=default&sort=data.title&page_size=2{more}",
            "",
            [],
        )
        while cursor is not None:
            answer = (await stories.get(query, params={"cursor": cursor})).json
            assert answer["total"] == len(wanted)
            seen += [one["data"]["title"] for one in answer["items"]]
            cursor = answer["next_cursor"]
        assert seen == wanted
    # A cursor is of one list: another chain is another list.
    first = (await stories.get("/content?type=story&locale=de&fallback=default&page_size=2&cursor=")).json
    other = await stories.get("/content?type=story&locale=de&fallback=fr", params={"cursor": first["next_cursor"]})
    assert (other.status, other.code) == (400, "invalid_cursor")
    await told(stories, publish=True, title="new")
    assert (await stories.get("/content?type=story&locale=de&fallback=default")).json["total"] == len(expected) + 1


async def test_hops_along_a_chain_tell_nothing_of_fields_out_of_reach_in_any_of_it(stories, granted):
    target = await told(stories, publish=True, title="Target")
    item = await told(stories, friend=target["id"], publish=True)
    query = "/content?type=story&locale=de&filter[data.friend.data.title]=Target"
    found = (await stories.get(f"{query}&fallback=default&include=friend")).json
    assert [one["id"] for one in found["items"]] == [item["id"]]
    reader = await granted(
        stories, on("content:read", locales=["en"], fields=["title", "friend"]), on("content:read", locales=["de"])
    )
    assert (await reader.get(f"{query}&fallback=default")).json["total"] == 1
    hidden = "/content?type=story&locale=de&filter[data.friend.data.body]=x"
    assert (await reader.get(f"{hidden}&fallback=none")).status == 200
    assert (await reader.get(f"{hidden}&fallback=default")).status == 403


async def test_items_that_point_to_each_other_are_refreshed_at_once(stories, drain):
    first = await told(stories, publish=True)
    others = [await told(stories, publish=True, friend=first["id"]) for _ in range(3)]
    ring = [first, *others]
    for item, friend in zip(ring, [*others, first], strict=True):
        await translated(stories, item, "en", publish=True, friend=friend["id"])
    await drain()
    for item in ring:
        await translated(stories, item, "fr", publish=True)
    await drain()
    for item in ring:
        assert (await read(stories, item, "locale=en"))["locales"] == ["en", "fr"]
