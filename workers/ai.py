"""The worker of the queue `ai`: `arq workers.ai.WorkerSettings`, or `scaicms worker ai`."""

from scaicms.worker import worker_settings

WorkerSettings = worker_settings("ai")
