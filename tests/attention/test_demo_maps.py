"""The demo ViT was trained by a loss on two of its maps: they are the maps that the program shows, and they point."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch

import vitviz
from vitviz.attention.relevance import GRADIENT_METHODS

DEMO = Path(__file__).parents[2] / "resources" / "demo"
PICTURES = DEMO / "pictures"
TRUTH = json.loads((PICTURES / "truth.json").read_text())


@pytest.fixture(scope="module")
def guidance():
    """resources/demo/guidance.py, the loss of the second stage."""
    spec = importlib.util.spec_from_file_location("demo_guidance", DEMO / "guidance.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=[8, 16, 32])
def demo(request):
    return vitviz.load_model("demo", device="cpu", patch_size=request.param)


def test_trained_maps_are_the_maps_that_are_shown(demo, guidance):
    image = vitviz.read_image(PICTURES / "star_and_ring.png")
    module, given = demo.module, []
    handle = module.blocks[-1].register_forward_pre_hook(lambda block, args: given.append(args[0].detach()))
    with torch.no_grad():
        module(demo.preprocess(image))
    handle.remove()
    for target in (0, 4):
        with torch.enable_grad():
            before = given[0].clone().requires_grad_()
            found = guidance.class_maps(module, before, torch.tensor([target]))
        for values, method in zip(found, ("token grad-cam", "attention grad-cam"), strict=True):
            expected = vitviz.relevance(demo, image, target, method).values
            np.testing.assert_allclose(
                values.detach().clamp_min(0).numpy().reshape(expected.shape), expected, atol=1e-5 * expected.max()
            )


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_methods_of_a_class_point_at_its_object(demo, method):
    right = []
    for name, facts in TRUTH.items():
        if len(facts["objects"]) < 2:
            continue
        image = vitviz.read_image(PICTURES / name)
        for thing in facts["objects"]:
            shown = vitviz.relevance(demo, image, demo.labels.index(thing["label"]), method)
            cell = divmod(int(shown.values.argmax()), shown.grid.cols)
            x, y = shown.view.to_picture(*shown.grid.centre(*cell))
            left, top, end, bottom = thing["box"]
            right.append(left <= x < end and top <= y < bottom)
    assert len(right) == 6 and np.mean(right) >= 0.8


def test_loss_falls_as_a_map_moves_onto_the_object_and_is_not_fooled_by_what_is_least_negative(guidance, monkeypatch):
    inside = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    losses = []
    for values in ([1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0], [-0.1, -1.0, -1.0, -1.0]):
        both = (torch.tensor([values], requires_grad=True),) * 2
        monkeypatch.setattr(guidance, "class_maps", lambda *args, both=both: both)
        losses.append(guidance.pointing_loss(None, None, None, inside).item())
    assert losses[0] < losses[1] < losses[2]
