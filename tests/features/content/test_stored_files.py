"""Stored files without a row are removed, whatever left them; everything else stays."""

import os
import time
from datetime import timedelta

import pytest
from obstore.store import S3Store

from scaicms.features.assets.jobs import SWEEP_STORAGE, SweepPayload
from scaicms.features.content.tasks import MISSING_UPLOAD
from scaicms.infra import db
from scaicms.infra.jobs import enqueue
from scaicms.infra.storage import Storage
from scaicms.infra.storage.sweep import sweep
from scaicms.kit.ids import new_id
from tests.chaos.object_store import BUCKET, serve_objects
from tests.features.assets.pictures import picture, upload
from tests.features.content.importing import archive, form

LEFT = b"x" * 1000
DAYS = 2 * 24 * 3600


def age(path, seconds=DAYS):
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


def left_behind(files, seconds=DAYS):
    """What killed processes have left: blobs without a row, parts of blobs, folders. Their paths."""
    made = []
    for key in (
        f"assets/{new_id()}/original",
        f"assets/{new_id()}/small",
        f"assets/{new_id()}/original#1",
        f"imports/{new_id()}",
        f"imports/{new_id()}#12",
    ):
        path = files / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(LEFT)
        made.append(path)
    made.append(files / "assets" / str(new_id()))
    made[-1].mkdir()
    for path in made:
        age(path, seconds)
        if path.parent.name != "imports":
            age(path.parent, seconds)
    return made


@pytest.fixture
def files(settings):
    """The store; what a test has left in it for the sweep is removed."""
    yield settings.home / "files"
    for path in (settings.home / "files").rglob("*"):
        if path.is_file() and path.read_bytes() == LEFT:
            path.unlink()


async def swept(drain):
    async with db.transaction():
        job = await enqueue(SWEEP_STORAGE.request(SweepPayload(), site_id=None))
    await drain()
    return job


async def test_the_sweep_removes_what_no_row_names_and_nothing_else(articles, files, drain, admin):
    asset = await upload(articles, picture())
    await drain()
    waiting = await articles.call("POST", "/content/import", data=form(b"x", "a.gz", type="article"))
    kept = [path for path in files.rglob("*") if path.is_file()]
    for path in kept:
        age(path)
    young = left_behind(files, 600)
    old = left_behind(files)
    job = (await admin.at(articles.site).get(f"/search/jobs/{await swept(drain)}")).json
    assert job["state"] == "done"
    assert not [path for path in old if path.exists()]
    assert not [path.parent for path in old if path.parent.exists() and path.parent.name not in ("assets", "imports")]
    assert all(path.exists() for path in young)
    assert job["result"]["bytes"] >= 5000
    assert job["result"]["by_kind"].keys() == {"assets", "imports"}
    assert (await articles.call("GET", f"/assets/{asset['id']}/file")).status == 200
    dead = (await articles.get(f"/search/jobs/{waiting.json['job_id']}")).json
    assert dead["state"] == "dead"  # it can be retried: its upload is still needed
    assert MISSING_UPLOAD not in dead["last_error"]
    retried = await articles.post(f"/search/jobs/{waiting.json['job_id']}/retry")
    await drain()
    again = (await articles.get(f"/search/jobs/{retried.json['id']}")).json
    assert again["last_error"] == dead["last_error"]


async def test_the_sweep_tells_prometheus_how_much_it_removed(files, drain, client):
    async def removed():
        text = await (await client.get("/metrics")).text()
        lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("scaicms_storage_swept_"))
        return float(lines.get('scaicms_storage_swept_bytes_total{kind="imports"}', 0))

    before = await removed()
    left_behind(files)
    await swept(drain)
    assert await removed() >= before + 2000


async def test_the_command_lists_in_a_dry_run_and_removes_without(command, files):
    old = left_behind(files)
    code, out = await command("storage", "sweep", "--dry-run")
    assert code == 0, out
    assert str(old[0].relative_to(files)) in out
    assert "would be removed" in out
    assert all(path.exists() for path in old)
    code, out = await command("storage", "sweep", "--grace", "72")
    assert all(path.exists() for path in old), out
    code, out = await command("storage", "sweep")
    assert code == 0, out
    assert not any(path.exists() for path in old)
    assert (await command("storage", "sweep", "--grace", "0.5"))[0] == 2


async def test_the_sweep_goes_on_in_another_turn(files, drain, monkeypatch, articles):
    monkeypatch.setattr("scaicms.infra.storage.sweep.BATCH", 2)
    monkeypatch.setattr("scaicms.features.assets.tasks.SWEEP_SECONDS", 0.0)
    old = [path for _ in range(5) for path in left_behind(files)]
    job = (await articles.get(f"/search/jobs/{await swept(drain)}")).json
    assert (job["state"], job["attempts"]) == ("done", 1)
    assert not [path for path in old if path.exists()]


async def test_a_worker_that_starts_removes_folders_of_killed_ones(command, tmp_path):
    for name, seconds in {"scaicms-job-old": DAYS, "scaicms-job-young": 60, "other": DAYS}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "upload").write_bytes(b"x")
        age(tmp_path / name, seconds)
    code, out = await command("storage", "sweep", "--dry-run", TMPDIR=str(tmp_path))
    assert code == 0, out
    assert {path.name for path in tmp_path.iterdir()} == {"scaicms-job-young", "other"}


async def test_deleting_an_asset_leaves_no_empty_folder(articles, files, drain):
    asset = await upload(articles, picture(color="blue"))
    await drain()
    before = {path.name for path in (files / "assets").iterdir()}
    assert (await articles.delete(f"/assets/{asset['id']}")).status == 204
    await drain()
    after = {path.name for path in (files / "assets").iterdir()}
    assert len(before - after) == 1
    assert not after - before


async def test_a_finished_import_leaves_nothing_in_the_store(articles, files, run):
    before = set((files / "imports").glob("*")) if (files / "imports").exists() else set()
    assert (await run(archive({"a.md": "---\ntitle: A\n---\n"})))["state"] == "done"
    assert set((files / "imports").glob("*")) <= before


async def test_a_grace_period_that_would_hit_running_uploads_is_refused(services):
    with pytest.raises(ValueError, match="at least"):
        await anext(sweep(services.resources.storage, grace=timedelta(minutes=5)))


async def test_an_object_store_is_swept_in_the_same_way(services):
    """By listing, a page at a time: nothing of it needs a local folder."""
    async with serve_objects() as objects:
        store = S3Store(
            BUCKET,
            endpoint=f"http://127.0.0.1:{objects.port}",
            access_key_id="key",
            secret_access_key="secret",
            region="eu-central-1",
            client_options={"allow_http": True},
        )
        storage = Storage(store)
        for number in range(5):
            await put(storage, f"assets/{new_id()}/original", number)
        await put(storage, f"imports/{new_id()}", 1)
        await put(storage, "elsewhere/of-others", 1)
        async for _ in sweep(storage, grace=timedelta(days=1)):
            pass
        assert len(objects.objects) == 7
        objects.age = timedelta(days=2)
        async for found, _ in sweep(storage, grace=timedelta(days=1)):
            last = found
        assert (last.files, list(objects.objects)) == (6, ["elsewhere/of-others"])


async def put(storage, key, size):
    async with storage.writing(key) as writer:
        await writer.write(b"x" * size)
