"""What objects show of themselves in a notebook, and figures saved from Python."""

import io

import numpy as np
import PIL.Image
import pytest

import vitviz
from vitviz.attention.methods import METHODS
from vitviz.errors import RenderError, VitvizError
from vitviz.images import Image
from vitviz.render.compose import page_of_values
from vitviz.render.page import Text
from vitviz.render.style import color_table


@pytest.fixture(scope="module")
def trace(tiny_vit, picture):
    return vitviz.trace(tiny_vit, picture)


@pytest.mark.parametrize("what", ["image", "model", "report", "trace", "map"])
def test_object_shows_itself_as_html_that_holds_its_name(trace, tiny_vit, picture, what):
    m = vitviz.attention_map(trace, layer=1, head=0, query="cls")
    html = {
        "image": lambda: picture._repr_html_(), "model": lambda: tiny_vit._repr_html_(),
        "report": lambda: tiny_vit.report._repr_html_(), "trace": lambda: trace._repr_html_(),
        "map": lambda: m._repr_html_(),
    }[what]()  # fmt: skip
    assert html.count("<table") + html.count("<figure") >= 1
    assert {"image": "test picture", "trace": "blocks.2.attn", "map": "layer 1"}.get(what, "") in html


def test_names_can_not_bring_markup_in(picture):
    image = Image.from_array(picture.pixels, name="<script>alert(1)</script>")
    assert "<script>" not in image._repr_html_() and "&lt;script&gt;" in image._repr_html_()


def test_map_shows_its_values_in_colours(trace):
    m = vitviz.attention_map(trace, layer=1, head=0, query="cls")
    pixels = np.asarray(PIL.Image.open(io.BytesIO(m._repr_png_())).convert("RGB"))
    table = color_table("viridis")
    for value, color in ((m.values.max(), table[255]), (m.values.min(), table[0])):
        assert value in m.values and (pixels == color).all(-1).sum() > 100


def test_image_is_no_larger_than_it_need_be():
    image = Image.from_array(np.zeros((3000, 40, 3), dtype=np.uint8))
    assert max(PIL.Image.open(io.BytesIO(image._repr_png_())).size) == 512


def test_saved_figure_is_the_overlay_and_has_a_recipe(trace, picture, tmp_path):
    m = vitviz.attention_map(trace, layer=1, head=0, query="cls")
    recipe = vitviz.save_figure(tmp_path / "figure.png", trace, m)
    assert recipe.name == "figure.png.json"
    assert np.array_equal(np.asarray(PIL.Image.open(tmp_path / "figure.png")), vitviz.overlay(picture, m))


@pytest.mark.parametrize("ending", [".svg", ".pdf", ".npz", ".safetensors", ".mask.png"])
def test_ending_says_the_format(trace, tmp_path, ending):
    from vitviz.render.reading import read_recipe

    path = tmp_path / f"figure{ending}"
    vitviz.save_figure(path, trace, vitviz.Selection(1, 0))
    assert read_recipe(path).plan.suffix == ending


@pytest.mark.parametrize(("name", "over"), [("figure.jpg", "map"), ("figure", "map"), ("figure.gif", "map")])
def test_what_can_not_be_saved_is_one_sentence(trace, tmp_path, name, over):
    with pytest.raises(VitvizError):
        vitviz.save_figure(tmp_path / name, trace, vitviz.Selection(1, 0), over=over)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("make", "words", "unit"),
    [
        (lambda trace: vitviz.token_norms(trace, 1), "Norm of the tokens · after layer 1", "Euclidean norm"),
        (
            lambda trace: vitviz.feature_similarity(trace, 1, (2, 3)),
            "Likeness of the tokens to patch (2, 3) · after layer 1",
            "cosine similarity",
        ),
    ],
    ids=["norm", "likeness"],
)
def test_map_of_tokens_shows_itself_and_is_refused_as_a_figure_in_one_sentence(
    trace, picture, tmp_path, make, words, unit
):
    m = make(trace)
    assert words in m._repr_html_() and "class None" not in m._repr_html_()
    page = page_of_values(m, 240.0)
    assert any(unit in mark.text for mark in page.marks if isinstance(mark, Text))
    pixels = np.asarray(PIL.Image.open(io.BytesIO(m._repr_png_())).convert("RGB"))
    assert (pixels == color_table("viridis")[255]).all(-1).sum() > 100
    for what in (m, m.selection):
        with pytest.raises(RenderError, match=r"vitviz\.overlay"):
            vitviz.save_figure(tmp_path / "figure.png", trace, what)
    assert not list(tmp_path.iterdir())
    assert vitviz.overlay(picture, m).shape == picture.pixels.shape  # what the sentence says to do
    assert m.selection.method not in METHODS  # no menu offers it


def test_unknown_method_is_refused_as_a_figure_in_one_sentence(trace, tmp_path):
    with pytest.raises(RenderError, match="unknown: give 'attention'"):
        vitviz.save_figure(tmp_path / "figure.png", trace, vitviz.Selection(1, 0, method="saliency"))
