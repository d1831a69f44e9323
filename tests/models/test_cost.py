"""Operations are those that the formulae of the papers give."""

from __future__ import annotations

import pytest
import timm
import torch

from vitviz.models.cost import count_flops, published_row


def vit_flops(tokens: int, width: int, depth: int, hidden: int, patch_inputs: int, patches: int, classes: int) -> int:
    """Twice the multiplications of a ViT, by hand: qkv and projection, attention, MLP, patch embedding, head."""
    block = tokens * width * 4 * width + 2 * tokens * tokens * width + 2 * tokens * width * hidden
    return 2 * (depth * block + patches * patch_inputs * width + width * classes)


@pytest.mark.parametrize("size", [(32, 32), (32, 64)])
def test_flops_of_a_vit_are_those_of_the_formula(size: tuple[int, int]) -> None:
    model = timm.create_model(
        "vit_tiny_patch16_224", img_size=size, patch_size=8, embed_dim=64, depth=3, num_heads=4, num_classes=7
    ).eval()
    patches = size[0] * size[1] // 64
    expected = vit_flops(patches + 1, 64, 3, 256, 3 * 64, patches, 7)
    assert count_flops(model, size) == expected


def test_counting_leaves_the_weights_where_they_are() -> None:
    model = timm.create_model("test_vit").eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert count_flops(model, (160, 160))
    for name, value in model.state_dict().items():
        assert value.device.type == "cpu"
        assert torch.equal(value, before[name])


def test_swin_is_counted_and_a_network_that_refuses_gives_none() -> None:
    swin = timm.create_model(
        "swin_tiny_patch4_window7_224", img_size=64, window_size=4, embed_dim=32, depths=(2, 2), num_heads=(2, 4)
    ).eval()
    assert (count_flops(swin, (64, 64)) or 0) > 1e6
    assert count_flops(swin, (63, 64), channels=5) is None


def test_published_rows_are_found_by_layers_width_and_heads() -> None:
    row = published_row(12, 768, 12)
    assert row is not None
    assert (row.name, row.parameters) == ("ViT-B/16", "86M")
    assert published_row(12, 768, 16) is None


def test_counting_leaves_the_module_as_it_is_for_other_threads():
    """Counted beside passes of another thread, which must find weights and no meta tensors."""
    import threading

    module, view, stop, wrong = timm.create_model("test_vit").eval(), torch.zeros(1, 3, 160, 160), threading.Event(), []
    before = [p.data_ptr() for p in module.parameters()]

    def passes():
        while not stop.is_set():
            try:
                with torch.inference_mode():
                    module(view)
            except RuntimeError as error:
                wrong.append(error)

    thread = threading.Thread(target=passes)
    thread.start()
    counted = {count_flops(module, (160, 160)) for _ in range(10)}
    stop.set()
    thread.join()
    assert wrong == [] and len(counted) == 1 and None not in counted
    assert [p.data_ptr() for p in module.parameters()] == before
