"""For the tests of content."""

import pytest

from tests.features.content.stories import story_site


@pytest.fixture
async def stories(admin, site):
    return await story_site(admin, site)
