"""While a process hears of no changes, what it has cached is read again: nothing stale is served."""

import pytest

from scaicms.infra import db


@pytest.fixture
def deaf(services, monkeypatch):
    """The listener of this process is lost. Changes below are made by SQL, so that no notice tells of them."""

    def lose():
        monkeypatch.setattr(services.resources.notices, "is_listening", False)

    return lose


async def test_a_user_who_was_deactivated_unheard_is_refused(articles, user, deaf):
    editor = await user("editor", site=articles.site)
    profile = await editor.get("/auth/profile")
    assert profile.status == 200
    deaf()
    await db.execute("UPDATE users SET is_active = false WHERE id = $1::uuid", profile.json["id"])
    assert (await editor.get("/auth/profile")).status == 401


async def test_rights_that_were_taken_unheard_are_gone(articles, user, deaf):
    editor = await user("editor", site=articles.site)
    assert (await editor.get("/content?type=article&status=draft")).status == 200
    deaf()
    me = (await editor.get("/auth/profile")).json["id"]
    await db.execute("DELETE FROM role_assignments WHERE user_id = $1::uuid", me)
    assert (await editor.get("/content?type=article&status=draft")).status in (401, 403, 404)


async def test_a_site_and_a_type_that_changed_unheard_are_as_they_are(articles, deaf):
    body = {"type": "article", "data": {"title": "One"}}
    assert (await articles.post("/content", body)).status == 201
    deaf()
    await db.execute(
        """UPDATE content_types SET key = 'story'
           WHERE key = 'article' AND site_id = (SELECT id FROM sites WHERE key = $1)""",
        articles.site,
    )
    assert (await articles.post("/content", body)).status == 404
    assert (await articles.post("/content", {**body, "type": "story"})).status == 201
    await db.execute("UPDATE sites SET key = key || 'x' WHERE key = $1", articles.site)
    assert (await articles.get("/content?type=story")).status == 403
