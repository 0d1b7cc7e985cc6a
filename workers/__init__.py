"""One ARQ worker a queue; the work itself is in scaicms/features/*/tasks.py."""
