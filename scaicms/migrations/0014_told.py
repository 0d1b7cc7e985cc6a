"""What delivery's answers depend on tells of its changes by itself, so that no way of writing forgets it."""

from tortoise import migrations
from tortoise.migrations import operations as ops

FORWARD = [
    # A notice to every process at commit; and, for the process that commits, what it can ask before it answers
    # (`scaicms.told`, of this transaction alone). PostgreSQL sends what is said twice once.
    """CREATE FUNCTION tell(topic text, subject text) RETURNS void LANGUAGE plpgsql AS $$
       DECLARE
         notice text := topic || ' ' || subject;
         told text := coalesce(current_setting('scaicms.told', true), '');
       BEGIN
         IF position(notice IN told) = 0 THEN
           PERFORM pg_notify('scaicms', notice);
           PERFORM set_config('scaicms.told', told || notice || chr(10), true);
         END IF;
       END $$""",
    # Of `before` (DELETE) or `after`: nothing moves from one site to another.
    """CREATE FUNCTION tell_of_delivered() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         IF TG_OP = 'DELETE' THEN
           PERFORM tell('delivered', s.site_id::text) FROM (SELECT DISTINCT site_id FROM before) s;
         ELSE
           PERFORM tell('delivered', s.site_id::text) FROM (SELECT DISTINCT site_id FROM after) s;
         END IF;
         RETURN NULL;
       END $$""",
    """CREATE FUNCTION tell_of_terms() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         IF TG_OP = 'DELETE' THEN
           PERFORM tell('delivered', s.site_id::text) FROM (
             SELECT DISTINCT x.site_id FROM before t JOIN taxonomies x ON x.id = t.taxonomy_id) s;
         ELSE
           PERFORM tell('delivered', s.site_id::text) FROM (
             SELECT DISTINCT x.site_id FROM after t JOIN taxonomies x ON x.id = t.taxonomy_id) s;
         END IF;
         RETURN NULL;
       END $$""",
]
BACKWARD = ["DROP FUNCTION tell_of_terms", "DROP FUNCTION tell_of_delivered", "DROP FUNCTION tell"]
for _table, _function in (
    ("documents", "tell_of_delivered"),
    ("document_terms", "tell_of_delivered"),
    ("content_types", "tell_of_delivered"),
    ("taxonomies", "tell_of_delivered"),
    ("terms", "tell_of_terms"),
):
    for _event, _rows in (("INSERT", "NEW"), ("DELETE", "OLD"), ("UPDATE", "NEW")):
        FORWARD.append(
            f"""CREATE TRIGGER {_table}_told_on_{_event.lower()} AFTER {_event} ON {_table}
                REFERENCING {_rows} TABLE AS {"before" if _rows == "OLD" else "after"}
                FOR EACH STATEMENT EXECUTE FUNCTION {_function}()"""
        )
        BACKWARD.insert(0, f"DROP TRIGGER {_table}_told_on_{_event.lower()} ON {_table}")


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0013_editing")]

    operations = [ops.RunSQL(sql=FORWARD, reverse_sql=BACKWARD)]
