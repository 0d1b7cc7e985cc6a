"""A model of items in Python: what drafts, revisions and documents are after whatever was done to them."""

from dataclasses import dataclass, field

LOCALES = [{"code": "en"}, {"code": "de", "fallback": ["fr"]}, {"code": "fr"}]
CHAINS = {"en": ["en"], "fr": ["fr", "en"], "de": ["de", "fr", "en"]}
TALE = [
    {"key": "title", "type": "string", "required": True, "localized": True},
    {"key": "body", "type": "string", "localized": True},
    {"key": "secret", "type": "string", "localized": True, "private": True},
    {"key": "note", "type": "string"},
    {"key": "code", "type": "string", "unique": True},
    {"key": "friend", "type": "relation", "target": "tale"},
]
LOCALIZED = {"title", "body", "secret"}
SHARED = {"note", "code", "friend"}


@dataclass
class Document:
    """What was published of a tale in a locale; `own` is public data."""

    own: dict
    slug: str
    version: int
    terms: list


@dataclass
class Tale:
    id: str
    slug: str
    drafts: dict = field(default_factory=dict)
    versions: dict = field(default_factory=dict)
    documents: dict = field(default_factory=dict)
    terms: list = field(default_factory=list)
    place: str = "here"
    came_from: str = "here"
    first_version: int = 1
    revisions: dict = field(default_factory=dict)
    """By locale and number: data and terms."""

    def keep(self, locale):
        """The draft in a locale is what its newest revision has."""
        kept = (dict(self.drafts[locale]), list(self.terms))
        self.revisions.setdefault(locale, {})[self.versions[locale]] = kept

    def keep_all(self):
        for locale in self.drafts:
            self.keep(locale)

    def save(self, locale, data, terms=None, slug=None):
        """`data` in the place of the draft; what it shares goes to the other locales."""
        before, self.drafts[locale] = self.drafts[locale], dict(data)
        self.slug = slug or self.slug
        self.versions[locale] += 1
        others = [other for other in self.drafts if other != locale]
        shared = {key for key in SHARED if before.get(key) != data.get(key)}
        self.keep(locale)
        if shared:
            self.share(locale, others)
        if terms is not None and sorted(terms) != sorted(self.terms):
            self.terms = list(terms)
            for other in others if not shared else ():
                self.versions[other] += 1
            self.keep_all()

    def share(self, locale, others):
        values = {key: self.drafts[locale][key] for key in SHARED if key in self.drafts[locale]}
        for other in others:
            own = {key: value for key, value in self.drafts[other].items() if key in LOCALIZED}
            self.drafts[other] = {**own, **values}
            self.versions[other] += 1
            self.keep(other)

    def add(self, locale, data):
        """One more locale; `data` is all of it."""
        others = list(self.drafts)
        before = self.drafts[others[0]] if others else data
        self.drafts[locale], self.versions[locale] = dict(data), self.first_version
        self.keep(locale)
        if any(before.get(key) != data.get(key) for key in SHARED):
            self.share(locale, others)

    def remove(self, locale):
        self.first_version = max(self.first_version, self.versions.pop(locale) + 1)
        del self.drafts[locale]
        self.documents.pop(locale, None)

    def publish(self, locales):
        for locale in locales:
            own = {key: value for key, value in self.drafts[locale].items() if key != "secret"}
            self.documents[locale] = Document(own, self.slug, self.versions[locale], list(self.terms))

    def go(self, place):
        """Out of delivery, into the trash or the archive."""
        self.documents, self.came_from, self.place = {}, self.place, place

    def come(self):
        """Back to where it was."""
        self.place, self.came_from = self.came_from, "here"

    def status(self, locale):
        if locale not in self.documents:
            return "draft"
        return "published" if self.documents[locale].version == self.versions[locale] else "changed"


@dataclass
class World:
    """A site."""

    tales: dict = field(default_factory=dict)
    names: dict = field(default_factory=dict)
    """Of terms, by id."""
    called: dict = field(default_factory=dict)
    """Fields that have another name now."""
    erased: set = field(default_factory=set)

    def named(self, data):
        return {self.called.get(key, key): value for key, value in data.items()}

    def at(self, *places):
        return [tale for tale in self.tales.values() if tale.place in places]

    def is_target(self, tale_id):
        """Whether something may point to it."""
        return tale_id in self.tales and self.tales[tale_id].place != "trash"

    def is_used(self, tale):
        return any(
            data.get("friend") == tale.id
            for other in self.at("here", "archive")
            for data in other.drafts.values()
            if other is not tale
        )

    def slug_taken(self, slug, but=None):
        return any(
            tale is not but and (slug == tale.slug or any(d.slug == slug for d in tale.documents.values()))
            for tale in self.at("here", "archive")
        )

    def code_taken(self, code, but=None):
        return code is not None and any(
            data.get("code") == code
            for tale in self.at("here", "archive")
            if tale is not but
            for data in tale.drafts.values()
        )

    def draft(self, tale, locale):
        """What editors see."""
        return {
            "id": tale.id,
            "slug": tale.slug,
            "locale": locale,
            "locales": sorted(tale.drafts),
            "status": tale.status(locale),
            "version": tale.versions[locale],
            "data": self.named(tale.drafts[locale]),
            "taxonomies": self.shown(tale.terms),
        }

    def document(self, tale, locale):
        """What readers get."""
        document = tale.documents[locale]
        data, taken = dict(document.own), {}
        for key in LOCALIZED - {"secret"} - data.keys():
            for other in CHAINS[locale][1:]:
                if key in getattr(tale.documents.get(other), "own", ()):
                    data[key], taken[key] = tale.documents[other].own[key], other
                    break
        found = {
            "id": tale.id,
            "slug": document.slug,
            "locale": locale,
            "locales": sorted(tale.documents),
            "status": "published",
            "version": document.version,
            "data": self.named(data),
            "taxonomies": self.shown(document.terms),
        }
        if taken:
            found["fallback_fields"] = self.named(taken)
        friend = data.get("friend")
        if friend is not None and not (friend in self.tales and self.tales[friend].documents):
            found["unpublished"] = [{"field": self.called.get("friend", "friend"), "id": friend}]
        return found

    def shown(self, terms):
        return sorted((term, self.names[term]) for term in terms)

    def delivered(self, locales):
        """A list of what is published, each item in the first of these locales that has it; by id."""
        found = {}
        for tale in self.tales.values():
            there = next((locale for locale in locales if locale in tale.documents), None)
            if there is not None:
                found[tale.id] = self.document(tale, there)
        return found

    def merge(self, term, into):
        """One term is another, or none, from here on."""
        del self.names[term]
        for tale in self.tales.values():
            tale.terms = _merged(tale.terms, term, into)
            for document in tale.documents.values():
                document.terms = _merged(document.terms, term, into)
            tale.keep_all()


def _merged(terms, term, into):
    if term not in terms:
        return terms
    rest = [other for other in terms if other not in (term, into)]
    return rest if into is None else [*rest, into]


def seen(item):
    """An item of the API as the model tells of it."""
    kept = ("id", "slug", "locale", "locales", "status", "version", "data", "fallback_fields", "unpublished")
    terms = [(term["id"], term["name"]) for term in item["taxonomies"].get("topics", ())]
    return {**{key: item[key] for key in kept if key in item}, "taxonomies": sorted(terms)}
