"""Taxonomies and terms as stored, and which items have which terms."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
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
    """Terms of an item's draft, where it has any.

    `terms` in the order that the editor gave; `under` is those, all above them, and their taxonomies, so that what has
    a term or one below it has that one in `under`.
    """

    id = fields.BigIntField(primary_key=True)
    item_id = fields.UUIDField(unique=True)
    site_id = fields.UUIDField()
    terms = ArrayField(element_type="uuid")
    under = ArrayField(element_type="uuid")

    class Meta:
        table = "item_terms"


class DocumentTermRow(Model):
    """The same of a published document, as of publishing and kept in step with the tree.

    `stale`: what its JSON says of its terms is to be rendered anew, since one of them is gone.
    """

    id = fields.BigIntField(primary_key=True)
    item_id = fields.UUIDField()
    locale = fields.CharField(max_length=35)
    site_id = fields.UUIDField()
    terms = ArrayField(element_type="uuid")
    under = ArrayField(element_type="uuid")
    stale = fields.BooleanField()

    class Meta:
        table = "document_terms"
        unique_together = (("item_id", "locale"),)
