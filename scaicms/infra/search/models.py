"""PostgreSQL's full-text index."""

from tortoise import fields
from tortoise.models import Model


class SearchDocumentRow(Model):
    """The words of one published document. The column `words` (tsvector, GIN) is added by the migration."""

    id = fields.BigIntField(primary_key=True)
    item_id = fields.UUIDField()
    locale = fields.CharField(max_length=35)
    site_id = fields.UUIDField()
    type_key = fields.CharField(max_length=63)
    version = fields.IntField()
    title = fields.TextField()
    body = fields.TextField()

    class Meta:
        table = "search_documents"
        unique_together = (("item_id", "locale"),)
