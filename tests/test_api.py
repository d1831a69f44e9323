"""The public API: resolved lazily, complete, and working as DESIGN says."""

import subprocess
import sys

import numpy as np
import pytest

import vitviz


def fresh(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


def test_import_brings_neither_torch_nor_timm_nor_qt():
    heavy = ("torch", "timm", "PySide6", "pyqtgraph", "torchvision", "numpy")
    done = fresh(f"import sys, vitviz; print([m for m in {heavy!r} if m in sys.modules])")
    assert done.stderr == "" and done.stdout.strip() == "[]"


def test_pictures_are_read_without_torch():
    done = fresh("import sys, vitviz; vitviz.read_image, vitviz.Image, vitviz.Selection; print('torch' in sys.modules)")
    assert done.stderr == "" and done.stdout.strip() == "False"


@pytest.mark.parametrize("name", vitviz.__all__)
def test_every_public_name_resolves(name):
    assert getattr(vitviz, name) is not None
    assert name in dir(vitviz)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'attention_mapp'"):
        vitviz.attention_mapp  # noqa: B018
    assert not hasattr(vitviz, "nothing")


def test_errors_are_all_vitviz_errors():
    from vitviz import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert len(kinds) > 5 and all(issubclass(kind, vitviz.VitvizError) for kind in kinds)


def test_the_calls_of_the_design_work_together(picture, tmp_path):
    import PIL.Image

    PIL.Image.fromarray(picture.pixels).save(tmp_path / "cat.png")
    image = vitviz.read_image(tmp_path / "cat.png")
    model = vitviz.load_model("test_vit", pretrained=False, image_size=(64, 96))
    assert "test_vit" in str(model.report) and "random" in str(model.report)
    assert tuple(model.preprocess(image).shape) == (1, 3, 64, 96)
    trace = vitviz.trace(model, image)
    layer = trace.layers[3]
    assert layer.name == "blocks.3.attn" and layer.grid.shape == (4, 6)
    assert (layer.num_heads, layer.num_prefix_tokens, layer.window_size, layer.shift) == (2, 1, None, (0, 0))
    weights = trace.weights(3, heads=[0, 1], queries=[0, 17])
    assert weights.shape == (2, 2, 25) and weights.dtype == np.float32
    assert trace.weights(3).shape == (2, 25, 25)
    top = trace.top_k(5)
    assert len(top) == 5 and isinstance(top[0][0], str) and 0 < top[0][1] < 1
    shown = vitviz.attention_map(trace, layer=3, head="mean", query="cls")
    assert shown.values.shape == (4, 6) and shown.values.dtype == np.float32
    assert shown.values.sum() + shown.prefix_mass == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(shown.values, trace.weights(3, queries=0)[:, 0, 1:].mean(0).reshape(4, 6), atol=1e-6)
    other = vitviz.attention_map(trace, layer=3, head=1, query=(2, 5), direction="to")
    np.testing.assert_allclose(other.values, trace.weights(3)[1, 1:, 1 + 2 * 6 + 5].reshape(4, 6), atol=1e-6)
    maps = vitviz.head_maps(trace, vitviz.Place(60, 40))
    assert [v.shape for v in maps.values] == [(2, 4, 6)] * len(trace.layers)


def test_an_overlay_has_the_size_of_the_picture(picture):
    pytest.importorskip("vitviz.render.overlay")
    model = vitviz.load_model("test_vit", pretrained=False)
    shown = vitviz.attention_map(vitviz.trace(model, picture), layer=0)
    rgb = vitviz.overlay(picture, shown, colormap="viridis", opacity=0.6)
    assert rgb.shape == picture.pixels.shape and rgb.dtype == np.uint8
    assert not np.array_equal(rgb, picture.pixels)
