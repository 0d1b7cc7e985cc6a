"""Tokens that show one draft."""

import re
import secrets
import time
from urllib.parse import urlsplit

import jwt
import pytest

from scaicms import registry
from scaicms.kit.crypto import derive_key
from tests.features.content.test_items import create


async def opened(api, item, query=""):
    answer = await api.post(f"/content/{item['id']}/preview{query}")
    assert answer.status == 200, answer.raw
    return answer.json


def forged(settings, token, *, key=None, **changed):
    key = key or derive_key(settings.secret.get_secret_value(), "preview")
    claims = jwt.decode(token.removeprefix("scaip_"), options={"verify_signature": False})
    return "scaip_" + jwt.encode({**claims, **changed}, key, algorithm="HS256")


async def test_a_preview_is_what_publishing_would_render(articles):
    there, target = await create(articles, publish=True), await create(articles)
    item = await create(articles, body="**x**", secret="hidden", publish=True)
    data = {"title": "Next", "related": target["id"], "others": [there["id"], target["id"], item["id"]]}
    await articles.patch(f"/content/{item['id']}", {"data": data})
    made = await opened(articles, item)
    preview = articles.with_token(made["token"])
    shown = await preview.get(urlsplit(made["url"]).path + "?" + urlsplit(made["url"]).query)
    assert shown.status == 200, shown.raw
    assert shown.headers["Cache-Control"] == "no-store"
    assert "ETag" not in shown.headers
    await articles.post(f"/content/{item['id']}/publish")
    assert shown.raw == (await articles.get(f"/content/{item['id']}?status=published")).raw
    assert b"hidden" not in shown.raw
    assert [found["field"] for found in shown.json["unpublished"]] == ["related", "others"]


async def test_the_token_is_in_no_url(articles):
    made = await opened(articles, await create(articles))
    assert made["token"] not in made["url"]
    assert made["expires_at"].endswith("Z")
    again = await articles.get(f"/content?type=article&preview={made['token']}")
    assert again.status == 400


async def test_a_token_finds_nothing_but_its_draft(articles, admin):
    """Not even what everybody may read, and no operation at all."""
    item, other = await create(articles), await create(articles, publish=True)
    preview = articles.with_token((await opened(articles, item))["token"])
    assert (await preview.get(f"/content/{item['id']}")).status == 200
    assert (await preview.get(f"/content/{other['id']}")).status == 404
    assert (await preview.get(f"/content/{item['id']}?locale=en")).status == 200
    assert (await preview.get(f"/content/{item['id']}?locale=fr")).status == 404
    assert (await preview.get(f"/content/{item['id']}?status=draft")).status == 400
    for operation in registry.operations():
        if (operation.method, operation.path) == ("GET", "/content/{id}"):
            continue
        path = re.sub(r"\{\w+\}", item["id"], operation.path)
        given = {"json": {}} if operation.method in ("POST", "PUT", "PATCH") else {}
        answer = await preview.call(operation.method, path, **given)
        assert answer.status == 404, (operation.method, operation.path, answer.raw)
    key = f"s{secrets.token_hex(6)}"
    assert (await admin.post("/sites", {"key": key, "name": key})).status == 201
    assert (await preview.at(key).get(f"/content/{item['id']}")).status == 404


async def test_what_is_changed_ended_or_signed_otherwise_opens_nothing(articles, settings):
    item, other = await create(articles), await create(articles)
    token = (await opened(articles, item))["token"]
    secret = settings.secret.get_secret_value()
    wrong = [
        token[:-3] + "abc",
        "scaip_",
        "scaip_nonsense",
        forged(settings, token, exp=int(time.time()) - 1),
        forged(settings, token, aud="scaicms-api"),
        forged(settings, token, site="x"),
        forged(settings, token, item=other["id"], key=b"another key that is as long as it has to be"),
        forged(settings, token, key=secret.encode()),
        "scaip_" + jwt.encode({"item": item["id"]}, "", algorithm="none"),
    ]
    for bad in wrong:
        for one in (item, other):
            answer = await articles.with_token(bad).get(f"/content/{one['id']}")
            assert (answer.status, answer.code) == (401, "invalid_preview"), bad
    assert (await articles.with_token(token.removeprefix("scaip_")).get(f"/content/{item['id']}")).status == 401


async def test_a_preview_shows_what_its_creator_may_read_now(articles, granted, admin):
    item = await create(articles, body="text", price=3)
    editor = await granted(articles, "content:read", {"permission": "content:read_drafts", "fields": ["title", "body"]})
    preview = articles.with_token((await opened(editor, item))["token"])
    assert (await preview.get(f"/content/{item['id']}")).json["data"] == {
        "title": "Hello",
        "body": "text",
        "body_html": "<p>text</p>\n",
    }
    me = (await editor.get("/auth/profile")).json
    grants = ["content:read", {"permission": "content:read_drafts", "fields": ["title"]}]
    wanted = [{"permission": grant} if isinstance(grant, str) else grant for grant in grants]
    assert (await admin.put(f"/roles/{me['roles'][0]['role']}/permissions", wanted)).status == 200
    assert (await preview.get(f"/content/{item['id']}")).json["data"] == {"title": "Hello"}
    assert (await admin.put(f"/users/{me['id']}/roles", [])).status == 200
    assert (await preview.get(f"/content/{item['id']}")).status == 404
    assert (await admin.patch(f"/users/{me['id']}", {"is_active": False})).status == 200
    assert (await preview.get(f"/content/{item['id']}")).status == 401


async def test_only_who_may_read_a_draft_opens_a_preview_of_it(articles, granted):
    item = await create(articles, publish=True)
    reader = await granted(articles, "content:read")
    assert (await reader.post(f"/content/{item['id']}/preview")).status == 403
    own = await granted(articles, {"permission": "content:read_drafts", "own_only": True})
    assert (await own.post(f"/content/{item['id']}/preview")).status == 404
    assert (await articles.anonymous().post(f"/content/{item['id']}/preview")).status == 401


async def test_opening_a_preview_is_in_the_audit_log_without_its_token(articles):
    item = await create(articles)
    token = (await opened(articles, item))["token"]
    entries = await articles.get(f"/users/audit?action=content.preview_opened&target={item['id']}")
    assert entries.json["total"] == 1
    assert token.encode() not in entries.raw


@pytest.mark.parametrize("moment", ["deleted", "archived"])
async def test_the_preview_of_what_is_in_the_trash_is_gone(articles, moment):
    item = await create(articles)
    preview = articles.with_token((await opened(articles, item))["token"])
    if moment == "deleted":
        await articles.delete(f"/content/{item['id']}")
        assert (await preview.get(f"/content/{item['id']}")).status == 404
    else:
        await articles.post(f"/content/{item['id']}/archive")
        assert (await preview.get(f"/content/{item['id']}")).status == 200
