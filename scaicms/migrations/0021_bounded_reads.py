"""What keeps the work of a request bounded however much content there is.

Slugs are looked up without the locale. Searches walk the index from the newest documents on, block by block, until they
have enough: the index knows of each document in which blocks of its site, locale and type it is.
"""

from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import UniqueConstraint

FORWARD = [
    # A block has 2^11 or 2^14 ids. `*` stands for all types; keys of types do not have it.
    """CREATE FUNCTION search_block(site uuid, locale text, type_key text, level int, id bigint) RETURNS text
         LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
       $$ SELECT site::text || '/' || locale || '/' || type_key || '/' || level::text || '/' || (id >> level)::text $$""",
    # Without the function above: while PostgreSQL builds an index it finds functions of its own alone.
    """CREATE FUNCTION search_blocks(site uuid, locale text, type_key text, id bigint) RETURNS text[]
         LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
       $$ SELECT ARRAY[site::text || '/' || locale || '/*/11/' || (id >> 11)::text,
                       site::text || '/' || locale || '/*/14/' || (id >> 14)::text,
                       site::text || '/' || locale || '/' || type_key || '/11/' || (id >> 11)::text,
                       site::text || '/' || locale || '/' || type_key || '/14/' || (id >> 14)::text] $$""",
    "DROP INDEX search_documents_words, search_documents_site",
    # Each step of a walk reads the whole pending list.
    """CREATE INDEX search_documents_blocks ON search_documents
         USING gin (search_blocks(site_id, locale, type_key, id), words, ts_filter(words, '{a}'))
         WITH (gin_pending_list_limit = 256)""",
    "CREATE INDEX search_documents_newest ON search_documents (site_id, locale, id)",
    "CREATE INDEX items_creator ON items (site_id, created_by, id) WHERE created_by IS NOT NULL",
    # What the index answers alone: a query without phrases that matches at least what the query matches, NULL for all.
    """CREATE FUNCTION search_words_only(query tsquery) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
         SELECT CASE WHEN querytree(query) IN ('', 'T') THEN NULL
                     WHEN query::text !~ '<(-|[0-9]+)>' THEN query
                     ELSE regexp_replace(querytree(query), '<(-|[0-9]+)>', '&', 'g')::tsquery END $$""",
    # The newest ids in one block, all of a small one. A generic plan: one for a common word would walk over ids and
    # read the words of each row.
    """CREATE FUNCTION search_in_block(keys text[], before bigint, query tsquery, in_titles bool, most int)
         RETURNS bigint[] LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
       BEGIN
         IF query IS NULL THEN
           RETURN ARRAY(SELECT s.id FROM search_documents s
                         WHERE search_blocks(s.site_id, s.locale, s.type_key, s.id) && keys AND s.id < before
                         LIMIT most);
         ELSIF in_titles THEN
           RETURN ARRAY(SELECT s.id FROM search_documents s
                         WHERE search_blocks(s.site_id, s.locale, s.type_key, s.id) && keys AND s.id < before
                           AND ts_filter(s.words, '{a}') @@ query LIMIT most);
         END IF;
         RETURN ARRAY(SELECT s.id FROM search_documents s
                       WHERE search_blocks(s.site_id, s.locale, s.type_key, s.id) && keys AND s.id < before
                         AND s.words @@ query LIMIT most);
       END $$""",
    """CREATE FUNCTION search_candidates(site uuid, in_locale text, types text[], query tsquery, in_titles bool, most int)
         RETURNS bigint[] LANGUAGE plpgsql STABLE AS $$
       DECLARE
         ids bigint[] := '{}';
         part bigint[];
         keys text[];
         before bigint := 9223372036854775807;
         rest int := most;
         level int := 11;
         top int := 14;
       BEGIN
         LOOP
           SELECT s.id + 1 INTO before FROM search_documents s
            WHERE s.site_id = site AND s.locale = in_locale AND s.id < before ORDER BY s.id DESC LIMIT 1;
           EXIT WHEN NOT FOUND;
           LOOP
             keys := ARRAY(SELECT search_block(site, in_locale, t, level, before - 1)
                             FROM unnest(coalesce(types, ARRAY['*'])) t);
             part := search_in_block(keys, before, query, in_titles, CASE WHEN level > 11 THEN rest + 1 END);
             EXIT WHEN level = 11 OR cardinality(part) <= rest;
             -- The end lies within this block: from here on only small ones.
             level := 11;
             top := 11;
           END LOOP;
           ids := ids || ARRAY(SELECT u FROM unnest(part) u ORDER BY u DESC LIMIT rest);
           rest := most - cardinality(ids);
           EXIT WHEN rest = 0;
           before := ((before - 1) >> level) << level;
           level := top;
         END LOOP;
         RETURN ids;
       END $$""",
]
BACKWARD = [
    "DROP FUNCTION search_candidates, search_in_block, search_words_only",
    "DROP INDEX items_creator, search_documents_newest, search_documents_blocks",
    "CREATE INDEX search_documents_words ON search_documents USING gin (words)",
    "CREATE INDEX search_documents_site ON search_documents (site_id)",
    "DROP FUNCTION search_blocks, search_block",
]


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0020_workers")]

    operations = [
        # The order of an index that serves both lookups: by slug in a locale, and by slug in any.
        ops.AddConstraint(
            model_name="DocumentRow",
            constraint=UniqueConstraint(fields=("site_id", "type_id", "slug", "locale"), name=None),
        ),
        ops.RemoveConstraint(model_name="DocumentRow", name=None, fields=["site_id", "type_id", "locale", "slug"]),
        ops.RunSQL(sql=FORWARD, reverse_sql=BACKWARD),
    ]
