"""Statements for many tasks at once."""

import asyncio

import asyncpg
import pytest

from scaicms.infra.db.batches import MAX_ITEMS, Batches


class Work:
    """Doubles numbers, and remembers the batches in which they came."""

    def __init__(self, error=None):
        self.batches = []
        self.error = error

    async def double(self, numbers):
        self.batches.append(list(numbers))
        await asyncio.sleep(0.01)
        if self.error is not None and 13 in numbers:
            raise self.error
        return [2 * number for number in numbers]


async def test_what_comes_during_a_batch_is_the_next_one():
    work = Work()
    batches = Batches(work.double)
    assert await asyncio.gather(*(batches.do(number) for number in range(MAX_ITEMS + 5))) == [
        2 * number for number in range(MAX_ITEMS + 5)
    ]
    assert [len(batch) for batch in work.batches] == [MAX_ITEMS, 5]
    assert await batches.do(7) == 14


async def test_an_item_that_fails_alone_spoils_no_other():
    work = Work(asyncpg.DataError("no"))
    batches = Batches(work.double)
    results = await asyncio.gather(*(batches.do(number) for number in (12, 13, 14)), return_exceptions=True)
    assert (results[0], results[2]) == (24, 28)
    assert isinstance(results[1], asyncpg.DataError)


@pytest.mark.parametrize(
    "error", [asyncpg.CannotConnectNowError("away"), TimeoutError(), asyncpg.QueryCanceledError("")]
)
async def test_an_outage_is_raised_for_all_and_tried_once(error):
    work = Work(error)
    batches = Batches(work.double)
    results = await asyncio.gather(*(batches.do(number) for number in (12, 13, 14)), return_exceptions=True)
    assert results == [error] * 3
    assert len(work.batches) == 1


async def test_a_task_that_is_cancelled_holds_up_no_other():
    work = Work()
    batches = Batches(work.double)
    tasks = [asyncio.create_task(batches.do(number)) for number in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert (results[0], results[2]) == (0, 4)
    assert isinstance(results[1], asyncio.CancelledError)
