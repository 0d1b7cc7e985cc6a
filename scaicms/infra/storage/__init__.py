"""Files, through obstore: a local folder here, S3, GCS or Azure by `STORAGE_URL`, one interface for all."""

from scaicms.infra.storage.store import Storage, StorageAwayError, open_storage

__all__ = ["Storage", "StorageAwayError", "open_storage"]
