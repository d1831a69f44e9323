"""Other patch and view sizes: which are offered, and which are more than the training of the weights bears."""

import pytest
import timm
import torch
from safetensors.torch import save_file

import vitviz
from vitviz.models.resizing import is_approximation, own_patch_size, patch_sizes, sides, variant_text


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A file of a ViT with patches of 4 px, which no architecture of timm is named after."""
    module = timm.create_model(
        "vit_tiny_patch16_224", img_size=32, patch_size=4, embed_dim=64, depth=2, num_heads=4, num_classes=5
    )
    path = tmp_path_factory.mktemp("small") / "small.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in module.state_dict().items()}, path)
    return path


@pytest.mark.parametrize(("patch", "resampled"), [(None, False), (4, False), (8, True), (16, True)])
def test_patches_of_a_file_are_an_approximation_unless_they_are_its_own(small, patch, resampled):
    model = vitviz.load_model(str(small), patch_size=patch, device="cpu")
    assert model.trained_patch_size == (4, 4) and own_patch_size(model) == 4
    assert model.patch_size == (patch or 4,) * 2
    assert is_approximation(model) == resampled == ("≈ patch" in variant_text(model))
    assert patch_sizes(model) == [4, 8, 16]


def test_demo_was_trained_at_many_patch_sizes():
    model = vitviz.load_model("demo", patch_size=8, device="cpu")
    assert own_patch_size(model) == 16 and not is_approximation(model) and patch_sizes(model) == [8, 16, 32]


def test_flexible_model_has_the_nearest_sizes_that_divide_its_view():
    model = vitviz.load_model("flexivit_small", pretrained=False, device="cpu", image_size=240)
    assert patch_sizes(model) == [8, 16, 30]


def test_other_models_have_only_sizes_that_divide_their_view():
    model = vitviz.load_model("vit_tiny_patch16_224", pretrained=False, device="cpu", image_size=240)
    assert patch_sizes(model) == [8, 16]
    assert own_patch_size(model) == 16 and sides(model) == [224, 240, 384, 512]


def test_windows_are_tied_to_their_patches():
    model = vitviz.load_model("demo-swin", device="cpu")
    assert patch_sizes(model) == [] and sides(model) == [128, 192, 256, 384]


@pytest.mark.parametrize("size", [(64, 90), (70, 96), (100, 63)])
def test_patch_of_any_free_size_covers_the_pixels_that_its_token_is_made_from(size, picture):
    """The token of a patch, and no other, changes with a pixel in the corner of what the grid says it covers."""
    model = vitviz.load_model("vit_tiny_patch16_224", pretrained=False, device="cpu", image_size=size)
    grid = vitviz.trace(model, picture).layers[0].grid
    plain = torch.zeros(1, 3, *size)
    with torch.inference_mode():
        before = model.module.patch_embed(plain)
        for row, col in ((0, grid.cols - 1), (grid.rows - 1, 0), (grid.rows - 1, grid.cols - 1)):
            x0, y0, x1, y1 = grid.box(row, col)
            for x, y in ((x0, y0), (x1 - 1, y1 - 1)):
                changed = plain.clone()
                changed[..., int(y), int(x)] = 1
                moved = (model.module.patch_embed(changed) != before).any(-1).flatten().nonzero().flatten().tolist()
                assert moved == [row * grid.cols + col]
