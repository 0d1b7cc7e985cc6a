"""Finding published content; the figures of queues and jobs."""
