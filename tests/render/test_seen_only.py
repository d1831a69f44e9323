"""Figures of what the model saw alone: the same pixels as the whole figure has there, and nothing else."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

import vitviz
from vitviz.attention.values import Place, Selection
from vitviz.cli import main
from vitviz.render.figure import Figure
from vitviz.render.plan import Plan, Seen
from vitviz.render.reading import read_recipe
from vitviz.render.recipe import produce
from vitviz.render.seen_only import _span, seen_part
from vitviz.render.style import Style

BARE = Style(show_query=False)


@pytest.fixture(scope="module")
def wide():
    """A picture of 90 x 160 pixels of which the model sees the middle square."""
    pixels = np.random.default_rng(3).integers(0, 256, (90, 160, 3), dtype=np.uint8)
    image = vitviz.Image.from_array(pixels, name="wide.png")
    model = vitviz.load_model("test_vit", pretrained=False, device="cpu")
    return Seen(image, model, vitviz.trace(model, image))


def made(seen, **plan):
    figure = {"figure": Figure(seen_only=True), "style": BARE, **plan}
    return produce(Plan(Selection(1, "mean"), **figure), seen)


def pixels(product):
    with Pillow.open(io.BytesIO(product.data)) as picture:
        return np.asarray(picture)


def seen_box(seen):
    """Rows and columns whose middles lie in the view, one by one."""
    x0, y0, x1, y1 = seen.trace.view.box
    height, width = seen.image.size
    rows = [r for r in range(height) if y0 <= r + 0.5 < y1]
    cols = [c for c in range(width) if x0 <= c + 0.5 < x1]
    return slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)


def test_a_bare_overlay_is_that_part_of_the_whole_one(wide):
    whole, part = pixels(made(wide, figure=Figure())), pixels(made(wide))
    rows, cols = seen_box(wide)
    assert whole.shape[:2] == (90, 160) and part.shape[1] < 100
    assert np.array_equal(part, whole[rows, cols])


def test_a_mask_is_that_part_too(wide):
    whole, part = (pixels(made(wide, format="mask", figure=Figure(seen_only=only))) for only in (False, True))
    rows, cols = seen_box(wide)
    assert np.array_equal(part, whole[rows, cols]) and not whole[:, : cols.start].any() and part.any()


@pytest.mark.parametrize("plan", [
    {"format": "png", "figure": Figure.for_paper(1, seen_only=True)},
    {"format": "svg", "figure": Figure.for_paper(1, seen_only=True)},
    {"format": "pdf", "figure": Figure.for_paper(1, seen_only=True)},
    {"format": "png", "over": "heads", "figure": Figure.for_paper(2, seen_only=True)},
    {"format": "gif", "over": "layers"},
    {"format": "mask"},
], ids=str)  # fmt: skip
def test_every_kind_is_made_again_from_its_recipe(wide, plan, tmp_path):
    product = made(wide, **plan)
    path = product.write(tmp_path / "figure")[0]
    again = read_recipe(path.with_name(f"{path.name}.json")).plan
    assert again.figure.seen_only and produce(again, wide).data == product.data
    assert product.data != made(wide, **{**plan, "figure": Figure.for_paper(1)}).data


def test_a_figure_for_a_paper_is_higher_as_nothing_of_its_width_is_lost(wide):
    tall, flat = (
        pixels(made(wide, figure=Figure.for_paper(1, seen_only=only), style=Style())).shape for only in (True, False)
    )
    assert tall[1] == pytest.approx(flat[1], abs=1) and tall[0] > 1.5 * flat[0]


def test_a_picture_that_is_seen_whole_is_left_as_it_is(wide):
    model = vitviz.load_model("test_vit", pretrained=False, device="cpu", crop="squash")
    trace = vitviz.trace(model, wide.image)
    shown = vitviz.attention_map(trace, layer=0)
    assert seen_part(wide.image, shown) == (wide.image, shown)


def test_places_lie_in_the_same_patches(wide):
    shown = vitviz.attention_map(wide.trace, layer=0, query=Place(80.0, 40.0))
    image, part = seen_part(wide.image, shown)
    rows, cols = seen_box(wide)
    assert image.size == part.view.picture_size == (rows.stop - rows.start, cols.stop - cols.start)
    for x, y in ((80.0, 40.0), (50.2, 3.9), (110.0, 88.0)):
        assert part.view.to_view(x - cols.start, y - rows.start) == pytest.approx(shown.view.to_view(x, y))


@given(st.floats(-50, 150), st.floats(0.01, 150), st.integers(1, 100))
def test_a_span_is_of_the_pixels_whose_middles_are_inside(low, length, size):
    first, last = _span(low, low + length, size)
    assert 0 <= first < last <= size
    inside = [i for i in range(size) if low <= i + 0.5 < low + length]
    assert not inside or (first, last) == (inside[0], inside[-1] + 1)


def test_the_command_line_has_it(wide, tmp_path, capsys):
    Pillow.fromarray(wide.image.pixels).save(tmp_path / "wide.png")
    call = ["export", str(tmp_path / "wide.png"), "--model", "test_vit", "--random", "--device", "cpu", "--seen-only",
            "--out", str(tmp_path)]  # fmt: skip
    assert main(call) == 0
    written = next(path for path in tmp_path.glob("*.png") if path.name != "wide.png")
    with Pillow.open(written) as picture:
        assert picture.size[1] <= 90 and picture.size[0] < 100
