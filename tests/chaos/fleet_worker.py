"""`scaicms worker` with the jobs of `tests.chaos.work` added, in a bounded address space."""

import asyncio
import os
import resource
from functools import partial

import uvloop

from scaicms import registry
from scaicms.cli.process_exit import exit_now, exit_within
from scaicms.cli.worker import EXIT_SECONDS
from scaicms.infra.jobs import QUEUES
from scaicms.infra.logs import configure_logs
from scaicms.infra.memory import keep_small
from scaicms.settings import get_settings
from scaicms.worker import work
from tests.chaos.work import PERIODIC, tasks

ADDRESS_SPACE = 1024 * 1024 * 1024


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    keep_small()
    settings = get_settings()
    configure_logs(settings)
    known, schedules = registry.tasks, registry.periodic
    added = tasks(novel=os.environ.get("CHAOS_NOVEL") == "1")
    registry.tasks = lambda: [*known(), *added]
    registry.periodic = lambda: [*schedules(), PERIODIC]
    bound = partial(exit_within, settings.drain_seconds + EXIT_SECONDS)
    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(work(settings, list(QUEUES), on_stop=bound))
    exit_now(0)


if __name__ == "__main__":
    main()
