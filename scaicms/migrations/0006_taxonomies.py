"""Taxonomies, their terms, and which drafts and published documents have which."""

from uuid import uuid4

from orjson import loads
from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.data import JSON_DUMPS
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

FORWARD = [
    "ALTER TABLE taxonomies ADD CONSTRAINT taxonomies_site FOREIGN KEY (site_id) REFERENCES sites ON DELETE CASCADE",
    "ALTER TABLE terms ADD CONSTRAINT terms_taxonomy FOREIGN KEY (taxonomy_id) REFERENCES taxonomies ON DELETE CASCADE",
    "ALTER TABLE terms ADD CONSTRAINT terms_parent FOREIGN KEY (parent_id) REFERENCES terms",
    "CREATE INDEX terms_children ON terms (taxonomy_id, parent_id NULLS FIRST, position)",
    # For the constraint: when terms are removed, PostgreSQL looks for those that point to them.
    "CREATE INDEX terms_parents ON terms (parent_id)",
    "CREATE INDEX terms_path ON terms USING gin (path)",
    # Drafts lose a term with it; documents keep the row until a worker has rendered them without the term.
    "ALTER TABLE item_terms ADD CONSTRAINT item_terms_item FOREIGN KEY (item_id) REFERENCES items ON DELETE CASCADE",
    "ALTER TABLE item_terms ADD CONSTRAINT item_terms_term FOREIGN KEY (term_id) REFERENCES terms ON DELETE CASCADE",
    """ALTER TABLE document_terms ADD CONSTRAINT document_terms_document FOREIGN KEY (item_id, locale)
         REFERENCES documents (item_id, locale) ON DELETE CASCADE""",
    # The built-in roles of installations that have them already.
    """INSERT INTO role_grants (id, role_id, permission)
         SELECT gen_random_uuid(), r.id, p.code
         FROM roles r CROSS JOIN (VALUES ('taxonomies:read'), ('taxonomies:write')) AS p(code)
         WHERE r.built_in AND (r.key = 'editor' OR r.key IN ('author', 'viewer') AND p.code = 'taxonomies:read')""",
]
BACKWARD = [
    "DELETE FROM role_grants WHERE permission LIKE 'taxonomies:%'",
    "ALTER TABLE document_terms DROP CONSTRAINT document_terms_document",
    "ALTER TABLE item_terms DROP CONSTRAINT item_terms_term, DROP CONSTRAINT item_terms_item",
    "DROP INDEX terms_path, terms_parents, terms_children",
    "ALTER TABLE terms DROP CONSTRAINT terms_parent, DROP CONSTRAINT terms_taxonomy",
    "ALTER TABLE taxonomies DROP CONSTRAINT taxonomies_site",
]


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0005_authority")]

    operations = [
        ops.CreateModel(
            name="DocumentTermRow",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("item_id", fields.UUIDField()),
                ("locale", fields.CharField(max_length=35)),
                ("term_id", fields.UUIDField()),
                ("taxonomy_id", fields.UUIDField()),
                ("position", fields.SmallIntField()),
            ],
            options={
                "table": "document_terms",
                "app": "scaicms",
                "unique_together": (("item_id", "locale", "term_id"),),
                "indexes": [
                    Index(fields=["term_id", "locale", "item_id"]),
                    Index(fields=["taxonomy_id", "term_id"]),
                ],
                "pk_attr": "id",
                "table_description": "A published document has a term. Rows of terms that are gone stay until the document is rendered without them.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ItemTermRow",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("item_id", fields.UUIDField()),
                ("term_id", fields.UUIDField()),
                ("taxonomy_id", fields.UUIDField()),
                ("position", fields.SmallIntField()),
            ],
            options={
                "table": "item_terms",
                "app": "scaicms",
                "unique_together": (("item_id", "term_id"),),
                "indexes": [Index(fields=["term_id", "item_id"])],
                "pk_attr": "id",
                "table_description": "An item's draft has a term; `position` is the place that the editor gave it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TaxonomyRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("site_id", fields.UUIDField()),
                ("key", fields.CharField(max_length=63)),
                ("name", fields.CharField(max_length=200)),
                ("description", fields.TextField(default="", unique=False)),
                ("hierarchical", fields.BooleanField()),
                ("localized", fields.BooleanField()),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "taxonomies",
                "app": "scaicms",
                "unique_together": (("site_id", "key"),),
                "pk_attr": "id",
                "table_description": "One way of ordering the content of one site.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TermRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("taxonomy_id", fields.UUIDField()),
                ("parent_id", fields.UUIDField(null=True)),
                ("slug", fields.CharField(max_length=200)),
                ("names", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("path", ArrayField(element_type="uuid")),
                ("position", fields.IntField()),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "terms",
                "app": "scaicms",
                "unique_together": (("taxonomy_id", "slug"),),
                "pk_attr": "id",
                "table_description": "One term, with a name for each locale that has one.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(sql=FORWARD, reverse_sql=BACKWARD),
    ]
