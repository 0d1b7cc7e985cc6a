"""Taxonomies and terms as stored, and which items have which terms."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.indexes import Index
from tortoise.models import Model


class TaxonomyRow(Model):
    """One way of ordering the content of one site."""

    id = fields.UUIDField(primary_key=True)
    site_id = fields.UUIDField()
    key = fields.CharField(max_length=63)
    name = fields.CharField(max_length=200)
    description = fields.TextField(default="")
    hierarchical = fields.BooleanField()
    localized = fields.BooleanField()
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "taxonomies"
        unique_together = (("site_id", "key"),)


class TermRow(Model):
    """One term, with a name for each locale that has one.

    `path` is the ids from its root to itself: what is below a term has it in its path. `position` counts from 0 among
    the terms with the same parent, without gaps.
    """

    id = fields.UUIDField(primary_key=True)
    taxonomy_id = fields.UUIDField()
    parent_id = fields.UUIDField(null=True)
    slug = fields.CharField(max_length=200)
    names: object = fields.JSONField()
    path = ArrayField(element_type="uuid")
    position = fields.IntField()
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "terms"
        unique_together = (("taxonomy_id", "slug"),)


class ItemTermRow(Model):
    """An item's draft has a term; `position` is the place that the editor gave it."""

    id = fields.BigIntField(primary_key=True)
    item_id = fields.UUIDField()
    term_id = fields.UUIDField()
    taxonomy_id = fields.UUIDField()
    position = fields.SmallIntField()

    class Meta:
        table = "item_terms"
        unique_together = (("item_id", "term_id"),)
        indexes = (Index(fields=("term_id", "item_id")),)


class DocumentTermRow(Model):
    """A published document has a term. Rows of terms that are gone stay until the document is rendered without them."""

    id = fields.BigIntField(primary_key=True)
    item_id = fields.UUIDField()
    locale = fields.CharField(max_length=35)
    term_id = fields.UUIDField()
    taxonomy_id = fields.UUIDField()
    position = fields.SmallIntField()

    class Meta:
        table = "document_terms"
        unique_together = (("item_id", "locale", "term_id"),)
        indexes = (Index(fields=("term_id", "locale", "item_id")), Index(fields=("taxonomy_id", "term_id")))
