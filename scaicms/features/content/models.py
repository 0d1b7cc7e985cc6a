"""Items, their entries, what is delivered of them, and where imported ones came from."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.indexes import Index
from tortoise.models import Model


class ItemRow(Model):
    """Identity of one item of one site. `deleted_at` set: it lies in the trash; `archived_at`: in the archive.

    `first_version` is where the versions of a new locale begin: after those of a removed one, whose ETags must not fit.
    """

    id = fields.UUIDField(primary_key=True)
    site_id = fields.UUIDField()
    type_id = fields.UUIDField()
    slug = fields.CharField(max_length=200)
    created_at = fields.DatetimeField()
    created_by = fields.UUIDField(null=True)
    deleted_at = fields.DatetimeField(null=True)
    first_version = fields.IntField(default=1)
    stage = fields.CharField(max_length=63, null=True)
    deleted_by = fields.UUIDField(null=True)
    archived_at = fields.DatetimeField(null=True)

    class Meta:
        table = "items"
        indexes = (Index(fields=("site_id", "type_id", "id")),)


class EntryRow(Model):
    """An item in one locale: its draft. `version` counts saves; `published_version` is the one in `documents`.

    `stamps` says of fields that are this locale's own when they were written, in steps that all locales of the item
    count together; `published_stamps` are those of what is published.
    """

    id = fields.UUIDField(primary_key=True)
    item_id = fields.UUIDField()
    locale = fields.CharField(max_length=35)
    data: object = fields.JSONField()
    version = fields.IntField(default=1)
    published_version = fields.IntField(null=True)
    updated_at = fields.DatetimeField()
    updated_by = fields.UUIDField(null=True)
    stamps: object = fields.JSONField(default=dict)
    published_stamps: object = fields.JSONField(default=dict)

    class Meta:
        table = "entries"
        unique_together = (("item_id", "locale"),)


class DocumentRow(Model):
    """What delivery returns: `body` is the complete JSON, rendered when it was published; `data` is filtered by."""

    id = fields.BigIntField(primary_key=True)
    item_id = fields.UUIDField()
    locale = fields.CharField(max_length=35)
    site_id = fields.UUIDField()
    type_id = fields.UUIDField()
    slug = fields.CharField(max_length=200)
    version = fields.IntField()
    etag = fields.CharField(max_length=64)
    body = fields.BinaryField()
    data: object = fields.JSONField()
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    published_at = fields.DatetimeField()

    class Meta:
        table = "documents"
        unique_together = (("item_id", "locale"), ("site_id", "type_id", "slug", "locale"))


class ReferenceRow(Model):
    """Who points to what: one row for each item, or `asset`, in a draft. Everybody may ask what uses a thing."""

    id = fields.BigIntField(primary_key=True)
    site_id = fields.UUIDField()
    item_id = fields.UUIDField()
    field = fields.CharField(max_length=63)
    target_id = fields.UUIDField()
    asset = fields.BooleanField(default=False, db_default=False)

    class Meta:
        table = "content_references"
        indexes = (Index(fields=("target_id",)), Index(fields=("item_id",)))


class ImportSourceRow(Model):
    """Which item a file of an import became, so that running it again changes only what changed."""

    id = fields.BigIntField(primary_key=True)
    site_id = fields.UUIDField()
    type_id = fields.UUIDField()
    source_key = fields.CharField(max_length=1024)
    digest = fields.CharField(max_length=64)
    item_id = fields.UUIDField()

    class Meta:
        table = "import_sources"
        unique_together = (("site_id", "type_id", "source_key"),)
        indexes = (Index(fields=("item_id",)),)


class ScheduledRow(Model):
    """What is to happen to an item at a time. `locales` null is all that the item has then.

    `state` is pending until the transaction that does it, which also says when it did and how many seconds after
    `due_at` that was. Who asked for it is found again then. Rows of a release are done with it.
    """

    id = fields.UUIDField(primary_key=True)
    site_id = fields.UUIDField()
    item_id = fields.UUIDField()
    locales = ArrayField(element_type="TEXT", null=True)
    action = fields.CharField(max_length=10)
    due_at = fields.DatetimeField()
    state = fields.CharField(max_length=10, default="pending")
    done_at = fields.DatetimeField(null=True)
    late_by = fields.FloatField(null=True)
    error = fields.TextField(null=True)
    release_id = fields.UUIDField(null=True)
    job_id = fields.UUIDField()
    created_at = fields.DatetimeField()
    actor_kind = fields.CharField(max_length=10)
    actor_id = fields.UUIDField(null=True)

    class Meta:
        table = "content_schedule"
        indexes = (Index(fields=("site_id", "due_at")), Index(fields=("item_id",)))


class ReleaseRow(Model):
    """Items that are published and unpublished together. `version` counts changes.

    `state` is open, scheduled, done or failed; a failed one says why in `problems`. The actor is who changed it last:
    as them it is done when it is due.
    """

    id = fields.UUIDField(primary_key=True)
    site_id = fields.UUIDField(db_index=True)
    name = fields.CharField(max_length=200)
    version = fields.IntField(default=1)
    state = fields.CharField(max_length=10)
    due_at = fields.DatetimeField(null=True)
    done_at = fields.DatetimeField(null=True)
    late_by = fields.FloatField(null=True)
    problems: object = fields.JSONField()
    job_id = fields.UUIDField(null=True)
    created_at = fields.DatetimeField()
    created_by = fields.UUIDField(null=True)
    updated_at = fields.DatetimeField()
    actor_kind = fields.CharField(max_length=10)
    actor_id = fields.UUIDField(null=True)

    class Meta:
        table = "content_releases"


class ReleaseItemRow(Model):
    """One item of a release; `locale` null is all that it has then."""

    id = fields.BigIntField(primary_key=True)
    release_id = fields.UUIDField()
    place = fields.SmallIntField()
    item_id = fields.UUIDField(db_index=True)
    locale = fields.CharField(max_length=35, null=True)
    action = fields.CharField(max_length=10)

    class Meta:
        table = "content_release_items"
        unique_together = (("release_id", "place"),)


class DocumentLinkRow(Model):
    """What a published document points to: one row for each item, or `asset`, that readers see. Gone with it."""

    id = fields.BigIntField(primary_key=True)
    item_id = fields.UUIDField()
    locale = fields.CharField(max_length=35)
    field = fields.CharField(max_length=63)
    target_id = fields.UUIDField()
    asset = fields.BooleanField(default=False, db_default=False)

    class Meta:
        table = "document_links"
        indexes = (Index(fields=("item_id", "locale")), Index(fields=("target_id", "id")))


class RevisionRow(Model):
    """A version of a draft as it was saved; the newest is the draft.

    Triggers of `entries` and `item_terms` write it (ADR 0020).
    """

    id = fields.BigIntField(primary_key=True)
    site_id = fields.UUIDField()
    type_id = fields.UUIDField()
    item_id = fields.UUIDField()
    locale = fields.CharField(max_length=35)
    number = fields.IntField()
    data: object = fields.JSONField()
    slug = fields.CharField(max_length=200)
    terms = ArrayField(element_type="uuid")
    created_at = fields.DatetimeField()
    created_by = fields.UUIDField(null=True)
    kind = fields.CharField(max_length=20)
    source = fields.IntField(null=True)
    """Of what was restored: which revision."""

    class Meta:
        table = "revisions"
        unique_together = (("item_id", "locale", "number"),)
        indexes = (Index(fields=("type_id", "id")),)


class DocumentHistoryRow(Model):
    """What was delivered from `valid_from` until before `valid_to`.

    That is infinity for what still is. A trigger of `documents` writes it; `made_by` is the transaction that did.
    """

    id = fields.BigIntField(primary_key=True)
    item_id = fields.UUIDField()
    locale = fields.CharField(max_length=35)
    site_id = fields.UUIDField()
    type_id = fields.UUIDField()
    slug = fields.CharField(max_length=200)
    version = fields.IntField()
    etag = fields.CharField(max_length=64)
    body = fields.BinaryField()
    data: object = fields.JSONField()
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    published_at = fields.DatetimeField()
    valid_from = fields.DatetimeField()
    valid_to = fields.DatetimeField()
    made_by = fields.BigIntField()

    class Meta:
        table = "document_history"
        indexes = (Index(fields=("item_id", "locale", "valid_to")), Index(fields=("type_id", "id")))


class DocumentTermHistoryRow(Model):
    """The same of the terms of documents (`document_terms`)."""

    id = fields.BigIntField(primary_key=True)
    item_id = fields.UUIDField()
    locale = fields.CharField(max_length=35)
    site_id = fields.UUIDField()
    terms = ArrayField(element_type="uuid")
    under = ArrayField(element_type="uuid")
    valid_from = fields.DatetimeField()
    valid_to = fields.DatetimeField()
    made_by = fields.BigIntField()

    class Meta:
        table = "document_term_history"
        indexes = (Index(fields=("item_id", "locale", "valid_to")),)


class HoldRow(Model):
    """A legal hold: nothing of the item's past goes, and the item does not either."""

    item_id = fields.UUIDField(primary_key=True)
    site_id = fields.UUIDField()
    reason = fields.CharField(max_length=1000)
    created_at = fields.DatetimeField()
    created_by = fields.UUIDField(null=True)

    class Meta:
        table = "content_holds"


class DocumentCountRow(Model):
    """Changes of what is published: the sum is how many documents there are; every change adds a row.

    Written by triggers. The type of all zeros stands for the terms of a site's documents.
    """

    id = fields.BigIntField(primary_key=True)
    site_id = fields.UUIDField()
    type_id = fields.UUIDField()
    locale = fields.CharField(max_length=35)
    number = fields.BigIntField()

    class Meta:
        table = "document_counts"
        indexes = (Index(fields=("site_id", "type_id", "locale")),)
