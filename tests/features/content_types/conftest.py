"""Fixtures of content types."""

import pytest

from tests.features.content_types.things import FIELDS


@pytest.fixture
async def things(site):
    answer = await site.post("/content-types", {"key": "thing", "name": "Thing", "fields": FIELDS})
    assert answer.status == 201, answer.raw
    return site
