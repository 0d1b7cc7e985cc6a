"""For the tests of content."""

import asyncio
import os
import sys

import pytest

from tests.conftest import ARTICLE
from tests.features.content.importing import form
from tests.features.content.stories import story_site
from tests.features.content.workflows import WORKFLOW


@pytest.fixture
async def staged(site):
    """A site whose articles go through stages."""
    answer = await site.post("/content-types", {**ARTICLE, "workflow": WORKFLOW})
    assert answer.status == 201, answer.raw
    return site


@pytest.fixture
async def stories(admin, site):
    return await story_site(admin, site)


@pytest.fixture
async def run(articles, drain):
    """Import, wait, and give the finished job."""

    async def run(content, name="posts.tar.gz", **values):
        answer = await articles.call(
            "POST", "/content/import", data=form(content, name, **{"type": "article", **values})
        )
        assert answer.status == 202, answer.raw
        assert answer.headers["Location"].endswith(answer.json["job_id"])
        await drain()
        return (await articles.get(f"/search/jobs/{answer.json['job_id']}")).json

    return run


@pytest.fixture
def command(database):
    """`scaicms` in a process of its own, over the engines of the tests."""
    env = {
        **os.environ,
        "SCAICMS_ENV": "test",
        "SCAICMS_HOME": str(database.home),
        "SCAICMS_SECRET": database.secret.get_secret_value(),
        "DATABASE_URL": database.database_url,
        "REDIS_URL": database.redis_url,
    }

    async def run(*arguments, **more):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "scaicms", *arguments, env={**env, **more}, stdout=-1, stderr=-2
        )
        said, _ = await process.communicate()
        return process.returncode, said.decode()

    return run
