"""A blog moves in, is linked, translated and published, and its fields get other names while everybody reads.

`BLOG_POSTS=posts.tar.gz pytest tests/e2e/test_blog_story.py -rP` tells it of posts of yours, Markdown whose front
matter has `title`, `authors` and `extra.team`, in the place of generated ones; it shows the figures.
"""

import asyncio
import io
import json
import os
import random
import sys
import tarfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.test_commands import Running

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

NUMBER = 300
AUTHORS = ["Ann", "Ben", "Cleo", "Dan"]
CALLOUT = {"key": "callout", "fields": [{"key": "words", "type": "string"}]}
LOCALES = [{"code": "en"}, {"code": "de", "fallback": ["fr"]}, {"code": "fr"}]
AUTHOR = [{"key": "name", "type": "string", "required": True, "unique": True}]
ENTRY = [
    {"key": "title", "type": "string", "required": True, "localized": True},
    {"key": "body", "type": "markdown", "localized": True},
    {"key": "team", "type": "string", "indexed": True},
    {"key": "names", "type": "multiselect"},
    {"key": "writers", "type": "relations", "target": "author"},
    {"key": "parts", "type": "blocks", "components": [CALLOUT]},
]
RENAMED = {"body": "text", "team": "squad"}
MAPPING = {
    "title": "title",
    "body": "$body",
    "team": "extra.team",
    "names": "authors",
    "taxonomies.topics": "extra.team",
}


def generated():
    """An archive of posts."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for n in range(NUMBER):
            team = f'\n[extra]\nteam = "Team {n % 5}"' if n % 3 else ""
            head = f'+++\ntitle = "Post {n}"\nauthors = ["{AUTHORS[n % 4]}", "{AUTHORS[n // 4 % 4]}"]{team}\n+++\n'
            text = f"{head}\n# Post {n}\n\n{'All about *marmalade* and zebras. ' * (n % 40 + 1)}\n".encode()
            about = tarfile.TarInfo(f"posts/post-{n}.md")
            about.size = len(text)
            archive.addfile(about, io.BytesIO(text))
    return packed.getvalue()


class Blog:
    """An editor, and as many readers as there need to be."""

    def __init__(self, session, base, token):
        self.session, self.base = session, f"{base}/api/v1"
        self.headers = {"X-Site-ID": "demo", "Authorization": f"Bearer {token}"}

    async def call(self, method, path, body=None, **given):
        sent = {"json": body} if body is not None else given
        async with self.session.request(method, self.base + path, headers=self.headers, **sent) as response:
            return response.status, await response.json() if response.status != 204 else None

    async def ask(self, method, path, body=None, **given):
        status, answer = await self.call(method, path, body, **given)
        assert status in (200, 201, 202, 204), (method, path, status, answer)
        return answer

    async def all(self, query):
        """A whole list, by a cursor."""
        found, cursor = [], ""
        while cursor is not None:
            page = await self.ask("GET", f"/content?page_size=200&{query}&cursor={cursor}")
            found, cursor = found + page["items"], page["next_cursor"]
            total = page["total"]
        assert (len(found), len({item["id"] for item in found})) == (total, total)
        return found

    async def done(self, job_id, seconds=300):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            job = await self.ask("GET", f"/search/jobs/{job_id}")
            if job["state"] in ("done", "dead", "cancelled"):
                assert job["state"] == "done", job
                return job
            await asyncio.sleep(0.1)
        raise AssertionError("The job takes too long.")

    async def bulk(self, operations):
        """In requests of a size that is taken."""
        for start in range(0, len(operations), 100):
            sent = {"operations": operations[start : start + 100], "atomic": True}
            answer = await self.ask("POST", "/content/bulk", sent)
            assert answer["failed"] == 0, answer

    async def settled(self):
        """Until no worker has anything left to do."""
        for _ in range(600):
            queues = (await self.ask("GET", "/search/queues"))["items"]
            if not any(queue["due"] + queue["running"] for queue in queues):
                return
            await asyncio.sleep(0.1)
        raise AssertionError("The workers do not come to an end.")


async def move_in(blog, archive):
    """Import, authors as items of their own, terms, blocks, two more locales; all published. How many posts."""
    await blog.ask("PATCH", "/sites/demo", {"locales": LOCALES})
    for key, fields in (("author", AUTHOR), ("entry", ENTRY)):
        await blog.ask("POST", "/content-types", {"key": key, "name": key, "fields": fields})
    await blog.ask("POST", "/taxonomies", {"key": "topics", "name": "Topics"})
    form = aiohttp.FormData()
    form.add_field("file", archive, filename="posts.tar.gz")
    for key, value in (("type", "entry"), ("mapping", json.dumps(MAPPING))):
        form.add_field(key, value)
    job = await blog.done((await blog.ask("POST", "/content/import", data=form))["job_id"])
    # What is no post (the page of a whole folder) is refused.
    assert job["progress"]["failed"] <= 1 and job["progress"]["created"] > 100, job["progress"]
    posts = await blog.all("type=entry&status=any")
    names = sorted({name for post in posts for name in post["data"].get("names", ())})
    people = [{"op": "create", "type": "author", "data": {"name": name}, "publish": True} for name in names]
    await blog.bulk(people)
    ids = {author["data"]["name"]: author["id"] for author in await blog.all("type=author")}
    linked = []
    for post in posts:
        writers = list(dict.fromkeys(ids[name] for name in post["data"].get("names", ())))
        data = {"writers": writers, "parts": [{"_type": "callout", "words": "Read on"}]}
        linked.append({"op": "update", "id": post["id"], "data": data})
    await blog.bulk(linked)
    for number, post in enumerate(posts):
        for locale in ["de"] * (number % 5 == 0) + ["fr"] * (number % 7 == 0):
            # French ones have no text of their own.
            data = {"title": f"{post['data']['title']} ({locale})"}
            text = {"body": post["data"]["body"]} if locale == "de" and "body" in post["data"] else {}
            await blog.ask("PUT", f"/content/{post['id']}/translations/{locale}", {"data": {**data, **text}})
    await blog.bulk([{"op": "publish", "id": post["id"]} for post in posts])
    await blog.settled()
    return posts


class Readers:
    """What they saw: by kind of read, which names at which point."""

    def __init__(self, blog, posts, worker):
        self.blog, self.posts, self.worker = blog, posts, worker
        self.reads, self.errors, self.changed = Counter(), [], Counter()

    def names_of(self, items):
        """Which of the two layouts these items have; all of them the same."""
        keys = {key for item in items for key in item["data"]}
        old, new = keys & RENAMED.keys(), keys & set(RENAMED.values())
        assert not (old and new), (old, new)
        return "new" if new else "old"

    async def read(self, kind, once):
        before = "old"
        while not self.worker.done():
            try:
                names = await once(random.Random(self.reads[kind]))
                assert (before, names) != ("new", "old"), "what was renamed has its old name again"
                self.changed[kind] += before != names
                before = names
            except (AssertionError, aiohttp.ClientError) as error:
                self.errors.append((kind, repr(error)[:500]))
            self.reads[kind] += 1
            await asyncio.sleep(0)

    async def an_item(self, rng):
        post = rng.choice(self.posts)
        return self.names_of([await self.blog.ask("GET", f"/content/{post['id']}")])

    async def a_list(self, rng):
        path = f"/content?type=entry&page_size=50&page={rng.randint(1, max(1, len(self.posts) // 50))}"
        answer = await self.blog.ask("GET", path)
        assert answer["total"] == len(self.posts)
        return self.names_of(answer["items"])

    async def a_list_with_authors(self, rng):
        path = f"/content?type=entry&page_size=50&locale={rng.choice(['de', 'fr'])}&fallback=default&include=writers"
        answer = await self.blog.ask("GET", path)
        assert answer["total"] == len(self.posts)
        wanted = {one for item in answer["items"] for one in item["data"].get("writers", ())}
        assert wanted == answer["included"].keys()
        return self.names_of(answer["items"])

    async def drafts(self, rng):
        answer = await self.blog.ask("GET", "/content?type=entry&status=any&page_size=100")
        assert answer["total"] == len(self.posts)
        return self.names_of(answer["items"])

    async def what_was(self, rng):
        answer = await self.blog.ask("GET", f"/content?type=entry&page_size=50&as_of={self.moment}")
        assert answer["total"] == len(self.posts)
        return self.names_of(answer["items"])

    async def a_filter(self, rng):
        """By the name that the type has; if it is refused, the type has another name by then."""
        team = rng.choice(sorted(self.teams))
        for _ in range(2):
            fields = {field["key"] for field in (await self.blog.ask("GET", "/content-types/entry"))["fields"]}
            name = next(key for key in ("team", "squad") if key in fields)
            query = {"type": "entry", "page_size": 100, "filter": {f"data.{name}": team}}
            status, answer = await self.blog.call("POST", "/content/query", query)
            if status == 200:
                assert answer["total"] == self.teams[team], "the filter finds what it found"
                assert {item["data"].get(name) for item in answer["items"]} == {team}
                return self.names_of(answer["items"])
            assert (status, name) == (400, "team"), answer
        raise AssertionError("The type says one name and the filter takes the other.")


async def rename(blog):
    """The plan, applied; how long it took."""
    fields = [
        {**field, "key": RENAMED[field["key"]], "renamed_from": field["key"]} if field["key"] in RENAMED else field
        for field in ENTRY
    ]
    made = await blog.ask("POST", "/content-types/entry/plan", {"fields": fields})
    assert not any(change["failing"] or change["destructive"] for change in made["changes"])
    started = time.monotonic()
    await blog.done((await blog.ask("POST", f"/content-types/entry/plan/{made['plan_id']}/apply"))["job_id"])
    return time.monotonic() - started


def as_renamed(items):
    """What the items are to be: the same, under the new names."""
    names = {**RENAMED, "body_html": "text_html"}
    for item in items:
        for member in ("data", "fallback_fields"):
            if member in item:
                item[member] = {names.get(key, key): value for key, value in item[member].items()}
    return sorted(items, key=lambda item: item["id"])


async def everything(blog):
    """All that readers and editors get of the posts."""
    published = [await blog.all(f"type=entry&locale={locale}") for locale in ("en", "de", "fr")]
    return [*published, await blog.all("type=entry&status=any"), await blog.all("type=entry&locale=de&status=any")]


async def test_a_blog_gets_other_names_for_its_fields_while_everybody_reads(tmp_path):
    given = os.environ.get("BLOG_POSTS")
    archive = await asyncio.to_thread(Path(given).read_bytes) if given else generated()
    running = Running(tmp_path / "home")
    try:
        await asyncio.to_thread(running.ready)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20)) as session:
            await tell(Blog(session, running.base, running.token), archive)
    finally:
        await asyncio.to_thread(running.stop)


async def tell(blog, archive):
    started = time.monotonic()
    posts = await move_in(blog, archive)
    figures = {"posts": len(posts), "moved_in_seconds": round(time.monotonic() - started, 1)}
    before = await everything(blog)
    worker = asyncio.create_task(rename(blog))
    readers = Readers(blog, posts, worker)
    readers.teams = Counter(post["data"]["team"] for post in before[0] if "team" in post["data"])
    # Not the beginning of the second, in which it may still have been moving in.
    readers.moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    kinds = (
        readers.an_item,
        readers.a_list,
        readers.a_list_with_authors,
        readers.drafts,
        readers.what_was,
        readers.a_filter,
    )
    await asyncio.gather(*(readers.read(kind.__name__, kind) for kind in kinds))
    figures |= {"rename_seconds": round(await worker, 2), "reads": dict(readers.reads), "errors": len(readers.errors)}
    sys.stdout.write(f"{json.dumps(figures)}\n")
    assert readers.errors == []
    after = await everything(blog)
    for old, new in zip(before, after, strict=True):
        assert sorted(new, key=lambda item: item["id"]) == as_renamed(old)
    assert all(readers.reads[kind.__name__] >= 5 for kind in kinds), readers.reads
    revisions = await blog.ask("GET", f"/content/{posts[0]['id']}/revisions/1?locale=en")
    assert not RENAMED.keys() & revisions["data"].keys()
