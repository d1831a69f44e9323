"""The overlay: what is painted where, against plain definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import map_over, picture_of, reference, scenes

from vitviz.render.overlay import Canvas, overlay
from vitviz.render.style import COLORMAPS, Style, color_table

QUICK = settings(max_examples=60, deadline=None)


def drawn(scene, **how):
    return overlay(scene.image, scene.map, **how)


@QUICK
@given(scenes())
def test_opacity_0_is_the_picture_bitwise_where_the_model_saw_it(scene):
    _, inside = scene.cells()
    sure = inside & ~scene.unsure
    assert np.array_equal(drawn(scene, opacity=0.0)[sure], scene.image.pixels[sure])


@QUICK
@given(scenes(), st.sampled_from(COLORMAPS))
def test_opacity_1_is_exactly_the_colour_of_the_patch_and_nothing_else(scene, colormap):
    cells, inside = scene.cells()
    sure = inside & ~scene.unsure
    seen = drawn(scene, opacity=1.0, colormap=colormap, limits=(0.0, 1.0))
    table = color_table(colormap).astype(int)
    for row in range(scene.map.grid.rows):
        for col in range(scene.map.grid.cols):
            here = sure & (cells == (row, col)).all(-1)
            at = float(scene.map.values[row, col]) * 255
            # A value on the edge between two colours may take either.
            allowed = {tuple(table[i]) for i in (int(at + 0.4999), int(at + 0.5001))}
            assert {tuple(color) for color in seen[here].astype(int)} <= allowed


@QUICK
@given(scenes(), st.floats(0, 1), st.sampled_from(COLORMAPS))
def test_overlay_is_the_mix_of_picture_and_colours_to_a_level_and_a_half(scene, opacity, colormap):
    wanted, _ = reference(scene, opacity=opacity, limits=(-0.2, 1.3), colormap=colormap)
    seen = drawn(scene, opacity=opacity, limits=(-0.2, 1.3), colormap=colormap)
    sure = ~np.isnan(wanted).any(-1) & ~scene.unsure
    # One level for the two roundings of the sum, half a level for the opacity in steps of 1/256.
    # Neighbouring colours of a table differ by at most 8 levels: one step is allowed for a value on the edge.
    off = np.abs(seen[sure] - wanted[sure]).max(-1, initial=0)
    assert np.count_nonzero(off > 1.5) <= 0.02 * off.size + 1
    assert off.size == 0 or off.max() <= 9


@QUICK
@given(scenes(), st.floats(0, 1))
def test_part_the_model_did_not_see_is_grey_and_differs_from_the_picture(scene, opacity):
    (v, _), (u, _) = scene._points()
    high, wide = scene.map.view.size
    outside = ((v < -1e-6) | (v > high + 1e-6))[:, None] | ((u < -1e-6) | (u > wide + 1e-6))
    seen = drawn(scene, opacity=opacity)[outside]
    assert (seen == seen[:, :1]).all()
    assert (seen != scene.image.pixels[outside]).any(-1).all()


def test_unseen_part_is_hatched():
    image = picture_of(64, 64, low=200)
    m = map_over(np.ones((2, 2)), image.size, box=(0.0, 0.0, 64.0, 32.0))
    unseen = overlay(image, m)[36:, :, 0].astype(int)
    stripes = unseen > 110
    assert 0.05 < stripes.mean() < 0.4
    # Diagonal: the next row has the same stripes one pixel to the left.
    assert np.array_equal(stripes[1:, :-1], stripes[:-1, 1:])


def test_view_beside_the_picture_leaves_all_of_it_unseen():
    image = picture_of(20, 30)
    seen = overlay(image, map_over(np.ones((2, 2)), image.size, box=(40.0, 0.0, 60.0, 20.0)))
    assert (seen == seen[..., :1]).all()


@pytest.mark.parametrize("interpolation", ["nearest", "smooth"])
def test_constant_map_has_one_colour(interpolation):
    image = picture_of(33, 47)
    m = map_over(np.full((3, 5), 0.25), image.size, stride=(7, 6))
    seen = overlay(image, m, opacity=1.0, limits=(0.0, 1.0), interpolation=interpolation)
    assert (seen == color_table("viridis")[64]).all()


@pytest.mark.parametrize("interpolation", ["nearest", "smooth"])
def test_map_between_equal_limits_has_the_lowest_colour(interpolation):
    image = picture_of(12, 12)
    seen = overlay(image, map_over(np.full((3, 3), 0.25), image.size), opacity=1.0, interpolation=interpolation)
    assert (seen == color_table("viridis")[0]).all()


def test_smooth_passes_through_the_values_at_the_middles_of_the_patches():
    image = picture_of(35, 50)  # patches of 5 x 5 pixels: the middle pixel of each has the value itself
    values = np.random.default_rng(1).random((7, 10)).astype(np.float32)
    seen = overlay(
        image, map_over(values, image.size), opacity=1.0, limits=(0.0, 1.0), interpolation="smooth", colormap="gray"
    )
    assert np.abs(seen[2::5, 2::5, 0] - values * 255.0).max() <= 0.51


def test_smooth_keeps_a_slope_straight_away_from_the_edges():
    image = picture_of(60, 60)
    slope = np.add.outer(np.arange(6), 2 * np.arange(6)) / 20
    seen = overlay(
        image, map_over(slope, image.size), opacity=1.0, limits=(0.0, 1.0), interpolation="smooth", colormap="gray"
    )
    at = (np.arange(60) + 0.5) / 10 - 0.5
    wanted = np.add.outer(at, 2 * at) / 20 * 255
    inner = slice(15, 45)
    assert np.abs(seen[inner, inner, 0] - wanted[inner, inner]).max() <= 0.51


def test_smooth_stays_where_the_model_saw():
    image = picture_of(30, 30)
    m = map_over(np.random.default_rng(0).random((3, 3)), image.size, box=(10.0, 10.0, 20.0, 20.0))
    smooth, nearest = (overlay(image, m, interpolation=i) for i in ("smooth", "nearest"))
    outside = np.ones(image.size, dtype=bool)
    outside[10:20, 10:20] = False
    assert np.array_equal(smooth[outside], nearest[outside])
    assert not np.array_equal(smooth, nearest)


@QUICK
@given(scenes(), st.floats(0, 1), st.sampled_from(["nearest", "smooth"]))
def test_canvas_at_scale_1_equals_overlay(scene, opacity, interpolation):
    style = Style("magma", opacity, (0.1, 0.9), interpolation)
    canvas = Canvas(scene.image, scene.map.view)
    seen = canvas.draw(scene.map, style, (0.1, 0.9))
    wanted = drawn(scene, colormap="magma", opacity=opacity, limits=(0.1, 0.9), interpolation=interpolation)
    assert np.array_equal(seen[..., :3], wanted)
    assert (seen[..., 3] == 255).all()


def test_canvas_drawn_twice_and_in_any_order_gives_the_same_pixels():
    image = picture_of(40, 50)
    maps = [map_over(np.random.default_rng(i).random((4, 5)), image.size) for i in range(2)]
    styles = [Style(opacity=0.3), Style("gray", 0.8, interpolation="smooth"), Style(opacity=0.3, colormap="magma")]
    canvas = Canvas(image, maps[0].view)
    first = {(i, j): canvas.draw(m, s, (0.0, 1.0)) for i, m in enumerate(maps) for j, s in enumerate(styles)}
    for (i, j), pixels in reversed(first.items()):
        assert np.array_equal(canvas.draw(maps[i], styles[j], (0.0, 1.0)), pixels)
        assert np.array_equal(Canvas(image, maps[i].view).draw(maps[i], styles[j], (0.0, 1.0)), pixels)


@pytest.mark.parametrize("scale", [0.5, 0.13, 0.011])
def test_reduced_canvas_paints_the_patch_under_the_middle_of_each_pixel(scale):
    image = picture_of(90, 130)
    values = np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 6)
    m = map_over(values, image.size, stride=(16, 16), box=(13.0, 7.0, 109.0, 71.0))
    canvas = Canvas(image, m.view, scale)
    pixels = canvas.draw(m, Style("gray", 1.0), (0.0, 1.0))
    height, width = max(1, round(90 * scale)), max(1, round(130 * scale))
    assert pixels.shape == (height, width, 4)
    for y in range(height):
        for x in range(width):
            px, py = (x + 0.5) * 130 / width, (y + 0.5) * 90 / height
            if m.view.contains(px, py):
                cell = int((py - 7) // 16), int((px - 13) // 16)
                assert abs(int(pixels[y, x, 0]) - values[cell] * 255) <= 0.51


def test_picture_is_never_written_to():
    image = picture_of(20, 20)
    before = image.pixels.copy()
    overlay(image, map_over(np.ones((2, 2)), image.size, cell=(0, 0)), opacity=0.7)
    assert np.array_equal(image.pixels, before)


def test_limits_beyond_the_values_clip_to_the_end_colours():
    image = picture_of(4, 8)
    seen = overlay(image, map_over([[-5.0, 5.0]], image.size), opacity=1.0, limits=(0.0, 1.0))
    assert (seen[:, :4] == color_table("viridis")[0]).all()
    assert (seen[:, 4:] == color_table("viridis")[255]).all()


def outlined(m, image):
    """Pixels that the outline changes."""
    plain, framed = (overlay(image, m, show_query=show) for show in (False, True))
    return (plain != framed).any(-1), framed


def test_outline_is_a_white_frame_in_a_black_one_and_leaves_the_patch_alone():
    image = picture_of(40, 40)
    m = map_over(np.ones((4, 4)), image.size, cell=(1, 2))
    changed, framed = outlined(m, image)
    assert (framed[10, 20:30] == 255).all() and (framed[10:20, 29] == 255).all()
    assert (framed[9, 19:31] == 0).all() and (framed[9:21, 30] == 0).all()
    assert not changed[11:19, 21:29].any()
    changed[9:21, 19:31] = False
    assert not changed.any()


@settings(max_examples=150, deadline=None)
@given(scenes(), st.data())
def test_outline_touches_only_pixels_at_the_edge_of_its_patch(scene, data):
    rows, cols = scene.map.grid.shape
    cell = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, cols - 1))
    view = scene.map.view
    m = map_over(
        scene.map.values, scene.image.size, stride=scene.map.grid.stride, size=view.size, box=view.box, cell=cell
    )
    changed, _ = outlined(m, scene.image)
    u0, v0, u1, v1 = m.grid.box(*cell)
    (x0, y0), (x1, y1) = view.to_picture(u0, v0), view.to_picture(u1, v1)
    y, x = np.nonzero(changed)
    assert ((x >= x0 - 2) & (x <= x1 + 2) & (y >= y0 - 2) & (y <= y1 + 2)).all()


def test_named_token_has_no_outline():
    image = picture_of(40, 40)
    changed, _ = outlined(map_over(np.ones((4, 4)), image.size), image)
    assert not changed.any()


@pytest.mark.parametrize("size", [(16, 16), (3, 5), (1, 1), (128, 40)])
def test_tiny_picture_is_drawn_enlarged_so_that_marks_are_thin_and_its_pixels_are_seen(size):
    image = picture_of(*size)
    m = map_over(np.zeros((4, 4)), image.size, stride=(16, 16), size=(64, 64), cell=(1, 2))
    canvas = Canvas.for_screen(image, m.view, 800)
    height, width = canvas.size
    times = canvas.scale
    assert times == int(times) and 256 < max(height, width) <= 800
    pixels = canvas.draw(m, Style("gray", 0.0), (0.0, 1.0))
    outlined = (pixels != canvas.draw(m, Style("gray", 0.0, show_query=False), (0.0, 1.0))).any(-1)
    assert outlined.any() and outlined.mean() < 0.12
    same = np.repeat(np.repeat(image.pixels, int(times), 0), int(times), 1)
    assert np.array_equal(canvas.picture(), same)


@pytest.mark.parametrize(("size", "drawn"), [((1600, 900), (800, 450)), ((300, 200), (300, 200))])
def test_other_pictures_are_drawn_at_their_size_or_reduced(size, drawn):
    image = picture_of(*size)
    assert Canvas.for_screen(image, map_over(np.zeros((2, 2)), size).view, 800).size == drawn
