"""Locks and what is asked under them, in one round trip: a statement sees what there was before it waited, the second
statement of a function what there is after."""

from tortoise import migrations
from tortoise.migrations import operations as ops

FORWARD = [
    """CREATE FUNCTION claim_slugs(name text, site uuid, type uuid, candidates text[], but uuid) RETURNS SETOF text
         LANGUAGE plpgsql AS $$
       BEGIN
         PERFORM pg_advisory_xact_lock(hashtextextended(name, 0));
         RETURN QUERY
           SELECT i.slug::text FROM items i
            WHERE i.site_id = site AND i.type_id = type AND i.slug = ANY(candidates) AND i.deleted_at IS NULL
              AND i.id IS DISTINCT FROM but
           UNION
           SELECT d.slug::text FROM documents d
            WHERE d.site_id = site AND d.type_id = type AND d.slug = ANY(candidates) AND d.item_id IS DISTINCT FROM but;
       END $$""",
    """CREATE FUNCTION hold_link_target(item uuid) RETURNS boolean LANGUAGE plpgsql AS $$
       BEGIN
         PERFORM pg_advisory_xact_lock(hashtextextended('link:' || item, 0));
         RETURN EXISTS (SELECT FROM document_links l WHERE l.target_id = item);
       END $$""",
]
BACKWARD = ["DROP FUNCTION claim_slugs, hold_link_target"]


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0014_told")]

    operations = [ops.RunSQL(sql=FORWARD, reverse_sql=BACKWARD)]
