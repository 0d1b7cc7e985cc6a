"""For the tests of features."""

import pytest


@pytest.fixture
async def unlimited(services):
    """All tests of a process call from one address: what earlier ones tried does not count against the next."""
    redis = services.resources.redis
    await redis.delete("none", *await redis.keys("scaicms:limits*-ip*"))
