"""Colours of classes over a picture: which class a patch has can be told from the legend, whatever the picture."""

import numpy as np
import pytest
from hypothesis import given, settings
from scenes import map_over, picture_of, scenes

from vitviz.images import Image
from vitviz.render.classes import draw_classes
from vitviz.render.overlay import Canvas
from vitviz.render.style import Style
from vitviz.ui.lens_panel import _COLORS, _rgb

LEGEND = np.array([_rgb(color) for color in _COLORS])
SIDE, STRIDE = 8, 12


def pictures():
    """Pictures that hide colours: of one loud colour, of noise, of a slope of light, black and white."""
    size = SIDE * STRIDE
    full = np.ones((size, size, 3))
    slope = np.linspace(0, 255, size)[:, None, None] * full
    checks = (np.indices((size, size)).sum(0) // 3 % 2 * 255)[..., None] * full
    orange = np.array([255, 140, 0]) * full
    named = {"orange": orange, "blue": np.array([0, 60, 255]) * full, "slope": slope, "checks": checks}
    named["black"], named["white"], named["noise"] = 0 * full, 255 * full, picture_of(size, size, low=0).pixels
    named["orange slope"] = orange * slope / 255
    return {name: Image.from_array(pixels.astype(np.uint8)) for name, pixels in named.items()}


def means_of_patches(pixels):
    return pixels[..., :3].astype(float).reshape(SIDE, STRIDE, SIDE, STRIDE, 3).mean((1, 3))


@pytest.mark.parametrize("opacity", [0.25, 0.4, 0.6, 1.0])
@pytest.mark.parametrize("name", pictures())
def test_mean_of_a_patch_is_nearest_to_its_own_colour_of_the_legend(name, opacity):
    image = pictures()[name]
    view = map_over(np.zeros((SIDE, SIDE)), image.size, stride=(STRIDE, STRIDE))
    classes = np.random.default_rng(0).integers(0, len(LEGEND), (SIDE, SIDE))
    pixels = draw_classes(Canvas(image, view.view), view.grid, LEGEND[classes], Style(opacity=opacity))
    means = means_of_patches(pixels)
    away = np.abs(means[..., None, :] - LEGEND).max(-1)
    assert np.array_equal(np.linalg.norm(means[..., None, :] - LEGEND, axis=-1).argmin(-1), classes)
    # Only the lightest channels of the harshest picture are cut at white.
    allowed = 1 if opacity == 1 else 52 if name in ("checks", "noise") else 12
    assert np.take_along_axis(away, classes[..., None], -1).max() <= allowed


def test_light_and_dark_of_the_picture_are_seen_in_the_colours():
    image = pictures()["checks"]
    view = map_over(np.zeros((SIDE, SIDE)), image.size, stride=(STRIDE, STRIDE))
    colors = np.full((SIDE, SIDE, 3), 100, dtype=np.uint8)
    light = draw_classes(Canvas(image, view.view), view.grid, colors, Style(opacity=0.6))[..., 0].astype(int)
    bright = image.pixels[..., 0] == 255
    assert light[bright].min() > light[~bright].max() + 25


@settings(max_examples=60, deadline=None)
@given(scenes())
def test_no_opacity_is_the_picture_and_the_rest_is_what_other_maps_leave(scene):
    canvas, grid = Canvas(scene.image, scene.map.view), scene.map.grid
    colors = np.random.default_rng(1).integers(0, 256, (*grid.shape, 3), dtype=np.uint8)
    bare = canvas.draw_colors(grid, colors, Style(opacity=0.0))
    assert np.array_equal(draw_classes(canvas, grid, colors, Style(opacity=0.0)), bare)
    cells, inside = scene.cells()
    sure = ~scene.unsure
    whole = draw_classes(canvas, grid, colors, Style(opacity=1.0))
    wanted = np.where(inside[..., None], colors[cells[..., 0], cells[..., 1]], bare[..., :3])
    assert np.array_equal(whole[sure][:, :3], wanted[sure]) and (whole[..., 3] == 255).all()
