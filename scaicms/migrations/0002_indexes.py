"""What Tortoise cannot express: defaults in the database, partial and expression indexes, the search column."""

from tortoise import migrations
from tortoise.migrations import operations as ops

FORWARD = [
    """ALTER TABLE jobs
         ALTER state SET DEFAULT 'pending', ALTER priority SET DEFAULT 0, ALTER attempts SET DEFAULT 0,
         ALTER max_attempts SET DEFAULT 5, ALTER lost_leases SET DEFAULT 0, ALTER rings SET DEFAULT 0,
         ALTER fence SET DEFAULT 0, ALTER cancel_requested SET DEFAULT false, ALTER version SET DEFAULT 1""",
    # Claims and sweeps look at what is pending; there is little of that beside what is done.
    "CREATE INDEX jobs_pending ON jobs (queue, priority DESC, run_at) WHERE state = 'pending'",
    "CREATE INDEX jobs_failed ON jobs (queue) WHERE state IN ('dead', 'quarantined')",
    "CREATE INDEX jobs_created ON jobs (created_at)",
    "CREATE UNIQUE INDEX jobs_dedupe ON jobs (queue, dedupe_key) WHERE dedupe_key IS NOT NULL AND state = 'pending'",
    # The ledger updates every row a few times: leave room for it, and look at it often.
    "ALTER TABLE jobs SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02)",
    "CREATE UNIQUE INDEX items_slug ON items (site_id, type_id, slug) WHERE deleted_at IS NULL",
    "CREATE INDEX entries_data ON entries USING gin (data jsonb_path_ops)",
    "CREATE INDEX documents_newest ON documents (site_id, type_id, locale, published_at DESC, item_id DESC)",
    "CREATE INDEX documents_data ON documents USING gin (data jsonb_path_ops)",
    "ALTER TABLE search_documents ADD COLUMN words tsvector NOT NULL",
    "CREATE INDEX search_documents_words ON search_documents USING gin (words)",
    "CREATE INDEX search_documents_site ON search_documents (site_id)",
    """CREATE UNIQUE INDEX role_assignments_once ON role_assignments (user_id, role_id, site_id)
         NULLS NOT DISTINCT""",
]
BACKWARD = [
    "DROP INDEX role_assignments_once, search_documents_site, search_documents_words, documents_data, "
    "documents_newest, entries_data, items_slug, jobs_dedupe, jobs_created, jobs_failed, jobs_pending",
    "ALTER TABLE search_documents DROP COLUMN words",
    "ALTER TABLE jobs RESET (fillfactor, autovacuum_vacuum_scale_factor)",
]


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0001_initial")]

    operations = [ops.RunSQL(sql=FORWARD, reverse_sql=BACKWARD)]
