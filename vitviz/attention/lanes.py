"""Many pictures on the CPU: lanes, threads that each have a copy of the network and a share of torch's threads.

A core for each picture is quicker than all cores for one: where they share the work of every product, the one that is
late keeps the others waiting, and what Python does on the way stops them all.
"""

from __future__ import annotations

import copy
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from queue import SimpleQueue
from types import TracebackType
from typing import TypeVar

import torch
from torch import nn

from vitviz.attention.memory import free_bytes, needed_bytes
from vitviz.models.model import Model

_MOST = 8  # more would wait for each other where Python runs
_SHARE = 0.5  # of the free memory

Given = TypeVar("Given")
Result = TypeVar("Result")


class Lanes:
    """Runs functions of the model in threads of their own: `with Lanes(model, count) as lanes: lanes.submit(function)`.

    On a GPU, and where a network can't be copied, there is one lane. Where the block is left by an exception, what runs
    is asked to stop and what waits is let go.

    Args:
        model: as load_model gives it.
        pictures: how many pictures will come; there are no more lanes than that.
        batch: how many pictures one function looks at together.
        cancel: asked while a function runs, through `cancelled`.

    Attributes:
        count: the number of lanes.
        threads: of torch in each.
    """

    def __init__(
        self, model: Model, pictures: int, *, batch: int = 1, cancel: Callable[[], bool] = lambda: False
    ) -> None:
        self._threads = torch.get_num_threads()
        most = self._threads // -(-self._threads // _MOST)  # 12 threads are 6 lanes of two
        models = _models(model, _room(model, min(most, -(-pictures // batch)), batch))
        self.count = len(models)
        self.threads = self._threads // self.count
        self._models: SimpleQueue[Model] = SimpleQueue()
        for each in models:
            self._models.put(each)
        self._own = threading.local()
        self._cancel, self._stopped = cancel, threading.Event()
        self._pool = ThreadPoolExecutor(self.count, "vitviz-lane", initializer=self._begin)

    def _begin(self) -> None:
        torch.set_num_threads(self.threads)
        self._own.model = self._models.get_nowait()

    def cancelled(self) -> bool:
        """Whether what runs should stop."""
        return self._stopped.is_set() or self._cancel()

    def submit(self, function: Callable[[Model], Result]) -> Future[Result]:
        """Call the function with a lane's own model as soon as a lane is free."""
        return self._pool.submit(lambda: function(self._own.model))

    def __enter__(self) -> Lanes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            self._stopped.set()
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)
        torch.set_num_threads(self._threads)  # threads that begin from now on have the last number that any was given


def in_order(submit: Callable[[Given], Future[Result]], given: Iterable[Given], ahead: int) -> Iterator[Result]:
    """The results in the order of what was given, with up to `ahead` under way beside the one that is waited for."""
    waiting: deque[Future[Result]] = deque()
    for each in given:
        waiting.append(submit(each))
        while waiting and (waiting[0].done() or len(waiting) > ahead):
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _room(model: Model, count: int, batch: int) -> int:
    """How many of so many lanes have room in memory, each as for a pass with gradients, which needs the most."""
    if model.device.name != "cpu" or count < 2:
        return 1
    need, free = needed_bytes(model), free_bytes(model.device)
    if need is None:
        return 1
    return count if free is None else max(1, min(count, int(_SHARE * free) // (batch * need)))


def _models(model: Model, count: int) -> list[Model]:
    """The model and copies of it whose parameters are the same memory, as a pass with hooks needs a network alone."""
    try:
        return [model] if count == 1 else [replace(model, module=_twin(model.module)) for _ in range(count)]
    except Exception:  # noqa: BLE001  a network written by hand may hold anything
        return [model]


def _twin(module: nn.Module) -> nn.Module:
    same: dict[int, object] = {id(each): each for each in module.buffers()}
    same |= {id(each): nn.Parameter(each.detach(), requires_grad=False) for each in module.parameters()}
    return copy.deepcopy(module, same)
