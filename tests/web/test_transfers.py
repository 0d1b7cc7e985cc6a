"""Bodies that are not what their headers say, on every route that reads one; and what answers tell about us."""

import asyncio
import gzip
import json
import re
import zlib

import pytest

from scaicms import registry
from scaicms.web.dispatch import API_PREFIX

MISSING = "019a1b2c-3d4e-7f00-8a1b-2c3d4e5f6071"
JSON = "application/json"
FORM = "multipart/form-data; boundary=x"
BODY = b'{"name": "x"}'
FORM_BODY = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.md"\r\n\r\nabc\r\n--x--\r\n'
READING = [operation for operation in registry.operations() if operation.body or operation.multipart]
BOMB = gzip.compress(b" " * 64 * 1024 * 1024)


def raw_deflate(body):
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


CODED = {
    "gzip that is none": ("gzip", BODY, 400),
    "deflate that is none": ("deflate", BODY, 400),
    "empty gzip member cut": ("gzip", gzip.compress(b"")[:5], 400),
    "gzip without its checksum": ("gzip", gzip.compress(BODY)[:-8], 400),
    "gzip with a wrong checksum": ("gzip", gzip.compress(BODY)[:-8] + b"\0" * 8, 400),
    "gzip cut in the middle": ("gzip", gzip.compress(BODY * 100)[:30], 400),
    "gzip followed by more": ("gzip", gzip.compress(BODY) + b"more", 400),
    "deflate cut": ("deflate", zlib.compress(BODY)[:-5], 400),
    "raw deflate cut": ("deflate", raw_deflate(BODY)[:-3], 400),
    "x-gzip that is none": ("x-gzip", BODY, 400),
    "GZIP that is none": ("GZIP", BODY, 400),
    "br": ("br", BODY, 415),
    "zstd": ("zstd", BODY, 415),
    "compress": ("compress", BODY, 415),
    "unknown": ("x-nothing", BODY, 415),
    "two": ("gzip, gzip", gzip.compress(gzip.compress(BODY)), 415),
    "two and identity": ("identity, deflate, gzip", BODY, 415),
    "bomb": ("gzip", BOMB, 413),
}


def named(operation):
    return f"{operation.method} {operation.path}"


def path_of(operation):
    return API_PREFIX + re.sub(r"\{[^}]+\}", MISSING, operation.path)


@pytest.mark.parametrize("operation", READING, ids=named)
async def test_a_body_that_is_not_what_its_coding_says_is_refused_on_every_route(articles, operation):
    for what, (coding, body, status) in CODED.items():
        kind = JSON if operation.body else FORM
        headers = {"Content-Type": kind, "Content-Encoding": coding}
        for api in (articles, articles.anonymous()):
            answer = await api.call(operation.method, path_of(operation), data=body, headers=headers)
            refused_before = answer.status in (401, 403, 404, 429)
            expected = status if operation.body else 415
            assert refused_before or answer.status == expected, (what, answer.raw)
            assert answer.json["detail"]["request_id"], what


EMPTY_BLOCKS = b"\0\0\0\xff\xff" * 600_000
ENDLESS = {
    "deflate of empty blocks": ("deflate", EMPTY_BLOCKS),
    "gzip of empty blocks": ("gzip", gzip.compress(b"")[:10] + EMPTY_BLOCKS),
    "gzip with a long name": ("gzip", b"\x1f\x8b\x08\x08\0\0\0\0\0\x03" + b"a" * 3_000_000),
}


@pytest.mark.parametrize("coding", list(ENDLESS))
async def test_a_body_that_decodes_to_nothing_is_bounded_by_what_is_sent(client, coding):
    name, sent = ENDLESS[coding]

    async def pieces():
        for start in range(0, len(sent), 100_000):
            yield sent[start : start + 100_000]

    headers = {"Content-Type": JSON, "Content-Encoding": name}
    answer = await client.post(f"{API_PREFIX}/auth/login", data=pieces(), headers=headers)
    assert (answer.status, (await answer.json())["detail"]["code"]) == (413, "too_large")


@pytest.mark.parametrize("coding", list(CODED))
async def test_a_stranger_who_logs_in_with_a_broken_body_is_told_so(client, coding):
    name, body, status = CODED[coding]
    headers = {"Content-Type": JSON, "Content-Encoding": name}
    answer = await client.post(f"{API_PREFIX}/auth/login", data=body, headers=headers)
    assert answer.status == status, await answer.text()
    if status == 415:
        assert answer.headers["Accept-Encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress), ("x-gzip", gzip.compress), ("GZip", gzip.compress), ("deflate", zlib.compress),
        ("deflate", raw_deflate), ("identity", bytes), ("", bytes), ("identity, gzip", gzip.compress),
    ],
)  # fmt: skip
async def test_a_body_that_is_packed_well_is_read(articles, coding, packed):
    body = packed(json.dumps({"type": "article", "data": {"title": "t" * 150, "body": "b" * 300_000}}).encode())
    headers = {"Content-Type": JSON, "Content-Encoding": coding}
    for sent in (body, pieces(body)):
        answer = await articles.call("POST", "/content", data=sent, headers=headers)
        assert answer.status == 201, answer.raw


async def pieces(body):
    for start in range(0, len(body), 97):
        yield body[start : start + 97]


async def test_a_form_may_not_be_packed_and_stores_nothing(articles):
    headers = {"Content-Type": FORM, "Content-Encoding": "gzip"}
    answer = await articles.call("POST", "/assets", data=gzip.compress(FORM_BODY), headers=headers)
    assert (answer.status, answer.headers["Accept-Encoding"]) == (415, "identity")
    assert (await articles.get("/assets")).json["total"] == 0


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", FORM_BODY),
        ("multipart/form-data; boundary=", FORM_BODY),
        ("multipart/form-data; boundary=y", FORM_BODY),
        (f"multipart/form-data; boundary={'x' * 200}", FORM_BODY),
        ('multipart/form-data; boundary="\u00e9"', FORM_BODY),
        (FORM, b""),
        (FORM, b"--x--\r\n"),
        (FORM, FORM_BODY[:-9]),
        (FORM, FORM_BODY[:40]),
        (FORM, FORM_BODY.replace(b'name="file"', b'name="title"').replace(b"abc", b"\xff\xfe")),
        (FORM, FORM_BODY.replace(b'filename="a.md"', b"filename*=nothing''a.md")),
        (FORM, FORM_BODY.replace(b'filename="a.md"', b"filename*=utf-8''%ff")),
        (FORM, FORM_BODY.replace(b"Content-Disposition", b"Content-\xffDisposition")),
        (FORM, FORM_BODY.replace(b"\r\n\r\nabc", b"\r\nContent-Encoding: gzip\r\n\r\nabc")),
        (FORM, FORM_BODY.replace(b"\r\n\r\nabc", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!")),
        (FORM, FORM_BODY.replace(b"\r\n\r\nabc", b"\r\nContent-Length: 100\r\n\r\nabc")),
        (FORM, FORM_BODY.replace(b"\r\n\r\nabc", b"\r\nContent-Length: x\r\n\r\nabc")),
        (FORM, b"--x\r\n" + b"A: b\r\n" * 5000 + b"\r\n\r\n--x--\r\n"),
    ],
)
@pytest.mark.parametrize("path", ["/assets", "/content/import"])
async def test_a_form_that_cannot_be_read_is_never_our_fault(articles, path, kind, body):
    answer = await articles.call("POST", path, data=body, headers={"Content-Type": kind})
    assert answer.status in (201, 202, 400, 413, 415, 422), answer.raw
    assert "Traceback" not in str(answer.raw)


@pytest.mark.parametrize(
    "charset", ["latin-1", "nothing", "utf-16", "\x80", '"', "utf-8; charset=latin-1", "x" * 2000, ""]
)
async def test_a_charset_that_json_cannot_have_is_refused(articles, charset):
    headers = {"Content-Type": f"application/json; charset={charset}"}
    answer = await articles.call("POST", "/content", data=b"{}", headers=headers)
    assert answer.status in (400, 415, 422), answer.raw


async def said(client, request, *, then=b""):
    """What is answered to these bytes."""
    reader, writer = await asyncio.open_connection(client.server.host, client.server.port)
    writer.write(request)
    await writer.drain()
    if then:
        await asyncio.sleep(0.1)
        writer.write(then)
    try:
        return await asyncio.wait_for(reader.read(2**20), 5)
    finally:
        writer.close()


HEAD = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"Transfer-Encoding: chunked\r\n", b"zz\r\n{}\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: chunked\r\n", b"2\r\n{}garbage"),
        (b"Transfer-Encoding: chunked\r\n", b"-1\r\n{}\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: chunked\r\n", b"ffffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: nothing\r\n", b"{}"),
        (b"Transfer-Encoding: gzip, chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
        (b"Content-Length: x\r\n", b"{}"),
        (b"Content-Length: -2\r\n", b"{}"),
        (b"Content-Length: 2\r\nContent-Length: 3\r\n", b"{}"),
        (b"Content-Length: 20\r\n", b"{}"),
        (b"Content-Length: 2\r\nContent-Encoding: br\r\n", b"{}"),
        (b"Content-Length: 2\r\nExpect: nothing\r\n", b"{}"),
        (b"Content-Length: 2\r\nNo colon\r\n", b"{}"),
        (b"Content-Length: 2\r\nX: " + b"x" * 20_000 + b"\r\n", b"{}"),
        (b"Content-Length: 2\r\nUpgrade: websocket\r\n", b"{}"),
    ],
)
async def test_framing_that_is_wrong_is_the_callers_fault(client, head, body):
    sent = ((HEAD + head + b"\r\n" + body, b""), (HEAD + head + b"\r\n", body))
    for answer in [await said(client, first, then=then) for first, then in sent]:
        assert re.match(rb"HTTP/1\.[01] 4\d\d ", answer), answer
        assert nothing_of_versions(answer)


def nothing_of_versions(answer: bytes) -> bool:
    """Neither a program nor a version of one is named."""
    return not re.search(rb"(?i)python|aiohttp|gunicorn|uvloop|traceback|cpython|llhttp|scaicms/", answer)


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /healthz", b"GET /readyz", b"GET /metrics", b"GET /", b"GET /nothing", b"OPTIONS /", b"OPTIONS *",
        b"GET /api/v1/nothing", b"OPTIONS /api/v1/content", b"DELETE /api/v1/content", b"GET /api/v1/content",
        b"POST /api/v1/auth/login", b"TRACE /", b"GARBAGE", b"GET http://[/", b"GET /%", b"GET /" + b"x" * 200_000,
        b"\x16\x03\x01", b"CONNECT x:1", b"HEAD /api/v1/sites", b"GET /openapi.json", b"GET /docs",
    ],
)  # fmt: skip
async def test_no_answer_names_a_version(client, request_line):
    answer = await said(client, request_line + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert not head or b"\r\nServer: scaiCMS\r\n" in head + b"\r\n"
    assert nothing_of_versions(head)
    if b"/docs" not in request_line and b"/openapi.json" not in request_line:  # which name our own packages and clients
        assert not re.search(rb"(?i)aiohttp|gunicorn|uvloop|traceback|llhttp|python_info|python/3", body)


async def test_what_cannot_be_parsed_is_answered_as_every_other_error(client):
    answer = await said(client, b"GARBAGE\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == b"400"
    assert json.loads(body)["detail"]["code"] == "bad_request"
    assert b"GARBAGE" not in answer
