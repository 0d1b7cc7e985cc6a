"""The public site, as a visitor's browser sees it."""

import asyncio
import secrets


async def opened(articles, admin):
    host, role = f"{secrets.token_hex(4)}.localhost", f"r{secrets.token_hex(4)}"
    await admin.post("/roles", {"key": role, "name": "R"})
    await admin.put(f"/roles/{role}/permissions", [{"permission": "content:read"}])
    path = f"/sites/{articles.site}"
    await articles.patch(path, {"settings": {"public_role": role, "title": "My site"}})
    await articles.post(f"{path}/domains", {"host": host})
    await asyncio.sleep(0.1)
    return host


async def page(client, host, path="/"):
    response = await client.get(path, headers={"Host": host})
    return response.status, await response.text(), response.headers


async def test_published_items_have_pages_and_drafts_have_none(articles, admin, client):
    host = await opened(articles, admin)
    body = "Some **bold** words.\n\n<script>alert(1)</script>\n\n```python\nprint(1)\n```\n[x](javascript:alert(1))"
    await articles.post("/content", {"type": "article", "data": {"title": "A & B", "body": body}, "publish": True})
    await articles.post("/content", {"type": "article", "data": {"title": "Draft"}})
    status, text, headers = await page(client, host)
    assert (status, "My site" in text, "A &amp; B" in text, "Draft" in text) == (200, True, True, False)
    status, text, headers = await page(client, host, "/articles/a-b")
    assert status == 200
    assert "<strong>bold</strong>" in text
    assert "<script" not in text
    assert 'href="javascript' not in text
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert (await page(client, host, "/articles/draft"))[0] == 404
    assert (await page(client, host, "/articles/nothing"))[0] == 404
    assert (await page(client, host, "/elsewhere"))[0] == 404
    assert (await page(client, host, "/?page=2"))[0] == 404
    assert (await page(client, host, "/?page=x"))[0] == 400


async def test_an_unknown_host_says_what_this_is(client):
    status, text, _ = await page(client, "unknown.example")
    assert (status, "This is scaiCMS" in text) == (200, True)


async def test_a_closed_site_shows_nothing(articles, client):
    host = f"{secrets.token_hex(4)}.localhost"
    await articles.post(f"/sites/{articles.site}/domains", {"host": host})
    await articles.post("/content", {"type": "article", "data": {"title": "Hidden"}, "publish": True})
    status, text, _ = await page(client, host)
    assert (status, "Hidden" in text) == (404, False)


async def test_a_page_shows_its_title_once(articles, admin, client):
    host = await opened(articles, admin)
    for title, body in (("Same", "\n# Same\n\nWords."), ("Other", "# Same\n\nWords.")):
        await articles.post("/content", {"type": "article", "data": {"title": title, "body": body}, "publish": True})
    assert (await page(client, host, "/articles/same"))[1].count("<h1") == 1
    assert (await page(client, host, "/articles/other"))[1].count("<h1") == 2


async def test_a_narrowed_public_role_narrows_the_pages(articles, admin, client):
    """The home page is sorted by a date that visitors may not read; it is there all the same, in another order."""
    host = await opened(articles, admin)
    for day in ("2026-01-01", "2026-01-02"):
        data = {"title": f"Of {day}", "body": "Visible", "day": day}
        await articles.post("/content", {"type": "article", "data": data, "publish": True})
    role = (await articles.get(f"/sites/{articles.site}")).json["settings"]["public_role"]
    grant = {"permission": "content:read", "fields": ["title"]}
    assert (await admin.put(f"/roles/{role}/permissions", [grant])).status == 200
    status, text, _ = await page(client, host)
    assert (status, text.count("Of 2026-01-0")) == (200, 2)
    status, text, _ = await page(client, host, "/articles/of-2026-01-01")
    assert (status, "Visible" in text) == (200, False)
    await admin.put(f"/roles/{role}/permissions", [{**grant, "content_types": ["other"]}])
    assert [(await page(client, host, path))[0] for path in ("/", "/articles/of-2026-01-01")] == [404, 404]
