"""`Idempotency-Key` on POST: the same request gets its first answer again.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import hashlib

from aiohttp import web

from scaicms.infra import db
from scaicms.infra.idempotency import store
from scaicms.kit.errors import BadRequestError, ConflictError, InvalidError
from scaicms.kit.ids import parse_id
from scaicms.web.call import Call
from scaicms.web.operation import Handler
from scaicms.web.replies import JSON_TYPE

MAX_KEY_CHARACTERS = 255
KEPT_HEADERS = ("Location", "ETag")


class KeyNotTakenError(BadRequestError):
    code = "idempotency_key_not_taken"
    message = "This operation takes no Idempotency-Key: its answer holds a secret or its body is an upload."


class KeyInFlightError(ConflictError):
    code = "idempotency_key_in_flight"
    message = "A request with this Idempotency-Key is being answered; wait for it."


class KeyReusedError(InvalidError):
    code = "idempotency_key_reused"
    message = "This Idempotency-Key came with another request before; use a new key."


async def answer_once(call: Call, handler: Handler) -> web.StreamResponse:
    """Answer from the store, or run the handler and store its answer in the transaction of its effect.

    A failure rolls everything back and is not stored: nothing happened, so asking again is right.
    """
    key = call.request.headers["Idempotency-Key"]
    if not 1 <= len(key) <= MAX_KEY_CHARACTERS or not key.isprintable():
        raise BadRequestError(f"Idempotency-Key has 1 to {MAX_KEY_CHARACTERS} printable characters.")
    scope = _scope(call, key)
    fingerprint = await _fingerprint(call)
    async with db.transaction():
        if not await store.lock(scope):
            raise KeyInFlightError
        known = await store.find(scope)
        if known is not None:
            return _replay(known, fingerprint)
        response = await handler(call)
        if isinstance(response, web.Response) and response.status < 300:
            await store.keep(scope, _answer(response, fingerprint))
        return response


def _scope(call: Call, key: str) -> str:
    """What a key is unique in: caller, site and operation, by their ids, however the request names them."""
    site = str(call.site.id) if call.operation.site else ""
    # Anonymous callers are told apart by their addresses.
    owner = f"{call.principal.kind}:{call.principal.id or call.address}"
    parts = (owner, site, call.operation.method, _path(call), key)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _path(call: Call) -> str:
    """The path with its ids in lower case: other spellings of an id name the same thing."""
    named = {name: str(parse_id(value) or value) for name, value in call.request.match_info.items()}
    return "\0".join([call.operation.path, *(f"{name}={named[name]}" for name in sorted(named))])


async def _fingerprint(call: Call) -> bytes:
    """What must be the same: the query and the body."""
    digest = hashlib.sha256(call.request.rel_url.raw_query_string.encode() + b"\0")
    digest.update(await call.raw_body())
    return digest.digest()


def _replay(known: store.Answer, fingerprint: bytes) -> web.Response:
    if known.fingerprint != fingerprint:
        raise KeyReusedError
    headers = {"Content-Type": JSON_TYPE, **known.headers, "Idempotent-Replayed": "true"}
    return web.Response(status=known.status, body=known.body, headers=headers)


def _answer(response: web.Response, fingerprint: bytes) -> store.Answer:
    kept = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    body = response.body
    return store.Answer(fingerprint, response.status, kept, body if isinstance(body, bytes) else b"")
