"""`scaicms worker`: do the work of some or all queues."""

import asyncio
import os
import sys
from typing import Annotated

import typer
import uvloop

from scaicms.infra.engines import wait_for_engines
from scaicms.infra.jobs import QUEUES
from scaicms.infra.logs import configure_logs
from scaicms.infra.memory import keep_small
from scaicms.settings import get_settings
from scaicms.worker import work


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
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        # Before signals are taken to mean "drain": while it waits there is nothing to drain.
        runner.run(wait_for_engines(settings))
        worn = runner.run(work(settings, queues or list(QUEUES)))
    if worn:
        os.execv(sys.executable, [sys.executable, "-m", "scaicms", *sys.argv[1:]])  # noqa: S606 - this program itself
