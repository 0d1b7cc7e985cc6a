"""For the tests of content."""

import pytest

from tests.features.content.importing import form
from tests.features.content.stories import story_site


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
