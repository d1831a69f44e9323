"""Values survive JSON; anything else is a ValueError. Text in a PNG is found, capped, and never trusted."""

import contextlib
import json
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitviz.attention.values import Place, Selection
from vitviz.render.codec import from_json, to_json
from vitviz.render.figure import Figure
from vitviz.render.letters import text_width
from vitviz.render.page import wrapped
from vitviz.render.plan import Plan
from vitviz.render.png import png, text_in
from vitviz.render.style import Style

numbers = st.one_of(st.floats(-1e6, 1e6), st.integers(-100, 100))  # 3 stands for 3.0
queries = st.one_of(
    st.none(),
    st.sampled_from(["cls", "mean", "reg0"]),
    st.tuples(st.integers(0, 99), st.integers(0, 99)),
    st.builds(Place, numbers, numbers),
)
selections = st.builds(
    Selection, st.integers(-5, 50), st.one_of(st.integers(0, 30), st.sampled_from(["mean", "max", "min"])), queries,
    st.sampled_from(["from", "to"]), st.sampled_from(["attention", "rollout"]), st.one_of(st.none(), st.integers(0, 9)),
)  # fmt: skip
styles = st.builds(
    Style, st.sampled_from(["viridis", "gray"]), st.one_of(st.floats(0, 1), st.integers(0, 1)),
    st.one_of(st.sampled_from(["map", "layer", "all"]), st.tuples(numbers, numbers)),
    st.sampled_from(["nearest", "smooth"]), st.booleans(),
)  # fmt: skip
figures = st.builds(
    Figure, st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40),
    color_bar=st.booleans(),
    width=st.one_of(st.none(), st.floats(10, 1000), st.integers(10, 1000)), dpi=st.integers(30, 1200),
)  # fmt: skip
plans = st.builds(Plan, selections, styles, figures, st.sampled_from(["png", "svg", "pdf", "npz"]))


@given(plans)
def test_plan_survives_json(plan):
    assert from_json(Plan, json.loads(json.dumps(to_json(plan), allow_nan=False))) == plan


@given(plans)
def test_a_plan_read_back_is_written_with_the_same_bytes(plan):
    text = json.dumps(to_json(plan))
    assert json.dumps(to_json(from_json(Plan, json.loads(text)))) == text


junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)


@given(junk)
def test_junk_is_a_plan_or_a_value_error(data):
    with contextlib.suppress(ValueError):
        assert isinstance(from_json(Plan, data), Plan)


@given(plans, st.data())
def test_plan_with_one_field_replaced_by_junk_is_a_plan_or_a_value_error(plan, data):
    content = to_json(plan)
    part = data.draw(st.sampled_from(["selection", "style", "figure"]))
    content[part][data.draw(st.sampled_from(sorted(content[part])))] = data.draw(junk)
    with contextlib.suppress(ValueError):
        assert isinstance(from_json(Plan, content), Plan)


@pytest.mark.parametrize("text", [None, "", "plain", "ü — 猫\n" * 500])
def test_text_in_a_png_comes_back(text):
    data = png(np.zeros((3, 4, 3), dtype=np.uint8), text)
    assert text_in(data, 10_000) == text


@given(st.binary(max_size=300), st.integers(0, 400))
def test_text_of_a_damaged_png_is_text_none_or_a_value_error(noise, at):
    data = png(np.zeros((3, 4, 3), dtype=np.uint8), "some text" * 9)
    data = data[:at] + noise + data[at + len(noise) :]
    with contextlib.suppress(ValueError):
        assert isinstance(text_in(data, 10_000), str | None)


def test_text_that_unpacks_to_a_gigabyte_is_refused_before_it_does():
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b" " * 2**20) for _ in range(64)) + packer.flush()
    body = b"vitviz\0\1\0\0\0" + packed
    chunk = len(body).to_bytes(4, "big") + b"iTXt" + body + zlib.crc32(b"iTXt" + body).to_bytes(4, "big")
    data = png(np.zeros((1, 1, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match="larger"):
        text_in(data[:33] + chunk + data[33:], 2**20)


@given(st.text(max_size=60), st.floats(20, 200))
def test_wrapped_lines_are_no_wider_than_asked(text, width):
    for line in wrapped(text, 8.0, width):
        assert len(line) <= 1 or text_width(line, 8.0) <= width


def test_a_needed_field_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"Selection\.query lacks the field 'x'"):
        from_json(Selection, {"query": {"y": 3.0}})
