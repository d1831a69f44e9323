"""DINO's mass threshold as a style, and rollout drawn as the ViT paper's figures are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import vitviz
from vitviz.attention.values import Map, RolloutOptions, Selection
from vitviz.images import Image
from vitviz.models.layout import Grid
from vitviz.render.overlay import Canvas
from vitviz.render.spotlight import spotlight
from vitviz.render.style import Style
from vitviz.render.threshold import mass_mask
from vitviz.view import View


def map_of(values, selection=None):
    values = np.asarray(values, dtype=np.float32)
    rows, cols = values.shape
    size = rows * 10, cols * 10
    view = View((size[0], size[1] + 20), size, (10.0, 0.0, 10.0 + size[1], float(size[0])))
    return Map(values, selection or Selection(), Grid(rows, cols, (10.0, 10.0)), view, "layer", "model", "picture")


def picture_for(m):
    pixels = np.random.default_rng(0).integers(60, 200, (*m.view.picture_size, 3))
    return Image.from_array(pixels.astype(np.uint8))


def test_the_example_of_the_definition():
    assert mass_mask(np.array([[0.4, 0.3, 0.2, 0.1]]), 0.6).tolist() == [[True, True, False, False]]


@given(arrays(np.int64, (3, 4), elements=st.integers(0, 50)), st.integers(1, 100))
def test_no_smaller_set_holds_the_share(counts, percent):
    values, share = (counts / 64).astype(np.float32), percent / 100
    mask = mass_mask(values, share)
    total = values.sum(dtype=np.float64)
    if total == 0:
        assert not mask.any()
        return
    assert values[mask].sum(dtype=np.float64) >= share * total * (1 - 1e-6)
    largest = np.sort(values, axis=None)[::-1].astype(np.float64)
    assert largest[: mask.sum() - 1].sum() < share * total * (1 + 1e-6)
    assert not mask.any() or not (~mask).any() or values[mask].min() >= values[~mask].max()


VALUES = [[0.1, 0.1, 0.1], [0.1, 3.0, 2.0], [0.1, 0.1, 0.1]]


def test_mask_leaves_what_holds_the_mass_as_it_was_and_darkens_the_rest():
    m = map_of(VALUES)
    image = picture_for(m)
    plain = vitviz.overlay(image, m)
    masked = vitviz.overlay(image, m, threshold=0.6, marked="mask")
    inside = np.zeros(image.size, dtype=bool)
    inside[12:18, 22:38] = inside[12:18, 32:38] = True  # the two patches, but for their contour
    assert (masked[inside] == plain[inside]).all()
    outside = masked[22:28, 12:38]
    assert (outside == (image.pixels[22:28, 12:38] * 0.25).astype(np.uint8)).all()
    assert (masked[:, :8] == plain[:, :8]).all()  # the model did not see this part


def test_contour_is_white_inside_and_black_outside_and_changes_nothing_else():
    m = map_of(VALUES)
    image = picture_for(m)
    plain, drawn = vitviz.overlay(image, m), vitviz.overlay(image, m, threshold=0.6)
    assert (drawn[10, 20:40] == 255).all() and (drawn[9, 20:40] == 0).all()
    assert (drawn[19, 20:40] == 255).all() and (drawn[20, 20:40] == 0).all()
    assert (drawn[10:20, 20] == 255).all() and (drawn[10:20, 19] == 0).all()
    assert (drawn[10:20, 39] == 255).all() and (drawn[10:20, 40] == 0).all()
    changed = (drawn != plain).any(-1)
    border = np.zeros_like(changed)
    border[9:21, 19:41] = True
    border[11:19, 21:39] = False
    assert not (changed & ~border).any()


def test_threshold_follows_the_scale_of_the_screen():
    m = map_of(VALUES)
    canvas = Canvas(picture_for(m), m.view, 0.5)
    drawn = canvas.draw(m, Style(threshold=0.6), (0.0, 3.0))
    assert (drawn[5, 10:20, :3] == 255).all() and (drawn[4, 10:20, :3] == 0).all()


def test_whole_map_is_one_set_and_an_empty_one_is_none():
    m = map_of(VALUES)
    image = picture_for(m)
    full = vitviz.overlay(image, m, threshold=1.0)
    assert (full[0, 10:40] == 255).all() and (full[:, 9] == 0).all()
    empty = map_of(np.zeros((3, 3)))
    assert (vitviz.overlay(image, empty, threshold=0.6) == vitviz.overlay(image, empty)).all()


def lit(values):
    selection = Selection(method="rollout", options=RolloutOptions(variant="vit-paper"))
    m = map_of(values, selection)
    image = picture_for(m)
    return m, image, vitviz.overlay(image, m, show_query=False)


def test_picture_is_lit_where_the_map_is_largest_and_black_where_it_is_least():
    values = np.zeros((6, 6))
    values[1, 1] = 1.0
    m, image, drawn = lit(values)
    light = spotlight(m.values, (60, 60))
    assert light.min() == 0.0 and light.max() == pytest.approx(1.0)
    peak = np.unravel_index(light.argmax(), light.shape)
    assert abs(peak[0] - 15) <= 1 and abs(peak[1] - 15) <= 1
    assert (drawn[peak[0], peak[1] + 10] == image.pixels[peak[0], peak[1] + 10]).all()
    expected = np.rint(image.pixels[:, 10:70] * light[..., None]).astype(np.uint8)
    assert (drawn[:, 10:70] == expected).all()


def test_light_is_enlarged_and_blurred_by_a_patch():
    from PIL import Image as Pillow
    from scipy.ndimage import gaussian_filter

    values = np.random.default_rng(1).random((7, 7)).astype(np.float32)
    large = np.asarray(Pillow.fromarray(values / values.max()).resize((140, 140), Pillow.Resampling.LANCZOS))
    blurred = gaussian_filter(large, 20, mode="nearest")
    expected = (blurred - blurred.min()) / (blurred.max() - blurred.min())
    np.testing.assert_allclose(spotlight(values, (140, 140)), expected, atol=1e-4)


def test_constant_map_leaves_the_whole_picture():
    _, image, drawn = lit(np.full((4, 4), 0.25))
    assert (drawn[:, 10:50] == image.pixels[:, 10:50]).all()
