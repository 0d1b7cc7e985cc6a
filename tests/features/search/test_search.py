"""Publishing is found, unpublishing is not, by way of the queue."""

from scaicms.features.search.jobs import INDEX_CONTENT, IndexPayload
from scaicms.infra import db
from scaicms.infra.jobs import enqueue


async def publish(api, title, **data):
    answer = await api.post("/content", {"type": "article", "data": {"title": title, **data}, "publish": True})
    assert answer.status == 201
    return answer.json


async def found(api, words, **query):
    answer = await api.get("/search", params={"q": words, **query})
    assert answer.status == 200, answer.raw
    return [item["data"]["title"] for item in answer.json["items"]]


async def test_published_content_is_found_once_a_worker_has_indexed_it(articles, drain):
    item = await publish(articles, "Ownership", body="The **borrow checker** explained.")
    job = await articles.get(f"/search/jobs/{item['job_ids'][0]}")
    assert (job.json["state"], job.json["queue"], job.json["name"]) == ("due", "search", "search.index_content")
    assert await found(articles, "borrow checker") == []
    await drain()
    assert await found(articles, "borrow checker") == ["Ownership"]
    assert (await articles.get(f"/search/jobs/{item['job_ids'][0]}")).json["state"] == "done"


async def test_titles_weigh_more_and_words_are_stemmed(articles, drain):
    await publish(articles, "Something", body="It mentions lifetimes once, in passing.")
    await publish(articles, "Lifetimes", body="All about them.")
    await drain()
    assert await found(articles, "lifetime") == ["Lifetimes", "Something"]


async def test_phrases_exclusions_and_types(articles, drain):
    await publish(articles, "A", body="borrow the checker")
    await publish(articles, "B", body="the borrow checker")
    await drain()
    assert await found(articles, '"borrow checker"') == ["B"]
    assert await found(articles, "checker -borrow") == []
    assert await found(articles, "checker", type="nothing") == []


async def test_highlights_are_escaped(articles, drain):
    await publish(articles, "<script>", body="a needle & <b>more</b>")
    await drain()
    answer = await articles.get("/search", params={"q": "needle", "highlight": "true"})
    highlight = answer.json["items"][0]["highlights"]["body"]
    assert "<mark>needle</mark> &amp;" in highlight
    assert "<b>" not in highlight


async def test_the_index_follows_unpublishing_deleting_and_changing(articles, drain):
    first, second = await publish(articles, "Alpha one"), await publish(articles, "Alpha two")
    await drain()
    assert sorted(await found(articles, "alpha")) == ["Alpha one", "Alpha two"]
    await articles.post(f"/content/{first['id']}/unpublish")
    await articles.patch(f"/content/{second['id']}", {"data": {"title": "Omega"}})
    await articles.post(f"/content/{second['id']}/publish")
    await drain()
    assert await found(articles, "alpha") == []
    assert await found(articles, "omega") == ["Omega"]
    await articles.delete(f"/content/{second['id']}")
    await drain()
    assert await found(articles, "omega") == []


async def test_an_item_of_another_site_is_not_found(articles, admin, drain):
    await publish(articles, "Hidden elsewhere")
    await drain()
    other = (await admin.post("/sites", {"key": f"{articles.site}x", "name": "x"})).json["key"]
    assert await found(admin.at(other), "hidden") == []


async def test_private_fields_are_not_indexed(articles, drain):
    await publish(articles, "Open", secret="xylophone")
    await drain()
    assert await found(articles, "xylophone") == []


async def test_several_changes_before_a_worker_begins_are_one_job(articles):
    item = await publish(articles, "One")
    again = await articles.post(f"/content/{item['id']}/publish")
    assert again.json["job_ids"] == item["job_ids"]


async def test_indexing_what_is_gone_is_no_error(articles, services, drain):
    site_id = (await articles.get(f"/sites/{articles.site}")).json["id"]
    async with db.transaction():
        payload = IndexPayload(item_id="019a1b2c-3d4e-7f00-8a1b-2c3d4e5f6071")
        job_id = await enqueue(INDEX_CONTENT.request(payload, site_id=site_id))
    await drain()
    assert (await articles.get(f"/search/jobs/{job_id}")).json["state"] == "done"


async def test_queues_show_figures_for_operators_and_sites(articles, user, drain):
    await publish(articles, "Waiting")
    whole = (await articles.get("/search/queues")).json
    assert [item["queue"] for item in whole["items"]] == ["default", "search", "webhooks", "media", "ai"]
    editor = await user("editor", site=articles.site)
    mine = (await editor.get("/search/queues/search")).json
    assert (mine["due"], mine["dead"]) == (1, 0)
    assert mine["oldest_due_seconds"] >= 0
    await drain()
    mine = (await editor.get("/search/queues/search")).json
    assert mine["due"] == 0
    assert mine["finished_per_minute"] > 0
    assert mine["run_p50_ms"] > 0
    assert (await articles.get("/search/queues/nothing")).code == "queue_not_found"
    viewer = await user("viewer", site=articles.site)
    assert (await viewer.get("/search/queues")).status == 403


async def test_jobs_are_listed_within_the_site(articles, user):
    item = await publish(articles, "Job")
    editor = await user("editor", site=articles.site)
    listed = (await editor.get("/search/jobs?queue=search&state=due")).json
    assert [job["id"] for job in listed["items"]] == item["job_ids"]
    assert (await editor.get("/search/jobs?name=nothing")).json["total"] == 0
    assert (await editor.get("/search/jobs?state=odd")).status == 400
    assert (await editor.get(f"/search/jobs/{item['id']}")).code == "job_not_found"
