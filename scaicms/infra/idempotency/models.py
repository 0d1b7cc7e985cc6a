"""Stored answers to requests that carried an Idempotency-Key."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model


class IdempotentAnswerRow(Model):
    """The first answer to one key of one principal at one site; written in the transaction of its effect."""

    scope = fields.CharField(max_length=64, primary_key=True)
    fingerprint = fields.BinaryField()
    status = fields.SmallIntField()
    headers: object = fields.JSONField()
    body = fields.BinaryField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "idempotent_answers"
        indexes = (Index(fields=("created_at",)),)
