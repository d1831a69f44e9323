"""In an animation a colour means one value in every frame, unless it says that it does not."""

import io
import json
import tracemalloc
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
from cli_cases import ARCHITECTURE, write_checkpoint, write_picture

import vitviz
from vitviz import cli
from vitviz.attention.values import Place, Selection
from vitviz.errors import RenderError
from vitviz.render.animation import gif
from vitviz.render.codec import from_json
from vitviz.render.figure import Figure
from vitviz.render.frames import frame_page
from vitviz.render.making import tiles_of
from vitviz.render.overlay import Canvas
from vitviz.render.page import Picture, Text
from vitviz.render.plan import Plan, Seen
from vitviz.render.reading import read_recipe
from vitviz.render.recipe import produce
from vitviz.render.scale import ends_text
from vitviz.render.style import Style, color_indices, color_table

PLAIN = Style(opacity=1.0, show_query=False)
BARE = Figure(labels=False)


@pytest.fixture(scope="module")
def seen(tmp_path_factory, sharp):
    """A picture seen by a ViT of 6 layers and 2 heads on 10 x 10 patches, both from files."""
    folder = tmp_path_factory.mktemp("animated")
    image = vitviz.read_image(write_picture(folder / "cat.png"))
    weights = write_checkpoint(folder / "weights.safetensors", sharp)
    model = vitviz.load_model(weights, architecture=ARCHITECTURE, device="cpu")
    return Seen(image, model, vitviz.trace(model, image))


def animation(over="layers", scale="figure", **fields):
    fields = {"style": PLAIN, "figure": BARE, "format": "apng", **fields}
    return Plan(Selection(3, 1, Place(60.0, 40.0)), over=over, scale=scale, **fields)


def frames(data):
    film = PIL.Image.open(io.BytesIO(data))
    for i in range(film.n_frames):
        film.seek(i)
        yield np.asarray(film.convert("RGB"))


def middles(seen, shown):
    """(rows, cols) of a pixel inside every patch that lies in the picture, and which patches these are."""
    rows, cols = Canvas(seen.image, shown.view).cells(shown.grid)
    return np.ix_(rows >= 0, cols >= 0), np.ix_(rows[rows >= 0], cols[cols >= 0])


@pytest.mark.parametrize("over", ["layers", "heads", "queries"])
def test_same_weight_has_the_same_colour_in_every_frame(seen, over):
    plan = animation(over)
    maps = [tile.shown for tile in tiles_of(plan, seen)]
    low, high = min(m.values.min() for m in maps), max(m.values.max() for m in maps)
    made = list(frames(produce(plan, seen).data))
    assert len(made) == len(maps) > 1
    table, used = color_table("viridis"), 0
    for pixels, m in zip(made, maps, strict=True):
        inside, cells = middles(seen, m)
        assert np.array_equal(pixels[inside], table[color_indices(m.values, (low, high))][cells])
        used += m.values.max() == high
    assert used >= 1


def test_frames_each_on_their_own_scale_use_all_colours(seen):
    table = color_table("viridis")
    plan = animation(scale="map")
    for pixels, tile in zip(frames(produce(plan, seen).data), tiles_of(plan, seen), strict=True):
        inside, cells = middles(seen, tile.shown)
        values = tile.shown.values
        assert np.array_equal(pixels[inside], table[color_indices(values, (values.min(), values.max()))][cells])
        assert tile.limits == (values.min(), values.max())


def test_colours_of_a_bar_are_the_same_in_every_frame_of_a_gif():
    table, rng = color_table("viridis"), np.random.default_rng(0)
    bar = table[None].repeat(8, axis=0)
    for made, drawn in _round_trip(
        [rng.integers(0, 256, (120, 256, 3), dtype=np.uint8) // 2 + 64 * i for i in range(3)], bar
    ):
        seen, wanted = (each[:8].reshape(1, 8, 16, 16, 3).mean(axis=(1, 3)) for each in (made, drawn))
        assert np.abs(seen - wanted).max() < 20  # what the eye sees of a dither


def test_colours_of_a_gif_are_those_of_all_pixels_at_once():
    rng = np.random.default_rng(1)
    drawn = [rng.integers(0, 256, (60, 90, 3), dtype=np.uint8) // 3 + 40 * i for i in range(4)]
    film = PIL.Image.open(io.BytesIO(gif(drawn, 0.2)))
    pixels = np.concatenate([frame.reshape(-1, 3) for frame in drawn]).astype(np.int64)
    _, cell, counts = np.unique(pixels >> 3, axis=0, return_inverse=True, return_counts=True)
    cell = cell.ravel()
    means = np.stack([np.bincount(cell, weights=pixels[:, c]) / counts for c in range(3)], axis=1)
    sample = means.round().astype(np.uint8).repeat(np.ceil(np.sqrt(counts)).astype(int), axis=0)
    found = PIL.Image.fromarray(sample[None]).quantize(255, PIL.Image.Quantize.MEDIANCUT, kmeans=1).getpalette()
    assert film.n_frames == 4 and film.getpalette() == [*drawn[0][0, 0].tolist(), *found[: 255 * 3]]


def test_a_gif_takes_little_more_memory_than_its_frames():
    rng, count, shape = np.random.default_rng(2), 30, (300, 400, 3)
    tracemalloc.start()
    try:
        gif((rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(count)), 0.2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * count * np.prod(shape)


def _round_trip(pictures, bar):
    drawn = [np.concatenate([bar, each.astype(np.uint8)]) for each in pictures]
    return list(zip(frames(gif(drawn, 0.2)), drawn, strict=True))


def words(page):
    return " ".join(mark.text for mark in page.marks if isinstance(mark, Text))


NOTES = {"figure": "scale of all frames", "map": "each on its own scale", "layer": "scale of the layer"}


@pytest.mark.parametrize("scale", NOTES)
@pytest.mark.parametrize(
    "figure", [Figure.for_paper(1), Figure(scale=8.0), Figure(title="Lynx", labels=False, scale=8.0)], ids=str
)
def test_every_frame_says_its_scale(seen, figure, scale):
    style = Style(limits="map" if scale == "figure" else scale)
    plan = animation(figure=figure, scale=scale, style=style)
    tiles = tiles_of(plan, seen)
    for i, tile in enumerate(tiles):
        said = words(frame_page(plan, seen, tiles, i))
        assert NOTES[scale] in said
        assert figure.color_bar or f"attention weight {ends_text(tile.limits)}, " in said
        assert f"Layer {i}" in said or not figure.labels


@pytest.mark.parametrize(("head", "words"), [(1, "head 1"), ("mean", "mean of heads")])
def test_frame_of_a_layer_names_its_head(seen, head, words):
    plan = animation(figure=Figure.for_paper(1))
    tiles = tiles_of(replace(plan, selection=replace(plan.selection, head=head)), seen)
    assert [tile.label for tile in tiles] == [f"Layer {i} · {words}" for i in range(6)]


def test_ends_have_the_digits_of_a_bar():
    assert ends_text((1e-10, 0.609)) == "0.000 to 0.609" and ends_text((0.0, 0.002)) == "0.000 to 2.000 ×10^−3"


def test_overlays_alone_stay_alone(seen):
    plan = animation()
    assert words(frame_page(plan, seen, tiles_of(plan, seen), 0)) == ""


def test_pictures_of_all_frames_lie_at_the_same_place(seen):
    # Bars from 0 to 1 and to 1e-5 have other numbers and a power of ten; titles may break.
    plan = animation("heads", "map", figure=Figure.for_paper(1, width=60.0))
    first, second = tiles_of(plan, seen)
    tiles = [
        replace(first, limits=(0.0, 1.0), label="Layer 3"),
        replace(second, limits=(-1e-5, 1e-5), label="Layer 10 of a very long name that is broken into several lines"),
    ]
    pages = [frame_page(plan, seen, tiles, i) for i in range(2)]
    boxes = [next((m.x, m.y, m.width, m.height) for m in page.marks if isinstance(m, Picture)) for page in pages]
    assert boxes[0] == boxes[1]
    assert len({(page.width, page.height) for page in pages}) == 1


@pytest.mark.parametrize(("limits", "scale"), [([], "figure"), (["--limits", "map"], "map")])
def test_command_shares_the_scale_unless_told_otherwise_and_its_recipe_says_so(tmp_path, seen, limits, scale):
    common = ["--model", seen.model.source, "--architecture", ARCHITECTURE, "--device", "cpu"]
    asked = ["--format", "gif", "--over", "layers", *limits, "--out", str(tmp_path)]
    assert cli.main(["export", str(seen.image.path), *common, *asked]) == 0
    (sidecar,) = tmp_path.glob("*.json")
    made = sidecar.with_suffix("")
    assert json.loads(sidecar.read_text())["file"]["scale"] == read_recipe(made).plan.scale == scale
    assert cli.main(["export", "--recipe", str(sidecar), "--device", "cpu", "--out", str(tmp_path / "b")]) == 0
    assert (tmp_path / "b" / made.name).read_bytes() == made.read_bytes()


def test_recipe_from_before_scales_were_shared_keeps_its_own(seen):
    file = {"format": "apng", "over": "layers", "scale": "map", "seconds": 0.5, "mass": 0.6}
    plan = from_json(Plan, {**file, "style": {"limits": "map"}, "selection": {"layer": 3, "head": 1}})
    assert len({tile.limits for tile in tiles_of(plan, seen)}) == 6


@pytest.mark.parametrize(("scale", "count"), [(None, 1), ("figure", 1), ("map", 6)])
def test_saved_animation_has_one_scale_unless_asked_for_more(tmp_path, seen, scale, count):
    path = tmp_path / "film.gif"
    recipe = vitviz.save_figure(path, seen.trace, Selection(3, 1), style=Style("magma"), over="layers", scale=scale)
    assert len({tile.limits for tile in tiles_of(read_recipe(recipe).plan, seen)}) == count


def test_sheet_may_have_one_scale_too(seen):
    plan = animation(format="svg", figure=Figure.for_paper(2))
    assert len({tile.limits for tile in tiles_of(plan, seen)}) == 1
    assert b"scale of all tiles" in produce(plan, seen).data


@pytest.mark.parametrize(("method", "over"), [("rollout", "layers"), ("rollout", "heads"), ("relevance", "queries")])
def test_what_a_method_has_no_part_in_is_not_varied(method, over):
    with pytest.raises(RenderError, match=f"one map for all {over}"):
        Plan(Selection(method=method), format="gif", over=over)
