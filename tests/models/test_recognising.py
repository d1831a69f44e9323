"""Real checkpoints open with what their makers say of them, and without a hint; what can't be told is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from vitviz.attention.trace import trace
from vitviz.errors import SourceError
from vitviz.images import Image
from vitviz.models.loading import load_model

# A Swin V2 file tells neither its window nor its view; DINO's wrapper keeps its head under another name.
UNTOLD = {
    "own_shapes/swinv2_shapes64.pth": ("window", "image"),
    "twins_cifar10/dino_style_checkpoint.pth": ("classes",),
}
FILES = (
    "cifar10_mha/vit.pt", "mnist_mha/vit_mnist_best.pth", "mnist_lucidrains/vit_mnist_gpu.pt",
    "own_shapes/vit_shapes64.pth", "own_shapes/swin_shapes64.pth", "own_shapes/swinv2_shapes64.pth",
    "twins_cifar10/timm_plain.pth", "twins_cifar10/timm_plain.safetensors", "twins_cifar10/timm_fp16.safetensors",
    "twins_cifar10/deit_style_checkpoint.pth", "twins_cifar10/dino_style_checkpoint.pth",
    "twins_cifar10/lightning_style.ckpt", "twins_cifar10/torchvision_vit.pth", "twins_cifar10/hf_disk_names.bin",
    "twins_cifar10/hf_v5_in_memory_names.pth", "twins_cifar10/hf_vit_dir", "twins_cifar10/google_flax.npz",
    "twins_cifar10/jeonsworld.bin", "twins_cifar10/whole_module_timm.pt", "twins_cifar10/whole_module_torchvision.pt",
)  # fmt: skip


def expected(shared: Path, name: str) -> dict[str, Any]:
    found = json.loads((shared / "checkpoints/expected.json").read_text())
    if name not in found:
        pytest.skip(f"expected.json says nothing of {name}")
    return found[name]


@pytest.mark.parametrize("name", FILES)
def test_a_real_file_opens_as_its_makers_say(name: str, shared: Path) -> None:
    said = expected(shared, name)
    wanted = said.get("opens") or said["opens_inert_or_refused"]
    for unsaid in UNTOLD.get(name, ()):
        wanted.pop(unsaid, None)
    model = load_model(shared / "checkpoints" / name)
    pixels = torch.randint(0, 255, (40, 40, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)).numpy()
    seen = trace(model, Image.from_array(pixels))
    heads = [layer.num_heads for layer in seen.layers]
    if "heads" in wanted:
        per_stage = wanted["heads"] if isinstance(wanted["heads"], list) else [wanted["heads"]]
        assert list(dict.fromkeys(heads)) == list(dict.fromkeys(per_stage))
    if "layers" in wanted:
        assert len(heads) == wanted["layers"]
    if "depths" in wanted:
        assert len(heads) == sum(wanted["depths"])
    if "image" in wanted:
        assert model.preprocessing.input_size == (wanted["image"],) * 2
    if "patch" in wanted:
        assert model.patch_size == (wanted["patch"],) * 2
    if "channels" in wanted:
        assert model.preprocessing.channels == wanted["channels"]
    if "registers" in wanted:
        assert sum(token.startswith("reg") for token in model.prefix_tokens) == wanted["registers"]
    if "window" in wanted:
        assert {layer.window_size for layer in seen.layers} <= {(wanted["window"],) * 2}
    if "classes" in wanted:
        assert seen.logits.size == wanted["classes"]
    assert seen.error is not None and seen.error < 1e-3


@pytest.mark.parametrize("name", [n for n in FILES if n.startswith("twins") and "dino" not in n])
def test_the_same_network_in_every_format_gives_the_same_logits(name: str, shared: Path) -> None:
    reference = torch.load(shared / "checkpoints/twins_cifar10/expected.pt", weights_only=True)
    model = load_model(shared / "checkpoints" / name)
    with torch.no_grad():
        logits = model.module(reference["input"])
    # The network was made with a norm epsilon of 1e-5. Only the folder's config and pickled modules say so; elsewhere
    # the usual one of the format is assumed, which is worth 5e-4 here and is said in the report.
    told = not any(f.topic == "norm epsilon" and f.certainty == "assumed" for f in model.report)
    tolerance = 1e-2 if "fp16" in name else 1e-4 if told else 6e-4
    assert (logits - reference["logits"]).abs().max() < tolerance
    assert told == ("hf_vit_dir" in name or "whole_module" in name)
    if not told:
        model = load_model(shared / "checkpoints" / name, norm_eps=1e-5)
        with torch.no_grad():
            logits = model.module(reference["input"])
        assert (logits - reference["logits"]).abs().max() < (1e-2 if "fp16" in name else 1e-4)
        assert [str(f) for f in model.report if f.topic == "norm epsilon"] == ["1e-05, said by you"]


@pytest.mark.parametrize("name", ["neg_head_only/best_vit.pth", "neg_hw_exact/hw_exact.pth"])
def test_what_is_no_vit_is_refused_with_the_reason(name: str, shared: Path) -> None:
    reason = expected(shared, name)["refused"]
    with pytest.raises(SourceError) as error:
        load_model(shared / "checkpoints" / name)
    assert reason in str(error.value)


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
