"""Lanes: what is computed beside each other is what the model computes alone, in order, and nothing of it stays."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import vitviz
from vitviz.attention import lanes as lanes_module
from vitviz.attention.lanes import Lanes, in_order
from vitviz.attention.relevance import relevance
from vitviz.attention.threads import with_threads
from vitviz.errors import Cancelled
from vitviz.images import Image


@pytest.fixture(autouse=True)
def four_threads():
    with with_threads(4):
        yield


@pytest.fixture(scope="module")
def pictures(picture):
    return [Image.from_array(np.roll(picture.pixels, 11 * i, axis=1), name=f"picture {i}") for i in range(8)]


def meeting(count):
    """A function that returns only once so many threads are in it at once."""
    barrier = threading.Barrier(count)
    return lambda: barrier.wait(60)


@pytest.mark.parametrize("name", ["tiny_vit", "tiny_swin"])
def test_traces_beside_each_other_are_those_of_each_picture_alone(request, pictures, name):
    model = request.getfixturevalue(name)
    with Lanes(model, len(pictures)) as lanes:
        assert lanes.count == 4
        together = meeting(4)

        def look(image):
            def traced(own):
                together()
                return vitviz.trace(own, image)

            return lanes.submit(traced)

        found = list(in_order(look, pictures, lanes.count))
    with with_threads(1):
        for image, beside in zip(pictures, found, strict=True):
            alone = vitviz.trace(model, image)
            assert beside.image_name == image.name
            np.testing.assert_array_equal(beside.logits, alone.logits)
            for layer in range(len(alone.layers)):
                np.testing.assert_array_equal(beside.weights(layer), alone.weights(layer))


def test_gradients_beside_each_other_are_those_of_each_picture_alone(tiny_vit, pictures):
    with Lanes(tiny_vit, len(pictures)) as lanes:
        found = list(in_order(lambda image: lanes.submit(lambda own: relevance(own, image)), pictures, 4))
    for image, beside in zip(pictures, found, strict=True):
        np.testing.assert_allclose(beside.values, relevance(tiny_vit, image).values, rtol=1e-4, atol=1e-7)


def test_copies_share_their_weights_and_the_model_stays_as_it_was(tiny_vit):
    before = [(p.data_ptr(), p.requires_grad, p.grad) for p in tiny_vit.module.parameters()]
    with Lanes(tiny_vit, 4) as lanes:
        together = meeting(4)
        copies = [future.result() for future in [lanes.submit(lambda own: (together(), own)[1]) for _ in range(4)]]
    assert len({id(each.module) for each in (tiny_vit, *copies)}) == 5
    for each in copies:
        assert [p.data_ptr() for p in each.module.parameters()] == [pointer for pointer, *_ in before]
        assert [b.data_ptr() for b in each.module.buffers()] == [b.data_ptr() for b in tiny_vit.module.buffers()]
    assert [(p.data_ptr(), p.requires_grad, p.grad) for p in tiny_vit.module.parameters()] == before


def test_weights_that_are_tied_stay_so(wrap, monkeypatch):
    monkeypatch.setattr(lanes_module, "needed_bytes", lambda model: 1)
    module = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)).eval()
    module[1].weight = module[0].weight
    with Lanes(wrap(module, (64, 64), prefix=()), 2) as lanes:
        copied = lanes.submit(lambda own: own.module).result()
    assert copied[1].weight is copied[0].weight and copied[0] is not module[0]


@pytest.mark.parametrize(
    ("threads", "pictures", "batch", "expected"),
    [(1, 9, 1, (1, 1)), (2, 9, 1, (2, 1)), (4, 1, 1, (1, 4)), (4, 9, 4, (3, 1)), (8, 99, 1, (8, 1)),
     (12, 99, 1, (6, 2)), (16, 99, 1, (8, 2)), (16, 2, 1, (2, 8)), (16, 0, 1, (1, 16))],
)  # fmt: skip
def test_threads_are_shared_among_as_many_lanes_as_there_is_work_for(tiny_vit, threads, pictures, batch, expected):
    with with_threads(threads), Lanes(tiny_vit, pictures, batch=batch) as lanes:
        assert (lanes.count, lanes.threads) == expected
        assert lanes.submit(lambda own: torch.get_num_threads()).result() == expected[1]


def test_number_of_threads_is_what_it_was_afterwards_in_new_threads_too(tiny_vit):
    with Lanes(tiny_vit, 9) as lanes:
        lanes.submit(lambda own: None).result()
    with ThreadPoolExecutor(1) as pool:
        assert torch.get_num_threads() == pool.submit(torch.get_num_threads).result() == 4


def test_little_memory_means_one_lane(tiny_vit, monkeypatch):
    need = lanes_module.needed_bytes(tiny_vit)
    for free, expected in ((100 * need, 4), (5 * need, 2), (need, 1)):
        monkeypatch.setattr(lanes_module, "free_bytes", lambda device, free=free: free)
        with Lanes(tiny_vit, 9) as lanes:
            assert lanes.count == expected


def test_network_that_can_not_be_copied_has_one_lane(tiny_vit, wrap, pictures):
    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.lock = tiny_vit.module, threading.Lock()

        def forward(self, x):
            return self.inner(x)

    model = wrap(Whole().eval(), (64, 96), prefix=("cls",))
    with Lanes(model, len(pictures)) as lanes:
        assert lanes.count == 1
        assert len(lanes.submit(lambda own: vitviz.trace(own, pictures[0])).result().layers) == 3


@pytest.mark.parametrize("way", ["raised", "cancelled"])
def test_what_runs_stops_and_what_waits_is_let_go(tiny_vit, pictures, way):
    begun, wished = threading.Semaphore(0), threading.Event()

    def until_stopped(own):
        begun.release()
        while True:
            vitviz.trace(own, pictures[0], cancel=lanes.cancelled)

    kind = KeyboardInterrupt if way == "raised" else Cancelled
    with pytest.raises(kind), Lanes(tiny_vit, 9, cancel=wished.is_set) as lanes:
        running = [lanes.submit(until_stopped) for _ in range(4)]
        assert all(begun.acquire(timeout=60) for _ in running)
        waiting = lanes.submit(until_stopped)
        if way == "raised":
            raise KeyboardInterrupt
        wished.set()
        running[0].result()
    assert all(isinstance(each.exception(), Cancelled) for each in running)
    assert waiting.cancelled() or isinstance(waiting.exception(), Cancelled)


@given(st.lists(st.integers()), st.integers(0, 6), st.integers(1, 4))
def test_results_are_in_order_and_no_more_than_asked_for_are_under_way(numbers, ahead, workers):
    taken = []

    def look(number):
        def slow():
            time.sleep(0.0002 * (number % 3))
            return number

        taken.append(number)
        return pool.submit(slow)

    with ThreadPoolExecutor(workers) as pool:
        for count, found in enumerate(in_order(look, numbers, ahead)):
            assert found == numbers[count]
            assert len(taken) <= count + 1 + ahead
    assert taken == numbers
