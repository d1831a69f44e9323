"""The menus of device, precision and crop tick what the shown model has, not what was chosen last."""

from dataclasses import replace

import pytest

from vitviz.errors import ModelError
from vitviz.ui.opening import Opened, Wish

DEVICES = (("cpu: CPU", "cpu"),)


def ticked(window):
    """The values that are ticked: device, precision, crop."""
    menus = window.menus.model
    held = (group.checkedAction() for group in (menus.devices, menus.precisions, menus.crops))
    return [None if action is None else action.data() for action in held]


def choose(window, value):
    menus = window.menus.model
    (action,) = [a for g in (menus.devices, menus.precisions, menus.crops) for a in g.actions() if a.data() == value]
    action.trigger()


@pytest.fixture
def squashed(opened):
    """The same model as it is when it was asked to squash the picture, in half precision, on the CPU."""
    import vitviz

    asked = replace(opened.wish.model, crop="squash", precision="bfloat16", device="cpu")
    model = vitviz.load_model(asked.source, **asked.options)
    return Opened(Wish(opened.image, asked), opened.image, model, vitviz.trace(model, opened.image), DEVICES)


def test_nothing_shown_ticks_what_the_next_model_is_to_have(bare_window):
    assert ticked(bare_window) == ["auto", "float32", ""]


def test_another_model_ticks_what_it_has(window, opened, squashed):
    assert ticked(window) == ["auto", "float32", ""]
    window.opener.present(squashed)
    assert ticked(window) == ["cpu", "bfloat16", "squash"]
    window.opener.present(opened)
    assert ticked(window) == ["auto", "float32", ""]


def test_pane_that_becomes_current_ticks_what_its_model_has(two, squashed):
    first, second = two.panes.columns
    second.opener.present(squashed)
    assert ticked(two) == ["cpu", "bfloat16", "squash"]
    two.panes.set_current(first)
    assert ticked(two) == ["auto", "float32", ""]
    two.panes.set_current(second)
    assert ticked(two) == ["cpu", "bfloat16", "squash"]
    two.panes.set_current(first)
    second.opener.present(squashed)  # in a pane that is not current
    assert ticked(two) == ["auto", "float32", ""]


@pytest.mark.parametrize("value", ["cpu", "bfloat16", "squash"])
def test_choice_that_fails_is_not_ticked(window, monkeypatch, value):
    window.menus.fill_devices([("Automatic", "auto"), *DEVICES])
    wishes = []
    monkeypatch.setattr(window.opener, "open", lambda **given: wishes.append(given["model"]))
    choose(window, value)
    assert len(wishes) == 1 and value in (wishes[0].device, wishes[0].precision, wishes[0].crop)
    window.opener.failed.emit(Wish(None, wishes[0]), ModelError("It can't be."))
    assert ticked(window) == ["auto", "float32", ""]


def test_crop_that_was_chosen_is_ticked_once_it_is_shown_and_goes_with_its_model(qtbot, demo):
    window = demo("demo")
    with qtbot.waitSignal(window.opened, timeout=60_000):
        choose(window, "squash")
    assert ticked(window) == ["cpu", "float32", "squash"]
    with qtbot.waitSignal(window.opened, timeout=60_000):
        window.sources.open_source("demo-swin")
    assert window.pane.opened.model.preprocessing.crop_mode == "center" and ticked(window)[2] == ""


def test_crop_that_the_model_asks_for_is_named(window, squashed, opened):
    own = window.menus.model.crops.actions()[0]
    assert own.text() == "As the model asks: centre of the picture"
    window.opener.present(squashed)
    assert own.text() == "As the model asks"


def test_model_that_ran_out_of_memory_ticks_the_precision_that_it_has(window, opened, squashed):
    window.opener.present(replace(squashed, wish=opened.wish))
    assert ticked(window)[1] == "bfloat16"
