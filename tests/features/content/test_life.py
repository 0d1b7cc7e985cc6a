"""Whatever editors do to items, in whatever order: readers get what a model says, now and of any time before."""

import asyncio
import secrets
import time
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.features.content.lives import CHAINS, LOCALES, LOCALIZED, TALE, Tale, World, seen

WORDS = st.sampled_from(["ant", "bee", "cat"])
MAYBE = st.none() | st.just("") | WORDS
PICK = st.integers(0, 11)
MOSTLY = st.sampled_from([True, True, False])
LOCALE = st.sampled_from(sorted(CHAINS))
SOME = st.sets(LOCALE, max_size=3)
SLUGS = st.none() | st.sampled_from(["one", "two", "three"])
LIVES = settings(
    max_examples=8,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,  # the same lives in each run: a suite is no place for what comes once in a while
    database=None,
    phases=[Phase.generate],  # a failure is told as it was found: making it small takes minutes
    suppress_health_check=list(HealthCheck),
)


class Life(RuleBasedStateMachine):
    """Steps through the API of a site of its own, and the same in the model."""

    def __init__(self, loop, admin, drain):
        super().__init__()
        self.loop, self.admin, self.run_jobs = loop, admin, drain
        self.world, self.moments = World(), []
        self.renamed = None

    def wait(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def ask(self, method, path, body=None, status=(200, 201, 202, 204)):
        answer = self.wait(self.site.call(method, path, **({} if body is None else {"json": body})))
        wanted = (status,) if isinstance(status, int) else status
        assert answer.status in wanted, (method, path, body, wanted, answer.raw)
        return answer.json

    def pick(self, number, *places):
        found = self.world.at(*places)
        return found[number % len(found)] if found else None

    def term(self, number):
        known = sorted(self.world.names)
        return known[number % len(known)] if known else None

    def friend(self, number):
        """Nobody, or one of the items that there are."""
        found = self.pick(number, "here", "archive") if number % 3 else None
        return found.id if found else None

    @initialize()
    def begin(self):
        key = f"l{secrets.token_hex(6)}"
        self.site = self.admin.at(key)
        self.ask("POST", "/sites", {"key": key, "name": key, "locales": LOCALES})
        self.ask("POST", "/content-types", {"key": "tale", "name": "Tale", "fields": TALE})
        self.ask("POST", "/taxonomies", {"key": "topics", "name": "Topics"})
        for name in ("x", "y"):
            self.add_term(name)
        for number in range(3):
            self.create("en", "ant", None, None, number + 3 if number else 0, number, True)

    def add_term(self, name):
        self.world.names[self.ask("POST", "/taxonomies/topics/terms", {"name": name})["id"]] = name

    @rule(locale=LOCALE, title=WORDS, body=MAYBE, code=MAYBE, friend=PICK, term=PICK, publish=MOSTLY)
    def create(self, locale, title, body, code, friend, term, publish):
        given = {"title": title, "body": body, "secret": "s", "code": code, "friend": self.friend(friend)}
        data = {key: value for key, value in given.items() if value is not None}
        terms = [self.term(term)] if term % 2 and self.world.names else []
        about = {"type": "tale", "locale": locale, "data": self.world.named(data), "publish": publish}
        taken = self.world.code_taken(code)
        made = self.ask("POST", "/content", {**about, "taxonomies": {"topics": terms}}, 409 if taken else 201)
        if not taken:
            assert not self.world.slug_taken(made["slug"])
            tale = self.world.tales[made["id"]] = Tale(made["id"], made["slug"], terms=terms)
            tale.add(locale, data)
            if publish:
                tale.publish([locale])

    @rule(number=PICK, pick=PICK, body=MAYBE, note=MAYBE, friend=st.none() | PICK, slug=SLUGS, term=st.none() | PICK)
    def save(self, number, pick, body, note, friend, slug, term):
        """A PATCH of shared and localized fields; None takes away."""
        tale = self.pick(number, "here")
        if tale is None:
            return
        locale = sorted(tale.drafts)[pick % len(tale.drafts)]
        change = {"body": body, "note": note}
        if friend is not None:
            change["friend"] = self.friend(friend)
        change = {key: value for place, (key, value) in enumerate(change.items()) if (pick + place) % 3}
        data = {k: v for k, v in {**tale.drafts[locale], **change}.items() if v is not None}
        sent = {"data": self.world.named(change), "slug": slug}
        terms = None
        if term is not None and self.world.names:
            terms = [] if self.term(term) in tale.terms else [self.term(term)]
            sent["taxonomies"] = {"topics": terms}
        sent = {key: value for key, value in sent.items() if value is not None}
        taken = slug is not None and self.world.slug_taken(slug, but=tale)
        self.ask("PATCH", f"/content/{tale.id}?locale={locale}", sent, 409 if taken else 200)
        if not taken:
            tale.save(locale, data, terms, slug)

    @rule(number=PICK, locale=LOCALE, title=WORDS, body=MAYBE, note=MAYBE)
    def translate(self, number, locale, title, body, note):
        """A PUT of a locale, that there is or that is new."""
        tale = self.pick(number, "here")
        if tale is None:
            return
        given = {key: value for key, value in (("title", title), ("body", body), ("note", note)) if value is not None}
        base = tale.drafts.get(locale) or next(iter(tale.drafts.values()))
        data = {**{key: value for key, value in base.items() if key not in LOCALIZED}, **given}
        is_new = locale not in tale.drafts
        path = f"/content/{tale.id}/translations/{locale}"
        self.ask("PUT", path, {"data": self.world.named(given)}, 201 if is_new else 200)
        if is_new:
            tale.add(locale, data)
        else:
            tale.save(locale, data)

    @rule(number=PICK, pick=PICK)
    def remove_locale(self, number, pick):
        tale = self.pick(number, "here")
        if tale is None:
            return
        locale = sorted(tale.drafts)[pick % len(tale.drafts)]
        last = len(tale.drafts) == 1
        self.ask("DELETE", f"/content/{tale.id}/translations/{locale}", status=409 if last else 204)
        if not last:
            tale.remove(locale)

    @rule(number=PICK, some=SOME)
    def publish(self, number, some):
        tale = self.pick(number, "here")
        if tale is None:
            return
        locales = sorted(some & tale.drafts.keys()) or None
        meant = locales or sorted(tale.drafts)
        targets = {tale.drafts[locale].get("friend") for locale in meant} - {None}
        refused = not all(map(self.world.is_target, targets))
        body = {"locales": locales} if locales else {}
        self.ask("POST", f"/content/{tale.id}/publish", body, 422 if refused else 200)
        if not refused:
            tale.publish(meant)

    @rule(number=PICK, some=SOME)
    def unpublish(self, number, some):
        tale = self.pick(number, "here")
        if tale is None:
            return
        locales = sorted(some & tale.drafts.keys()) or None
        meant = set(locales or CHAINS) & tale.documents.keys()
        body = {"locales": locales} if locales else {}
        self.ask("POST", f"/content/{tale.id}/unpublish", body, 200 if meant else 409)
        for locale in meant:
            del tale.documents[locale]

    @rule(number=PICK, pick=PICK)
    def restore_revision(self, number, pick):
        tale = self.pick(number, "here")
        if tale is None:
            return
        locale = sorted(tale.drafts)[pick % len(tale.drafts)]
        numbers = sorted(tale.revisions[locale])
        wanted = numbers[pick * 7 % len(numbers)]
        data, terms = tale.revisions[locale][wanted]
        path = f"/content/{tale.id}/revisions/{wanted}?locale={locale}"
        revision = self.ask("GET", path)
        assert revision["data"] == self.world.named(data)
        terms = [term for term in terms if term in self.world.names]
        assert sorted(term["id"] for term in revision["taxonomies"].get("topics", ())) == sorted(terms)
        status, friend = 200, data.get("friend")
        if self.world.code_taken(data.get("code"), but=tale):
            status = 409
        if friend not in (None, tale.drafts[locale].get("friend")) and not self.world.is_target(friend):
            status = 422
        self.ask("POST", f"/content/{tale.id}/revisions/{wanted}/restore?locale={locale}", status=status)
        if status == 200:
            tale.save(locale, data, terms)

    @rule(number=PICK, permanent=st.sampled_from([False, False, True]), force=st.booleans())
    def delete(self, number, permanent, force):
        tale = self.pick(number, "here", "archive")
        if tale is None:
            return
        refused = not force and self.world.is_used(tale)
        query = f"?permanent={str(permanent).lower()}&force={str(force).lower()}"
        self.ask("DELETE", f"/content/{tale.id}{query}", status=409 if refused else 204)
        if not refused:
            tale.go("trash")
            if permanent:
                del self.world.tales[tale.id]
                self.world.erased.add(tale.id)

    @rule(number=PICK)
    def restore(self, number):
        tale = self.pick(number, "trash", "archive")
        if tale is None:
            return
        codes = {data.get("code") for data in tale.drafts.values()} - {None}
        slug_taken = tale.place == "trash" and self.world.slug_taken(tale.slug, but=tale)
        code_taken = tale.place == "trash" and any(self.world.code_taken(code, but=tale) for code in codes)
        body, slug = None, tale.slug
        if slug_taken:
            answer = self.ask("POST", f"/content/{tale.id}/restore", status=409)
            slug = answer["detail"]["suggestion"]
            body = {"slug": slug}
        self.ask("POST", f"/content/{tale.id}/restore", body, 409 if code_taken else 200)
        if not code_taken:
            tale.slug = slug
            tale.come()

    @rule(number=PICK)
    def archive(self, number):
        tale = self.pick(number, "here")
        if tale is not None:
            self.ask("POST", f"/content/{tale.id}/archive")
            tale.go("archive")
            self.ask("PATCH", f"/content/{tale.id}?locale={min(tale.drafts)}", {"data": {"title": "no"}}, 409)

    @rule(number=PICK)
    def duplicate(self, number):
        tale = self.pick(number, "here")
        if tale is None:
            return
        friends = {data.get("friend") for data in tale.drafts.values()} - {None}
        refused = not all(map(self.world.is_target, friends))
        made = self.ask("POST", f"/content/{tale.id}/duplicate", status=422 if refused else 201)
        if not refused:
            assert not self.world.slug_taken(made["slug"])
            copy = self.world.tales[made["id"]] = Tale(made["id"], made["slug"], terms=list(tale.terms))
            for locale in sorted(tale.drafts, key=lambda one: (one != made["locale"], one)):
                copy.add(locale, {key: value for key, value in tale.drafts[locale].items() if key != "code"})

    @rule(
        kind=st.sampled_from(["add", "rename", "merge", "delete"]), term=PICK, other=PICK, name=st.sampled_from("uvw")
    )
    def change_terms(self, kind, term, other, name):
        if kind == "add" or len(self.world.names) < 2:
            self.add_term(name)
            return
        term, into = self.term(term), self.term(other)
        path = f"/taxonomies/topics/terms/{term}"
        if kind == "rename":
            self.ask("PATCH", path, {"name": name})
            self.world.names[term] = name
        elif kind == "delete":
            self.ask("DELETE", f"{path}?force=true")
            self.world.merge(term, None)
        elif term != into:
            self.ask("POST", f"{path}/merge", {"into": into})
            self.world.merge(term, into)

    @rule(key=st.sampled_from(["body", "note", "friend", "code"]), name=st.sampled_from(["old", "new"]))
    def rename_field(self, key, name):
        """By a plan; or what was renamed before gets its old name back."""
        if self.renamed is not None and name == "old":
            self.change_type("rollback")
            key, before = self.renamed
            self.world.called[key], self.renamed = before, None
            return
        now, wanted = self.world.called.get(key, key), f"{key}_{name}"
        if wanted == now:
            return
        fields = [{**one, "key": self.world.called.get(one["key"], one["key"])} for one in TALE]
        fields = [{**one, "key": wanted, "renamed_from": now} if one["key"] == now else one for one in fields]
        made = self.ask("POST", "/content-types/tale/plan", {"fields": fields})
        assert [change["failing"] for change in made["changes"]] == [[]], made
        self.change_type(f"plan/{made['plan_id']}/apply")
        self.renamed = (key, now)
        self.world.called[key] = wanted

    def change_type(self, path):
        job_id = self.ask("POST", f"/content-types/tale/{path}", status=202)["job_id"]
        self.wait(self.run_jobs())
        job = self.ask("GET", f"/search/jobs/{job_id}")
        assert job["state"] == "done", job

    def listed(self, query):
        """A list by id; each item stands in it once, and the total says how many."""
        answer = self.ask("GET", f"/content?type=tale&page_size=200&{query}")
        found = {item["id"]: item for item in answer["items"]}
        assert answer["total"] == len(answer["items"]) == len(found), query
        return found, answer.get("included", {})

    def look(self):
        """What readers and editors get is what the model says, once the jobs are done."""
        self.wait(self.run_jobs())
        friend = self.world.called.get("friend", "friend")
        for locale, chain in CHAINS.items():
            published, included = self.listed(f"locale={locale}&include={friend}")
            wanted = self.world.delivered([locale])
            assert {key: seen(item) for key, item in published.items()} == wanted
            targets = {item["data"].get(friend) for item in wanted.values()} & wanted.keys()
            assert {key: seen(item) for key, item in included.items()} == {key: wanted[key] for key in targets}
            found, _ = self.listed(f"locale={locale}&fallback=default")
            assert {key: seen(item) for key, item in found.items()} == self.world.delivered(chain)
            drafts, _ = self.listed(f"locale={locale}&status=any")
            here = [tale for tale in self.world.at("here") if locale in tale.drafts]
            assert {key: seen(d) for key, d in drafts.items()} == {t.id: self.world.draft(t, locale) for t in here}
            self.look_for(locale, wanted)

    def look_for(self, locale, wanted):
        """Filters find what the model says that they find."""
        body = self.world.called.get("body", "body")
        found, _ = self.listed(f"locale={locale}&filter[data.{body}]=bee")
        assert found.keys() == {key for key, item in wanted.items() if item["data"].get(body) == "bee"}
        for term in list(self.world.names)[:1]:
            found, _ = self.listed(f"locale={locale}&filter[terms.topics]={term}")
            assert found.keys() == {key for key, item in wanted.items() if term in dict(item["taxonomies"])}

    def look_at_one(self, number):
        """By id and by slug the same; every revision once."""
        self.wait(self.run_jobs())
        tale = self.pick(number, "here")
        if tale is None:
            return
        for locale in tale.drafts:
            answer = self.ask("GET", f"/content/{tale.id}/revisions?locale={locale}&page_size=200")
            numbers = [revision["number"] for revision in answer["items"]]
            assert numbers == sorted(tale.revisions[locale], reverse=True)
            assert answer["total"] == len(numbers)
            is_published = locale in tale.documents
            path = f"/content/{tale.id}?status=published&locale={locale}"
            found = self.ask("GET", path, status=200 if is_published else 404)
            if is_published:
                assert seen(found) == self.world.document(tale, locale)
                slug = tale.documents[locale].slug
                assert self.ask("GET", f"/content/by-slug/tale/{slug}?locale={locale}") == found

    @rule()
    def remember(self):
        """What readers get is what the model says; and so it was at this moment, whatever comes."""
        self.look()
        self.look_at_one(len(self.moments))
        time.sleep(0.005)
        moment = datetime.now(UTC)
        time.sleep(0.005)
        then = {locale: self.listed(f"locale={locale}")[0] for locale in CHAINS}
        self.moments.append((moment, {k: self.as_first_called(found) for k, found in then.items()}))

    @rule(pick=PICK)
    @precondition(lambda self: self.moments)
    def look_back(self, pick):
        moment, then = self.moments[pick % len(self.moments)]
        for locale, before in then.items():
            found, _ = self.listed(f"locale={locale}&as_of={quote(moment.isoformat())}")
            wanted = {key: item for key, item in before.items() if key not in self.world.erased}
            assert self.as_first_called(found) == wanted

    def as_first_called(self, found):
        """Documents with the names that fields had in the beginning."""
        first = {now: key for key, now in self.world.called.items()}
        for item in found.values():
            for member in {"data", "fallback_fields"} & item.keys():
                item[member] = {first.get(key, key): value for key, value in item[member].items()}
            for target in item.get("unpublished", ()):
                target["field"] = first.get(target["field"], target["field"])
        return found

    def teardown(self):
        """However it ends, all of it is looked at."""
        self.look()
        for number in range(len(self.world.at("here"))):
            self.look_at_one(number)
        for number in range(len(self.moments)):
            self.look_back(number)


@pytest.mark.timeout(300)
async def test_whatever_is_done_to_items_readers_get_what_the_model_says(admin, drain):
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(run_state_machine_as_test, lambda: Life(loop, admin, drain), settings=LIVES)
