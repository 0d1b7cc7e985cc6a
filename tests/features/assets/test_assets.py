"""Assets: uploaded, read by workers, listed, changed, deleted."""

import asyncio

from scaicms.features.assets.service import key_of
from scaicms.infra import db
from tests.features.assets.pictures import photograph, picture, ready, send, upload


async def test_an_upload_is_promised_then_read_by_a_worker(site, drain):
    answer = await send(site, picture(2000, 1000), "Übersicht.png", title="Überblick", alt="Rot", tags="a, b,a")
    made = answer.json
    assert (answer.status, made["status"], answer.headers["Location"]) == (
        202, "processing", f"/api/v1/assets/{made['id']}",
    )  # fmt: skip
    assert made["content_type"] == "image/png" and made["width"] is None
    job = (await site.get(f"/search/jobs/{made['job_id']}")).json
    assert (job["name"], job["queue"]) == ("assets.read_file", "media")
    await drain()
    asset = (await site.get(f"/assets/{made['id']}")).json
    assert (asset["status"], asset["width"], asset["height"], asset["color"]) == ("ready", 2000, 1000, "#c81e1e")
    assert len(asset["blurhash"]) > 10
    assert (asset["filename"], asset["title"], asset["alt"], asset["tags"]) == (
        "Übersicht.png", "Überblick", "Rot", ["a", "b"],
    )  # fmt: skip
    assert [(v["name"], v["width"], v["height"]) for v in asset["variants"]] == [
        ("small", 320, 160), ("medium", 800, 400), ("large", 1600, 800),
    ]  # fmt: skip


async def test_a_photograph_tells_how_it_was_taken_and_not_where(site, drain):
    asset = await ready(site, drain, photograph(), "p.jpg")
    assert asset["exif"] == {"Make": "Acme", "DateTimeOriginal": "2026:01:02 03:04:05"}
    assert (asset["width"], asset["height"]) == (200, 400), "as it is seen, turned"
    small = await site.get(asset["variants"][0]["url"])
    assert b"Exif" not in small.raw and b"Acme" not in small.raw


async def test_the_same_bytes_are_stored_once_a_site(site, admin, drain, services):
    data = picture(60, 60, (1, 2, 3))
    first = await ready(site, drain, data, "one.png")
    second = await upload(site, data, "two.png", title="Two")
    assert (second["status"], second["width"]) == ("ready", 60), "nothing is left to be found out"
    assert second["id"] != first["id"] and second["filename"] == "two.png"
    files = await db.fetch("SELECT id FROM asset_files f WHERE id IN (SELECT file_id FROM assets WHERE id = ANY($1))",
                           [first["id"], second["id"]])  # fmt: skip
    assert len(files) == 1
    folder = services.resources.settings.home / "files" / "assets"
    assert len([path for path in folder.rglob("original") if path.read_bytes() == data]) == 1
    assert (await site.delete(f"/assets/{first['id']}")).status == 204
    await drain()
    assert (await site.get(second["url"])).raw == data, "the other one still has it"
    assert (await site.delete(f"/assets/{second['id']}")).status == 204
    await drain()
    assert not (folder.parent / key_of(files[0]["id"])).exists()


async def test_uploads_of_the_same_bytes_at_the_same_moment_share_them(site, drain):
    data = picture(61, 61, (9, 9, 9))
    answers = await asyncio.gather(*(send(site, data, f"{number}.png") for number in range(6)))
    assert [answer.status for answer in answers] == [202] * 6
    await drain()
    ids = [answer.json["id"] for answer in answers]
    assert await db.fetchval("SELECT count(DISTINCT file_id) FROM assets WHERE id = ANY($1)", ids) == 1
    assert {(await site.get(f"/assets/{one}")).json["status"] for one in ids} == {"ready"}
    for one in ids:
        assert (await site.get(f"/assets/{one}/file")).raw == data


async def test_deleting_and_uploading_the_same_bytes_at_once_loses_neither(site, drain):
    data = picture(62, 62, (8, 9, 9))
    for _ in range(5):
        old = await ready(site, drain, data)
        gone, new = await asyncio.gather(site.delete(f"/assets/{old['id']}"), send(site, data))
        assert (gone.status, new.status) == (204, 202), (gone.raw, new.raw)
        await drain()
        assert (await site.get(f"/assets/{new.json['id']}/file")).raw == data
        assert (await site.delete(f"/assets/{new.json['id']}")).status == 204
        await drain()


async def test_lists_are_restricted_and_sorted(site, drain):
    red = await upload(site, picture(10, 10), "red.png", folder="/photos/2026/", tags="warm")
    await upload(site, picture(10, 10, (0, 0, 250)), "blue.png", folder="photos", title="50%_sea")
    await upload(site, b"plain words", "note.txt", folder="texts")
    await drain()

    async def names(query):
        answer = await site.get(f"/assets?{query}")
        assert answer.status == 200, answer.raw
        assert answer.json["total"] == len(answer.json["items"])
        return [one["filename"] for one in answer.json["items"]]

    assert await names("sort=filename") == ["blue.png", "note.txt", "red.png"]
    assert await names("sort=-created_at") == ["note.txt", "blue.png", "red.png"]
    assert await names("type=image/*&sort=filename") == ["blue.png", "red.png"]
    assert await names("type=text/plain") == ["note.txt"]
    assert await names("folder=photos&sort=filename") == ["blue.png", "red.png"]
    assert await names("folder=photos/2026") == ["red.png"] and await names("folder=photo") == []
    assert await names("tag=warm") == ["red.png"]
    assert await names("q=%25_s") == ["blue.png"] and await names("q=WARM") == ["red.png"]
    assert await names("unused=true&q=red") == ["red.png"] and await names("unused=false") == []
    assert (await site.get("/assets?type=image")).status == 400
    assert (await site.get("/assets?sort=color")).status == 400
    page = (await site.get("/assets?page_size=1&page=2&sort=size")).json
    assert (page["total"], len(page["items"])) == (3, 1)
    assert red["folder"] == "photos/2026"


async def test_what_is_said_of_an_asset_is_changed_by_locale_under_its_etag(admin, site, drain):
    changed = await admin.patch(f"/sites/{site.site}", {"locales": [{"code": "en"}, {"code": "de"}]})
    assert changed.status == 200, changed.raw
    asset = await ready(site, drain, picture(11, 11), alt="Red")
    path = f"/assets/{asset['id']}"
    first = await site.get(path)
    answer = await site.patch(
        path,
        {"alt": {"de": "Rot"}, "focal_point": {"x": 0.25, "y": 1}, "folder": "a/b", "tags": ["x"]},
        headers={"If-Match": first.headers["ETag"]},
    )
    assert answer.status == 200, answer.raw
    assert answer.json["alts"] == {"en": "Red", "de": "Rot"} and answer.json["version"] == 2
    assert answer.json["focal_point"] == {"x": 0.25, "y": 1}
    assert (await site.get(f"{path}?locale=de")).json["alt"] == "Rot"
    titled = await site.patch(f"{path}?locale=de", {"title": "Bild", "focal_point": None})
    assert titled.json["titles"] == {"de": "Bild"} and titled.json["focal_point"] is None
    assert (await site.get(path)).json["title"] is None, "de is not what en falls back to"
    stale = await site.patch(path, {"tags": []}, headers={"If-Match": first.headers["ETag"]})
    assert (stale.status, stale.code) == (412, "precondition_failed")
    assert (await site.delete(path, headers={"If-Match": first.headers["ETag"]})).status == 412
    again = await site.get(path, headers={"If-None-Match": titled.headers["ETag"]})
    assert again.status == 304
    unknown = await site.patch(path, {"alt": {"fr": "Rouge"}})
    assert (unknown.status, unknown.json["detail"]["errors"][0]["pointer"]) == (422, "/alt/fr")
    for wrong in ({"focal_point": {"x": 1.1, "y": 0}}, {"folder": "../etc"}, {"url": "x"}, {"tags": ["a\u0000"]}):
        assert (await site.patch(path, wrong)).status == 422, wrong
    removed = await site.patch(path, {"alt": {"en": None}})
    assert removed.json["alts"] == {"de": "Rot"}


async def test_what_was_deleted_is_gone_with_its_file(site, drain):
    asset = await ready(site, drain, picture(400, 12))
    assert (await site.delete(f"/assets/{asset['id']}")).status == 204
    for path in (f"/assets/{asset['id']}", asset["url"], asset["variants"][0]["url"]):
        gone = await site.get(path)
        assert (gone.status, gone.code) == (404, "asset_not_found")
    assert (await site.delete(f"/assets/{asset['id']}")).status == 404


async def test_the_log_tells_what_became_of_a_file(site, admin, drain):
    asset = await ready(site, drain, picture(13, 13))
    await site.patch(f"/assets/{asset['id']}", {"tags": ["x"]})
    await site.delete(f"/assets/{asset['id']}")
    rows = await db.fetch("SELECT type FROM events WHERE aggregate_id = $1 ORDER BY seq", asset["id"])
    assert [row["type"] for row in rows] == ["asset.uploaded", "asset.processed", "asset.updated", "asset.deleted"]


async def test_a_site_with_assets_is_not_deleted(site, admin):
    await upload(site, picture(14, 14))
    refused = await admin.delete(f"/sites/{site.site}")
    assert (refused.status, refused.code) == (409, "site_in_use")


async def test_rights_to_assets_reach_as_far_as_roles_say(site, granted, user, drain):
    asset = await ready(site, drain, picture(15, 15))
    path = f"/assets/{asset['id']}"
    viewer, author = await user("viewer", site=site.site), await user("author", site=site.site)
    assert (await viewer.get(path)).status == 200 and (await viewer.get(asset["url"])).status == 200
    assert (await send(viewer, picture())).status == 403
    assert (await viewer.patch(path, {"tags": []})).status == 403
    refused = await author.patch(path, {"tags": []})
    assert (refused.status, refused.json["detail"]["permission"]) == (403, "assets:update")
    assert (await author.delete(path)).status == 403
    own = await upload(author, picture(16, 16))
    assert (await author.patch(f"/assets/{own['id']}", {"tags": ["mine"]})).status == 200
    assert (await author.delete(f"/assets/{own['id']}")).status == 204
    blind = await granted(site, {"permission": "assets:update", "own_only": True}, "content:read")
    hidden = await blind.patch(path, {"tags": []})
    assert (hidden.status, hidden.code) == (404, "asset_not_found"), "what one may not see is not there"
    editor = await user("editor", site=site.site)
    assert (await editor.patch(path, {"tags": ["e"]})).status == 200
    assert (await editor.delete(path)).status == 204


async def test_the_public_role_opens_files_to_everybody(site, admin, drain):
    asset = await ready(site, drain, picture(17, 17))
    assert (await site.anonymous().get(asset["url"])).status == 401
    role = f"public{site.site}"[:30]
    assert (await admin.post("/roles", {"key": role, "name": role})).status == 201
    assert (await admin.put(f"/roles/{role}/permissions", [{"permission": "assets:read"}])).status == 200
    opened = await admin.patch(f"/sites/{site.site}", {"settings": {"public_role": role}})
    assert opened.status == 200, opened.raw
    answer = await site.anonymous().get(asset["url"])
    assert answer.status == 200 and answer.headers["Cache-Control"].startswith("public, max-age=31536000")
