"""Versions of drafts and of documents, written by the database itself, so that no way of writing forgets them."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.data import JSON_DUMPS
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

DRAFTS = [
    # `scaicms.change` is what the transaction says of itself: `imported`, `restored:7:en`. What a change in one locale
    # does to the others is a save.
    """CREATE FUNCTION keep_revision() RETURNS trigger LANGUAGE plpgsql AS $$
       DECLARE change text := nullif(current_setting('scaicms.change', true), '');
       BEGIN
         IF split_part(change, ':', 3) NOT IN ('', NEW.locale) THEN change := NULL; END IF;
         INSERT INTO revisions (site_id, type_id, item_id, locale, number, data, slug, terms, created_at, created_by,
                                kind, source)
         SELECT i.site_id, i.type_id, i.id, NEW.locale, NEW.version, NEW.data, i.slug,
                coalesce((SELECT l.terms FROM item_terms l WHERE l.item_id = i.id), '{}'),
                clock_timestamp(), NEW.updated_by,
                coalesce(split_part(change, ':', 1), CASE TG_OP WHEN 'INSERT' THEN 'created' ELSE 'saved' END),
                nullif(split_part(change, ':', 2), '')::int
           FROM items i WHERE i.id = NEW.item_id;
         RETURN NULL;
       END $$""",
    """CREATE TRIGGER entries_made AFTER INSERT ON entries FOR EACH ROW EXECUTE FUNCTION keep_revision()""",
    """CREATE TRIGGER entries_saved AFTER UPDATE OF version ON entries FOR EACH ROW
         WHEN (OLD.version <> NEW.version) EXECUTE FUNCTION keep_revision()""",
    # Terms are given after the draft is saved, and belong to the version that it is now.
    """CREATE FUNCTION keep_revision_terms() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         UPDATE revisions r SET terms = CASE TG_OP WHEN 'DELETE' THEN '{}' ELSE c.terms END
           FROM changed c JOIN entries e ON e.item_id = c.item_id
          WHERE r.item_id = e.item_id AND r.locale = e.locale AND r.number = e.version
            AND r.terms <> CASE TG_OP WHEN 'DELETE' THEN '{}' ELSE c.terms END;
         RETURN NULL;
       END $$""",
]
DOCUMENTS = [
    # A plan rewrites the past itself (`scaicms.rewriting`): readers get what they got, in the fields of now.
    # What a transaction changes twice nobody saw in between; times never run backwards.
    """CREATE FUNCTION keep_document() RETURNS trigger LANGUAGE plpgsql AS $$
       DECLARE
         this bigint := pg_current_xact_id()::text::bigint;
         moment timestamptz := clock_timestamp();
       BEGIN
         IF current_setting('scaicms.rewriting', true) = 'on' THEN RETURN NULL; END IF;
         IF TG_OP = 'UPDATE' THEN
           UPDATE document_history h
              SET slug = NEW.slug, version = NEW.version, etag = NEW.etag, body = NEW.body, data = NEW.data,
                  updated_at = NEW.updated_at, published_at = NEW.published_at
            WHERE h.item_id = NEW.item_id AND h.locale = NEW.locale AND h.valid_to = 'infinity' AND h.made_by = this;
           IF FOUND THEN RETURN NULL; END IF;
         ELSIF TG_OP = 'DELETE' THEN
           DELETE FROM document_history h
            WHERE h.item_id = OLD.item_id AND h.locale = OLD.locale AND h.valid_to = 'infinity' AND h.made_by = this;
           IF FOUND THEN RETURN NULL; END IF;
         END IF;
         IF TG_OP <> 'INSERT' THEN
           UPDATE document_history h SET valid_to = greatest(moment, h.valid_from)
            WHERE h.item_id = OLD.item_id AND h.locale = OLD.locale AND h.valid_to = 'infinity'
           RETURNING h.valid_to INTO moment;
           moment := coalesce(moment, clock_timestamp());
         -- When it is published for the first time, it is there at the very time that it shows, in milliseconds.
         ELSIF NEW.published_at > now() - interval '1 minute' AND NOT EXISTS (
             SELECT FROM document_history h WHERE h.item_id = NEW.item_id AND h.locale = NEW.locale) THEN
           moment := date_trunc('milliseconds', least(moment, NEW.published_at));
         END IF;
         IF TG_OP <> 'DELETE' THEN
           INSERT INTO document_history (item_id, locale, site_id, type_id, slug, version, etag, body, data, created_at,
                                         updated_at, published_at, valid_from, valid_to, made_by)
           VALUES (NEW.item_id, NEW.locale, NEW.site_id, NEW.type_id, NEW.slug, NEW.version, NEW.etag, NEW.body,
                   NEW.data, NEW.created_at, NEW.updated_at, NEW.published_at, moment, 'infinity', this);
         END IF;
         RETURN NULL;
       END $$""",
    """CREATE TRIGGER documents_made AFTER INSERT OR DELETE ON documents FOR EACH ROW
         EXECUTE FUNCTION keep_document()""",
    """CREATE TRIGGER documents_changed AFTER UPDATE ON documents FOR EACH ROW
         WHEN (OLD.body <> NEW.body OR OLD.slug <> NEW.slug OR OLD.data <> NEW.data)
         EXECUTE FUNCTION keep_document()""",
    """CREATE FUNCTION keep_document_terms() RETURNS trigger LANGUAGE plpgsql AS $$
       DECLARE
         this bigint := pg_current_xact_id()::text::bigint;
         moment timestamptz := clock_timestamp();
       BEGIN
         WITH same AS (
           UPDATE document_term_history h SET terms = c.terms, under = c.under FROM changed c
            WHERE h.item_id = c.item_id AND h.locale = c.locale AND h.valid_to = 'infinity' AND h.made_by = this),
         closed AS (
           UPDATE document_term_history h SET valid_to = greatest(moment, h.valid_from) FROM changed c
            WHERE h.item_id = c.item_id AND h.locale = c.locale AND h.valid_to = 'infinity' AND h.made_by <> this
              AND (h.terms <> c.terms OR h.under <> c.under)
           RETURNING h.item_id, h.locale, h.valid_to)
         INSERT INTO document_term_history (item_id, locale, site_id, terms, under, valid_from, valid_to, made_by)
         SELECT c.item_id, c.locale, c.site_id, c.terms, c.under, coalesce(o.valid_to, moment), 'infinity', this
           FROM changed c LEFT JOIN closed o ON o.item_id = c.item_id AND o.locale = c.locale
          WHERE o.item_id IS NOT NULL OR NOT EXISTS (
                SELECT FROM document_term_history h
                 WHERE h.item_id = c.item_id AND h.locale = c.locale AND h.valid_to = 'infinity');
         RETURN NULL;
       END $$""",
    """CREATE FUNCTION end_document_terms() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         WITH unseen AS (
           DELETE FROM document_term_history h USING changed c
            WHERE h.item_id = c.item_id AND h.locale = c.locale AND h.valid_to = 'infinity'
              AND h.made_by = pg_current_xact_id()::text::bigint)
         UPDATE document_term_history h SET valid_to = greatest(clock_timestamp(), h.valid_from) FROM changed c
          WHERE h.item_id = c.item_id AND h.locale = c.locale AND h.valid_to = 'infinity'
            AND h.made_by <> pg_current_xact_id()::text::bigint;
         RETURN NULL;
       END $$""",
]


def _on_terms(table: str, event: str, function: str) -> str:
    """A trigger for a whole statement: a term that moves takes many rows along."""
    rows = "OLD" if event == "DELETE" else "NEW"
    return f"""CREATE TRIGGER {table}_{event.lower()} AFTER {event} ON {table} REFERENCING {rows} TABLE AS changed
                 FOR EACH STATEMENT EXECUTE FUNCTION {function}()"""


TERMS = [
    *(_on_terms("item_terms", event, "keep_revision_terms") for event in ("INSERT", "UPDATE", "DELETE")),
    *(_on_terms("document_terms", event, "keep_document_terms") for event in ("INSERT", "UPDATE")),
    _on_terms("document_terms", "DELETE", "end_document_terms"),
]
INDEXES = [
    # Validity at the end of each key: an index alone tells which of an item's many versions is meant.
    """CREATE INDEX document_history_newest
         ON document_history (site_id, type_id, locale, published_at DESC, item_id DESC, valid_to, valid_from)""",
    "CREATE INDEX document_history_valid ON document_history (site_id, type_id, locale, valid_to, valid_from)",
    "CREATE INDEX document_history_data ON document_history USING gin (data jsonb_path_ops)",
    "CREATE INDEX document_history_slug ON document_history (site_id, type_id, locale, slug, valid_to)",
    "CREATE INDEX document_term_history_terms ON document_term_history USING gin (terms, under)",
    "ALTER TABLE content_holds ADD CONSTRAINT content_holds_item FOREIGN KEY (item_id) REFERENCES items",
]
# What is there has no past that anybody knew: it begins now.
BACKFILL = [
    """INSERT INTO revisions (site_id, type_id, item_id, locale, number, data, slug, terms, created_at, created_by, kind)
         SELECT i.site_id, i.type_id, i.id, e.locale, e.version, e.data, i.slug, coalesce(l.terms, '{}'), now(),
                e.updated_by, 'migrated'
           FROM entries e JOIN items i ON i.id = e.item_id LEFT JOIN item_terms l ON l.item_id = i.id""",
    """INSERT INTO document_history (item_id, locale, site_id, type_id, slug, version, etag, body, data, created_at,
                                     updated_at, published_at, valid_from, valid_to, made_by)
         SELECT item_id, locale, site_id, type_id, slug, version, etag, body, data, created_at, updated_at,
                published_at, now(), 'infinity', 0 FROM documents""",
    """INSERT INTO document_term_history (item_id, locale, site_id, terms, under, valid_from, valid_to, made_by)
         SELECT item_id, locale, site_id, terms, under, now(), 'infinity', 0 FROM document_terms""",
]
BACKWARD = [
    "DROP TRIGGER document_terms_insert ON document_terms",
    "DROP TRIGGER document_terms_update ON document_terms",
    "DROP TRIGGER document_terms_delete ON document_terms",
    "DROP TRIGGER item_terms_insert ON item_terms",
    "DROP TRIGGER item_terms_update ON item_terms",
    "DROP TRIGGER item_terms_delete ON item_terms",
    "DROP TRIGGER documents_made ON documents",
    "DROP TRIGGER documents_changed ON documents",
    "DROP TRIGGER entries_made ON entries",
    "DROP TRIGGER entries_saved ON entries",
    "DROP FUNCTION keep_revision(), keep_revision_terms(), keep_document(), keep_document_terms(), "
    "end_document_terms()",
]


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0010_publishing")]

    operations = [
        ops.CreateModel(
            name="RevisionRow",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("site_id", fields.UUIDField()),
                ("type_id", fields.UUIDField()),
                ("item_id", fields.UUIDField()),
                ("locale", fields.CharField(max_length=35)),
                ("number", fields.IntField()),
                ("data", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("slug", fields.CharField(max_length=200)),
                ("terms", ArrayField(element_type="uuid")),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("created_by", fields.UUIDField(null=True)),
                ("kind", fields.CharField(max_length=20)),
                ("source", fields.IntField(null=True)),
            ],
            options={
                "table": "revisions",
                "app": "scaicms",
                "unique_together": (("item_id", "locale", "number"),),
                "indexes": [Index(fields=["type_id", "id"])],
                "pk_attr": "id",
                "table_description": "A version of a draft as it was saved; the newest is the draft.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="DocumentHistoryRow",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("item_id", fields.UUIDField()),
                ("locale", fields.CharField(max_length=35)),
                ("site_id", fields.UUIDField()),
                ("type_id", fields.UUIDField()),
                ("slug", fields.CharField(max_length=200)),
                ("version", fields.IntField()),
                ("etag", fields.CharField(max_length=64)),
                ("body", fields.BinaryField()),
                ("data", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("published_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("valid_from", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("valid_to", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("made_by", fields.BigIntField()),
            ],
            options={
                "table": "document_history",
                "app": "scaicms",
                "indexes": [Index(fields=["item_id", "locale", "valid_to"]), Index(fields=["type_id", "id"])],
                "pk_attr": "id",
                "table_description": "What was delivered from `valid_from` until before `valid_to`.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="DocumentTermHistoryRow",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("item_id", fields.UUIDField()),
                ("locale", fields.CharField(max_length=35)),
                ("site_id", fields.UUIDField()),
                ("terms", ArrayField(element_type="uuid")),
                ("under", ArrayField(element_type="uuid")),
                ("valid_from", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("valid_to", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("made_by", fields.BigIntField()),
            ],
            options={
                "table": "document_term_history",
                "app": "scaicms",
                "indexes": [Index(fields=["item_id", "locale", "valid_to"])],
                "pk_attr": "id",
                "table_description": "The same of the terms of documents (`document_terms`).",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="HoldRow",
            fields=[
                ("item_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
                ("site_id", fields.UUIDField()),
                ("reason", fields.CharField(max_length=1000)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("created_by", fields.UUIDField(null=True)),
            ],
            options={
                "table": "content_holds",
                "app": "scaicms",
                "pk_attr": "item_id",
                "table_description": "A legal hold: nothing of the item's past goes, and the item does not either.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(sql=[*INDEXES, *BACKFILL, *DRAFTS, *DOCUMENTS, *TERMS], reverse_sql=BACKWARD),
    ]
