"""How many documents there are, kept by the database itself: lists say their totals without counting."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

FORWARD = [
    """INSERT INTO document_counts (site_id, type_id, locale, number)
         SELECT site_id, type_id, locale, count(*) FROM documents GROUP BY site_id, type_id, locale""",
    # Rows are added and never changed, so that nobody waits for anybody: those who publish at the same moment add one
    # each. Now and then one of them puts together what others have committed; what somebody else is at is left alone.
    """CREATE FUNCTION gather_document_counts(site uuid, type uuid) RETURNS void LANGUAGE sql AS $$
         WITH old AS (SELECT id FROM document_counts WHERE site_id = site AND type_id = type FOR UPDATE SKIP LOCKED),
              gone AS (DELETE FROM document_counts c USING old WHERE c.id = old.id RETURNING c.locale, c.number)
         INSERT INTO document_counts (site_id, type_id, locale, number)
           SELECT site, type, locale, sum(number) FROM gone GROUP BY locale
       $$""",
    """CREATE FUNCTION count_documents() RETURNS trigger LANGUAGE plpgsql AS $$
       DECLARE touched record;
       BEGIN
         IF TG_OP = 'INSERT' THEN
           INSERT INTO document_counts (site_id, type_id, locale, number)
             SELECT site_id, type_id, locale, count(*) FROM after GROUP BY site_id, type_id, locale;
         ELSIF TG_OP = 'DELETE' THEN
           INSERT INTO document_counts (site_id, type_id, locale, number)
             SELECT site_id, type_id, locale, -count(*) FROM before GROUP BY site_id, type_id, locale;
         ELSE
           INSERT INTO document_counts (site_id, type_id, locale, number)
             SELECT site_id, type_id, locale, sum(number)
             FROM (SELECT site_id, type_id, locale, 1 AS number FROM after
                   UNION ALL SELECT site_id, type_id, locale, -1 FROM before) both_of_them
             GROUP BY site_id, type_id, locale;
         END IF;
         IF random() < 0.02 THEN
           IF TG_OP = 'DELETE' THEN
             FOR touched IN SELECT DISTINCT site_id, type_id FROM before LOOP
               PERFORM gather_document_counts(touched.site_id, touched.type_id);
             END LOOP;
           ELSE
             FOR touched IN SELECT DISTINCT site_id, type_id FROM after LOOP
               PERFORM gather_document_counts(touched.site_id, touched.type_id);
             END LOOP;
           END IF;
         END IF;
         RETURN NULL;
       END $$""",
    """CREATE FUNCTION note_document_terms() RETURNS trigger LANGUAGE plpgsql AS $$
       DECLARE touched record;
       BEGIN
         IF TG_OP = 'DELETE' THEN
           INSERT INTO document_counts (site_id, type_id, locale, number)
             SELECT DISTINCT site_id, '00000000-0000-0000-0000-000000000000'::uuid, '', 0 FROM before;
         ELSE
           INSERT INTO document_counts (site_id, type_id, locale, number)
             SELECT DISTINCT site_id, '00000000-0000-0000-0000-000000000000'::uuid, '', 0 FROM after;
           IF random() < 0.02 THEN
             FOR touched IN SELECT DISTINCT site_id FROM after LOOP
               PERFORM gather_document_counts(touched.site_id, '00000000-0000-0000-0000-000000000000');
             END LOOP;
           END IF;
         END IF;
         RETURN NULL;
       END $$""",
]
BACKWARD = [
    "DROP FUNCTION note_document_terms",
    "DROP FUNCTION count_documents",
    "DROP FUNCTION gather_document_counts",
]
for _table, _function in (("documents", "count_documents"), ("document_terms", "note_document_terms")):
    for _event, _rows in (
        ("INSERT", "NEW TABLE AS after"),
        ("DELETE", "OLD TABLE AS before"),
        ("UPDATE", "OLD TABLE AS before NEW TABLE AS after"),
    ):
        FORWARD.append(
            f"""CREATE TRIGGER {_table}_counted_on_{_event.lower()} AFTER {_event} ON {_table} REFERENCING {_rows}
                FOR EACH STATEMENT EXECUTE FUNCTION {_function}()"""
        )
        BACKWARD.insert(0, f"DROP TRIGGER {_table}_counted_on_{_event.lower()} ON {_table}")


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0011_revisions")]

    operations = [
        ops.CreateModel(
            name="DocumentCountRow",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("site_id", fields.UUIDField()),
                ("type_id", fields.UUIDField()),
                ("locale", fields.CharField(max_length=35)),
                ("number", fields.BigIntField()),
            ],
            options={
                "table": "document_counts",
                "app": "scaicms",
                "indexes": [Index(fields=["site_id", "type_id", "locale"])],
                "pk_attr": "id",
                "table_description": "Changes of what is published: the sum is how many documents there are; every change adds a row.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(sql=FORWARD, reverse_sql=BACKWARD),
    ]
