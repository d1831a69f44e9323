"""How many threads torch computes with: a number of the thread that asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import torch

Given = TypeVar("Given")
Result = TypeVar("Result")


@contextmanager
def with_threads(count: int | None) -> Iterator[None]:
    """So many threads while it lasts; as many as there are with None."""
    before = torch.get_num_threads()
    if count is None or count == before:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def by_two(function: Callable[[Given], Result], given: Sequence[Given]) -> list[Result]:
    """The results in order: a second thread takes every other one where torch may use more than one.

    For many small products, which torch's own threads would wait longer for each other than they take.
    """
    if torch.get_num_threads() < 2 or len(given) < 2:
        return [function(each) for each in given]
    other = _second().submit(lambda: [function(each) for each in given[1::2]])
    with with_threads(1):
        first = [function(each) for each in given[::2]]
    second = other.result()
    return [(second if i % 2 else first)[i // 2] for i in range(len(given))]


@cache
def _second() -> ThreadPoolExecutor:
    """The thread beside the one that asks; its products are of one thread each."""
    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(1, "vitviz-second", initializer=torch.set_num_threads, initargs=(1,))
    pool.submit(torch.get_num_threads).result()
    torch.set_num_threads(before)  # threads that begin from now on have the last number that any was given
    return pool
