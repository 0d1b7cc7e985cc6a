"""Bounds of one request to a rendering process. Times are in seconds, sizes in characters unless the name says more."""

SMALL_TEXT = 4_000
SMALL_HTML = 16_000
"""Texts and parsed HTML up to these sizes together are rendered in place: the worst of them takes some 15 ms."""
MAX_HTML = 4_000_000
"""HTML of all texts of one item together. A table of 2 kB can have a megabyte of empty cells."""
CPU_SECONDS = 4.0
"""Processor time; a long article takes 0.2 s. A text that needs more is refused."""
WALL_SECONDS = 8.0
"""By the clock, with waiting for a process: a web transaction may be idle for 10 s."""
WORKER_WALL_SECONDS = 15.0
"""The bound in workers, whose sessions end after 20 s of silence in a transaction (`db.sessions.SILENT_SECONDS`)."""
COSTLY_SECONDS = 1.0
"""Processor time after which it is the text, and not a busy machine, that is to blame for reaching `WALL_SECONDS`."""
MEMORY_BYTES = 1024 * 1024 * 1024
WORN_ANSWER = 1_000_000
"""A process that gave an answer of more characters is replaced: its memory does not come back."""
