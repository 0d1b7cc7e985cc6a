"""Indexes in the order of lists, and a count of terms that few items have."""

from tortoise import migrations
from tortoise.migrations import operations as ops

NONE = "'00000000-0000-0000-0000-000000000000'::uuid"
INDEXES = {
    "items_newest": "items (site_id, id) WHERE deleted_at IS NULL",
    "items_trash_of_site": "items (site_id, deleted_at, id) WHERE deleted_at IS NOT NULL",
    "item_terms_newest": "item_terms (site_id, item_id)",
    "document_terms_newest": "document_terms (site_id, item_id)",
    "content_releases_newest": "content_releases (site_id, id)",
    "api_keys_of_owner": "api_keys (owner_id, id)",
    # Whether anything uses an asset: most references are to items, often many to one.
    "content_references_assets": "content_references (target_id) WHERE asset",
    "document_links_assets": "document_links (target_id) WHERE asset",
    # No NULL, so that a place in it is one comparison of rows.
    "terms_ordered": f"terms (taxonomy_id, coalesce(parent_id, {NONE}), position, id)",
}
FORWARD = [
    *(f"CREATE INDEX {name} ON {definition}" for name, definition in INDEXES.items()),
    # `number` is how many rows were read: if it is more than `most`, there are more. A generic plan on the index: for
    # a term that it does not know, the planner would read the whole table to find a hundred rows.
    """CREATE FUNCTION count_rare_term(term uuid, drafts bool, most int, OUT direct bigint, OUT below bigint,
                                       OUT number bigint)
         LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
       BEGIN
         IF drafts THEN
           SELECT count(DISTINCT l.item_id) FILTER (WHERE l.terms @> ARRAY[term] AND i.id IS NOT NULL),
                  count(DISTINCT l.item_id) FILTER (WHERE i.id IS NOT NULL), count(*)
             INTO direct, below, number
             FROM (SELECT t.item_id, t.terms FROM item_terms t WHERE t.under @> ARRAY[term] LIMIT most + 1) l
             LEFT JOIN items i ON i.id = l.item_id AND i.deleted_at IS NULL;
         ELSE
           SELECT count(DISTINCT l.item_id) FILTER (WHERE l.terms @> ARRAY[term]), count(DISTINCT l.item_id), count(*)
             INTO direct, below, number
             FROM (SELECT t.item_id, t.terms FROM document_terms t WHERE t.under @> ARRAY[term] LIMIT most + 1) l;
         END IF;
       END $$""",
]
BACKWARD = ["DROP FUNCTION count_rare_term(uuid, bool, int)", *(f"DROP INDEX {name}" for name in INDEXES)]


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0024_event_cuts")]

    initial = False

    operations = [ops.RunSQL(sql=FORWARD, reverse_sql=BACKWARD)]
