"""Files that were made to do harm, and requests that were."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from scaicms.features.assets import processing, routes
from scaicms.infra import db
from scaicms.infra.media import MediaReader, UnreadableError, reading
from scaicms.infra.media import process as image_process
from tests.features.assets.pictures import SVG, bomb, picture, ready, send, upload


async def failed(api, drain, data, name="picture.png"):
    made = await upload(api, data, name)
    await drain()
    asset = (await api.get(f"/assets/{made['id']}")).json
    assert asset["status"] == "failed", asset
    served = await api.get(asset["url"])
    assert served.headers["Content-Type"] == asset["content_type"] == "application/octet-stream"
    assert served.headers["Content-Disposition"].startswith("attachment;")
    return asset


async def test_a_picture_of_too_many_pixels_is_not_unpacked(site, drain):
    data = bomb(30_000, 30_000)
    assert len(data) < 200_000
    assert "pixels" in (await failed(site, drain, data))["problem"]


async def test_forty_megapixels_are_read_within_the_bounds(site, drain):
    asset = await ready(site, drain, bomb(8_000, 5_000))
    assert (asset["width"], asset["height"], asset["color"]) == (8_000, 5_000, "#000000")


async def test_a_truncated_picture_is_none(site, drain):
    whole = picture(300, 300, kind="JPEG", quality=95)
    assert "cannot be read" in (await failed(site, drain, whole[: len(whole) // 2], "half.jpg"))["problem"]
    await failed(site, drain, picture(300, 301)[:-30])


@pytest.mark.parametrize("head", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"RIFF\x10\0\0\0WEBP"])
async def test_what_only_begins_like_a_picture_is_none(site, drain, head):
    await failed(site, drain, head + b"<script>alert(1)</script>" * 20)


async def test_a_picture_that_is_a_page_too_stays_a_picture(site, drain):
    """Shown in place, by its own type, and sandboxed: no browser runs what is behind its end."""
    data = picture(30, 30, kind="GIF") + b"<html><script>alert(1)</script></html>"
    asset = await ready(site, drain, data, "polyglot.html")
    served = await site.get(asset["url"])
    assert asset["content_type"] == served.headers["Content-Type"] == "image/gif"
    assert (
        served.headers["X-Content-Type-Options"] == "nosniff" and "sandbox" in served.headers["Content-Security-Policy"]
    )


async def test_what_the_client_calls_it_counts_for_nothing(site, drain):
    for claimed in ("image/png", "text/html", "nonsense", "image/svg+xml"):
        made = await send(site, SVG, "x.png", content_type=claimed)
        await drain()
        assert (await site.get(f"/assets/{made.json['id']}")).json["content_type"] == "image/svg+xml"
    asset = await ready(site, drain, picture(31, 31), "evil.html")
    assert asset["content_type"] == "image/png"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/", "upload"),
        ("..", "upload"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("x" * 300 + ".png", "x" * 255),
    ],
)
async def test_names_lead_nowhere(site, services, given, kept):
    asset = await upload(site, picture(32, 32), given)
    assert asset["filename"] == kept
    stored = services.resources.settings.home / "files"
    assert {path.name for path in stored.rglob("*") if path.is_file() and path.parent.name} <= {
        "original", "small", "medium", "large", *(path.name for path in (stored / "imports").glob("*")),
    }  # fmt: skip


async def test_requests_are_refused_that_no_form_is(site, client):
    head = {"Authorization": f"Bearer {site.token}", "X-Site-ID": site.site}
    multipart = {**head, "Content-Type": "multipart/form-data; boundary=b"}

    async def post(body, headers=multipart):
        async with client.post("/api/v1/assets", data=body, headers=headers) as answer:
            return answer.status, (await answer.json())["detail"]["code"]

    assert await post(b"{}", {**head, "Content-Type": "application/json"}) == (415, "unsupported_media_type")
    huge = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="' + b"a" * 100_000 + b'"\r\n\r\nx\r\n--b--\r\n'
    )
    assert (await post(huge))[0] == 400
    assert await post(b"no boundary at all") == (400, "invalid_multipart")
    assert (await send(site, b"", "empty.png")).status == 422
    assert (await send(site, picture(), colour="red")).status == 422
    assert (await send(site, picture(), folder="../up")).status == 422
    assert (await send(site, picture(), tags=",".join(f"t{n}" for n in range(51)))).status == 422
    assert (await send(site, picture(), title="x" * 1001)).status == 422
    keyed = await site.call("POST", "/assets", data={"title": "x"}, headers={"Idempotency-Key": "k"})
    assert keyed.status == 400


async def test_a_file_is_counted_while_it_arrives(site, services, monkeypatch):
    folder = services.resources.settings.home / "files" / "assets"
    before = len(list(folder.rglob("original"))) if folder.exists() else 0
    monkeypatch.setattr(routes, "IMAGE_BYTES", 50_000)
    refused = await send(site, picture() + b"\0" * 60_000)
    assert (refused.status, refused.code) == (413, "too_large")
    assert (await send(site, b"words " * 20_000, "long.txt")).status == 202, "what is no image may have more"
    assert len(list(folder.rglob("original"))) == before + 1, "what was refused is not kept"


async def test_an_upload_that_stops_is_cut_off(site, client, services):
    async def slowly():
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n' + bytes(5_000_000)
        await asyncio.sleep(10)  # longer than a body may stand still; the answer does not wait for it
        yield b"\r\n--b--\r\n"

    headers = {
        "Authorization": f"Bearer {site.token}",
        "X-Site-ID": site.site,
        "Content-Type": "multipart/form-data; boundary=b",
    }
    folder = services.resources.settings.home / "files" / "assets"
    before = {path for path in folder.rglob("*") if path.is_file()}
    async with asyncio.timeout(8), client.post("/api/v1/assets", data=slowly(), headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["detail"]["code"] == "body_timeout"
    assert (await site.get("/assets")).json["total"] == 0
    assert {path for path in folder.rglob("*") if path.is_file()} == before, "nothing of it is kept"


def reading_processes():
    """Those of this test process that read files."""
    script = str(reading.SCRIPT)
    return [child for child in psutil.Process().children(recursive=True) if script in child.cmdline()]


async def killed(number=signal.SIGKILL):
    """End the next process that reads a file."""
    async with asyncio.timeout(10):
        while not (found := reading_processes()):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)
    os.kill(found[0].pid, number)


async def test_a_process_that_is_killed_is_tried_again(site, drain, monkeypatch):
    monkeypatch.setattr(processing, "RETRY_SECONDS", 0.0)
    made = await upload(site, bomb(7_000, 5_001))
    await asyncio.gather(killed(), drain())
    await drain()
    asset = (await site.get(f"/assets/{made['id']}")).json
    assert (asset["status"], asset["width"]) == ("ready", 7_000)
    row = await db.fetchrow("SELECT f.attempts FROM asset_files f JOIN assets a ON a.file_id = f.id WHERE a.id = $1",
                            made["id"])  # fmt: skip
    assert row["attempts"] == 2


async def test_a_file_that_ends_every_process_fails_at_last(site, drain, monkeypatch, tmp_path):
    script = tmp_path / "dies.py"
    script.write_text("import os; os.abort()")
    monkeypatch.setattr(reading, "SCRIPT", script)
    monkeypatch.setattr(processing, "RETRY_SECONDS", 0.0)
    made = await upload(site, picture(33, 33))
    for _ in range(6):
        await drain()
    asset = (await site.get(f"/assets/{made['id']}")).json
    assert asset["status"] == "failed" and "broken off" in asset["problem"]


@pytest.mark.parametrize(
    "program",
    [
        "import time; time.sleep(60)",
        "print('x' * 10_000_000)",
        """print('{"content_type": "a/b", "variants": [{"name": "../x", "width": 9, "height": 9, "size": 9}]}')""",
        "print('[]')",
    ],
)
async def test_nothing_that_the_process_says_is_believed_unchecked(tmp_path, monkeypatch, program):
    script = tmp_path / "taken_over.py"
    script.write_text(program)
    monkeypatch.setattr(reading, "SCRIPT", script)
    with pytest.raises((UnreadableError, reading.InterruptedReadError)):
        await MediaReader(seconds=0.5).read(tmp_path / "file", tmp_path, filename="a.png", raster_type="image/png")
    assert not reading_processes()


async def test_the_process_has_bounds_and_nothing_of_our_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    source = Path(image_process.__file__).parent
    script = tmp_path / "tells.py"
    script.write_text(
        f"import sys, os, json, resource; sys.path.insert(0, {str(source)!r}); import process; process.bound()\n"
        "told = {'exif': {'AS': float(resource.getrlimit(resource.RLIMIT_AS)[0]), 'cpu': "
        "float(resource.getrlimit(resource.RLIMIT_CPU)[1]), 'secrets': float('DATABASE_URL' in os.environ)}}\n"
        "print(json.dumps({'content_type': 'image/png', **told}))"
    )
    monkeypatch.setattr(reading, "SCRIPT", script)
    facts = await MediaReader().read(tmp_path / "file", tmp_path, filename="a.png", raster_type="image/png")
    assert facts.exif == {"AS": float(1 << 30), "cpu": 40.0, "secrets": 0.0}


async def test_a_file_that_is_missing_in_the_storage_fails(site, drain, services):
    made = await upload(site, picture(34, 34))
    file_id = await db.fetchval("SELECT file_id FROM assets WHERE id = $1", made["id"])
    await services.resources.storage.delete(f"assets/{file_id}/original")
    await drain()
    assert "missing" in (await site.get(f"/assets/{made['id']}")).json["problem"]
    away = await site.get(made["url"])
    assert (away.status, away.code) == (503, "unavailable")
    again = await upload(site, picture(34, 34))
    await drain()
    assert {(await site.get(f"/assets/{one['id']}")).json["status"] for one in (made, again)} == {"ready"}
    assert (await site.get(made["url"])).raw == picture(34, 34)


async def test_a_process_ends_with_the_worker_that_started_it(tmp_path):
    """Killed, a worker cannot end what it has begun."""
    (tmp_path / "bomb.png").write_bytes(bomb(8_000, 5_000))
    command = [sys.executable, "-P", str(reading.SCRIPT), str(tmp_path / "bomb.png"), str(tmp_path), "x", "image/png"]
    program = f"import subprocess, time; print(subprocess.Popen({command!r}).pid, flush=True); time.sleep(60)"
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    child = psutil.Process(int(await worker.stdout.readline()))
    async with asyncio.timeout(10):
        while str(reading.SCRIPT) not in child.cmdline() or child.nice() == 0:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    worker.kill()
    await worker.wait()
    gone, _ = await asyncio.to_thread(psutil.wait_procs, [child], 0.5)
    assert gone or child.status() == psutil.STATUS_ZOMBIE


async def test_what_nobody_reads_any_more_is_read_when_it_arrives_again(site, drain):
    first = await upload(site, picture(35, 35))
    await db.execute("UPDATE jobs SET state = 'dead' WHERE id = $1", first["job_id"])
    second = await upload(site, picture(35, 35))
    assert second["job_id"] != first["job_id"]
    third = await upload(site, picture(35, 35))
    assert third["job_id"] == second["job_id"], "somebody is about to"
    await drain()
    for one in (first, second, third):
        assert (await site.get(f"/assets/{one['id']}")).json["status"] == "ready"
        assert (await site.get(one["url"])).raw == picture(35, 35)
