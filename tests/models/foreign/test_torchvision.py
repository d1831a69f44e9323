"""torchvision's own networks, saved by torch, give torchvision's logits through timm."""

import pytest
import torch
from formats import build, findings, images, randomise, recognise, through_disk
from torchvision.models import VisionTransformer
from torchvision.models.swin_transformer import (
    PatchMerging,
    PatchMergingV2,
    SwinTransformer,
    SwinTransformerBlock,
    SwinTransformerBlockV2,
)

OLD = {".mlp.0.": ".mlp.linear_1.", ".mlp.3.": ".mlp.linear_2."}


def renamed(tensors, pairs):
    for old, new in pairs.items():
        tensors = {k.replace(old, new): v for k, v in tensors.items()}
    return tensors


@pytest.mark.parametrize("names", [{}, OLD], ids=["new names", "old names"])
@pytest.mark.parametrize("prefix", ["", "model."])
def test_vit(names, prefix, tmp_path, same):
    model, view = randomise(VisionTransformer(32, 8, 3, 4, 64, 100, num_classes=5)), images(32)
    tensors = renamed(through_disk(model, tmp_path / "vit.pth"), names)
    found = recognise({prefix + k: v for k, v in tensors.items()})
    assert found.format == "torchvision ViT" and "num_heads" not in found.model_args
    assert findings(found, "norm epsilon") == [("1e-06, torchvision ViT's own", "assumed")]
    with torch.no_grad():
        same(build(found, num_heads=4)(view), model(view))


def test_vit_whose_head_was_replaced(tmp_path, same):
    model = VisionTransformer(32, 8, 2, 4, 64, 100, num_classes=5)
    model.heads = torch.nn.Linear(64, 7)
    view, found = images(32), recognise(through_disk(randomise(model), tmp_path / "vit.pth"))
    with torch.no_grad():
        same(build(found, num_heads=4)(view), model(view))


def test_attributes_of_a_pickled_module_tell_heads_and_epsilon(same):
    norm = torch.nn.LayerNorm
    model, view = randomise(VisionTransformer(32, 8, 2, 4, 64, 100, num_classes=5, norm_layer=norm)), images(32)
    attributes = {
        name: {key: getattr(module, key) for key in ("num_heads", "eps") if hasattr(module, key)}
        for name, module in model.named_modules()
    }
    found = recognise(model.state_dict(), attributes=attributes)
    assert [c for t in ("heads", "norm epsilon") for _, c in findings(found, t)] == ["found", "found"]
    with torch.no_grad():
        same(build(found)(view), model(view))


def test_a_wrong_number_of_heads_shows(tmp_path):
    model, view = randomise(VisionTransformer(32, 8, 2, 4, 64, 100, num_classes=5)), images(32)
    found = recognise(through_disk(model, tmp_path / "vit.pth"))
    assert float((build(found, num_heads=2)(view) - model(view)).detach().abs().max()) > 1e-2


@pytest.mark.parametrize("second", [False, True])
def test_swin(second, tmp_path, same):
    block = SwinTransformerBlockV2 if second else SwinTransformerBlock
    merging = PatchMergingV2 if second else PatchMerging
    model = randomise(SwinTransformer([2, 2], 24, [2, 1, 2], [2, 4, 8], [4, 4], 3.0, num_classes=5,
                                      block=block, downsample_layer=merging))  # fmt: skip
    found = recognise(through_disk(model, tmp_path / "swin.pth"))
    assert found.model_args["num_heads"] == (2, 4, 8) and found.model_args["window_size"] == 4
    view = images(found.model_args["img_size"])
    assert view.shape[-1] == 2 * 4 * 4
    with torch.no_grad():
        same(build(found)(view), model(view))
