"""A taxonomy with a few terms, and asking for its tree."""

import pytest
import pytest_asyncio

from tests.conftest import Api


class Topics:
    """The taxonomy `topics` of one site."""

    def __init__(self, api: Api) -> None:
        self.api = api

    async def add(self, name, parent=None, **given):
        answer = await self.api.post("/taxonomies/topics/terms", {"name": name, "parent_id": parent, **given})
        assert answer.status == 201, answer.raw
        return answer.json["id"]

    async def move(self, term, parent, position=None):
        to = {"parent_id": parent, "position": position}
        return await self.api.post(f"/taxonomies/topics/terms/{term}/move", to)

    async def merge(self, term, into):
        return await self.api.post(f"/taxonomies/topics/terms/{term}/merge", {"into": into})

    async def read(self, term):
        return (await self.api.get(f"/taxonomies/topics/terms/{term}")).json

    async def tree(self):
        """The tree as {slug: {slug: …}}; positions and ancestors are checked on the way."""
        answer = await self.api.get("/taxonomies/topics/terms?tree=true&page_size=200")
        assert answer.status == 200, answer.raw
        return self._checked(answer.json["items"], [])

    def _checked(self, terms, ancestors):
        assert [term["position"] for term in terms] == list(range(len(terms)))
        assert all(term["ancestors"] == ancestors and term["depth"] == len(ancestors) for term in terms)
        return {term["slug"]: self._checked(term["children"], [*ancestors, term["id"]]) for term in terms}


@pytest.fixture
def topics_of():
    return Topics


@pytest_asyncio.fixture
async def topics(site):
    assert (await site.post("/taxonomies", {"key": "topics", "name": "Topics"})).status == 201
    return Topics(site)
