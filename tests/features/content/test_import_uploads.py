"""What becomes of an import's upload when something breaks around it."""

import asyncio
import os
import socket
import sys

import aiohttp
import pytest

from scaicms.features.content import tasks
from scaicms.infra import db
from tests.chaos.proxy import COMMIT, Proxy, Trap
from tests.conftest import ADMIN, PASSWORD
from tests.engines import target_of, through
from tests.features.assets.pictures import picture
from tests.features.content.importing import archive, form

FILES = archive({f"p{n}.md": f"---\ntitle: P{n}\n---\nText.\n" for n in range(30)})


@pytest.fixture
def uploads(settings):
    folder = settings.home / "files" / "imports"

    def listed():
        return {path.name for path in folder.glob("*")} if folder.exists() else set()

    return listed


async def started(api, content=FILES, name="p.tar.gz", **values):
    answer = await api.call("POST", "/content/import", data=form(content, name, type="article", **values))
    assert answer.status == 202, answer.raw
    return f"/search/jobs/{answer.json['job_id']}"


async def again(path):
    """Let the lease run out that an attempt has left, or the time of the next one come."""
    job_id = path.rpartition("/")[2]
    await db.execute("UPDATE jobs SET lease_until = NULL, run_at = now() WHERE id = $1::uuid", job_id)


@pytest.fixture
async def finish_fails(database):
    """PostgreSQL refuses to mark imports as done: it is about to shut down, at that very statement."""
    await db.execute(
        """CREATE FUNCTION refuse_done() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF new.state = 'done' AND new.name = 'content.import' THEN
               RAISE EXCEPTION 'terminating' USING ERRCODE = 'admin_shutdown';
             END IF;
             RETURN new;
           END $$"""
    )
    await db.execute("CREATE TRIGGER refuse_done BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION refuse_done()")

    async def end():
        await db.execute("DROP FUNCTION IF EXISTS refuse_done() CASCADE")

    yield end
    await end()


async def test_an_import_whose_finish_breaks_keeps_its_upload_and_is_done_the_next_time(
    articles, drain, finish_fails, uploads
):
    before = uploads()
    path = await started(articles)
    for _ in range(3):
        await drain()
        assert (await articles.get(path)).json["state"] != "dead"
        assert len(uploads() - before) == 1
        await again(path)
    await finish_fails()
    await again(path)
    await drain()
    job = (await articles.get(path)).json
    assert (job["state"], job["result"]["created"], job["result"]["total"]) == ("done", 30, 30)
    assert uploads() == before


async def test_an_import_of_which_every_row_is_in_needs_no_upload_to_be_done(
    articles, drain, finish_fails, settings, uploads
):
    before = uploads()
    path = await started(articles)
    await drain()
    assert (await articles.get(path)).json["progress"]["done"] == 30
    for name in uploads() - before:
        (settings.home / "files" / "imports" / name).unlink()
    await finish_fails()
    await again(path)
    await drain()
    job = (await articles.get(path)).json
    assert (job["state"], job["result"]["created"]) == ("done", 30)


async def test_a_missing_upload_ends_an_import_at_once_and_plainly(articles, drain, settings, uploads):
    before = uploads()
    path = await started(articles)
    for name in uploads() - before:
        (settings.home / "files" / "imports" / name).unlink()
    await drain()
    job = (await articles.get(path)).json
    assert (job["state"], job["attempts"]) == ("dead", 1)
    assert job["last_error"] == tasks.MISSING_UPLOAD


async def test_a_cancelled_import_can_be_retried(articles, drain):
    path = await started(articles)
    assert (await articles.post(f"{path}/cancel")).status == 202
    await drain()
    assert (await articles.post(f"{path}/retry")).status == 202
    await drain()
    assert (await articles.get(path)).json["result"]["created"] == 30


@pytest.fixture
async def behind_proxy(database):
    """A web process of its own whose way to the database goes through a proxy: its address and the proxy."""
    proxy = Proxy(target_of(database.database_url))
    await proxy.start()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {
        **os.environ,
        "SCAICMS_ENV": "test",
        "SCAICMS_HOME": str(database.home),
        "SCAICMS_SECRET": database.secret.get_secret_value(),
        "DATABASE_URL": through(database.database_url, proxy.port),
        "REDIS_URL": database.redis_url,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "scaicms", "serve", "--port", str(port), env=env, stdout=-3, stderr=-3
    )
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        for _ in range(900):
            try:
                async with session.get("/healthz") as answer:
                    if answer.status == 200:
                        break
            except OSError:
                await asyncio.sleep(0.1)
        yield session, proxy
    process.kill()
    await process.wait()
    await proxy.stop()


@pytest.mark.parametrize("what", ["import", "asset"])
async def test_a_commit_that_is_acknowledged_too_late_loses_no_file(articles, drain, behind_proxy, what, settings):
    """The row is there although the caller got 503: so must be its bytes."""
    session, proxy = behind_proxy
    async with session.post("/api/v1/auth/login", json={"email": ADMIN, "password": PASSWORD}) as answer:
        token = (await answer.json())["access_token"]
    headers = {"Authorization": f"Bearer {token}", "X-Site-ID": articles.site}
    if what == "import":
        path, data = "/api/v1/content/import", form(FILES, "p.tar.gz", type="article")
    else:
        path, data = "/api/v1/assets", form(picture(33, 44), "p.png")
    trap = proxy.set_trap(Trap("cut_answer", COMMIT))
    async with session.post(path, data=data, headers=headers) as answer:
        assert answer.status == 503, await answer.text()
    assert trap.sprung.done()
    await drain()
    if what == "import":
        site_id = (await articles.get(f"/sites/{articles.site}")).json["id"]
        jobs = (await articles.get("/search/jobs?name=content.import")).json["items"]
        [job] = [job for job in jobs if job["site_id"] == site_id]
        assert (job["state"], job["result"]["created"]) == ("done", 30)
    else:
        [asset] = (await articles.get("/assets")).json["items"]
        assert asset["status"] == "ready"
        assert (await articles.call("GET", f"/assets/{asset['id']}/file")).status == 200


@pytest.mark.parametrize("values", [{"type": "nothing"}, {"type": "article", "mapping": '{"nothing": "x"}'}])
async def test_a_refused_import_leaves_no_upload(articles, uploads, values):
    before = uploads()
    answer = await articles.call("POST", "/content/import", data=form(FILES, **values))
    assert answer.status in (404, 422)
    assert uploads() == before
