"""Terms: names, slugs, trees, moving, merging, deleting."""

import pytest

from scaicms.features.taxonomies import tree as tree_module


async def test_a_term_is_created_read_renamed_and_deleted(topics):
    api = topics.api
    made = await api.post("/taxonomies/topics/terms", {"name": " Émile Zola "})
    path = f"/taxonomies/topics/terms/{made.json['id']}"
    assert (made.status, made.headers["Location"]) == (201, f"/api/v1{path}")
    assert (made.json["slug"], made.json["name"], made.json["names"]) == (
        "emile-zola",
        "Émile Zola",
        {"en": "Émile Zola"},
    )
    read = await api.get(path)
    assert (await api.get(path, headers={"If-None-Match": read.headers["ETag"]})).status == 304
    renamed = await api.patch(path, {"name": "Zola", "slug": "zola"}, headers={"If-Match": read.headers["ETag"]})
    assert (renamed.json["slug"], renamed.json["name"]) == ("zola", "Zola")
    assert (await api.patch(path, {"name": "x"}, headers={"If-Match": read.headers["ETag"]})).status == 412
    assert (await api.delete(path, headers={"If-Match": read.headers["ETag"]})).status == 412
    assert (await api.delete(path, headers={"If-Match": renamed.headers["ETag"]})).status == 204
    assert (await api.get(path)).code == "term_not_found"


async def test_slugs_are_numbered_where_made_and_refused_where_given(topics):
    slugs = [(await topics.read(await topics.add("Rust")))["slug"] for _ in range(3)]
    assert slugs == ["rust", "rust-2", "rust-3"]
    assert (await topics.read(await topics.add("日本")))["slug"]
    assert (await topics.read(await topics.add("!?")))["slug"] == "term"
    taken = await topics.api.post("/taxonomies/topics/terms", {"name": "x", "slug": "rust"})
    assert (taken.status, taken.code) == (409, "slug_taken")


async def test_terms_have_names_by_locale_with_the_sites_fallbacks(admin, topics_of):
    locales = [{"code": "en"}, {"code": "de"}, {"code": "de-AT", "fallback": ["de"]}, {"code": "fr"}]
    await admin.post("/sites", {"key": "names", "name": "Names", "locales": locales})
    site = admin.at("names")
    await site.post("/taxonomies", {"key": "topics", "name": "Topics", "localized": True})
    both = await topics_of(site).add({"en": "Gems", "de": "Edelsteine"})
    path = f"/taxonomies/topics/terms/{both}"
    told = {code: (await site.get(f"{path}?locale={code}")).json["name"] for code in ("en", "de", "de-AT", "fr")}
    assert told == {"en": "Gems", "de": "Edelsteine", "de-AT": "Edelsteine", "fr": "Gems"}
    changed = await site.patch(f"{path}?locale=fr", {"name": "Gemmes"})
    assert (changed.json["name"], changed.json["names"]["en"]) == ("Gemmes", "Gems")
    removed = await site.patch(path, {"name": {"de": None}})
    assert set(removed.json["names"]) == {"en", "fr"}
    assert (await site.patch(path, {"name": {"en": None, "fr": None}})).json["detail"]["errors"][0][
        "pointer"
    ] == "/name"
    assert (await site.patch(path, {"name": {"es": "Gemas"}})).json["detail"]["errors"][0]["pointer"] == "/name/es"
    assert (await site.get(f"{path}?locale=es")).status == 422
    only = await site.post("/taxonomies/topics/terms?locale=de", {"name": "Nur deutsch"})
    listed = (await site.get("/taxonomies/topics/terms?locale=fr")).json["items"]
    assert [term["name"] for term in listed] == ["Gemmes", "Nur deutsch"]
    assert only.json["slug"] == "nur-deutsch"


async def test_one_name_is_enough_where_a_taxonomy_is_not_localized(topics):
    answer = await topics.api.post("/taxonomies/topics/terms", {"name": {"en": "x"}})
    assert answer.json["detail"]["errors"][0]["code"] == "not_localized"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "  "},
        {"name": "a\0b"},
        {"name": "x" * 201},
        {"name": 5},
        {},
        {"name": "x", "slug": "Bad Slug"},
        {"name": "x", "parent_id": "x"},
        {"name": "x", "position": -1},
        {"name": "x", "colour": "red"},
    ],
)
async def test_terms_that_make_no_sense_are_refused(topics, wrong):
    answer = await topics.api.post("/taxonomies/topics/terms", wrong)
    assert answer.status == 422, answer.raw


async def test_a_flat_taxonomy_has_no_tree(site, topics_of):
    await site.post("/taxonomies", {"key": "topics", "name": "Topics", "hierarchical": False})
    topics = topics_of(site)
    first, second = await topics.add("a"), await topics.add("b")
    assert (await topics.move(first, second)).json["detail"]["errors"][0]["code"] == "not_hierarchical"
    assert (await topics.move(second, None, 0)).status == 200
    assert list(await topics.tree()) == ["b", "a"]


async def test_terms_take_their_place_among_siblings(topics):
    a, b = await topics.add("a"), await topics.add("b")
    await topics.add("first", position=0)
    await topics.add("far", position=99)
    await topics.add("below", a)
    assert await topics.tree() == {"first": {}, "a": {"below": {}}, "b": {}, "far": {}}
    await topics.move(b, None, 0)
    assert list(await topics.tree()) == ["b", "first", "a", "far"]
    await topics.move(b, None, 2)
    assert list(await topics.tree()) == ["first", "a", "b", "far"]
    await topics.move(b, None)
    assert list(await topics.tree()) == ["first", "a", "far", "b"]
    assert (await topics.api.post(f"/taxonomies/topics/terms/{b}/move", {"position": 1})).json["position"] == 1
    await topics.api.delete(f"/taxonomies/topics/terms/{b}")
    assert list(await topics.tree()) == ["first", "a", "far"]


async def test_a_term_moves_with_all_that_is_below_it(topics):
    a, b = await topics.add("a"), await topics.add("b")
    c = await topics.add("c", a)
    d = await topics.add("d", c)
    moved = await topics.move(c, b)
    assert (moved.json["ancestors"], moved.json["depth"]) == ([b], 1)
    assert await topics.tree() == {"a": {}, "b": {"c": {"d": {}}}}
    await topics.move(c, None, 0)
    assert await topics.tree() == {"c": {"d": {}}, "a": {}, "b": {}}
    assert (await topics.read(d))["ancestors"] == [c]


async def test_no_term_stands_below_itself(topics):
    a = await topics.add("a")
    b = await topics.add("b", a)
    c = await topics.add("c", b)
    for parent in (a, b, c):
        answer = await topics.move(a, parent)
        assert (answer.status, answer.code) == (409, "term_cycle")
    assert (await topics.merge(a, c)).code == "term_cycle"
    assert (await topics.merge(a, a)).code == "term_cycle"
    assert await topics.tree() == {"a": {"b": {"c": {}}}}


async def test_trees_have_bounded_depth(topics):
    parent = None
    for level in range(12):
        parent = await topics.add(f"level {level}", parent)
    answer = await topics.api.post("/taxonomies/topics/terms", {"name": "x", "parent_id": parent})
    assert (answer.status, answer.code) == (409, "term_too_deep")
    pair = await topics.add("pair")
    await topics.add("one", pair)
    up = (await topics.read(parent))["parent_id"]
    assert (await topics.move(pair, up)).code == "term_too_deep"
    assert (await topics.merge(pair, parent)).code == "term_too_deep"
    assert (await topics.move(pair, (await topics.read(up))["parent_id"])).status == 200


async def test_merging_brings_the_terms_below_along(topics):
    a, b = await topics.add("a"), await topics.add("b")
    await topics.add("a1", a)
    a2 = await topics.add("a2", a)
    await topics.add("deep", a2)
    await topics.add("b1", b)
    merged = await topics.merge(a, b)
    assert (merged.status, merged.json["id"], merged.json["position"]) == (200, b, 0)
    assert await topics.tree() == {"b": {"b1": {}, "a1": {}, "a2": {"deep": {}}}}
    assert (await topics.merge(a2, b)).status == 200
    assert await topics.tree() == {"b": {"b1": {}, "a1": {}, "deep": {}}}
    assert (await topics.api.get(f"/taxonomies/topics/terms/{a}")).status == 404
    unknown = await topics.merge(b, a)
    assert unknown.json["detail"]["errors"][0]["pointer"] == "/into"


async def test_deleting_a_term_with_others_below_says_so_and_takes_force(topics):
    a = await topics.add("a")
    await topics.add("b", a)
    await topics.add("c")
    refused = await topics.api.delete(f"/taxonomies/topics/terms/{a}")
    assert (refused.status, refused.code) == (409, "term_in_use")
    assert refused.json["detail"]["lost"] == {"terms": 2, "items": 0, "published": 0}
    assert (await topics.api.delete(f"/taxonomies/topics/terms/{a}?force=true")).status == 204
    assert await topics.tree() == {"c": {}}


async def test_lists_are_paged_filtered_and_searched(topics):
    a = await topics.add("Alpha")
    await topics.add("Beta 100%")
    for number in range(3):
        await topics.add(f"Below {number}", a)

    async def names(query):
        answer = await topics.api.get(f"/taxonomies/topics/terms?{query}")
        assert answer.status == 200, answer.raw
        return [term["name"] for term in answer.json["items"]], answer.json["total"]

    assert await names("") == (["Alpha", "Beta 100%", "Below 0", "Below 1", "Below 2"], 5)
    assert await names("page_size=2&page=2") == (["Below 0", "Below 1"], 5)
    assert await names("parent=root") == (["Alpha", "Beta 100%"], 2)
    assert await names(f"parent={a}&page_size=1&page=3") == (["Below 2"], 3)
    assert await names("q=BETA") == (["Beta 100%"], 1)
    assert await names("q=0%25") == (["Beta 100%"], 1)
    assert await names("q=below-1") == (["Below 1"], 1)
    assert await names(f"parent={a}&q=alpha") == ([], 0)


async def test_a_tree_can_be_cut_to_levels_and_begun_below_a_term(topics):
    a = await topics.add("a")
    b = await topics.add("b", a)
    c = await topics.add("c", b)
    await topics.add("d", c)
    cut = (await topics.api.get("/taxonomies/topics/terms?tree=true&depth=2")).json["items"]
    assert cut[0]["children"][0]["slug"] == "b"
    assert cut[0]["children"][0]["children"] == []
    inner = (await topics.api.get(f"/taxonomies/topics/terms?tree=true&parent={b}")).json
    assert (inner["total"], inner["items"][0]["children"][0]["slug"]) == (1, "d")


async def test_a_tree_that_is_too_large_for_one_answer_is_refused(topics, monkeypatch):
    monkeypatch.setattr(tree_module, "MAX_TREE", 2)
    a = await topics.add("a")
    for number in range(3):
        await topics.add(f"b{number}", a)
    answer = await topics.api.get("/taxonomies/topics/terms?tree=true")
    assert (answer.status, answer.code) == (400, "too_many_terms")
    assert (await topics.api.get("/taxonomies/topics/terms?tree=true&depth=1")).status == 200


@pytest.mark.parametrize(
    "query", ["parent=x", "depth=2", "tree=true&q=x", "q=", "tree=maybe", "depth=0&tree=true", "x=1"]
)
async def test_wrong_parameters_are_refused(topics, query):
    assert (await topics.api.get(f"/taxonomies/topics/terms?{query}")).status == 400
