"""Fields of assets: checked when saved, shown beside items, and what becomes of them when assets go."""

import asyncio

import pytest

from scaicms.infra import db
from tests.features.assets.pictures import picture, ready, upload
from tests.features.content.test_include import queries

MISSING = "019a1b2c-3d4e-7f00-8a1b-2c3d4e5f6071"
PAGE = {
    "key": "page",
    "name": "Page",
    "fields": [
        {"key": "title", "type": "string", "required": True},
        {"key": "hero", "type": "asset", "accept": ["image/*"], "indexed": True},
        {"key": "files", "type": "assets", "min_length": 1, "max_length": 3},
        {"key": "caption", "type": "asset", "localized": True},
        {"key": "hidden", "type": "asset", "private": True},
        {"key": "next", "type": "relation", "target": "page"},
        {
            "key": "body",
            "type": "blocks",
            "components": [{"key": "figure", "fields": [{"key": "image", "type": "asset"}]}],
        },
    ],
}


@pytest.fixture
async def pages(site):
    answer = await site.post("/content-types", PAGE)
    assert answer.status == 201, answer.raw
    return site


@pytest.fixture
async def image(site, drain):
    return await ready(site, drain, picture(400, 300), "hero.png", alt="A hero", title="Hero")


@pytest.fixture
async def note(site, drain):
    return await ready(site, drain, b"plain words", "note.txt")


async def make(api, publish=True, **data):
    answer = await api.post("/content", {"type": "page", "data": {"title": "T", **data}, "publish": publish})
    assert answer.status == 201, answer.raw
    return answer.json


async def problems(api, **data):
    answer = await api.post("/content", {"type": "page", "data": {"title": "T", **data}})
    assert answer.status == 422, answer.raw
    return [(error["pointer"], error["code"]) for error in answer.json["detail"]["errors"]]


def figure(asset_id):
    return [{"_type": "figure", "image": asset_id}]


async def test_what_an_item_points_to_is_an_asset_of_the_site_that_the_field_takes(pages, admin, image, note):
    assert await problems(pages, hero="x") == [("/data/hero", "value_error")]
    assert await problems(pages, hero=MISSING) == [("/data/hero", "unknown_asset")]
    assert await problems(pages, hero=note["id"]) == [("/data/hero", "not_accepted")]
    assert await problems(pages, files=[]) == [("/data/files", "too_short")]
    assert await problems(pages, files=[image["id"]] * 4) == [("/data/files", "too_long")]
    assert await problems(pages, files=[image["id"], MISSING]) == [("/data/files", "unknown_asset")]
    assert await problems(pages, body=figure(MISSING)) == [("/data/body/0/image", "unknown_asset")]
    item = await make(pages, hero=image["id"], files=[note["id"], image["id"]], body=figure(image["id"]))
    assert await problems(pages, hero=item["id"]) == [("/data/hero", "unknown_asset")], "an item is no asset"
    assert await problems(pages, next=image["id"]) == [("/data/next", "unknown_target")]
    other = admin.at(f"{pages.site}x")
    assert (await admin.post("/sites", {"key": other.site, "name": "x"})).status == 201
    assert (await other.post("/content-types", PAGE)).status == 201
    assert await problems(other, hero=image["id"]) == [("/data/hero", "unknown_asset")]


async def test_what_is_not_read_yet_is_taken_where_its_type_is_known(pages, drain):
    early, text = await upload(pages, picture(41, 41)), await upload(pages, b"some words", "n.txt")
    await make(pages, hero=early["id"], files=[text["id"]])
    assert await problems(pages, hero=text["id"]) == [("/data/hero", "asset_processing")]
    await drain()
    assert await problems(pages, hero=text["id"]) == [("/data/hero", "not_accepted")]
    broken = await upload(pages, picture(42, 42)[:-20])
    await drain()
    assert await problems(pages, hero=broken["id"]) == [("/data/hero", "not_accepted")]


async def test_documents_have_ids_and_include_puts_assets_beside_them(pages, image, note):
    item = await make(pages, hero=image["id"], files=[note["id"], image["id"]], hidden=note["id"])
    plain = (await pages.get(f"/content/{item['id']}?status=published")).json
    assert plain["data"] == {"title": "T", "hero": image["id"], "files": [note["id"], image["id"]]}
    answer = (await pages.get(f"/content/{item['id']}?status=published&include=hero")).json
    assert answer["included"] == {
        image["id"]: {
            "id": image["id"],
            **{key: image[key] for key in (
                "url", "filename", "content_type", "status", "size", "width", "height", "alt", "title", "blurhash",
                "color", "focal_point", "variants",
            )},
        }
    }  # fmt: skip
    assert answer["included"][image["id"]]["alt"] == "A hero"
    by_slug = (await pages.get(f"/content/by-slug/page/{item['slug']}?include=hero,files")).json
    assert by_slug["included"].keys() == {image["id"], note["id"]}
    listed = (await pages.get("/content?type=page&include=files")).json
    assert listed["included"].keys() == {image["id"], note["id"]}
    tree = await pages.post("/content/query", {"type": "page", "include": "hero"})
    assert tree.json["included"].keys() == {image["id"]}
    draft = (await pages.get(f"/content/{item['id']}?status=draft&include=hidden,hero")).json
    assert draft["included"].keys() == {image["id"], note["id"]}
    assert (await pages.get(f"/content/{item['id']}?status=published&include=hidden")).status == 400
    beyond = await pages.get("/content?type=page&include=hero.title")
    assert (beyond.status, beyond.code) == (400, "invalid_include")
    assert "nothing lies behind" in beyond.json["detail"]["message"]
    unknown = await pages.get("/content?type=page&include=author")
    assert "hero, files, caption, next" in unknown.json["detail"]["message"]


async def test_assets_of_what_is_included_are_included(pages, image, note):
    target = await make(pages, hero=image["id"])
    await make(pages, next=target["id"], files=[note["id"]])
    answer = (await pages.get("/content?type=page&include=next.hero,files")).json
    assert answer["included"].keys() == {target["id"], image["id"], note["id"]}


async def test_including_assets_costs_one_query(pages, image, note, services):
    target = await make(pages, hero=image["id"])
    item = await make(pages, hero=image["id"], files=[note["id"]], next=target["id"])
    for path in (f"/content/{item['id']}?", f"/content/by-slug/page/{item['slug']}?", "/content?type=page&"):
        bare, _ = await queries(services, pages, path)
        for include, more in (("hero,files", 1), ("next,hero", 2), ("next.hero,hero,files", 2)):
            asked, answer = await queries(services, pages, f"{path}include={include}")
            assert asked == bare + more, (path, include)
            assert image["id"] in answer["included"]


async def test_words_for_an_asset_are_those_of_the_locale_asked_for(pages, admin, image):
    changed = await admin.patch(f"/sites/{pages.site}", {"locales": [{"code": "en"}, {"code": "de"}]})
    assert changed.status == 200, changed.raw
    assert (await pages.patch(f"/assets/{image['id']}", {"alt": {"de": "Ein Held"}})).status == 200
    item = await make(pages, hero=image["id"])
    put = await pages.put(f"/content/{item['id']}/translations/de", {"data": {}})
    assert put.status in (200, 201), put.raw
    assert (await pages.post(f"/content/{item['id']}/publish", {})).status == 200
    for locale, alt, title in (("en", "A hero", "Hero"), ("de", "Ein Held", "Hero")):
        answer = (await pages.get(f"/content/{item['id']}?status=published&include=hero&locale={locale}")).json
        shown = answer["included"][image["id"]]
        assert (shown["alt"], shown["title"]) == (alt, title)


async def test_what_is_kept_of_answers_follows_the_asset(pages, image):
    item = await make(pages, hero=image["id"])
    path = f"/content/{item['id']}?status=published&include=hero"
    first = await pages.get(path)
    assert (await pages.get(path)).headers["ETag"] == first.headers["ETag"]
    await pages.patch(f"/assets/{image['id']}", {"alt": "Another"})
    second = await pages.get(path)
    assert second.json["included"][image["id"]]["alt"] == "Another"
    assert second.headers["ETag"] != first.headers["ETag"]


async def test_what_is_kept_of_answers_follows_the_reading_of_the_file(pages, drain):
    image = await upload(pages, picture(43, 43))
    item = await make(pages, hero=image["id"])
    path = f"/content/{item['id']}?status=published&include=hero"
    assert (await pages.get(path)).json["included"][image["id"]]["status"] == "processing"
    await drain()
    assert (await pages.get(path)).json["included"][image["id"]]["width"] == 43


async def test_who_may_not_see_assets_gets_ids_and_no_more(pages, granted, image):
    item = await make(pages, hero=image["id"])
    reader = await granted(pages, "content:read", "content:create", "content:read_drafts")
    assert (await pages.get("/content?type=page&include=hero")).status == 200, "kept, for those who may"
    for path in (f"/content/{item['id']}?status=published&", "/content?type=page&", f"/content/{item['id']}?"):
        refused = await reader.get(f"{path}include=hero")
        assert (refused.status, refused.code) == (403, "field_forbidden"), path
        assert (await reader.get(path)).status == 200
        assert (await reader.get(f"{path}include=next")).status == 200
    assert await problems(reader, hero=image["id"]) == [("/data/hero", "unknown_asset")]


async def test_rights_to_fields_bound_what_is_included(pages, granted, image, note):
    item = await make(pages, hero=image["id"], files=[note["id"]])
    reader = await granted(pages, {"permission": "content:read", "fields": ["title", "files"]}, "assets:read")
    seen = await reader.get(f"/content/{item['id']}?include=files")
    assert seen.json["included"].keys() == {note["id"]} and "hero" not in seen.json["data"]
    assert (await reader.get(f"/content/{item['id']}?include=hero")).status == 403


async def test_lists_are_filtered_by_assets_as_by_relations(pages, image, note, drain):
    one, two = await make(pages, hero=image["id"]), await make(pages, files=[note["id"], image["id"]])
    await drain()

    async def ids(query):
        answer = await pages.get(f"/content?type=page&{query}")
        assert answer.status == 200, answer.raw
        return [item["id"] for item in answer.json["items"]]

    assert await ids(f"filter[data.hero]={image['id']}") == [one["id"]]
    assert await ids(f"filter[data.files][contains]={note['id']}") == [two["id"]]
    assert await ids("filter[data.hero][exists]=false") == [two["id"]]
    assert (await pages.get("/content?type=page&filter[data.hero]=x")).status == 400
    assert (await pages.get("/content?type=page&filter[data.hero.data.title]=x")).status == 400


async def test_usage_tells_who_would_miss_an_asset(pages, granted, image, note):
    item = await make(pages, publish=False, body=figure(image["id"]), hidden=image["id"])
    usage = (await pages.get(f"/assets/{image['id']}/usage")).json
    assert usage["total"] == 1
    assert usage["items"][0] | {"fields": sorted(usage["items"][0]["fields"])} == {
        "id": item["id"], "type": "page", "slug": "t", "fields": ["body", "hidden"], "published": False,
        "status": "draft",
    }  # fmt: skip
    assert (await pages.get(f"/assets/{note['id']}/usage")).json["items"] == []
    assert [a["id"] for a in (await pages.get("/assets?unused=true")).json["items"]] == [note["id"]]
    assert [a["id"] for a in (await pages.get("/assets?unused=false")).json["items"]] == [image["id"]]
    blind = await granted(pages, "assets:read")
    assert (await blind.get(f"/assets/{image['id']}/usage")).json == {
        "items": [], "total": 0, "page": 1, "page_size": 50,
    }  # fmt: skip
    assert (await pages.get(f"/assets/{MISSING}/usage")).status == 404
    gone = await pages.patch(f"/content/{item['id']}", {"data": {"body": None, "hidden": None}})
    assert gone.status == 200
    assert (await pages.get("/assets?unused=true")).json["total"] == 2


async def test_what_is_in_use_is_deleted_by_force_alone_and_documents_say_so(pages, image, drain):
    item = await make(pages, hero=image["id"])
    refused = await pages.delete(f"/assets/{image['id']}")
    assert (refused.status, refused.code) == (409, "asset_in_use")
    assert refused.json["detail"]["usage"] == {"items": 1, "documents": 1}
    path = f"/content/{item['id']}?status=published"
    before = await pages.get(path)
    included = await pages.get(f"{path}&include=hero")
    assert (await pages.delete(f"/assets/{image['id']}?force=true")).status == 204
    await drain()
    after = await pages.get(path)
    assert after.json["unpublished"] == [{"field": "hero", "id": image["id"]}]
    assert after.headers["ETag"] != before.headers["ETag"]
    again = await pages.get(f"{path}&include=hero")
    assert again.json["included"] == {} and included.json["included"].keys() == {image["id"]}
    # What was there before is no fault of who saves something else; publishing needs what it points to.
    saved = await pages.patch(f"/content/{item['id']}", {"data": {"title": "Other"}})
    assert saved.status == 200 and saved.json["data"]["hero"] == image["id"]
    blocked = await pages.post(f"/content/{item['id']}/publish", {})
    assert (blocked.status, blocked.json["detail"]["errors"][0]["code"]) == (422, "unknown_asset")
    await pages.patch(f"/content/{item['id']}", {"data": {"hero": None}})
    assert (await pages.post(f"/content/{item['id']}/publish", {})).status == 200
    assert "unpublished" not in (await pages.get(path)).json


async def test_what_only_a_document_shows_is_in_use(pages, image):
    item = await make(pages, hero=image["id"])
    await pages.patch(f"/content/{item['id']}", {"data": {"hero": None}})
    refused = await pages.delete(f"/assets/{image['id']}")
    assert refused.json["detail"]["usage"] == {"items": 0, "documents": 1}
    assert (await pages.post(f"/content/{item['id']}/publish", {})).status == 200
    assert (await pages.delete(f"/assets/{image['id']}")).status == 204


async def test_what_is_in_the_trash_uses_nothing(pages, image):
    item = await make(pages, publish=False, hero=image["id"])
    assert (await pages.delete(f"/content/{item['id']}")).status == 204
    assert (await pages.delete(f"/assets/{image['id']}")).status == 204
    back = await pages.post(f"/content/{item['id']}/restore", {})
    assert back.status == 200 and back.json["data"]["hero"] == image["id"], "as with items that are gone meanwhile"


async def test_saving_and_deleting_at_once_never_leave_a_draft_without_its_asset(pages, drain):
    for number in range(12):
        image = await upload(pages, picture(50 + number, 50))
        saved, deleted = await asyncio.gather(
            pages.post("/content", {"type": "page", "data": {"title": "T", "hero": image["id"]}, "publish": True}),
            pages.delete(f"/assets/{image['id']}"),
        )
        assert (saved.status, deleted.status) in {(201, 409), (422, 204)}, (saved.raw, deleted.raw)
    dangling = await db.fetchval(
        """SELECT count(*) FROM content_references r JOIN sites s ON s.id = r.site_id WHERE s.key = $1 AND r.asset
           AND NOT EXISTS (SELECT 1 FROM assets a WHERE a.id = r.target_id)""",
        pages.site,
    )
    assert dangling == 0
