"""The document describes every operation, and nothing that is not there."""

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from scaicms import registry
from scaicms.web.dispatch import API_PREFIX

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="session")
async def document(client):
    return await (await client.get("/openapi.json")).json()


def operations(document):
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]


def fits(document, media):
    schema = {**media["schema"], "components": document["components"]}
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(media["example"])


async def test_it_is_valid_openapi_3_1(document):
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()


async def test_it_has_every_declared_operation_and_no_other(document):
    declared = {(API_PREFIX + operation.path, operation.method.lower()) for operation in registry.operations()}
    assert {(path, method) for path, method, _ in operations(document)} == declared


async def test_every_operation_is_described_in_full(document):
    ids = set()
    for path, method, operation in operations(document):
        assert operation["summary"], (path, method)
        assert operation["operationId"] not in ids
        ids.add(operation["operationId"])
        statuses = set(operation["responses"])
        assert statuses & {"200", "201", "202", "204", "302"}
        assert {"400", "500", "503"} <= statuses
        for status in statuses - {"304"}:
            content = operation["responses"][status].get("content", {})
            if int(status) >= 400:
                assert content["application/json"]["example"]["detail"]["code"]
        for parameter in operation["parameters"]:
            assert "$ref" in parameter or "schema" in parameter


async def test_body_examples_fit_their_schemas(document):
    checked = 0
    for path, method, operation in operations(document):
        media = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        if media:
            assert "example" in media, (path, method)
            fits(document, media)
            checked += 1
    assert checked > 10


async def test_every_answer_has_an_example_that_fits_its_schema(document):
    checked = 0
    for path, method, operation in operations(document):
        for status, response in operation["responses"].items():
            for kind, media in response.get("content", {}).items():
                if kind.startswith("text/") and kind != "text/event-stream":
                    continue
                assert "example" in media, (path, method, status, kind)
                fits(document, media)
                checked += 1
    assert checked > 1000


async def test_examples_show_the_members_that_clients_ask_for(document):
    answer = document["paths"]["/api/v1/content/{id}"]["get"]["responses"]["200"]["content"]["application/json"]
    item = answer["example"]
    assert (item["type"], item["slug"], item["locale"], item["data"]) == ("article", "hello", "en", {"title": "Hello"})
    assert item["published_at"].endswith("Z")
    listed = document["paths"]["/api/v1/content"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    assert [one["data"] for one in listed["items"]] == [item["data"]]


async def test_the_page_asks_no_other_host_for_anything(client):
    page = await client.get("/docs")
    text = await page.text()
    assert "http://" not in text
    assert "https://" not in text
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "init.js"):
        asset = await client.get(f"/docs/assets/{name}")
        assert asset.status == 200
        again = await client.get(f"/docs/assets/{name}", headers={"If-None-Match": asset.headers["ETag"]})
        assert again.status == 304
    assert (await client.get("/docs/assets/other.js")).status == 404


async def test_a_browser_that_has_the_document_is_told_so(client):
    """Browsers ask for compression, and a 304 has nothing to compress."""
    first = await client.get("/openapi.json", headers={"Accept-Encoding": "gzip, deflate"})
    assert first.headers["Content-Encoding"] in ("gzip", "deflate")
    known = {"If-None-Match": first.headers["ETag"], "Accept-Encoding": "gzip, deflate"}
    again = await client.get("/openapi.json", headers=known)
    assert (again.status, await again.read()) == (304, b"")


def test_every_route_declares_who_may_use_it(client):
    """Routes are closed unless they say `public=`; those outside the API are listed here with what they are."""
    open_on_purpose = {
        "/healthz": "alive",
        "/readyz": "ready",
        "/metrics": "for the scraper; keep it inside by the proxy",
        "/openapi.json": "the contract",
        "/api/v1/openapi.json": "the contract",
        "/docs": "the contract as a page",
        "/docs/assets/{name}": "the page's files",
        "/account/password": "where the link in a reset mail leads",
        "/account/invitation": "where the link in an invitation leads",
        "/account/page.css": "their files",
        "/account/page.js": "their files",
        "/": "the public site",
        "/{path}": "the public site",
    }
    for route in client.app.router.routes():
        operation = getattr(route.handler, "__apispec__", {}).get("operation")
        if operation is None:
            assert route.resource.canonical in open_on_purpose, route
        elif operation.public is not None:
            assert (operation.method, operation.path) in {
                ("POST", "/auth/login"),
                ("GET", "/auth/oidc"),
                ("GET", "/auth/oidc/{provider}/login"),
                ("GET", "/auth/oidc/{provider}/callback"),
                ("POST", "/auth/refresh"),
                ("POST", "/auth/password-reset"),
                ("POST", "/auth/password-reset/confirm"),
                ("POST", "/auth/invitations/accept"),
            }
