"""Items and their terms: given, shown, kept in step, counted."""

import pytest
import pytest_asyncio

from tests.conftest import role_with

TERMS = "/taxonomies/topics/terms"


class Site:
    """A site with articles, and terms by slug: languages > (rust, python > asyncio), news."""

    def __init__(self, api):
        self.api = api
        self.ids = {}

    async def term(self, slug, parent=None, **given):
        body = {"name": slug.capitalize(), "slug": slug, "parent_id": self.ids.get(parent), **given}
        answer = await self.api.post(TERMS, body)
        assert answer.status == 201, answer.raw
        self.ids[slug] = answer.json["id"]

    def path(self, slug, rest=""):
        return f"{TERMS}/{self.ids[slug]}{rest}"

    async def article(self, title, *terms, publish=True, **given):
        body = {"type": "article", "data": {"title": title}, "publish": publish, **given}
        answer = await self.api.post("/content", {**body, "taxonomies": {"topics": list(terms)}})
        assert answer.status == 201, answer.raw
        return answer.json

    async def published(self, item):
        answer = await self.api.get(f"/content/{item['id']}?status=published")
        assert answer.status == 200, answer.raw
        return answer.json

    async def draft(self, item):
        return (await self.api.get(f"/content/{item['id']}?status=draft")).json


def slugs(item):
    return [term["slug"] for term in item["taxonomies"].get("topics", ())]


def names(item):
    return [term["name"] for term in item["taxonomies"].get("topics", ())]


@pytest_asyncio.fixture
async def site(articles):
    made = Site(articles)
    for key in ("topics", "moods"):
        assert (await articles.post("/taxonomies", {"key": key, "name": key})).status == 201
    await articles.post("/taxonomies/moods/terms", {"name": "Happy"})
    await made.term("languages")
    await made.term("rust", "languages")
    await made.term("python", "languages")
    await made.term("asyncio", "python")
    await made.term("news")
    return made


async def test_items_take_terms_by_slug_or_id_and_show_their_names(site):
    item = await site.article("One", "rust", site.ids["news"], "rust")
    assert item["taxonomies"]["topics"] == [
        {"id": site.ids["rust"], "slug": "rust", "name": "Rust"},
        {"id": site.ids["news"], "slug": "news", "name": "News"},
    ]
    assert (await site.published(item))["taxonomies"] == item["taxonomies"]
    listed = (await site.api.get("/content?type=article")).json["items"][0]
    assert listed["taxonomies"] == item["taxonomies"]
    drafts = (await site.api.get("/content?type=article&status=any")).json["items"][0]
    assert drafts["taxonomies"] == item["taxonomies"]
    by_slug = (await site.api.get("/content/by-slug/article/one?status=draft")).json
    assert by_slug["taxonomies"] == item["taxonomies"]


async def test_a_change_of_terms_is_a_change_of_the_draft_until_it_is_published(site):
    item = await site.article("One", "rust")
    changed = (await site.api.patch(f"/content/{item['id']}", {"taxonomies": {"topics": ["news", "python"]}})).json
    assert (slugs(changed), changed["status"], changed["version"]) == (["news", "python"], "changed", 2)
    assert slugs(await site.published(item)) == ["rust"]
    await site.api.post(f"/content/{item['id']}/publish")
    assert slugs(await site.published(item)) == ["news", "python"]


async def test_patch_replaces_by_taxonomy_and_put_replaces_all_that_is_given(site):
    item = await site.article("One", "rust", "news")
    path = f"/content/{item['id']}"
    both = (await site.api.patch(path, {"taxonomies": {"moods": ["happy"]}})).json
    assert {key: len(terms) for key, terms in both["taxonomies"].items()} == {"moods": 1, "topics": 2}
    assert (await site.api.patch(path, {"taxonomies": {"moods": None}})).json["taxonomies"].keys() == {"topics"}
    same = (await site.api.patch(path, {"data": {"title": "Two"}})).json
    assert slugs(same) == ["rust", "news"]
    kept = (await site.api.put(path, {"data": {"title": "Three"}})).json
    assert slugs(kept) == ["rust", "news"]
    whole = (await site.api.put(path, {"data": {"title": "Three"}, "taxonomies": {"moods": ["happy"]}})).json
    assert whole["taxonomies"].keys() == {"moods"}


async def test_what_was_read_can_be_sent_back(site):
    item = await site.article("One", "rust", "news")
    again = await site.api.patch(f"/content/{item['id']}", {"taxonomies": item["taxonomies"]})
    assert again.json["taxonomies"] == item["taxonomies"]


@pytest.mark.parametrize(
    ("taxonomies", "pointer", "code"),
    [
        ({"nothing": ["rust"]}, "/taxonomies/nothing", "unknown_taxonomy"),
        ({"topics": ["rust", "cobol"]}, "/taxonomies/topics/1", "unknown_term"),
        ({"moods": ["rust"]}, "/taxonomies/moods/0", "unknown_term"),
        ({"topics": ["0198c5a0-0000-7000-8000-000000000001"]}, "/taxonomies/topics/0", "unknown_term"),
        ({"topics": "rust"}, "/taxonomies/topics", "list_type"),
        ({"topics": [{"name": "Rust"}]}, None, None),
        ({"topics": [{"slug": "rust", "colour": "red"}]}, None, None),
        ({"topics": [""]}, None, None),
        ({"topics": ["x\0"]}, None, None),
        ({"to\0pics": ["x"]}, None, None),
        ({"topics": ["rust"] * 101}, "/taxonomies/topics", "too_long"),
    ],
)
async def test_terms_that_are_not_there_are_refused_and_nothing_is_kept(site, taxonomies, pointer, code):
    new = {"type": "article", "data": {"title": "x"}, "taxonomies": taxonomies}
    answer = await site.api.post("/content", new)
    assert answer.status == 422, answer.raw
    if pointer is not None:
        assert (answer.json["detail"]["errors"][0]["pointer"], answer.json["detail"]["errors"][0]["code"]) == (
            pointer,
            code,
        )
    assert (await site.api.get("/content?type=article&status=any")).json["total"] == 0


async def test_terms_of_another_site_are_not_there(site, admin):
    await admin.post("/sites", {"key": "other-terms", "name": "Other"})
    other = admin.at("other-terms")
    await other.post("/taxonomies", {"key": "topics", "name": "Topics"})
    theirs = (await other.post(TERMS, {"name": "Theirs"})).json["id"]
    new = {"type": "article", "data": {"title": "x"}, "taxonomies": {"topics": [theirs]}}
    assert (await site.api.post("/content", new)).status == 422
    item = await site.article("One")
    answer = await other.post(f"{TERMS}/{theirs}/content", {"content_ids": [item["id"]]})
    assert answer.json["detail"]["errors"][0]["code"] == "unknown_item"


async def test_documents_follow_the_names_of_their_terms(site, drain):
    shown = await site.article("One", "rust")
    other = await site.article("Two", "news")
    before = await site.api.get(f"/content/{shown['id']}?status=published")
    renamed = await site.api.patch(site.path("rust"), {"name": "Rust language", "slug": "rust-lang"})
    assert len(renamed.json["job_ids"]) == 1
    await drain()
    after = await site.api.get(f"/content/{shown['id']}?status=published")
    assert (names(after.json), slugs(after.json)) == (["Rust language"], ["rust-lang"])
    assert after.headers["ETag"] != before.headers["ETag"]
    same = {key: value for key, value in before.json.items() if key != "taxonomies"}
    assert {key: value for key, value in after.json.items() if key != "taxonomies"} == same
    assert after.json["version"] == shown["version"]
    assert names(await site.published(other)) == ["News"]
    assert (await site.api.get(f"/search/jobs/{renamed.json['job_ids'][0]}")).json["result"] == {"changed": 1}


async def test_a_drafts_etag_tells_that_a_term_has_another_name(site):
    item = await site.article("One", "rust")
    read = await site.api.get(f"/content/{item['id']}?status=draft")
    await site.api.patch(site.path("rust"), {"name": "Rust language"})
    again = await site.api.get(f"/content/{item['id']}?status=draft", headers={"If-None-Match": read.headers["ETag"]})
    assert (again.status, names(again.json)) == (200, ["Rust language"])
    saved = await site.api.patch(
        f"/content/{item['id']}", {"data": {"title": "x"}}, headers={"If-Match": read.headers["ETag"]}
    )
    assert saved.status == 200


async def test_merging_gives_each_the_other_term_once(site, drain):
    only, both = await site.article("One", "rust"), await site.article("Two", "rust", "news")
    merged = await site.api.post(site.path("rust", "/merge"), {"into": site.ids["news"]})
    assert merged.status == 200, merged.raw
    for item in (only, both):
        assert slugs(await site.draft(item)) == ["news"]
    found = await site.api.get("/content?type=article&filter[terms.topics]=news")
    assert found.json["total"] == 2
    await drain()
    for item in (only, both):
        assert slugs(await site.published(item)) == ["news"]
        assert (await site.draft(item))["status"] == "published"


async def test_terms_merged_again_before_workers_come_are_not_lost(site, drain):
    item = await site.article("One", "rust")
    await site.api.post(site.path("rust", "/merge"), {"into": site.ids["python"]})
    await site.api.post(site.path("python", "/merge"), {"into": site.ids["news"]})
    await drain()
    assert slugs(await site.published(item)) == ["news"]
    assert slugs(await site.draft(item)) == ["news"]


async def test_deleting_a_used_term_says_so_and_by_force_takes_it_from_everything(site, drain):
    item = await site.article("One", "asyncio", "news")
    await site.article("Draft", "python", publish=False)
    refused = await site.api.delete(site.path("python"))
    assert (refused.status, refused.json["detail"]["lost"]) == (409, {"terms": 2, "items": 2, "published": 1})
    assert (await site.api.delete(site.path("asyncio"))).status == 409
    assert (await site.api.delete(site.path("python") + "?force=true")).status == 204
    assert slugs(await site.draft(item)) == ["news"]
    await drain()
    assert slugs(await site.published(item)) == ["news"]


async def test_deleting_one_leaf_by_force_reaches_its_documents(site, drain):
    item = await site.article("One", "rust", "news")
    assert (await site.api.delete(site.path("rust") + "?force=true")).status == 204
    await drain()
    assert slugs(await site.published(item)) == ["news"]


async def test_deleting_a_taxonomy_by_force_reaches_its_documents(site, drain):
    item = await site.article("One", "asyncio", "news")
    refused = await site.api.delete("/taxonomies/topics")
    assert refused.json["detail"]["lost"] == {"terms": 5, "items": 1, "published": 1}
    assert (await site.api.delete("/taxonomies/topics?force=true")).status == 204
    assert (await site.draft(item))["taxonomies"] == {}
    await drain()
    assert (await site.published(item))["taxonomies"] == {}


async def test_content_of_a_term_is_listed_and_counted_once(site):
    await site.article("One", "languages", "rust", "python")
    await site.article("Two", "asyncio")
    await site.article("Three", "news")
    draft = await site.article("Draft", "rust", publish=False)
    direct = (await site.api.get(site.path("languages", "/content"))).json
    assert (direct["total"], direct["counts"]) == (1, {"content": 1, "with_descendants": 3})
    under = (await site.api.get(site.path("languages", "/content?descendants=true&page_size=2"))).json
    assert (under["total"], len(under["items"])) == (3, 2)
    assert under["items"][0] == {"id": draft["id"], "type": "article", "slug": "draft", "published": False}
    listed = (await site.api.get(f"{TERMS}?counts=true&parent=root")).json["items"]
    assert {term["slug"]: term["counts"]["with_descendants"] for term in listed} == {"languages": 3, "news": 1}
    assert listed[0]["counts"]["content"] == 1


async def test_the_trash_and_what_is_unpublished_is_not_counted(site):
    trashed, unpublished = await site.article("One", "rust"), await site.article("Two", "rust")
    await site.api.delete(f"/content/{trashed['id']}")
    await site.api.post(f"/content/{unpublished['id']}/unpublish")
    assert (await site.api.get(site.path("rust", "/content"))).json["total"] == 1
    await site.api.delete(f"/content/{unpublished['id']}?permanent=true")
    assert (await site.api.get(site.path("rust", "/content"))).json["total"] == 0


async def test_items_are_given_a_term_and_it_is_taken_from_them(site):
    published, changed, draft = (
        await site.article("One", "news"),
        await site.article("Two"),
        await site.article("Draft", publish=False),
    )
    await site.api.patch(f"/content/{changed['id']}", {"data": {"title": "Two, changed"}})
    ids = [published["id"], changed["id"], draft["id"]]
    given = await site.api.post(site.path("rust", "/content"), {"content_ids": ids})
    told = {key: given.json[key] for key in ("changed", "unchanged", "published")}
    assert told == {"changed": 3, "unchanged": 0, "published": 1}
    assert slugs(await site.published(published)) == ["news", "rust"]
    assert (await site.draft(published))["status"] == "published"
    # What waits to be published is not published along.
    assert (await site.published(changed))["data"]["title"] == "Two"
    assert slugs(await site.published(changed)) == []
    again = await site.api.post(site.path("rust", "/content"), {"content_ids": ids})
    assert (again.json["changed"], again.json["unchanged"]) == (0, 3)
    taken = await site.api.delete(site.path("rust", "/content"), json={"content_ids": ids})
    assert taken.status == 204
    assert slugs(await site.published(published)) == ["news"]
    assert (await site.api.get(site.path("rust", "/content"))).json["total"] == 0


async def test_all_or_none_are_given_a_term(site):
    item = await site.article("One")
    missing = "0198c5a0-0000-7000-8000-000000000001"
    answer = await site.api.post(site.path("rust", "/content"), {"content_ids": [item["id"], missing]})
    assert answer.status == 422
    assert answer.json["detail"]["errors"][0]["pointer"] == "/content_ids/1"
    assert slugs(await site.draft(item)) == []
    for wrong in ({"content_ids": []}, {"content_ids": ["x"]}, {}, {"content_ids": [item["id"]], "x": 1}):
        assert (await site.api.post(site.path("rust", "/content"), wrong)).status == 422


async def test_narrowed_callers_change_and_see_what_is_within_their_reach(site, user, admin):
    mine_only = await role_with(
        admin, "content:read", "content:create", {"permission": "content:read_drafts", "own_only": True},
        {"permission": "content:update", "own_only": True},
    )  # fmt: skip
    author = await user(mine_only, site=site.api.site)
    mine = (await author.post("/content", {"type": "article", "data": {"title": "Mine"}})).json
    theirs, published = await site.article("Theirs", "rust", publish=False), await site.article("Out", "rust")
    body = {"content_ids": [mine["id"]]}
    given = await author.post(site.path("rust", "/content"), body)
    assert (given.json["changed"], given.json["published"]) == (1, 0)
    hidden = await author.post(site.path("rust", "/content"), {"content_ids": [theirs["id"]]})
    assert hidden.json["detail"]["errors"][0]["code"] == "unknown_item"
    assert (await author.post(site.path("news", "/content"), {"content_ids": [published["id"]]})).status == 403
    seen = (await author.get(site.path("rust", "/content"))).json
    assert {item["id"] for item in seen["items"]} == {mine["id"], published["id"]}
    assert (seen["total"], seen["counts"]["content"]) == (2, 2)
    reader = await user(await role_with(admin, "content:read", "taxonomies:read"), site=site.api.site)
    assert [i["id"] for i in (await reader.get(site.path("rust", "/content"))).json["items"]] == [published["id"]]
    counted = (await reader.get(f"{TERMS}?counts=true&q=rust")).json["items"][0]["counts"]
    assert counted == {"content": 1, "with_descendants": 1}
    other_type = await role_with(admin, {"permission": "content:read", "content_types": ["page"]})
    blind = await user(other_type, site=site.api.site)
    assert (await blind.get(site.path("rust", "/content"))).json["total"] == 0


async def test_who_may_write_some_fields_alone_does_not_change_terms(site, user, admin):
    titles = await role_with(
        admin, "content:read", "content:read_drafts", {"permission": "content:update", "fields": ["title"]}
    )
    editor = await user(titles, site=site.api.site)
    item = await site.article("One", "rust")
    path = f"/content/{item['id']}"
    assert (await editor.patch(path, {"data": {"title": "x"}, "taxonomies": {"topics": ["rust"]}})).status == 200
    refused = await editor.patch(path, {"taxonomies": {"topics": ["news"]}})
    assert (refused.status, refused.code) == (403, "field_forbidden")
    assert (await editor.post(site.path("news", "/content"), {"content_ids": [item["id"]]})).status == 403
    assert slugs(await site.draft(item)) == ["rust"]


async def test_search_finds_items_by_the_names_of_their_terms(site, drain):
    await site.article("One", "rust")
    await drain()
    assert (await site.api.get("/search?q=rust")).json["total"] == 1
    await site.api.patch(site.path("rust"), {"name": "Ferris"})
    await drain()
    assert (await site.api.get("/search?q=rust")).json["total"] == 0
    assert (await site.api.get("/search?q=ferris")).json["items"][0]["data"]["title"] == "One"


async def test_each_locale_shows_its_names(admin, drain):
    await admin.post("/sites", {"key": "two-names", "name": "x", "locales": [{"code": "en"}, {"code": "de"}]})
    api = admin.at("two-names")
    fields = [{"key": "title", "type": "string"}]
    await api.post("/content-types", {"key": "article", "name": "Article", "fields": fields})
    await api.post("/taxonomies", {"key": "topics", "name": "Topics", "localized": True})
    term = (await api.post(TERMS, {"name": {"en": "Gems", "de": "Edelsteine"}})).json
    new = {"type": "article", "data": {"title": "x"}, "taxonomies": {"topics": ["gems"]}, "publish": True}
    told = {code: names((await api.post("/content", {**new, "locale": code})).json) for code in ("en", "de")}
    assert told == {"en": ["Gems"], "de": ["Edelsteine"]}
    await api.patch(f"{TERMS}/{term['id']}", {"name": {"de": "Juwelen"}})
    await drain()
    listed = {code: (await api.get(f"/content?type=article&locale={code}")).json["items"] for code in ("en", "de")}
    assert {code: names(items[0]) for code, items in listed.items()} == {"en": ["Gems"], "de": ["Juwelen"]}
