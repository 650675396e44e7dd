"""Batches: requests share the networks, nobody waits for a batch to fill, and the queue has an end."""

import asyncio
from collections.abc import Sequence
from threading import Event

import pytest

from pipeline.recommend.service.batches import Batches, BusyError


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 20))


def double(numbers: Sequence[int]) -> list[int]:
    return [2 * number for number in numbers]


class Gate:
    """A computation that waits until it is opened, and notes its batches."""

    def __init__(self) -> None:
        self.open, self.batches = Event(), []

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        assert self.open.wait(10)
        return double(numbers)


def test_all_are_answered_with_their_own_results():
    async def main():
        async with Batches(double, 16, 1000) as batches:
            return await asyncio.gather(*(batches.compute(number) for number in range(500)))

    assert run(main()) == double(range(500))


def test_what_arrives_during_a_batch_is_the_next_one():
    gate = Gate()

    async def main():
        async with Batches(gate, 4, 100) as batches:
            first = asyncio.create_task(batches.compute(0))
            while not gate.batches:
                await asyncio.sleep(0.001)
            others = [asyncio.create_task(batches.compute(number)) for number in range(1, 7)]
            await asyncio.sleep(0)
            assert batches.waiting == 6
            gate.open.set()
            await asyncio.gather(first, *others)

    run(main())
    assert gate.batches == [[0], [1, 2, 3, 4], [5, 6]]


def test_a_full_queue_turns_away():
    gate = Gate()

    async def main():
        async with Batches(gate, 1, 2) as batches:
            first = asyncio.create_task(batches.compute(0))
            while not gate.batches:
                await asyncio.sleep(0.001)
            others = [asyncio.create_task(batches.compute(number)) for number in (1, 2)]
            await asyncio.sleep(0)
            with pytest.raises(BusyError):
                await batches.compute(3)
            gate.open.set()
            return await asyncio.gather(first, *others)

    assert run(main()) == [0, 2, 4]


def test_nothing_is_computed_for_a_client_that_left():
    gate = Gate()

    async def main():
        async with Batches(gate, 4, 100) as batches:
            first = asyncio.create_task(batches.compute(0))
            while not gate.batches:
                await asyncio.sleep(0.001)
            left, stays = asyncio.create_task(batches.compute(1)), asyncio.create_task(batches.compute(2))
            await asyncio.sleep(0)
            left.cancel()
            await asyncio.sleep(0)
            gate.open.set()
            await asyncio.gather(first, stays)

    run(main())
    assert gate.batches == [[0], [2]]


def test_an_error_reaches_those_whose_batch_it_was_and_no_others():
    def compute(numbers: Sequence[int]) -> list:
        if 13 in numbers:
            raise ValueError("unlucky")
        return [KeyError("odd") if number % 2 else number for number in numbers]

    async def main():
        async with Batches(compute, 1, 100) as batches:
            return await asyncio.gather(*map(batches.compute, (12, 13, 14, 15)), return_exceptions=True)

    first, second, third, fourth = run(main())
    assert (first, third) == (12, 14)
    assert isinstance(second, ValueError)
    assert isinstance(fourth, KeyError)
