"""Threads of torch: what is asked for lasts as long as it should, and work by two gives what work by one gives."""

import threading

import pytest
import torch

import vitviz
from vitviz.attention import maps
from vitviz.attention.maps import head_maps
from vitviz.attention.threads import by_two, with_threads
from vitviz.attention.values import Place


@pytest.fixture
def two_threads():
    with with_threads(2):
        yield


def test_threads_are_as_many_as_asked_for_and_then_as_before(two_threads):
    with with_threads(1):
        assert torch.get_num_threads() == 1
    with with_threads(None):
        assert torch.get_num_threads() == 2
    with pytest.raises(ZeroDivisionError), with_threads(1):
        1 / 0  # noqa: B018
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_results_come_in_order_from_two_threads_of_one_each(count, two_threads):
    found = by_two(lambda n: (n, torch.get_num_threads(), threading.get_ident()), range(count))
    assert [n for n, _, _ in found] == list(range(count))
    if count > 1:
        assert {threads for _, threads, _ in found} == {1} and len({who for _, _, who in found}) == 2
    assert torch.get_num_threads() == 2


def test_one_thread_stays_one():
    with with_threads(1):
        assert set(by_two(lambda _: threading.get_ident(), range(4))) == {threading.get_ident()}


@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_in_either_thread_comes_out(failing, two_threads):
    def fail(n):
        if n == failing:
            raise ValueError(f"not {n}")

    with pytest.raises(ValueError, match=f"not {failing}"):
        by_two(fail, range(4))
    assert torch.get_num_threads() == 2 and by_two(str, range(3)) == ["0", "1", "2"]


@pytest.mark.parametrize(("query", "direction"), [(Place(40, 30), "from"), (Place(40, 30), "to"), ("cls", "from")])
def test_maps_by_two_are_the_maps_by_one(query, direction, two_threads, monkeypatch, picture):
    model = vitviz.load_model("test_vit", pretrained=False, device="cpu")
    trace = vitviz.trace(model, picture)
    alone = head_maps(trace, query, direction)
    asked = []
    monkeypatch.setattr(maps, "_FEW", 0.0)
    monkeypatch.setattr(maps, "by_two", lambda function, given: asked.append(len(given)) or by_two(function, given))
    together = head_maps(trace, query, direction)
    assert asked == [len(trace.layers)]
    for mine, other in zip(alone.values, together.values, strict=True):
        assert (mine == other).all()
