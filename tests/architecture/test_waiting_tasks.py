"""What waits for a job learns that the job was given up."""

import pytest

from scaicms import registry

TASKS = registry.tasks()


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.job.name)
def test_a_task_says_who_waits_for_it_or_why_nobody_does(task):
    assert (task.given_up is None) == (len(task.unawaited) > 20)


def test_every_job_that_is_declared_has_a_task():
    assert len({task.job.name for task in TASKS}) == len(TASKS) > 20
