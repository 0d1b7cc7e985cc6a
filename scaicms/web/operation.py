"""Declaring operations: one decorator says what OpenAPI shows, what is checked, and which handler answers.

routes = Routes("content", "/content", site=True)

@routes.get("/{id}", permission=READ, summary="Read one item", response=ItemOut)
async def read_item(call: Call) -> web.StreamResponse: ...
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web
from pydantic import BaseModel

from scaicms.kit.permissions import Permission

if TYPE_CHECKING:  # Call holds its operation; the other way round is for the type checker alone
    from scaicms.web.call import Call

BYTES = "application/octet-stream"
ANY = "*/*"
"""Media type of an operation that sends files, whatever they are."""

Handler = Callable[["Call"], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method on one path.

    Exactly one of `permission` and `public` (the reason why no permission is needed) is given;
    `authenticated` operations are open to every known principal about themselves.
    """

    method: str
    path: str
    name: str
    tag: str
    summary: str
    description: str = ""
    permission: Permission | None = None
    public: str | None = None
    authenticated: str | None = None
    site: bool = False
    body: type[BaseModel] | None = None
    body_required: bool = True
    body_example: Any = None
    multipart: Mapping[str, str] | None = None
    """Parts of a multipart body: name to description; `file` is the file. Read by the handler, streamed."""
    multipart_required: Sequence[str] = ("file",)
    query: type[BaseModel] | None = None
    open_query: tuple[str, ...] = ()
    """Prefixes of parameters that the handler parses itself (`filter[`)."""
    response: type[BaseModel] | None = None
    response_example: Any = None
    """Of an answer that has no model; what has one needs none."""
    status: int = 200
    creates: bool = False
    """A PUT that answers 201 where there was nothing before."""
    media_type: str = "application/json"
    errors: Sequence[int] = ()
    repeatable: bool = True
    """A POST whose answer may be kept for `Idempotency-Key`. Not one that holds a secret, nor one that must
    commit although it fails; uploads never are, since the transaction would wait for the client."""
    reads: bool = False
    """A POST that changes nothing: with an `Idempotency-Key` it is as without, since nothing need be kept."""
    conditional: bool = False
    """GET answers with an ETag and heeds If-None-Match; writes heed If-Match."""
    ranges: bool = False
    """GET sends bytes, of which `Range` may ask for a part."""
    preview: Handler | None = field(default=None, repr=False)
    """What answers those who have no more than the token of a preview; without it there is nothing for them here."""
    handler: Handler = field(repr=False)

    def __post_init__(self) -> None:
        doors = [self.permission, self.public, self.authenticated]
        if sum(door is not None for door in doors) != 1:
            raise TypeError(f"{self.name}: give exactly one of permission=, public=, authenticated=")

    @property
    def is_stream(self) -> bool:
        return self.media_type == "text/event-stream"

    @property
    def takes_idempotency_key(self) -> bool:
        return self.method == "POST" and self.repeatable and self.multipart is None and not self.reads


class Routes:
    """The operations of one feature, below `/api/v1`."""

    def __init__(self, tag: str, prefix: str, *, site: bool = False) -> None:
        self.tag = tag
        self.prefix = prefix
        self.site = site
        self.operations: list[Operation] = []

    def get(self, path: str = "", **declared: Any) -> Callable[[Handler], Handler]:
        return self._add("GET", path, declared)

    def post(self, path: str = "", **declared: Any) -> Callable[[Handler], Handler]:
        return self._add("POST", path, declared)

    def put(self, path: str = "", **declared: Any) -> Callable[[Handler], Handler]:
        return self._add("PUT", path, declared)

    def patch(self, path: str = "", **declared: Any) -> Callable[[Handler], Handler]:
        return self._add("PATCH", path, declared)

    def delete(self, path: str = "", **declared: Any) -> Callable[[Handler], Handler]:
        declared.setdefault("status", 204)
        return self._add("DELETE", path, declared)

    def _add(self, method: str, path: str, declared: dict[str, Any]) -> Callable[[Handler], Handler]:
        declared.setdefault("site", self.site)

        def decorate(handler: Handler) -> Handler:
            operation = Operation(
                method=method,
                path=self.prefix + path,
                name=handler.__name__,
                tag=self.tag,
                handler=handler,
                **declared,
            )
            self.operations.append(operation)
            return handler

        return decorate
