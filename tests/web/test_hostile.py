"""Bad input of every kind gets the documented error, never a 500 and never a traceback."""

import asyncio
from uuid import uuid4

import pytest

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "invalid_json"),
        (b"", "invalid_json"),
        (b'{"type": NaN}', "invalid_json"),
        (b'{"type": Infinity}', "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        (b'{"a": "\\ud800"}', "invalid_json"),
        (b"[" * 100_000 + b"]" * 100_000, "invalid_json"),
        (b'{"type":"article","data":{"title":"x","body":' + b"[" * 100 + b"]" * 100 + b"}}", "json_too_deep"),
    ],
)
async def test_a_body_that_is_no_json_is_400(articles, body, code):
    answer = await articles.call("POST", "/content", data=body, headers=JSON)
    assert (answer.status, answer.code) == (400, code)


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"x"', b"{}", b'{"type":"article","data":[],"x":1}'])
async def test_json_of_another_shape_is_422(articles, body):
    answer = await articles.call("POST", "/content", data=body, headers=JSON)
    assert answer.status == 422
    assert answer.json["detail"]["errors"]


async def test_a_large_body_is_413_announced_or_not(articles):
    async def chunks():
        for _ in range(40):
            yield b"x" * 64 * 1024

    announced = await articles.call("POST", "/content", data=b"x" * 2 * 1024 * 1024, headers=JSON)
    assert (announced.status, announced.code) == (413, "too_large")
    streamed = await articles.call("POST", "/content", data=chunks(), headers=JSON)
    assert (streamed.status, streamed.code) == (413, "too_large")


async def test_a_body_that_stops_arriving_is_given_up(articles, client):
    reader, writer = await asyncio.open_connection(client.server.host, client.server.port)
    head = (
        f"POST /api/v1/content HTTP/1.1\r\nHost: x\r\nX-Site-ID: {articles.site}\r\n"
        f"Authorization: Bearer {articles.token}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    )
    writer.write(head.encode())
    answer = await asyncio.wait_for(reader.read(4096), 5)
    assert b"400" in answer.split(b"\r\n")[0]
    assert b"body_timeout" in answer
    writer.close()


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/json; charset=latin-1"])
async def test_another_content_type_is_415(articles, kind):
    answer = await articles.call("POST", "/content", data=b"{}", headers={"Content-Type": kind})
    assert answer.status == 415


@pytest.mark.parametrize("token", ["x", "scai_nothing", "a.b.c", "é", "Bearer", "x" * 5000])
async def test_a_bad_token_is_401_and_never_anonymous(articles, token):
    answer = await articles.with_token(token.encode("ascii", "ignore").decode() or "-").get("/content?type=article")
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("octets", [b"\xff", b"\xed\xa0\x80", b"scaip_\xff", b"scai_\xff", "é".encode()])
async def test_headers_that_are_no_utf8_are_refused_like_others_that_are_wrong(articles, client, octets):
    async def status(site, token):
        reader, writer = await asyncio.open_connection(client.server.host, client.server.port)
        head = b"GET /api/v1/content/019a1b2c-3d4e-7f00-8a1b-2c3d4e5f6071 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        writer.write(head + b"X-Site-ID: %s\r\nAuthorization: Bearer %s\r\n\r\n" % (site, token))
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        return int(answer.split()[1])

    assert await status(articles.site.encode(), octets) == 401
    assert await status(octets, articles.token.encode()) == 403


async def test_a_host_that_is_no_utf8_is_an_unknown_host(client):
    reader, writer = await asyncio.open_connection(client.server.host, client.server.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: <\xff>.example\r\nConnection: close\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"<?>" not in answer


async def test_another_scheme_is_401(articles):
    answer = await articles.anonymous().get("/content?type=article", headers={"Authorization": "Basic eDp5"})
    assert answer.status == 401


async def test_the_site_must_be_named_and_known(admin):
    assert (await admin.get("/content?type=article")).code == "site_required"
    for site in ("nothing", str(uuid4()), "x" * 3000, "'; drop table sites"):
        answer = await admin.at(site).get("/content?type=article")
        assert (answer.status, answer.code) == (403, "site_forbidden")


async def test_a_closed_site_asks_strangers_to_log_in(articles, user):
    assert (await articles.anonymous().get("/content?type=article")).status == 401
    assert (await (await user()).at(articles.site).get("/content?type=article")).code == "site_forbidden"


@pytest.mark.parametrize(
    "path",
    ["/content/abc", "/content/019a1b2c-3d4e-7f00-8a1b-2c3d4e5f6071", "/content/%00", "/nothing", "/content/../.."],
)
async def test_what_is_not_there_is_404(articles, path):
    answer = await articles.get(path)
    assert answer.status == 404
    assert answer.json["detail"]["request_id"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize("path", ["/content/", "/Content", "/CONTENT?type=article"])
async def test_slashes_and_case_are_no_aliases(articles, path):
    assert (await articles.get(path)).status == 404


async def test_another_method_is_405_with_allow(articles):
    answer = await articles.delete("/content")
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(",")) == {"GET", "HEAD", "POST"}


async def test_a_long_query_is_refused_in_json(articles):
    answer = await articles.get(f"/search?q={'x' * 9000}")
    assert answer.status == 400


async def test_unknown_query_parameters_are_named(articles):
    answer = await articles.get("/content?type=article&colour=red")
    assert (answer.status, answer.code) == (400, "unknown_parameter")
    assert "colour" in answer.json["detail"]["message"]
    assert (await articles.get("/search/queues?x=1")).code == "unknown_parameter"


async def test_a_body_where_none_is_taken_is_refused(articles):
    item = (await articles.post("/content", {"type": "article", "data": {"title": "x"}})).json
    answer = await articles.post(f"/content/{item['id']}/publish", {"when": "2030-01-01T00:00:00Z"})
    assert answer.status == 422


async def test_the_callers_request_id_is_kept_if_it_is_harmless(admin):
    assert (await admin.get("/sites", headers={"X-Request-ID": "abc-1"})).headers["X-Request-ID"] == "abc-1"
    assert (await admin.get("/sites", headers={"X-Request-ID": 'a"b {'})).headers["X-Request-ID"] != 'a"b {'


async def test_nul_and_surrogates_in_queries_are_refused_not_crashed(articles):
    for query in ("filter[data.title]=%00", "filter[data.title]=%ED%A0%80", "sort=%00", "type=%00"):
        separator = "" if query.startswith("type") else "type=article&"
        assert (await articles.get(f"/content?{separator}{query}")).status in (200, 400, 404, 422)
    for path in ("/search?q=%00", "/users?role=%00", "/users?q=a%00b"):
        assert (await articles.get(path)).code == "invalid_parameter", path


async def test_bodies_are_taken_as_strictly_as_they_are_described(admin, articles):
    key = {"name": "k", "permissions": ["content:read"]}
    assert (await admin.post("/api-keys", {**key, "expires_at": 0})).code == "invalid"
    short = {"key": "title", "type": "string", "min_length": False}
    assert (await articles.post("/content-types", {"key": "a", "name": "A", "fields": [short]})).code == "invalid"


async def test_null_in_a_patch_leaves_alone_what_must_have_a_value(admin, articles):
    made = (await admin.post("/api-keys", {"name": "k", "permissions": ["content:read"]})).json
    patched = await admin.patch(f"/api-keys/{made['id']}", {"name": None, "expires_at": None})
    assert (patched.status, patched.json["name"]) == (200, "k")
    changed = await articles.patch("/content-types/article", {"name": None, "description": None, "url_pattern": None})
    assert (changed.status, changed.json["name"], changed.json["url_pattern"]) == (200, "Article", None)
