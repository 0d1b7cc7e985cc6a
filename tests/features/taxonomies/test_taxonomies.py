"""Taxonomies: what can be declared, changed and deleted, and by whom."""

import pytest

TOPICS = {"key": "topics", "name": "Topics"}


async def test_a_taxonomy_is_created_read_listed_changed_and_deleted(site):
    made = await site.post("/taxonomies", {**TOPICS, "hierarchical": False, "localized": True})
    assert (made.status, made.headers["Location"]) == (201, "/api/v1/taxonomies/topics")
    assert [row["key"] for row in (await site.get("/taxonomies")).json["items"]] == ["topics"]
    read = await site.get("/taxonomies/topics")
    assert (read.json["hierarchical"], read.json["localized"]) == (False, True)
    assert (await site.get("/taxonomies/topics", headers={"If-None-Match": read.headers["ETag"]})).status == 304
    changed = await site.patch("/taxonomies/topics", {"name": "Subjects", "description": None})
    assert (changed.json["name"], changed.json["description"]) == ("Subjects", "")
    assert (await site.delete("/taxonomies/topics")).status == 204
    assert (await site.get("/taxonomies/topics")).code == "taxonomy_not_found"


async def test_every_change_is_a_fact_of_the_site(site, services):
    await site.post("/taxonomies", TOPICS)
    await site.patch("/taxonomies/topics", {"name": "Subjects"})
    await site.delete("/taxonomies/topics")
    site_id = (await site.get(f"/sites/{site.site}")).json["id"]
    rows = await services.resources.reads.fetch("SELECT type FROM events WHERE site_id = $1 ORDER BY seq", site_id)
    told = [row["type"] for row in rows if row["type"].startswith("taxonomy.")]
    assert told == ["taxonomy.created", "taxonomy.updated", "taxonomy.deleted"]


async def test_a_key_is_taken_once_in_a_site(site):
    assert (await site.post("/taxonomies", TOPICS)).status == 201
    assert (await site.post("/taxonomies", TOPICS)).code == "taxonomy_exists"


@pytest.mark.parametrize(
    "wrong",
    [{"key": "Bad"}, {"key": "a-b"}, {"name": ""}, {"name": "a\0b"}, {"name": None}, {"hierarchical": "x"}, {"x": 1}],
)
async def test_what_makes_no_sense_is_refused(site, wrong):
    assert (await site.post("/taxonomies", {**TOPICS, **wrong})).status == 422


async def test_a_stale_change_or_deletion_is_412(site):
    await site.post("/taxonomies", TOPICS)
    headers = {"If-Match": '"old"'}
    assert (await site.patch("/taxonomies/topics", {"name": "x"}, headers=headers)).status == 412
    assert (await site.delete("/taxonomies/topics", headers=headers)).status == 412
    fresh = {"If-Match": (await site.get("/taxonomies/topics")).headers["ETag"]}
    assert (await site.delete("/taxonomies/topics", headers=fresh)).status == 204


async def test_deleting_one_with_terms_says_what_would_be_lost_and_takes_force(site):
    await site.post("/taxonomies", TOPICS)
    parent = (await site.post("/taxonomies/topics/terms", {"name": "Languages"})).json
    await site.post("/taxonomies/topics/terms", {"name": "Rust", "parent_id": parent["id"]})
    refused = await site.delete("/taxonomies/topics")
    assert (refused.status, refused.code) == (409, "taxonomy_in_use")
    assert refused.json["detail"]["lost"] == {"terms": 2, "items": 0, "published": 0}
    assert (await site.delete("/taxonomies/topics?force=true")).status == 204
    assert (await site.get(f"/taxonomies/topics/terms/{parent['id']}")).status == 404


async def test_it_stays_a_tree_or_localized_while_its_terms_are(admin):
    key = "tree-and-locales"
    await admin.post("/sites", {"key": key, "name": key, "locales": [{"code": "en"}, {"code": "de"}]})
    site = admin.at(key)
    await site.post("/taxonomies", {**TOPICS, "localized": True})
    parent = (await site.post("/taxonomies/topics/terms", {"name": {"en": "Languages", "de": "Sprachen"}})).json
    child = (await site.post("/taxonomies/topics/terms", {"name": "Rust", "parent_id": parent["id"]})).json
    for change in ({"hierarchical": False}, {"localized": False}):
        assert (await site.patch("/taxonomies/topics", change)).code == "taxonomy_shape"
    await site.post(f"/taxonomies/topics/terms/{child['id']}/move", {"parent_id": None})
    await site.patch(f"/taxonomies/topics/terms/{parent['id']}", {"name": {"de": None}})
    for change in ({"hierarchical": False}, {"localized": False}):
        assert (await site.patch("/taxonomies/topics", change)).status == 200


async def test_readers_see_and_do_not_change_and_others_see_nothing(site, user):
    await site.post("/taxonomies", TOPICS)
    viewer = await user("viewer", site=site.site)
    assert (await viewer.get("/taxonomies/topics")).status == 200
    assert (await viewer.patch("/taxonomies/topics", {"name": "x"})).status == 403
    assert (await viewer.post("/taxonomies/topics/terms", {"name": "x"})).status == 403
    assert (await site.anonymous().get("/taxonomies/topics")).status == 401
    editor = await user("editor", site=site.site)
    assert (await editor.post("/taxonomies/topics/terms", {"name": "x"})).status == 201


async def test_a_site_with_taxonomies_is_not_deleted(site):
    await site.post("/taxonomies", TOPICS)
    assert (await site.delete(f"/sites/{site.site}")).code == "site_in_use"
    await site.delete("/taxonomies/topics")
    assert (await site.delete(f"/sites/{site.site}")).status == 204


async def test_sites_do_not_see_each_others(site, admin):
    await site.post("/taxonomies", TOPICS)
    term = (await site.post("/taxonomies/topics/terms", {"name": "Rust"})).json
    await admin.post("/sites", {"key": "elsewhere", "name": "Elsewhere"})
    elsewhere = admin.at("elsewhere")
    assert (await elsewhere.get("/taxonomies/topics")).status == 404
    await elsewhere.post("/taxonomies", TOPICS)
    assert (await elsewhere.get(f"/taxonomies/topics/terms/{term['id']}")).status == 404
    merged = await elsewhere.post("/taxonomies/topics/terms", {"name": "x", "parent_id": term["id"]})
    assert merged.json["detail"]["errors"][0]["code"] == "unknown_term"
