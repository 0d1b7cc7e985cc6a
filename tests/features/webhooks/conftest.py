"""For the tests of webhooks."""

import pytest_asyncio

from tests.features.webhooks.receiver import receiving


@pytest_asyncio.fixture
async def receiver():
    async with receiving() as one:
        yield one
