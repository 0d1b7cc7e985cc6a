"""`scaicms worker` with the jobs of `tests.chaos.work` added, in a bounded address space."""

import asyncio
import os
import resource

import uvloop

from scaicms import registry
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
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(settings, list(QUEUES)))


if __name__ == "__main__":
    main()
