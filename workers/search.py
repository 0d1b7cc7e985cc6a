"""The worker of the queue `search`: `arq workers.search.WorkerSettings`, or `scaicms worker search`."""

from scaicms.worker import worker_settings

WorkerSettings = worker_settings("search")
