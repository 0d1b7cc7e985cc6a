"""Terms of drafts and documents as arrays, one row for each; what was linked stays so."""

from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.migrations import operations as ops

KEEP = [
    "CREATE TABLE item_terms_before AS SELECT item_id, term_id, taxonomy_id, position FROM item_terms",
    "CREATE TABLE document_terms_before AS SELECT item_id, locale, term_id, taxonomy_id, position FROM document_terms",
]
PUT_BACK = [
    """INSERT INTO item_terms (item_id, term_id, taxonomy_id, position)
         SELECT item_id, term_id, taxonomy_id, position FROM item_terms_before""",
    """INSERT INTO document_terms (item_id, locale, term_id, taxonomy_id, position)
         SELECT item_id, locale, term_id, taxonomy_id, position FROM document_terms_before""",
    "DROP TABLE item_terms_before, document_terms_before",
    "ALTER TABLE item_terms ADD CONSTRAINT item_terms_item FOREIGN KEY (item_id) REFERENCES items ON DELETE CASCADE",
    "ALTER TABLE item_terms ADD CONSTRAINT item_terms_term FOREIGN KEY (term_id) REFERENCES terms ON DELETE CASCADE",
    """ALTER TABLE document_terms ADD CONSTRAINT document_terms_document FOREIGN KEY (item_id, locale)
         REFERENCES documents (item_id, locale) ON DELETE CASCADE""",
]
UNDER = """ARRAY(SELECT DISTINCT up.id FROM terms t CROSS JOIN LATERAL unnest(t.path || t.taxonomy_id) AS up(id)
                 WHERE t.id = ANY(l.terms) ORDER BY up.id)"""
FORWARD = [
    f"""INSERT INTO item_terms (item_id, site_id, terms, under)
          SELECT l.item_id, i.site_id, l.terms, {UNDER}
          FROM (SELECT item_id, array_agg(term_id ORDER BY taxonomy_id, position) AS terms
                FROM item_terms_before GROUP BY item_id) l
          JOIN items i ON i.id = l.item_id""",
    f"""INSERT INTO document_terms (item_id, locale, site_id, terms, under, stale)
          SELECT l.item_id, l.locale, d.site_id, l.terms, {UNDER}, l.stale
          FROM (SELECT b.item_id, b.locale, bool_or(t.id IS NULL) AS stale,
                       coalesce(array_agg(t.id ORDER BY b.taxonomy_id, b.position) FILTER (WHERE t.id IS NOT NULL),
                                '{{}}') AS terms
                FROM document_terms_before b LEFT JOIN terms t ON t.id = b.term_id GROUP BY b.item_id, b.locale) l
          JOIN documents d ON d.item_id = l.item_id AND d.locale = l.locale""",
    "DROP TABLE item_terms_before, document_terms_before",
    "ALTER TABLE item_terms ADD CONSTRAINT item_terms_item FOREIGN KEY (item_id) REFERENCES items ON DELETE CASCADE",
    """ALTER TABLE document_terms ADD CONSTRAINT document_terms_document FOREIGN KEY (item_id, locale)
         REFERENCES documents (item_id, locale) ON DELETE CASCADE""",
    "CREATE INDEX item_terms_terms ON item_terms USING gin (terms, under)",
    "CREATE INDEX document_terms_terms ON document_terms USING gin (terms, under)",
    "CREATE INDEX document_terms_stale ON document_terms (site_id, id) WHERE stale",
    # A type is of one site: taken for independent of each other, the two would let every list look tiny.
    "CREATE STATISTICS documents_lists (dependencies, mcv) ON site_id, type_id, locale FROM documents",
]
ROWS = """SELECT {columns}, t.id AS term_id, t.taxonomy_id, u.place - 1 AS position
    FROM {links} l CROSS JOIN LATERAL unnest(l.terms) WITH ORDINALITY AS u(id, place) JOIN terms t ON t.id = u.id"""
BACKWARD = [
    "DROP STATISTICS documents_lists",
    f"CREATE TABLE item_terms_before AS {ROWS.format(columns='l.item_id', links='item_terms')}",
    f"CREATE TABLE document_terms_before AS {ROWS.format(columns='l.item_id, l.locale', links='document_terms')}",
]


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0007_content_types")]

    operations = [
        ops.RunSQL(sql=KEEP, reverse_sql=PUT_BACK),
        ops.DeleteModel(name="ItemTermRow"),
        ops.DeleteModel(name="DocumentTermRow"),
        ops.CreateModel(
            name="ItemTermRow",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("item_id", fields.UUIDField(unique=True)),
                ("site_id", fields.UUIDField()),
                ("terms", ArrayField(element_type="uuid")),
                ("under", ArrayField(element_type="uuid")),
            ],
            options={
                "table": "item_terms",
                "app": "scaicms",
                "pk_attr": "id",
                "table_description": "Terms of an item's draft, where it has any.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="DocumentTermRow",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("item_id", fields.UUIDField()),
                ("locale", fields.CharField(max_length=35)),
                ("site_id", fields.UUIDField()),
                ("terms", ArrayField(element_type="uuid")),
                ("under", ArrayField(element_type="uuid")),
                ("stale", fields.BooleanField()),
            ],
            options={
                "table": "document_terms",
                "app": "scaicms",
                "unique_together": (("item_id", "locale"),),
                "pk_attr": "id",
                "table_description": "The same of a published document, as of publishing and kept in step with the tree.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(sql=FORWARD, reverse_sql=BACKWARD),
    ]
