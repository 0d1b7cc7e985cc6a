"""Examples of answers, made from their schemas: always whole and always valid, in words that tell what a member is."""

import re
from collections.abc import Mapping
from typing import Any

from scaicms.kit import json

Components = Mapping[str, Any]

EXAMPLE_ID = "019a1b2c-3d4e-7f00-8a1b-2c3d4e5f6071"
MAX_DEPTH = 6
"""Schemas that hold themselves end here."""

_FORMATS = {
    "uuid": EXAMPLE_ID,
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "email": "ada@example.com",
    "uri": "https://example.com/hello",
}
_WORDS = {
    "accept": "image/*",
    "access_token": "eyJhbGciOiJIUzI1NiIs…",
    "action": "content.published",
    "code": "content:publish",
    "color": "#c81e1e",
    "content_type": "image/png",
    "filename": "lighthouse.png",
    "description": "What it is for.",
    "email": "ada@example.com",
    "host": "www.example.com",
    "ip": "203.0.113.7",
    "key": "article",
    "locale": "en",
    "default_locale": "en",
    "locales": "en",
    "message": "A sentence.",
    "name": "Article",
    "next_cursor": "AbCdEf…",
    "path": "data.title",
    "permission": "content:read",
    "pointer": "/data/title",
    "prefix": "scai_AbCd",
    "queue": "default",
    "refresh_token": "AbCdEf…",
    "role": "editor",
    "secret": "AbCdEf…",
    "slug": "hello",
    "target": "author",
    "title": "Hello",
    "token": "AbCdEf…",
    "type": "article",
    "uri": "otpauth://totp/scaiCMS:ada%40example.com?secret=AbCdEf",
    "url": "https://example.com/hello",
    "url_pattern": "/articles/{slug}",
}
_CODES = ("en", "article", "/articles")
"""For what has to be of a certain form, as keys and locales have."""
_DATA = {"title": "Hello"}


def event_of(example: Any) -> dict[str, str]:
    """A Server-Sent Event that carries it."""
    return {"event": "message", "data": json.dumps_text(example)}


def example_of(schema: Mapping[str, Any], components: Components, name: str = "", depth: int = 0) -> Any:
    """A value that the schema takes; `name` is that of the member whose value it is."""
    if "$ref" in schema:
        schema = components[schema["$ref"].rpartition("/")[2]]
    known = schema.get("examples") or schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    if known:
        return known[0]
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        ends = [option for option in options if option.get("type") == "null"] if depth > MAX_DEPTH else []
        return example_of((ends or options)[0], components, name, depth)
    make = {"object": _object, "array": _array}.get(schema.get("type", ""), _plain)
    return make(schema, components, name, depth)


def _object(schema: Mapping[str, Any], components: Components, name: str, depth: int) -> dict[str, Any]:
    if "properties" in schema:
        members = schema["properties"].items()
        return {member: example_of(about, components, member, depth + 1) for member, about in members}
    values = schema.get("additionalProperties")
    if not isinstance(values, Mapping):
        return _DATA if name == "data" else {}
    key = EXAMPLE_ID if schema.get("propertyNames", {}).get("format") == "uuid" else "title"
    return {key: example_of(values, components, "", depth + 1)}


def _array(schema: Mapping[str, Any], components: Components, name: str, depth: int) -> list[Any]:
    if "prefixItems" in schema:
        return [example_of(item, components, name, depth + 1) for item in schema["prefixItems"]]
    if depth > MAX_DEPTH or "items" not in schema:
        return []
    return [example_of(schema["items"], components, name, depth + 1)] * max(1, schema.get("minItems", 1))


def _plain(schema: Mapping[str, Any], _: Components, name: str, depth: int) -> Any:
    kind = schema.get("type")
    if kind == "string":
        word = _FORMATS.get(schema.get("format", ""), _WORDS.get(name, name.replace("_", " ") or "text"))
        fitting = (one for one in (word, *_CODES) if re.search(schema.get("pattern", ""), one))
        return next(fitting, word)
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    return {"boolean": True, "null": None}.get(str(kind), {})
