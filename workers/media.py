"""The worker of the queue `media`: `arq workers.media.WorkerSettings`, or `scaicms worker media`."""

from scaicms.worker import worker_settings

WorkerSettings = worker_settings("media")
