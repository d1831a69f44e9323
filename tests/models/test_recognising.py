"""Real checkpoints open with what their makers say of them, and without a hint; what can't be told is said."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from vitviz.attention.trace import Trace, trace
from vitviz.errors import SourceError
from vitviz.images import Image
from vitviz.models.loading import load_model
from vitviz.models.model import Model
from vitviz.models.reading.containers import read_checkpoint

SHARED = Path(os.environ.get("VITVIZ_SHARED") or Path(__file__).parents[3] / "shared")
EXPECTED: dict[str, dict[str, Any]] = (
    json.loads((SHARED / "checkpoints/expected.json").read_text()) if SHARED.is_dir() else {}
)
LOGITS = [name for name, said in EXPECTED.items() if "logits" in said]
REFUSED = [name for name, said in EXPECTED.items() if "refused" in said]
OPENS = [name for name in EXPECTED if name not in REFUSED]


def counts(values: list[int]) -> list[int]:
    """Runs of equal numbers as one."""
    return [value for i, value in enumerate(values) if i == 0 or values[i - 1] != value]


# What each word of expected.json means, of a model and its trace.
MEANING: dict[str, Callable[[Model, Trace], Any]] = {
    "patch": lambda model, seen: model.patch_size and counts(list(model.patch_size))[0],
    "image": lambda model, seen: counts(list(model.preprocessing.input_size))[0],
    "channels": lambda model, seen: model.preprocessing.channels,
    "dim": lambda model, seen: model.module.embed_dim,
    "layers": lambda model, seen: len(seen.layers),
    "depths": lambda model, seen: [sum(layer.stage == s for layer in seen.layers) for s in range(3)],
    "heads": lambda model, seen: counts([layer.num_heads for layer in seen.layers]),
    "head_dim": lambda model, seen: model.module.blocks[0].attn.head_dim,
    "window": lambda model, seen: counts([side for layer in seen.layers for side in layer.window_size or ()])[0],
    "registers": lambda model, seen: sum(token.startswith("reg") for token in model.prefix_tokens),
    "classes": lambda model, seen: seen.logits.size,
}


def has_classifier(path: Path, classes: int) -> bool:
    """Whether any tensor of any network in a file has a row for each class."""
    networks = read_checkpoint(path).networks
    return any(classes in tensor.shape for network in networks for tensor in network.tensors.values())


def test_expected_json_says_nothing_that_is_not_looked_at() -> None:
    words = {"opens", "opens_inert_or_refused", "refused", "logits", "note", "heads_from"}
    assert all(set(said) <= words for said in EXPECTED.values())
    assert set(LOGITS) <= set(OPENS) and set(OPENS) | set(REFUSED) == set(EXPECTED)


@pytest.mark.parametrize("name", OPENS)
def test_a_real_file_opens_as_its_makers_say(name: str) -> None:
    wanted = dict(EXPECTED[name].get("opens") or EXPECTED[name]["opens_inert_or_refused"])
    model = load_model(SHARED / "checkpoints" / name)
    pixels = torch.randint(0, 255, (40, 40, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)).numpy()
    seen = trace(model, Image.from_array(pixels))
    if not has_classifier(SHARED / "checkpoints" / name, wanted["classes"]):
        # No tensor has a row for each class: nothing could make these classes but chance.
        assert wanted.pop("classes") and seen.logits.size == 0
        assert [f.text.partition(":")[0] for f in model.report if f.topic == "classes"] == ["none"]
    if not isinstance(wanted["heads"], list):
        wanted["heads"] = [wanted["heads"]]
    assert {word: MEANING[word](model, seen) for word in wanted} == wanted
    assert seen.error is not None and seen.error < 1e-3


def test_no_other_real_file_lacks_its_classifier_than_that_of_a_pretraining() -> None:
    """expected.json asks for ten classes of dino_style_checkpoint.pth, which holds none: only DINO's projection."""
    without = [
        name
        for name in OPENS
        if not has_classifier(
            SHARED / "checkpoints" / name,
            (EXPECTED[name].get("opens") or EXPECTED[name]["opens_inert_or_refused"])["classes"],
        )
    ]
    if not EXPECTED:
        pytest.skip("no real files beside the repository")
    assert without == ["twins_cifar10/dino_style_checkpoint.pth"]
    report = load_model(SHARED / "checkpoints" / without[0]).report
    assert any("1 tensor of DINO's projection head was left out" in f.text for f in report)


@pytest.mark.parametrize("name", LOGITS)
def test_the_same_network_in_every_format_gives_the_same_logits(name: str) -> None:
    path = SHARED / "checkpoints" / name
    reference = torch.load(SHARED / "checkpoints" / EXPECTED[name]["logits"], weights_only=True)
    model = load_model(path)
    # The network was made with a norm epsilon of 1e-5. Only the folder's config and pickled modules say so; elsewhere
    # the usual one of the format is assumed, which is worth 5e-4 here and is said in the report.
    told = not any(f.topic == "norm epsilon" and f.certainty == "assumed" for f in model.report)
    assert told == ("hf_vit_dir" in name or "whole_module" in name)
    exact = 1e-2 if "fp16" in name else 1e-4
    assert difference(model, reference, path) < (exact if told else max(exact, 6e-4))
    if not told:
        model = load_model(path, norm_eps=1e-5)
        assert difference(model, reference, path) < exact
        assert [str(f) for f in model.report if f.topic == "norm epsilon"] == ["1e-05, said by you"]


def difference(model: Model, reference: dict[str, torch.Tensor], path: Path) -> float:
    """Largest difference from the reference logits; the twin's classifier is lent to a file that has none."""
    module, view = model.module, reference["input"]
    with torch.no_grad():
        if has_classifier(path, reference["logits"].shape[1]):
            logits = module(view)
        else:
            lent = load_model(path.with_name("timm_plain.pth")).module.head
            logits = lent(module.forward_head(module.forward_features(view), pre_logits=True))
    return float((logits - reference["logits"]).abs().max())


def test_the_same_network_is_shown_the_whole_shorter_side_in_every_format(shared: Path) -> None:
    files = ["twins_cifar10/timm_plain.pth", "twins_cifar10/torchvision_vit.pth", "twins_cifar10/jeonsworld.bin"]
    for name in ["cifar10_mha/vit.pt", *files, "own_shapes/swin_shapes64.pth"]:
        model = load_model(shared / "checkpoints" / name)
        assert model.preprocessing.crop_pct == 1.0, name
        assert [f.certainty for f in model.report if f.topic == "crop"] == ["assumed"], name
    model = load_model(shared / "checkpoints" / files[0], crop="squash")
    assert [str(f) for f in model.report if f.topic == "crop"] == ["squash, said by you"]
    assert "crop" not in model.report.guess_words


def test_mean_and_std_that_the_file_tells_leave_nothing_to_be_checked_about_them(shared: Path) -> None:
    report = load_model(shared / "checkpoints/own_shapes/swinv2_shapes64.pth").report
    assert {"mean", "std"} <= {f.topic for f in report}
    assert "window" in report.guess_words and "preprocessing" not in report.guess_words
    assert [f.certainty for f in report if f.topic == "preprocessing"] == ["found"]
    # Of a file that does not say, they stay a guess.
    bare = load_model(shared / "checkpoints/twins_cifar10/timm_plain.pth").report
    assert "preprocessing" in bare.guess_words


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_vit_is_refused_with_the_reason(name: str) -> None:
    reason = EXPECTED[name]["refused"]
    with pytest.raises(SourceError) as error:
        load_model(SHARED / "checkpoints" / name)
    if reason not in str(error.value):  # what is asked for in other words
        assert reason.startswith("TorchScript holds code; the sentence says how to save a state_dict")
        assert re.search("TorchScript program, and code is not run.*save the state_dict", str(error.value))


def test_a_number_of_heads_said_by_the_user_wins_and_is_reported(shared: Path) -> None:
    path = shared / "checkpoints/twins_cifar10/timm_plain.pth"
    model = load_model(path, num_heads=8)
    assert model.module.blocks[0].attn.num_heads == 8
    assert any(f.topic == "heads" and "8" in f.text and "you" in f.text for f in model.report)
    with pytest.raises(SourceError, match="don't divide"):
        load_model(path, num_heads=3)


def test_mean_std_and_labels_said_by_the_user_are_used(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("\n".join(f"name {i}" for i in range(10)))
    model = load_model(
        shared / "checkpoints/cifar10_mha/vit.pt",
        mean=(0.1, 0.2, 0.3),
        std=(0.4, 0.5, 0.6),
        labels=tmp_path / "labels.txt",
    )
    assert model.preprocessing.mean == (0.1, 0.2, 0.3)
    assert model.preprocessing.std == (0.4, 0.5, 0.6)
    assert model.label(9) == "name 9"
