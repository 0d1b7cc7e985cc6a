"""Reading by the fields of a type that get other names at the same moment."""

import pytest

from scaicms.features.content_types.service import ContentTypeService
from tests.features.content_types.things import FIELDS, TITLE, apply, replaced

FRIEND = {"key": "friend", "type": "relation", "target": "thing"}
RENAMED = [
    {**TITLE, "key": "headline", "renamed_from": "title"},
    {**FRIEND, "renamed_from": "link"},
]


@pytest.fixture
async def renamed(site, services, drain):
    """Two things whose fields have other names, of which this process has not heard yet."""
    assert (await site.post("/content-types", {"key": "thing", "name": "Thing", "fields": FIELDS})).status == 201
    made = []
    for data in ({"title": "One"}, {"title": "Two"}):
        if made:
            data["link"] = made[0]
        answer = await site.post("/content", {"type": "thing", "data": data, "publish": True})
        made.append(answer.json["id"])
    types = services.get(ContentTypeService)
    assert (await site.get("/content?type=thing&filter[data.title]=One")).json["total"] == 1
    known = dict(types._compiled)
    fields = [field for field in replaced("title", *RENAMED) if field["key"] != "link"]
    await apply(site, fields, drain)
    site.ids = made

    def late():
        types._compiled.clear()
        types._compiled.update(known)

    site.late = late
    return site


@pytest.mark.parametrize(
    "query",
    [
        "filter[data.title]=One",
        "filter[data.link.data.title]=One",
        "filter[not][data.title]=One",
        "sort=data.title",
        "fields=data.title",
        "filter[data.title]=One&cursor=",
        "status=any&filter[data.title]=One",
        "include=link",
    ],
)
async def test_a_name_of_before_is_refused_and_the_new_one_is_taken(renamed, query):
    renamed.late()
    old = await renamed.get(f"/content?type=thing&{query}")
    assert old.status == 400, old.raw
    renamed.late()
    asked = query.replace("title", "headline").replace("link", "friend")
    new = await renamed.get(f"/content?type=thing&{asked}")
    assert (new.status, bool(new.json.get("items"))) == (200, True), new.raw


@pytest.mark.parametrize("path", ["/content/{}", "/content/by-slug/thing/two"])
async def test_what_is_included_goes_by_the_relations_that_there_are(renamed, path):
    path = path.format(renamed.ids[1])
    renamed.late()
    assert (await renamed.get(f"{path}?include=link")).code == "invalid_include"
    renamed.late()
    answer = (await renamed.get(f"{path}?include=friend")).json
    assert (answer["data"]["friend"], *answer["included"]) == (renamed.ids[0], renamed.ids[0])
