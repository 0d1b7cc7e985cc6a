"""Sites, their domains, their anonymous readers."""

import asyncio
import secrets


async def test_a_site_is_found_by_id_and_key(site):
    by_key = await site.get(f"/sites/{site.site}")
    by_id = await site.get(f"/sites/{by_key.json['id']}")
    assert by_key.json == by_id.json
    assert by_key.json["locales"] == [{"code": "en", "fallback": []}]


async def test_locales_must_fit_together(admin):
    for wrong in (
        {"default_locale": "de", "locales": [{"code": "en"}]},
        {"locales": [{"code": "en"}, {"code": "en"}]},
        {"locales": [{"code": "en", "fallback": ["fr"]}]},
        {"locales": [{"code": "english"}]},
        {"key": "Bad Key"},
        {"settings": {"unknown": 1}},
    ):
        answer = await admin.post("/sites", {"key": "x", "name": "X", **wrong})
        assert answer.status == 422, wrong


async def test_a_key_is_taken_once(site):
    assert (await site.post("/sites", {"key": site.site, "name": "x"})).code == "site_exists"


async def test_a_site_is_changed_and_the_change_seen_at_once(articles):
    path = f"/sites/{articles.site}"
    changed = await articles.patch(path, {"locales": [{"code": "en"}, {"code": "de", "fallback": ["en"]}]})
    assert changed.status == 200
    await asyncio.sleep(0.1)
    german = await articles.post("/content", {"type": "article", "locale": "de", "data": {"title": "Hallo"}})
    assert german.json["locale"] == "de"
    assert (await articles.patch(path, {"default_locale": "fr"})).status == 422
    assert (await articles.patch(path, {"name": "x"}, headers={"If-Match": '"old"'})).status == 412


async def test_only_an_empty_site_is_deleted(articles):
    assert (await articles.delete(f"/sites/{articles.site}")).code == "site_in_use"
    await articles.delete("/content-types/article")
    assert (await articles.delete(f"/sites/{articles.site}")).status == 204
    assert (await articles.get(f"/sites/{articles.site}")).code == "site_not_found"


async def test_people_see_the_sites_where_they_have_rights(site, admin, user):
    editor = await user("editor", site=site.site)
    assert [item["key"] for item in (await editor.get("/sites")).json["items"]] == [site.site]
    assert (await editor.patch(f"/sites/{site.site}", {"name": "x"})).status == 403
    assert (await (await user()).get("/sites")).json["total"] == 0
    assert (await admin.anonymous().get("/sites")).status == 401


async def test_domains_belong_to_one_site(site):
    host = f"{secrets.token_hex(4)}.localhost"
    made = await site.post(f"/sites/{site.site}/domains", {"host": host})
    assert made.json["verified_at"] is not None
    assert (await site.post(f"/sites/{site.site}/domains", {"host": host})).code == "domain_taken"
    assert (await site.post(f"/sites/{site.site}/domains", {"host": "no spaces"})).status == 422
    assert (await site.get(f"/sites/{site.site}/domains")).json["total"] == 1
    assert (await site.delete(f"/sites/{site.site}/domains/{made.json['id']}")).status == 204
    assert (await site.delete(f"/sites/{site.site}/domains/{made.json['id']}")).code == "domain_not_found"


async def test_a_public_role_opens_one_site_to_anonymous_readers(articles, admin):
    role = f"r{secrets.token_hex(4)}"
    assert (await admin.post("/roles", {"key": role, "name": "Readers"})).status == 201
    await admin.put(f"/roles/{role}/permissions", [{"permission": "content:read"}])
    await articles.patch(f"/sites/{articles.site}", {"settings": {"public_role": role}})
    item = await articles.post("/content", {"type": "article", "data": {"title": "x"}, "publish": True})
    await asyncio.sleep(0.1)
    reader = articles.anonymous()
    assert (await reader.get("/content?type=article")).json["total"] == 1
    assert (await reader.get(f"/content/{item.json['id']}")).status == 200
    assert (await reader.get("/content?type=article&status=any")).status == 401
    assert (await reader.get(f"/content/{item.json['id']}?status=draft")).status == 404
    assert (await reader.post("/content", {"type": "article", "data": {"title": "x"}})).status == 401
    await admin.put(f"/roles/{role}/permissions", [])
    await asyncio.sleep(0.1)
    assert (await reader.get("/content?type=article")).status == 401


async def test_of_several_writers_with_one_etag_one_wins(site):
    path = f"/sites/{site.site}"
    etag = (await site.get(path)).headers["ETag"]
    answers = await asyncio.gather(*(site.patch(path, {"name": f"n{n}"}, headers={"If-Match": etag}) for n in range(8)))
    assert sorted(answer.status for answer in answers) == [200] + [412] * 7
