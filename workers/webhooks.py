"""The worker of the queue `webhooks`: `arq workers.webhooks.WorkerSettings`, or `scaicms worker webhooks`."""

from scaicms.worker import worker_settings

WorkerSettings = worker_settings("webhooks")
