"""Every operation of the router, by every kind of caller, at two sites: what is declared is what happens.

The expectation is derived from the declared permission and from what the roles grant, so that a new operation is
covered when it is declared; one with a parameter that has no sample here fails, and so does a route that declares
nothing.
"""

import io
import re
import secrets
from dataclasses import dataclass
from urllib.parse import quote

import pytest_asyncio

from scaicms import registry
from scaicms.web.dispatch import API_PREFIX
from tests.conftest import ARTICLE, Api, role_with

MISSING = "019a1b2c-3d4e-7f00-8a1b-2c3d4e5f6071"
NOTHING = "nothing-is-called-this"
BUILT_IN = ("administrator", "editor", "author", "viewer")
# Parameters of operations at a site → the name of a sample of the other site (or None: not a thing of a site).
SAMPLES = {
    ("/content/schedule/", "id"): "scheduled",
    ("/content/releases/", "id"): "release",
    ("/content/", "id"): "item",
    ("/content/", "locale"): "locale",
    ("/content/{id}/revisions", "number"): "revision",
    ("/content/by-slug/", "type"): "type",
    ("/content/by-slug/", "slug"): "slug",
    ("/content-types/", "key"): "type",
    ("/content-types/", "plan_id"): "plan",
    ("/assets/", "id"): "asset",
    ("/taxonomies/", "key"): "taxonomy",
    ("/taxonomies/", "id"): "term",
    ("/search/jobs/", "id"): "job",
    ("/search/queues/", "queue"): None,
    ("/webhooks/", "id"): "webhook",
    ("/webhooks/", "delivery_id"): "delivery",
}
QUERIES = {"/content-types/{key}/types": "?language=python"}
# Held for the whole installation although declared at a site: queues are shared by all sites.
EVERYWHERE = re.compile(r"^POST /search/queues/\{queue\}/(pause|resume)$")
OPERATIONS = registry.operations()


def named(operation):
    return f"{operation.method} {operation.path}"


@dataclass(frozen=True)
class Caller:
    """Somebody, with the permissions they hold everywhere and at the first site."""

    name: str
    token: str | None
    everywhere: frozenset[str]
    here: frozenset[str]

    def holds(self, permission, *, at_first_site):
        held = self.everywhere | (self.here if at_first_site else frozenset())
        return permission in held or "*" in held

    def enters(self, *, at_first_site):
        return bool(self.everywhere or (at_first_site and self.here))


async def codes(admin, role):
    return frozenset(g["permission"] for g in (await admin.get(f"/roles/{role}/permissions")).json["items"])


async def new_site(admin):
    key = f"m{secrets.token_hex(6)}"
    assert (await admin.post("/sites", {"key": key, "name": key})).status == 201
    assert (await admin.at(key).post("/content-types", {**ARTICLE, "key": f"t{secrets.token_hex(5)}"})).status == 201
    return admin.at(key)


@pytest_asyncio.fixture
async def sites(admin):
    return await new_site(admin), await new_site(admin)


@pytest_asyncio.fixture
async def callers(admin, user, sites):
    first = sites[0].site
    made = [Caller("anonymous", None, frozenset(), frozenset())]
    for role in BUILT_IN:
        somebody = await user(role, site=first)
        made.append(Caller(f"{role} of the first site", somebody.token, frozenset(), await codes(admin, role)))
    made.append(Caller("administrator", admin.token, frozenset({"*"}), frozenset()))
    made.append(Caller("nobody", (await user()).token, frozenset(), frozenset()))
    everything = await role_with(admin, "users:read", "roles:read", "groups:read", "audit:read")
    reader = await user(everything)
    made.append(Caller("reader of people", reader.token, await codes(admin, everything), frozenset()))
    site_id = (await admin.get(f"/sites/{first}")).json["id"]
    for permissions, site_ids in ((["content:read"], [site_id]), (["*"], [site_id]), (["content:read"], None)):
        body = {"name": "k", "permissions": permissions, "site_ids": site_ids}
        key = (await admin.post("/api-keys", body)).json["key"]
        held = frozenset(permissions)
        there, limited = (frozenset(), held) if site_ids else (held, frozenset())
        made.append(Caller(f"key {permissions} {'of the first site' if site_ids else ''}", key, there, limited))
    return made


def filled(operation, values):
    """The operation's path with these values for its parameters, and the query that it cannot do without."""
    path = re.sub(r"\{(\w+)\}", lambda found: quote(values(found[1]), safe=""), operation.path)
    return path + QUERIES.get(operation.path, "")


def missing(name):
    return MISSING if name.endswith("id") else NOTHING


async def status_of(client, operation, path, caller, site):
    """The status, and the code of an error; streams are not read."""
    headers = {"X-Site-ID": site} if operation.site else {}
    if caller.token:
        headers["Authorization"] = f"Bearer {caller.token}"
    given = {"json": {}} if operation.method in ("POST", "PUT", "PATCH") else {}
    async with client.request(operation.method, API_PREFIX + path, headers=headers, **given) as response:
        code = (await response.json())["detail"]["code"] if response.status >= 400 else None
        return response.status, code


def expected(operation, caller, *, at_first_site):
    """The class of answer that the declaration promises."""
    if operation.public is not None:
        return "open"
    if operation.authenticated is not None:
        return "unauthorized" if caller.token is None else "open"
    if caller.token is None:
        return "unauthorized"
    if not operation.site:
        return "open" if caller.holds(operation.permission.code, at_first_site=False) else "forbidden"
    if not caller.enters(at_first_site=at_first_site):
        return "no site"
    at_site = at_first_site and not EVERYWHERE.match(named(operation))
    return "open" if caller.holds(operation.permission.code, at_first_site=at_site) else "forbidden"


def found(status, code):
    if status == 401:
        return "unauthorized"
    if status == 403:
        return "no site" if code == "site_forbidden" else "forbidden"
    return "open" if status < 500 else f"{status}"


# What a caller does about themselves ends or changes the very session that asks.
SELF = {named(o) for o in OPERATIONS if o.authenticated is not None and o.method != "GET"}
# A key has no session and no profile, and makes no keys: refused with a reason of their own.
PEOPLE_ONLY = {"no_session", "only_people"}


async def test_every_operation_answers_every_caller_as_declared(client, callers, sites):
    wrong, tried = [], 0
    for operation in OPERATIONS:
        path = filled(operation, missing)
        for caller in callers:
            for number, site in enumerate(sites[: 2 if operation.site else 1]):
                if caller.token is not None and named(operation) in SELF:
                    continue
                wanted = expected(operation, caller, at_first_site=number == 0)
                status, code = await status_of(client, operation, path, caller, site.site)
                tried += 1
                if found(status, code) != wanted and not (wanted == "open" and code in PEOPLE_ONLY):
                    wrong.append(
                        f"{named(operation)} as {caller.name} at site {number + 1}: {status} {code}, not {wanted}"
                    )
    assert not wrong, "\n".join(wrong)
    assert tried > 500


def test_every_route_of_the_api_declares_its_permission(client):
    """Or says why it needs none; `test_openapi.py` lists the few routes outside."""
    undeclared = []
    for route in client.app.router.routes():
        operation = getattr(route.handler, "__apispec__", {}).get("operation")
        canonical = route.resource.canonical
        if not canonical.startswith(API_PREFIX) or canonical.endswith("openapi.json"):
            continue
        if operation is None or sum(
            door is not None for door in (operation.permission, operation.public, operation.authenticated)
        ) != 1:  # fmt: skip
            undeclared.append(canonical)
        elif operation.permission is not None:
            assert operation.permission.code in {p.code for p in registry.permissions()}, canonical
            assert operation.site or operation.permission.scope == "global", (canonical, "a site's permission, no site")
    assert not undeclared


@pytest_asyncio.fixture
async def samples(admin, sites, drain):
    """Things of the first site."""
    site = sites[0]
    type_ = (await site.get("/content-types")).json["items"][0]
    kind = type_["key"]
    plan = await site.post(f"/content-types/{kind}/plan", {"fields": type_["fields"]})
    assert plan.status == 200, plan.raw
    made = await site.post("/content", {"type": kind, "data": {"title": "Sample"}, "publish": True})
    assert made.status == 201
    scheduled = await site.post(f"/content/{made.json['id']}/unpublish", {"at": "2099-01-01T00:00:00Z"})
    release = await site.post("/content/releases", {"name": "Sample", "items": [{"id": made.json["id"]}]})
    taxonomy = f"x{secrets.token_hex(5)}"
    assert (await site.post("/taxonomies", {"key": taxonomy, "name": "Sample"})).status == 201
    term = (await site.post(f"/taxonomies/{taxonomy}/terms", {"name": "Sample"})).json["id"]
    hook = {"name": "Sample", "url": "https://example.com/", "events": ["content.*"], "is_active": False}
    webhook = (await site.post("/webhooks", hook)).json["id"]
    delivery = (await site.post(f"/webhooks/{webhook}/test")).json["id"]
    asset = await site.call("POST", "/assets", data={"file": io.BytesIO(b"Sample")})
    assert asset.status == 202, asset.raw
    await drain()
    jobs = (await site.get("/search/jobs?page_size=200")).json["items"]
    site_id = (await admin.get(f"/sites/{site.site}")).json["id"]
    job = next(job["id"] for job in jobs if job["site_id"] == site_id)
    return {
        "item": made.json["id"],
        "scheduled": scheduled.json["schedule_id"],
        "release": release.json["id"],
        "type": kind,
        "slug": made.json["slug"],
        "revision": "1",
        "job": job,
        "plan": plan.json["plan_id"],
        "asset": asset.json["id"],
        "taxonomy": taxonomy,
        "term": term,
        "locale": "en",
        "webhook": webhook,
        "delivery": delivery,
    }


def sample_of(operation, name, samples):
    for (prefix, parameter), kind in SAMPLES.items():
        if operation.path.startswith(prefix) and parameter == name:
            return samples[kind] if kind is not None else None
    raise AssertionError(f"{named(operation)}: there is no sample for {{{name}}}; add one to SAMPLES")


async def test_things_of_another_site_are_as_missing_as_what_never_was(client, admin, user, sites, samples):
    """Somebody with all rights at the second site, and at the first, asks the second for things of the first."""
    somebody = await user("administrator", site=sites[1].site)
    me = (await somebody.get("/auth/profile")).json
    first_id = (await admin.get(f"/sites/{sites[0].site}")).json["id"]
    both = [*me["roles"], {"role": "administrator", "site_id": first_id}]
    assert (await admin.put(f"/users/{me['id']}/roles", both)).status == 200
    api = Api(client, somebody.token, sites[1].site)
    same, compared = {"X-Request-ID": "the-same-for-both"}, 0
    for operation in OPERATIONS:
        names = re.findall(r"\{(\w+)\}", operation.path)
        if not operation.site or not names:
            continue
        values = {name: sample_of(operation, name, samples) for name in names}
        if None in values.values():
            continue
        given = {"json": operation.body_example or {}} if operation.body is not None else {}
        theirs = await api.call(operation.method, filled(operation, values.get), headers=same, **given)
        absent = await api.call(operation.method, filled(operation, missing), headers=same, **given)
        assert theirs.status == absent.status == 404, (named(operation), theirs.raw, absent.raw)
        left, right = theirs.raw.decode(), absent.raw.decode()
        for name, value in values.items():
            left, right = left.replace(value, "…"), right.replace(missing(name), "…")
        assert left == right, named(operation)
        compared += 1
    assert compared >= 12
    for path in (f"/content/{samples['item']}", f"/content-types/{samples['type']}", f"/search/jobs/{samples['job']}"):
        assert (await sites[0].get(path)).status == 200, f"{path} is no more, or was changed from the other site"
