"""A small object store on loopback that speaks enough of S3 for one bucket: put, parts, get ranges, copy, delete."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from xml.sax.saxutils import escape, unescape

from aiohttp import web

BUCKET = "chaos"


class ObjectStore:
    """`objects` by key. Signatures are not checked."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.port = 0
        self.answers = asyncio.Event()
        """Cleared while the store is frozen."""
        self.answers.set()
        self.age = timedelta()
        """How long ago everything was stored, as listings tell it."""
        self._uploads: dict[str, dict[int, bytes]] = {}
        self._numbers = count(1)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        await self.answers.wait()
        key = request.match_info.get("key", "")
        if "delete" in request.query:
            return await self._delete_all(request)
        if request.method == "POST":
            return await self._multipart(request, key)
        if request.method == "PUT":
            return await self._put(request, key)
        if request.method == "DELETE":
            self.objects.pop(key, None)
            self._uploads.pop(request.query.get("uploadId", ""), None)
            return web.Response(status=204)
        return self._get(request, key)

    async def _put(self, request: web.Request, key: str) -> web.Response:
        source = request.headers.get("x-amz-copy-source")
        if source is not None:
            self.objects[key] = self.objects[source.lstrip("/").partition("/")[2]]
            return _xml("<CopyObjectResult><ETag>e</ETag></CopyObjectResult>")
        body = await request.read()
        if upload := request.query.get("uploadId"):
            self._uploads[upload][int(request.query["partNumber"])] = body
        else:
            self.objects[key] = body
        return web.Response(headers={"ETag": _etag(body)})

    async def _multipart(self, request: web.Request, key: str) -> web.Response:
        upload = request.query.get("uploadId")
        if upload is None:
            upload = str(next(self._numbers))
            self._uploads[upload] = {}
            return _xml(
                f"<InitiateMultipartUploadResult><Bucket>{BUCKET}</Bucket><Key>{escape(key)}</Key>"
                f"<UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
            )
        parts = self._uploads.pop(upload)
        self.objects[key] = b"".join(parts[number] for number in sorted(parts))
        return _xml(
            f"<CompleteMultipartUploadResult><ETag>{_etag(self.objects[key])}</ETag></CompleteMultipartUploadResult>"
        )

    async def _delete_all(self, request: web.Request) -> web.Response:
        keys = re.findall(r"<Key>([^<]*)</Key>", await request.text())
        for key in keys:
            self.objects.pop(unescape(key), None)
        return _xml(f"<DeleteResult>{''.join(f'<Deleted><Key>{key}</Key></Deleted>' for key in keys)}</DeleteResult>")

    def _list(self, request: web.Request) -> web.Response:
        """Two keys a page."""
        after = request.query.get("continuation-token") or request.query.get("start-after", "")
        prefix, moment = (
            request.query.get("prefix", ""),
            (datetime.now(UTC) - self.age).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        )
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        more = f"<NextContinuationToken>{escape(keys[1])}</NextContinuationToken>" if len(keys) > 2 else ""
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{moment}</LastModified>"
            f"<ETag>{_etag(self.objects[key])}</ETag><Size>{len(self.objects[key])}</Size></Contents>"
            for key in keys[:2]
        )
        return _xml(
            f"<ListBucketResult><IsTruncated>{str(bool(more)).lower()}</IsTruncated>{more}{contents}</ListBucketResult>"
        )

    def _get(self, request: web.Request, key: str) -> web.Response:
        if not key and "list-type" in request.query:
            return self._list(request)
        if key not in self.objects:
            return web.Response(status=404, text="<Error><Code>NoSuchKey</Code></Error>")
        body = self.objects[key]
        headers = {"ETag": _etag(body), "Last-Modified": format_datetime(datetime.now(UTC), usegmt=True)}
        part = request.http_range
        if part.start is None and part.stop is None:
            return web.Response(body=body, headers=headers)
        start, stop, _ = part.indices(len(body))
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(body)}"
        return web.Response(status=206, body=body[start:stop], headers=headers)


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest()}"'


def _xml(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/xml")


@asynccontextmanager
async def serve_objects() -> AsyncIterator[ObjectStore]:
    store = ObjectStore()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", f"/{BUCKET}", store.answer)
    app.router.add_route("*", f"/{BUCKET}/{{key:.+}}", store.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    store.port = runner.addresses[0][1]
    try:
        yield store
    finally:
        await runner.cleanup()


def environment(port: int) -> dict[str, str]:
    """Settings of a process that keeps its files here, behind this port."""
    return {
        "STORAGE_URL": f"s3://{BUCKET}",
        "AWS_ENDPOINT": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-central-1",
        "AWS_ALLOW_HTTP": "true",
    }
