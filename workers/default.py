"""The worker of the queue `default`: `arq workers.default.WorkerSettings`, or `scaicms worker default`."""

from scaicms.worker import worker_settings

WorkerSettings = worker_settings("default")
