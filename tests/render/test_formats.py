"""Every kind of file holds what the window shows, and its recipe makes the same bytes again."""

import base64
import io
import json
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import PIL.Image
import pypdf
import pytest
from cli_cases import ARCHITECTURE, write_checkpoint, write_picture
from pages import words_that_are_cut, words_that_touch
from safetensors.numpy import load

import vitviz
from vitviz import cli
from vitviz.attention.methods import METHODS
from vitviz.attention.values import Place, Selection
from vitviz.errors import FileError
from vitviz.render.bar import Bar
from vitviz.render.figure import Figure
from vitviz.render.letters import text_width
from vitviz.render.making import tiles_of
from vitviz.render.overlay import Canvas
from vitviz.render.page import ASCENT, DESCENT, Page, Text
from vitviz.render.plan import Plan, Seen
from vitviz.render.reading import read_recipe
from vitviz.render.recipe import produce
from vitviz.render.scale import ends_text
from vitviz.render.style import Style
from vitviz.render.threshold import mass_mask

PAPER = Figure.for_paper(1, title="A <title> & “more”", grid=True, dpi=120)


@pytest.fixture(scope="module")
def seen(tmp_path_factory, sharp):
    """A picture seen by a ViT of 6 layers and 2 heads on 10 x 10 patches, both from files."""
    folder = tmp_path_factory.mktemp("seen")
    image = vitviz.read_image(write_picture(folder / "cat.png"))
    weights = write_checkpoint(folder / "weights.safetensors", sharp)
    model = vitviz.load_model(weights, architecture=ARCHITECTURE, device="cpu")
    return Seen(image, model, vitviz.trace(model, image))


def plan(**fields):
    fields.setdefault("selection", Selection(3, 1, Place(60.0, 40.0)))
    return Plan(**fields)


def bytes_of(seen, **fields):
    return produce(plan(**fields), seen).data


def shown(seen, **fields):
    m = vitviz.attention_map(seen.trace, layer=3, head=1, query=Place(60.0, 40.0))
    return vitviz.overlay(seen.image, m, **fields)


def pixels(data):
    return np.asarray(PIL.Image.open(io.BytesIO(data)).convert("RGB"))


CASES = [
    ("png", "map", []),
    ("png", "map", ["--columns", "1", "--title", "Eins & <zwei>", "--grid", "--theme", "dark"]),
    ("png", "map", ["--scale", "2.5", "--smooth"]),
    ("png", "heads", ["--columns", "2", "--limits", "all", "--dpi", "90"]),
    ("png", "layers", ["--head", "1", "--limits", "layer", "--dpi", "90", "--color-bar"]),
    ("svg", "map", ["--columns", "1", "--grid"]),
    ("svg", "heads", ["--dpi", "60"]),
    ("pdf", "map", ["--columns", "1", "--title", "PDF"]),
    ("pdf", "layers", ["--dpi", "60"]),
    ("npz", "map", []),
    ("npz", "heads", []),
    ("npz", "queries", []),
    ("safetensors", "map", []),
    ("safetensors", "layers", []),
    ("gif", "layers", ["--scale", "0.5"]),
    ("gif", "heads", ["--color-bar", "--dpi", "90"]),
    ("apng", "layers", ["--seconds", "0.1"]),
    ("apng", "queries", ["--scale", "0.5", "--limits", "all"]),
    ("mask", "map", ["--mass", "0.5"]),
]


@pytest.mark.parametrize(("kind", "over", "options"), CASES, ids=[f"{k}-{o}-{'-'.join(p)[:20]}" for k, o, p in CASES])
def test_file_made_again_from_its_recipe_has_the_same_bytes(tmp_path, seen, kind, over, options):
    common = ["--model", seen.model.source, "--architecture", ARCHITECTURE, "--device", "cpu", "--query", "@60,40"]
    first, second = tmp_path / "a", tmp_path / "b"
    asked = ["--format", kind, "--over", over, *options, "--out", str(first)]
    assert cli.main(["export", str(seen.image.path), *common, *asked]) == 0
    (sidecar,) = first.glob("*.json")
    made = sidecar.with_suffix("")
    assert cli.main(["export", "--recipe", str(sidecar), "--device", "cpu", "--out", str(second)]) == 0
    assert (second / made.name).read_bytes() == made.read_bytes()
    again, then = (json.loads((folder / sidecar.name).read_text()) for folder in (second, first))
    assert again | {"made": 0} == then | {"made": 0} and again["made"]["sha256"] == then["made"]["sha256"]
    # From the file itself, too, which knows where its recipe is.
    assert read_recipe(made).plan == read_recipe(sidecar).plan


def test_png_alone_holds_its_recipe_without_folders(tmp_path, seen, capsys):
    path = tmp_path / "alone.png"
    path.write_bytes(bytes_of(seen, figure=PAPER))
    found = read_recipe(path)
    assert found.picture["sha256"] == seen.image.sha256 and found.models[0].sha256 == seen.model.sha256
    assert str(seen.image.path.parent).encode() not in path.read_bytes()
    assert found.picture["path"] is None and found.models[0].wish.source == "weights.safetensors"
    asked = ["--recipe", str(path), "--model", seen.model.source, "--device", "cpu", "--out", str(tmp_path / "b")]
    assert cli.main(["export", str(seen.image.path), *asked]) == 0
    (again,) = (tmp_path / "b").glob("*.png")
    assert again.read_bytes() == path.read_bytes()


def test_bare_png_is_the_overlay(seen):
    assert np.array_equal(pixels(bytes_of(seen)), shown(seen))


def test_scaled_png_has_the_scaled_size_and_sharp_patches(seen):
    large = pixels(bytes_of(seen, figure=Figure(scale=3.0), style=Style(opacity=1.0, show_query=False)))
    assert large.shape == (270, 390, 3)
    small = shown(seen, opacity=1.0, show_query=False)
    rows, cols = Canvas(seen.image, seen.trace.view).cells(seen.trace.layers[3].grid)
    inside = np.ix_(rows >= 0, cols >= 0)
    assert np.array_equal(large[1::3, 1::3][inside], small[inside])


def test_picture_in_a_figure_is_the_overlay_at_that_size(seen):
    figure = Figure(title="Two", color_bar=True)
    made = pixels(bytes_of(seen, figure=figure))
    wanted = shown(seen)
    rows = [y for y in range(made.shape[0] - 90) if np.array_equal(made[y : y + 90, 8:138], wanted)]
    assert rows, "the overlay's own pixels stand in the figure, eight pixels from its left"
    assert Canvas(seen.image, seen.trace.view).size == (90, 130)


def test_svg_has_text_grid_and_the_same_pixels(seen):
    root = ElementTree.fromstring(bytes_of(seen, format="svg", figure=PAPER))
    space = "{http://www.w3.org/2000/svg}"
    words = [each.text for each in root.iter(f"{space}text")]
    assert "A <title> & “more”" in words and "attention weight, scale of this map" in words
    assert len(list(root.iter(f"{space}line"))) >= 11 + 11
    (image,) = root.iter(f"{space}image")
    assert "pixelated" in image.get("style")
    data = base64.b64decode(image.get("{http://www.w3.org/1999/xlink}href").partition(",")[2])
    inside = pixels(data)
    png = pixels(bytes_of(seen, figure=PAPER))
    x, y = (round(float(image.get(k)) * 120 / 72) for k in ("x", "y"))
    # Grid lines lie over the picture in the PNG; between them the pixels are the same.
    same = (png[y : y + inside.shape[0], x : x + inside.shape[1]] == inside).all(-1)
    assert same.mean() > 0.8


def test_smooth_svg_may_be_interpolated(seen):
    root = ElementTree.fromstring(bytes_of(seen, format="svg", style=Style(interpolation="smooth")))
    (image,) = root.iter("{http://www.w3.org/2000/svg}image")
    assert "pixelated" not in image.get("style")


def test_pdf_has_text_an_embedded_font_the_same_pixels_and_no_date(seen):
    data = bytes_of(seen, format="pdf", figure=PAPER)
    (page,) = pypdf.PdfReader(io.BytesIO(data)).pages
    text = page.extract_text()
    assert "A <title> & “more”" in text and "attention weight" in text
    fonts = [f.get_object() for f in page["/Resources"]["/Font"].values()]
    assert all("/FontFile2" in f["/FontDescriptor"].get_object() for f in fonts)
    (picture,) = page.images
    root = ElementTree.fromstring(bytes_of(seen, format="svg", figure=PAPER))
    (image,) = root.iter("{http://www.w3.org/2000/svg}image")
    data = base64.b64decode(image.get("{http://www.w3.org/1999/xlink}href").partition(",")[2])
    assert np.array_equal(np.asarray(picture.image.convert("RGB")), pixels(data))
    assert float(page.mediabox.width) == pytest.approx(85 / 25.4 * 72, abs=1)


def test_npz_has_the_numbers_with_names_and_units(seen):
    with np.load(io.BytesIO(bytes_of(seen, format="npz")), allow_pickle=False) as found:
        about = json.loads(str(found["about"]))
        values, prefix = found["values"], found["prefix"]
    m = vitviz.attention_map(seen.trace, layer=3, head=1, query=Place(60.0, 40.0))
    assert values.dtype == np.float32 and np.array_equal(values, m.values)
    assert about["prefix_tokens"] == ["cls"] and float(values.sum() + prefix.sum()) == pytest.approx(1, abs=1e-5)
    assert "attention weight" in about["unit"] and about["view_box_px"] == list(m.view.box)
    assert about["recipe"]["picture"]["sha256"] == seen.image.sha256


def test_numbers_of_all_heads_are_those_of_the_trace(seen):
    arrays = load(bytes_of(seen, format="safetensors", over="heads"))
    assert sorted(arrays) == sorted([f"layer_{i:02d}{part}" for i in range(6) for part in ("", "_prefix")])
    for layer in range(6):
        for head in range(2):
            m = vitviz.attention_map(seen.trace, layer=layer, head=head, query=Place(60.0, 40.0))
            assert np.allclose(arrays[f"layer_{layer:02d}"][head], m.values, atol=1e-7)


def test_numbers_of_all_queries_are_the_rows_of_the_layer(seen):
    with np.load(io.BytesIO(bytes_of(seen, format="npz", over="queries")), allow_pickle=False) as found:
        values, queries = found["values"], found["queries"]
    rows = seen.trace.weights(3, heads=[1])[0, 1:, 1:]
    assert len(queries) == len(values)
    for cell, value in zip(queries, values, strict=True):
        assert np.allclose(value.ravel(), rows[cell[0] * 10 + cell[1]], atol=1e-6)


def test_apng_frames_are_the_overlays_of_the_layers(seen):
    figure = Figure(labels=False)
    film = PIL.Image.open(io.BytesIO(bytes_of(seen, format="apng", over="layers", figure=figure, seconds=0.25)))
    assert film.n_frames == 6 and film.info["duration"] == 250
    for layer in range(6):
        film.seek(layer)
        m = vitviz.attention_map(seen.trace, layer=layer, head=1, query=Place(60.0, 40.0))
        assert np.array_equal(np.asarray(film.convert("RGB")), vitviz.overlay(seen.image, m))


def test_gif_repeats_and_has_a_frame_for_each_head(seen):
    film = PIL.Image.open(io.BytesIO(bytes_of(seen, format="gif", over="heads", figure=Figure(labels=False))))
    assert film.n_frames == 2 and film.info["loop"] == 0
    film.seek(1)
    near = np.asarray(film.convert("RGB")).astype(int) - shown(seen)
    assert np.abs(near).mean() < 12  # 256 colours for a photo


def test_sheet_has_every_head_of_every_layer_at_its_place(seen):
    from vitviz.render.making import page_for
    from vitviz.render.page import Picture, Text

    asked = plan(over="heads", figure=Figure.for_paper(2), style=Style(limits="all"), scale="all")
    tiles = tiles_of(asked, seen)
    assert [(t.row, t.col) for t in tiles] == [(i, h) for i in range(6) for h in range(2)]
    assert [(t.shown.selection.layer, t.shown.selection.head) for t in tiles] == [(t.row, t.col) for t in tiles]
    assert len({t.limits for t in tiles}) == 1
    assert tiles[3].label == "Layer 1 head 1"
    page = page_for(asked, seen, tiles)
    assert sum(isinstance(mark, Picture) for mark in page.marks) == 12
    words = [mark.text for mark in page.marks if isinstance(mark, Text)]
    assert [f"Layer {i}" in words for i in range(6)] == [True] * 6 and "Head 0" in words and "Head 1" in words
    assert "attention weight, scale of all layers" in words


def test_mass_keeps_the_smallest_set_that_holds_the_share():
    values = np.array([[0.1, 0.4], [0.2, 0.3]], dtype=np.float32)
    assert mass_mask(values, 0.6).tolist() == [[False, True], [False, True]]
    assert mass_mask(values, 0.7).tolist() == [[False, True], [False, True]]
    assert mass_mask(values, 0.71).sum() == 3 and mass_mask(values, 1.0).all()


def test_mask_is_black_and_white_over_the_patches_that_hold_the_mass(seen):
    made = np.asarray(PIL.Image.open(io.BytesIO(bytes_of(seen, format="mask", mass=0.5))))
    assert made.shape == (90, 130) and set(np.unique(made)) == {0, 255}
    m = vitviz.attention_map(seen.trace, layer=3, head=1, query=Place(60.0, 40.0))
    white = {m.grid.cell_at(*m.view.to_view(x + 0.5, y + 0.5)) for y, x in np.argwhere(made)}
    held = sorted((float(v) for v in m.values.ravel()), reverse=True)
    total = sum(float(m.values[cell]) for cell in white)
    assert total >= 0.5 * m.values.sum() - 1e-6 and total - held[len(white) - 1] < 0.5 * m.values.sum()


@pytest.mark.parametrize(
    "fields",
    [
        {"format": "gif"},
        {"format": "apng", "over": "methods"},
        {"format": "png", "over": "queries"},
        {"format": "mask", "over": "heads"},
        {"seconds": 0.0},
        {"mass": float("nan")},
    ],
)
def test_plan_that_makes_no_sense_says_so(fields):
    with pytest.raises(ValueError, match=r"goes|one|give"):
        Plan(**fields)


@pytest.mark.parametrize("fields", [{"width": 5.0}, {"dpi": 5}, {"scale": 100.0}, {"font_size": float("nan")}])
def test_figure_out_of_range_says_so(fields):
    with pytest.raises(ValueError, match="give a number from"):
        Figure(**fields)


def test_figure_too_large_for_memory_is_one_sentence(seen):
    with pytest.raises(FileError, match="megapixels"):
        bytes_of(seen, figure=Figure(width=1000.0, dpi=1200, color_bar=True))


class TestAlteredModels:
    @pytest.fixture
    def altered(self, seen):
        off = vitviz.Ablation([(3, 0), (5, 0), (5, 1)])
        return Seen(seen.image, seen.model, vitviz.trace(seen.model, seen.image, ablation=off, plain=seen.trace))

    @staticmethod
    def texts(data):
        return " ".join("".join(e.itertext()) for e in ElementTree.fromstring(data).iter() if e.tag.endswith("text"))

    @pytest.mark.parametrize(
        "fields",
        [
            {"figure": PAPER},
            {"figure": Figure(color_bar=True, label="weight")},
            {"over": "heads"},
            {"over": "layers", "figure": Figure(labels=False)},
            {"over": "methods"},
        ],
        ids=str,
    )
    def test_their_figures_and_sheets_say_so(self, altered, seen, fields):
        assert altered.trace.without == "without L3 H0, L5"
        assert "without L3 H0, L5" in self.texts(bytes_of(altered, format="svg", **fields))
        assert "without" not in self.texts(bytes_of(seen, format="svg", **fields))

    def test_an_overlay_alone_stays_one(self, altered):
        data = bytes_of(altered)
        with PIL.Image.open(io.BytesIO(data)) as picture:
            assert picture.size == altered.image.size[::-1]

    def test_words_for_a_mean_and_for_many_heads(self, seen):
        one = vitviz.trace(seen.model, seen.image, ablation=vitviz.Ablation([(0, 1)], "mean"), plain=seen.trace)
        assert (seen.trace.without, one.without) == ("", "without L0 H1 (set to their mean)")

    def test_tiles_that_are_zero_everywhere_say_so_and_why(self, altered, seen):
        words = self.texts(bytes_of(altered, format="svg", over="methods", figure=Figure(width=174)))
        assert "All zero" in words and "layer 5 are off" in words
        assert "All zero" not in self.texts(bytes_of(seen, format="svg", over="methods"))
        found = vitviz.relevance(altered.model, altered.image, method="attention grad-cam", seen=altered.trace)
        assert found.note == "All zero: all heads of layer 5 are off" and found.without == altered.trace.without


def test_tiles_of_all_methods_say_what_each_is_of_and_between_which_values(seen):
    tiles = tiles_of(Plan(over="methods"), seen)
    for tile in tiles:
        title, what, values = tile.label.split("\n")
        chosen, about = tile.shown.selection, METHODS[tile.shown.selection.method]
        assert title == about.title and values.endswith(about.unit) and ends_text(tile.limits) in values
        assert not about.of_head or f"layer {chosen.layer}" in what
        assert not about.of_query or str(chosen.query).upper() in what
        assert not about.of_class or f"class {seen.trace.label(chosen.target)}" in what
    assert {tile.shown.selection.method for tile in tiles} >= {"attention", "rollout", "relevance"}


def test_pdf_without_a_title_is_called_by_what_it_shows(seen):
    found = pypdf.PdfReader(io.BytesIO(bytes_of(seen, format="pdf"))).metadata.title
    assert seen.image.name in found and seen.model.name in found


@pytest.mark.parametrize("title", ["A <title> & “more” (1)", "猫 \\ 😀", "Zwei\nZeilen"])
@pytest.mark.parametrize("over", ["map", "layers"])
def test_pdf_is_called_by_its_title_with_all_letters(seen, title, over):
    figure = replace(PAPER, title=title)
    found = pypdf.PdfReader(io.BytesIO(bytes_of(seen, format="pdf", over=over, figure=figure))).metadata
    assert found.title == title.replace("\n", " ") and found.creator == "vitviz"


def test_words_beside_a_low_bar_are_smaller_before_they_are_cut(seen):
    def beside(height):
        bar = Bar((0.0, 1.0), Figure(), "attention weight, scale of this map")
        texts = [m for m in bar.marks(0.0, 0.0, height, "viridis") if isinstance(m, Text) and m.turned]
        assert all(text_width(text.text, text.size) <= height + 1e-6 for text in texts)
        # Below the last line there are the tails of its letters.
        assert max(text.x + DESCENT * text.size for text in texts) <= bar.width + Figure().font_size / 4
        assert all(a.x + DESCENT * a.size < b.x - ASCENT * b.size for a, b in pairwise(texts))
        return "|".join(text.text for text in texts), texts[0].size

    whole = text_width("attention weight, scale of this map", 8.0)
    assert beside(whole + 1) == ("attention weight, scale of this map", 8.0)
    text, size = beside(whole * 0.8)
    assert text == "attention weight, scale of this map" and size == pytest.approx(6.4)
    assert beside(whole * 0.5) == ("attention weight, scale|of this map", pytest.approx(5.6))
    assert beside(whole * 0.25)[0].endswith("…")


@pytest.mark.parametrize("height", [60.0, 90.0, 200.0])
def test_words_between_two_words_take_as_many_lines_as_they_leave_room_for(height):
    words = "attention weight, each on its own scale"
    bar = Bar((0.0, 1.0), Figure(), words, ("smallest", "largest"))
    drawn = Page(bar.width, height + 12, 300, (255, 255, 255), tuple(bar.marks(0.0, 4.0, height, "viridis")))
    texts = [mark for mark in drawn.marks if isinstance(mark, Text)]
    assert words_that_are_cut(drawn) == [] and words_that_touch(drawn) == []
    assert " ".join(text.text for text in texts if text.turned) == words


def test_class_is_said_of_methods_that_explain_one(seen):
    labels = {t.label.splitlines()[0]: t.label for t in tiles_of(Plan(Selection(-1, target=1), over="methods"), seen)}
    assert "class" not in labels["Attention"] and "class" not in labels["Rollout"] and "class" in labels["Relevance"]
