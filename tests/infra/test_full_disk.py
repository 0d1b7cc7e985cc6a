"""A full disk, under the file store, the temporary folder or PostgreSQL: 507 with a sentence, and nothing is left."""

import contextlib
import resource
import tempfile

import pytest
from aiohttp import ClientPayloadError
from obstore.store import LocalStore

from scaicms.infra import db
from scaicms.infra.jobs.failures import DISK_FULL
from scaicms.kit.errors import StorageFullError
from tests.chaos.disk import SmallDisk
from tests.conftest import API
from tests.features.assets.pictures import picture, send, upload
from tests.features.content.importing import archive, form

SMALL_BYTES = 64 * 1024
SENTENCE = StorageFullError.message


class FullDisk(SmallDisk):
    """Where nothing can be mounted, files beyond a size are refused instead, by the kernel too."""

    def fill(self):
        if self.is_mounted:
            super().fill()
        else:
            self._before = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL_BYTES, self._before[1]))

    def clear(self):
        if self.is_mounted:
            super().clear()
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, self._before)

    @contextlib.contextmanager
    def full(self):
        self.fill()
        try:
            yield
        finally:
            self.clear()


@pytest.fixture
def disk(tmp_path):
    disk = FullDisk(tmp_path / "disk")
    disk.mount()
    yield disk
    disk.unmount()


@pytest.fixture
def store(disk, services, monkeypatch):
    """The file store on that disk."""
    monkeypatch.setattr(services.resources.storage, "_store", LocalStore(prefix=disk.folder, automatic_cleanup=True))
    monkeypatch.setattr(services.resources.storage, "folder", disk.folder)
    return disk


def left(disk):
    return sorted(str(path.relative_to(disk.folder)) for path in disk.folder.rglob("*") if path.name != "filler")


@pytest.mark.parametrize("size", [100_000, 400_000, 3_000_000])
async def test_an_upload_to_a_full_store_is_507_and_leaves_nothing(site, store, size, capsys):
    with store.full():
        answer = await send(site, b"x" * size, "a.bin", "application/octet-stream")
    assert (answer.status, answer.code, answer.json["detail"]["message"]) == (507, "storage_full", SENTENCE)
    assert left(store) == []
    assert "Traceback" not in capsys.readouterr().out
    assert (await site.get("/assets")).json["total"] == 0
    assert (await send(site, b"x" * size, "a.bin", "application/octet-stream")).status == 202


async def test_an_import_into_a_full_store_is_507_and_leaves_nothing(articles, store):
    before = (await articles.get("/search/jobs?name=content.import")).json["total"]
    with store.full():
        content = form(b"x" * 600_000, type="article")
        answer = await articles.call("POST", "/content/import", data=content)
    assert (answer.status, answer.code) == (507, "storage_full")
    assert left(store) == []
    assert (await articles.get("/search/jobs?name=content.import")).json["total"] == before


async def test_an_import_waits_until_its_worker_has_room_for_it(articles, disk, drain, monkeypatch):
    """Its temporary folder is full: it says so, without a path, and goes on later."""
    monkeypatch.setattr(tempfile, "tempdir", str(disk.folder))
    lines = b"\n".join(b'{"id": %d, "title": "T", "body": "%s"}' % (n, b"x" * 2000) for n in range(100))
    answer = await articles.call("POST", "/content/import", data=form(lines, "rows.ndjson", type="article"))
    path = f"/search/jobs/{answer.json['job_id']}"
    with disk.full():
        await drain()
    job = (await articles.get(path)).json
    assert job["state"] in ("deferred", "due")  # by now the pause of two seconds at most may be over
    assert job["last_error"] == DISK_FULL
    assert left(disk) == []
    await db.execute("UPDATE jobs SET run_at = now() WHERE id = $1::uuid", job["id"])
    await drain()
    assert (await articles.get(path)).json["result"]["created"] == 100


async def test_a_picture_is_read_later_when_its_variants_find_no_room(site, store, drain):
    asset = await upload(site, picture(1500, 1500))
    with store.full():
        for _ in range(5):
            await db.execute("UPDATE jobs SET run_at = now() WHERE id = $1::uuid", asset["job_id"])
            await drain()
    if not store.is_mounted:
        pytest.skip("nothing can be mounted here, and the variants are smaller than the limit")
    job = (await site.get(f"/search/jobs/{asset['job_id']}")).json
    assert "no space left" in job["last_error"]
    assert (await site.get(f"/assets/{asset['id']}")).json["status"] == "processing"
    await db.execute("UPDATE jobs SET run_at = now() WHERE id = $1::uuid", asset["job_id"])
    await drain()
    assert (await site.get(f"/assets/{asset['id']}")).json["status"] == "ready"


async def test_a_picture_is_read_later_when_the_worker_has_no_room_to_make_variants(site, disk, drain, monkeypatch):
    if not disk.is_mounted:
        pytest.skip("nothing can be mounted here, and the variants are smaller than the limit")
    monkeypatch.setattr(tempfile, "tempdir", str(disk.folder))
    asset = await upload(site, picture(1500, 1500))
    with disk.full():
        for _ in range(5):
            await db.execute("UPDATE jobs SET run_at = now() WHERE id = $1::uuid", asset["job_id"])
            await drain()
    job = (await site.get(f"/search/jobs/{asset['job_id']}")).json
    assert "no space left" in job["last_error"]
    await db.execute("UPDATE jobs SET run_at = now() WHERE id = $1::uuid", asset["job_id"])
    await drain()
    assert (await site.get(f"/assets/{asset['id']}")).json["status"] == "ready"


@contextlib.asynccontextmanager
async def full_database():
    """PostgreSQL itself says that its disk is full, for new items and assets."""
    tables = ("items", "asset_files")
    for table in tables:
        await db.execute(
            f"""CREATE FUNCTION full_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                  RAISE EXCEPTION 'could not extend file "base/1/2": No space left' USING ERRCODE = 'disk_full';
                END $$"""
        )
        await db.execute(
            f"CREATE TRIGGER full_{table} BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION full_{table}()"
        )
    try:
        yield
    finally:
        for table in tables:
            await db.execute(f"DROP FUNCTION IF EXISTS full_{table}() CASCADE")


async def test_a_full_database_is_507_on_every_route_that_writes(articles, capsys):
    body = {"type": "article", "data": {"title": "T"}}
    async with full_database():
        made = await articles.post("/content", body)
        sent = await send(articles, b"some bytes", "a.bin", "application/octet-stream")
    for answer in (made, sent):
        assert (answer.status, answer.code) == (507, "storage_full")
        assert b"base/" not in answer.raw
    assert "Traceback" not in capsys.readouterr().out
    assert (await articles.post("/content", body)).status == 201


async def test_a_job_that_meets_a_full_database_goes_on_later(articles, drain):
    answer = await articles.call("POST", "/content/import", data=form(archive({"a.md": "# A"}), type="article"))
    async with full_database():
        await drain()
    job = (await articles.get(f"/search/jobs/{answer.json['job_id']}")).json
    assert job["state"] in ("deferred", "due")  # by now the pause of two seconds at most may be over
    assert "base/" not in str(job)
    await db.execute("UPDATE jobs SET run_at = now() WHERE id = $1::uuid", job["id"])
    await drain()
    assert (await articles.get(f"/search/jobs/{job['id']}")).json["result"]["created"] == 1


async def test_uploads_need_no_temporary_folder(articles, tmp_path, monkeypatch):
    """Their bytes go to the store as they come; a full temporary folder is no trouble of theirs."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "there is none"))
    assert (await send(articles, b"x" * 3_000_000, "a.bin", "application/octet-stream")).status == 202
    lines = b'{"id": 1, "title": "T"}\n'
    answer = await articles.call("POST", "/content/import", data=form(lines, "rows.ndjson", type="article"))
    assert answer.status == 202


async def test_an_export_without_room_to_read_ahead_is_refused_or_cut(articles, disk, monkeypatch, capsys):
    monkeypatch.setattr(tempfile, "tempdir", str(disk.folder))
    for number in range(5):
        body = {"type": "article", "data": {"title": f"T{number}", "body": "words " * 30_000}}
        assert (await articles.post("/content", body)).status == 201
    path, headers = f"{API}/content/export", {"Authorization": f"Bearer {articles.token}", "X-Site-ID": articles.site}
    with disk.full():
        async with articles.client.get(path, headers=headers) as answer:
            if answer.status == 200:
                with pytest.raises(ClientPayloadError):
                    await answer.read()
            else:
                assert (answer.status, (await answer.json())["detail"]["code"]) == (507, "storage_full")
    assert left(disk) == []
    assert "Traceback" not in capsys.readouterr().out
    whole = await articles.get("/content/export")
    assert (whole.status, whole.raw.count(b'"kind":"item"')) == (200, 5)
