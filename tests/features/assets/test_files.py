"""Sending files: in place or to be saved, whole or in part, as long as nothing of them can run."""

import io
import zipfile

import pytest

from tests.features.assets.pictures import SVG, picture, ready, upload

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def zipped():
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a.txt", "words")
    return made.getvalue()


@pytest.fixture
async def asset(site, drain):
    return await ready(site, drain, picture(400, 300), "bild.png")


async def test_a_picture_is_shown_in_place_and_may_be_kept_for_ever(site, asset):
    answer = await site.get(asset["url"])
    assert answer.raw == picture(400, 300)
    about = answer.headers
    assert about["Content-Type"] == "image/png" and about["Content-Disposition"].startswith(
        'inline; filename="bild.png"'
    )
    assert about["Cache-Control"] == "private, max-age=31536000, immutable"
    assert about["X-Content-Type-Options"] == "nosniff" and "sandbox" in about["Content-Security-Policy"]
    assert "Authorization" in about["Vary"]
    plain = await site.get(f"/assets/{asset['id']}/file")
    assert plain.headers["Cache-Control"] == "private, no-cache" and plain.headers["ETag"] == about["ETag"]
    other = await site.get(f"/assets/{asset['id']}/file?v=0123456789abcdef")
    assert (other.status, other.code) == (404, "variant_not_found")
    had = await site.get(asset["url"], headers={"If-None-Match": about["ETag"]})
    assert (had.status, had.raw) == (304, b"")


async def test_variants_are_pictures_of_their_own(site, asset):
    small = asset["variants"][0]
    answer = await site.get(small["url"])
    assert answer.status == 200 and answer.headers["Content-Type"] == "image/webp"
    assert len(answer.raw) == small["size"] and answer.raw[8:12] == b"WEBP"
    assert answer.headers["ETag"] != (await site.get(asset["url"])).headers["ETag"]
    assert (await site.get(f"/assets/{asset['id']}/file?variant=../original")).status == 404
    assert (await site.get(f"/assets/{asset['id']}/file?variant=large")).status == 404


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        ("bytes=0-9", (0, 10)),
        ("bytes=10-", (10, None)),
        ("bytes=-5", (-5, None)),
        ("bytes=-100000", (0, None)),
        ("bytes=5-100000", (5, None)),
    ],
)
async def test_a_part_is_sent_where_one_is_asked_for(site, asset, asked, got):
    whole = picture(400, 300)
    answer = await site.get(asset["url"], headers={"Range": asked})
    wanted = whole[got[0] : got[1]]
    start = got[0] % len(whole)
    assert (answer.status, answer.raw) == (206, wanted)
    assert answer.headers["Content-Range"] == f"bytes {start}-{start + len(wanted) - 1}/{len(whole)}"
    assert answer.headers["Content-Length"] == str(len(wanted))


async def test_parts_that_are_none_are_refused_or_overlooked(site, asset):
    size = asset["size"]
    beyond = await site.get(asset["url"], headers={"Range": f"bytes={size}-"})
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")
    assert (await site.get(asset["url"], headers={"Range": "bytes=-0"})).status == 416
    for odd in ("bytes=5-2", "bytes=0-1,4-5", "lines=1-2", "bytes=-", "bytes=x-1", "bytes=" + "9" * 40 + "-"):
        answer = await site.get(asset["url"], headers={"Range": odd})
        assert (answer.status, len(answer.raw)) == (200, size), odd
    etag = (await site.get(asset["url"])).headers["ETag"]
    for validator, status in ((etag, 206), ('"other"', 200)):
        answer = await site.get(asset["url"], headers={"Range": "bytes=0-1", "If-Range": validator})
        assert answer.status == status


async def test_a_head_tells_all_but_the_bytes(site, asset):
    answer = await site.call("HEAD", asset["url"])
    assert (answer.status, answer.raw, answer.headers["Content-Length"]) == (200, b"", str(asset["size"]))
    assert answer.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("name", "data", "content_type"),
    [
        ("drawing.svg", SVG, "image/svg+xml"),
        ("page.html", b"<!DOCTYPE html><script>alert(1)</script>", "text/html"),
        ("looks.png", b"<html><script>alert(1)</script></html>", "text/html"),
        ("data.json", b'{"a": 1}', "application/json"),
        ("rows.csv", b"a,b\n1,2\n", "text/csv"),
        ("paper.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n", "application/pdf"),
        ("noise.bin", bytes(range(256)) * 4, "application/octet-stream"),
        ("noise.txt", bytes(range(1, 256)) * 400, "application/octet-stream"),
        ("long.txt", "ä".encode() * 40_000, "text/plain"),
        ("odd.txt", b"x" + "ä".encode() * 40_000, "text/plain"),
        ("latin.txt", "Grüße".encode("latin-1"), "application/octet-stream"),
        ("archive.zip", zipped(), "application/zip"),
        ("book.pdf", zipped(), "application/zip"),
        ("letter.docx", zipped(), DOCX),
        ("film.mov", b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(100), "video/mp4"),
    ],
)
async def test_what_is_no_picture_is_saved_and_never_shown(site, drain, name, data, content_type):
    asset = await ready(site, drain, data, name)
    assert (asset["content_type"], asset["variants"], asset["width"]) == (content_type, [], None)
    answer = await site.get(asset["url"])
    assert answer.raw == data
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_what_is_not_read_yet_is_saved_as_what_nobody_knows_and_not_kept(site, drain):
    asset = await upload(site, picture(21, 21))
    answer = await site.get(asset["url"])
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.headers["Cache-Control"] == "private, no-cache"
    await drain()
    again = await site.get(asset["url"], headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.headers["Content-Type"]) == (200, "image/png")
    assert again.headers["Cache-Control"].endswith("immutable")


async def test_names_in_any_script_survive_the_header(site, drain):
    asset = await ready(site, drain, picture(22, 22), 'Grüße "東京" \\ 100%.png')
    assert asset["filename"] == "100%.png", "what stands before the last separator is a folder"
    asset = await ready(site, drain, picture(22, 22), "Grüße 東京;.png")
    about = (await site.get(asset["url"])).headers["Content-Disposition"]
    assert about == "inline; filename=\"Gr__e __;.png\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%E6%9D%B1%E4%BA%AC%3B.png"


async def test_another_site_has_no_part_in_it(site, admin, asset):
    key = f"{site.site}x"
    assert (await admin.post("/sites", {"key": key, "name": key})).status == 201
    for path in (f"/assets/{asset['id']}", asset["url"], asset["variants"][0]["url"]):
        answer = await admin.at(key).get(path)
        assert (answer.status, answer.code) == (404, "asset_not_found")
    assert (await admin.at(key).delete(f"/assets/{asset['id']}")).status == 404
    assert (await admin.at(key).get("/assets")).json["items"] == []
