"""`scaicms worker`: do the work of some or all queues."""

import asyncio
import os
import sys
from functools import partial
from typing import Annotated

import typer
import uvloop

from scaicms.cli.process_exit import exit_now, exit_within
from scaicms.infra.engines import wait_for_postgres
from scaicms.infra.jobs import QUEUES
from scaicms.infra.logs import configure_logs
from scaicms.infra.memory import keep_small
from scaicms.settings import get_settings
from scaicms.worker import work

EXIT_SECONDS = 10.0
"""For handing jobs back and closing connections, after jobs have had their time to drain."""


def worker(
    queues: Annotated[list[str] | None, typer.Argument(help=f"Some of: {', '.join(QUEUES)}. All when absent.")] = None,
) -> None:
    """Do jobs until SIGTERM, then finish what has begun (SCAICMS_DRAIN_SECONDS) and hand the rest back.

    A worker that holds more than SCAICMS_WORKER_MAX_MEMORY_MB drains and begins anew under the same process id.
    """
    unknown = [name for name in queues or () if name not in QUEUES]
    if unknown:
        raise typer.BadParameter(f"no such queue: {', '.join(unknown)}. There are {', '.join(QUEUES)}.")
    keep_small()
    settings = get_settings()
    if unknown := sorted(set(settings.queue_concurrency) - set(QUEUES)):
        raise typer.BadParameter(f"SCAICMS_QUEUE_CONCURRENCY names queues that do not exist: {', '.join(unknown)}.")
    configure_logs(settings)
    bound = partial(exit_within, settings.drain_seconds + EXIT_SECONDS)
    # Not closed: that would wait for threads and for jobs that nothing can stop.
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    # Before signals are taken to mean "drain": while it waits there is nothing to drain.
    runner.run(wait_for_postgres(settings))
    if not runner.run(work(settings, queues or list(QUEUES), on_stop=bound)):
        exit_now(0)
    os.execv(sys.executable, [sys.executable, "-m", "scaicms", *sys.argv[1:]])  # noqa: S606 - this program itself
