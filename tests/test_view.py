"""The view against timm's own transforms, and its geometry against pictures whose pixels tell where they are."""

from typing import Any

import numpy as np
import PIL.Image
import pytest
import timm.data
from hypothesis import given, settings
from hypothesis import strategies as st

from vitviz import view
from vitviz.errors import ImageError
from vitviz.images import Image, Preprocessing, View, model_input, view_of, view_pixels

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
MODES = ("center", "squash", "border")
SIZES = [(64, 64), (1, 1), (3, 200), (200, 3), (97, 61), (61, 97), (40, 50), (500, 333), (32, 33), (72, 73), (73, 36)]


def noise(height: int, width: int) -> Image:
    return Image.from_array(np.random.default_rng(height * 997 + width).integers(0, 256, (height, width, 3), np.uint8))


def timm_input(image: Image, asked: Preprocessing) -> np.ndarray:
    transform = timm.data.create_transform(
        input_size=(3, *asked.input_size), interpolation=asked.interpolation, mean=asked.mean, std=asked.std,
        crop_pct=asked.crop_pct, crop_mode=asked.crop_mode, is_training=False,
    )  # fmt: skip
    picture = PIL.Image.fromarray(image.pixels)
    result: Any = transform(picture.convert("L") if asked.channels == 1 else picture)
    return np.asarray(result[None])


@pytest.mark.parametrize("crop_mode", MODES)
@pytest.mark.parametrize("input_size", [(32, 32), (33, 33), (48, 32), (31, 57)])
@pytest.mark.parametrize("crop_pct", [1.0, 0.875, 0.95, 0.9, 1.3])
def test_model_input_equals_timm(crop_mode: str, input_size: tuple[int, int], crop_pct: float) -> None:
    asked = Preprocessing(input_size, MEAN, STD, "bicubic", crop_pct, crop_mode)
    for size in SIZES:
        image = noise(*size)
        if crop_mode == "border" and min(size) / max(size) < 0.05:
            continue  # timm resizes a side to 0 and fails; see the ribbons below
        ours = model_input(image, asked)
        assert ours.shape == (1, 3, *input_size) and ours.dtype == np.float32 and ours.flags.c_contiguous
        np.testing.assert_allclose(ours, timm_input(image, asked), atol=1e-6, rtol=0, err_msg=str(size))


@settings(max_examples=150, deadline=None)
@given(
    size=st.tuples(st.integers(8, 150), st.integers(8, 150)),
    input_size=st.tuples(st.integers(4, 70), st.integers(4, 70)) | st.integers(4, 70).map(lambda side: (side, side)),
    crop_pct=st.floats(0.5, 1.5),
    crop_mode=st.sampled_from(MODES),
    interpolation=st.sampled_from(("nearest", "bilinear", "bicubic", "box", "hamming", "lanczos")),
)
def test_model_input_equals_timm_for_any_sizes(
    size: tuple[int, int], input_size: tuple[int, int], crop_pct: float, crop_mode: str, interpolation: str
) -> None:
    asked = Preprocessing(input_size, (0.5, 0.4, 0.3), (0.5, 0.4, 0.6), interpolation, crop_pct, crop_mode)
    image = noise(*size)
    try:
        truth = timm_input(image, asked)
    except ValueError as error:
        assert "must be > 0" in str(error)  # a side of 0
        assert np.isfinite(model_input(image, asked)).all()
    else:
        np.testing.assert_allclose(model_input(image, asked), truth, atol=1e-6, rtol=0)


@pytest.mark.parametrize("crop_mode", MODES)
def test_one_channel_equals_timm_on_luminance(crop_mode: str) -> None:
    image = noise(90, 70)
    asked = Preprocessing((32, 40), (0.4,), (0.3,), crop_mode=crop_mode, crop_pct=0.9, channels=1)
    ours = model_input(image, asked)
    assert ours.shape == (1, 1, 32, 40)
    np.testing.assert_allclose(ours, timm_input(image, asked), atol=1e-6, rtol=0)
    seen = view_pixels(image, asked)
    assert seen.shape == (32, 40, 3) and (seen == seen[..., :1]).all()
    np.testing.assert_allclose(seen[..., 0], (ours[0, 0] * 0.3 + 0.4) * 255, atol=1e-3)


def test_view_pixels_are_the_model_input_before_normalisation() -> None:
    asked = Preprocessing((40, 32), MEAN, STD, crop_mode="border")
    image = noise(60, 90)
    seen = view_pixels(image, asked)
    assert seen.shape == (40, 32, 3) and seen.dtype == np.uint8
    np.testing.assert_allclose((seen / 255 - MEAN) / STD, model_input(image, asked)[0].transpose(1, 2, 0), atol=1e-5)
    np.testing.assert_array_equal(seen[0, 0], [124, 116, 104])


def test_mean_and_std_of_one_value_stand_for_all_channels() -> None:
    image = noise(50, 50)
    one = model_input(image, Preprocessing((16, 16), (0.5,), (0.25,)))
    np.testing.assert_array_equal(one, model_input(image, Preprocessing((16, 16), (0.5,) * 3, (0.25,) * 3)))
    grey = model_input(image, Preprocessing((16, 16), (0.4, 0.5, 0.6), (0.25,) * 3, channels=1))
    np.testing.assert_allclose(grey, model_input(image, Preprocessing((16, 16), (0.5,), (0.25,), channels=1)), 1e-6)


# --- geometry


@pytest.mark.parametrize("crop_mode", MODES)
@pytest.mark.parametrize("input_size", [(64, 64), (48, 80), (90, 50)])
@pytest.mark.parametrize("crop_pct", [1.0, 0.8, 0.93])
@pytest.mark.parametrize("size", [(200, 250), (250, 200), (223, 131), (40, 57), (64, 64), (97, 97)])
def test_view_pixel_shows_the_place_that_to_picture_gives(
    size: tuple[int, int], input_size: tuple[int, int], crop_pct: float, crop_mode: str
) -> None:
    height, width = size
    # Red is a multiple of x, green of y: a linear ramp, which every symmetric filter keeps where it is.
    steep = 255 // max(size)
    y, x = np.mgrid[:height, :width]
    image = Image.from_array(np.stack([x * steep, y * steep, x * 0 + 255], -1).astype(np.uint8))
    asked = Preprocessing(input_size, (0.0,), (1.0,), "bilinear", crop_pct, crop_mode)
    where = view_of(size, asked)
    seen = view_pixels(image, asked).astype(float)
    v, u = np.mgrid[: input_size[0], : input_size[1]] + 0.5
    px, py = where.to_picture(u, v)  # type: ignore[arg-type]
    steps = (where.box[2] - where.box[0]) / input_size[1], (where.box[3] - where.box[1]) / input_size[0]
    reach = 1 + max(1, *steps)
    inside = (px > reach) & (px < width - reach) & (py > reach) & (py < height - reach)
    assert inside.sum() > 100
    for channel, place, step in ((0, px, steps[0]), (1, py, steps[1])):
        # Pixel i is centred on i + 0.5; Pillow rounds after each of two passes.
        off = (seen[..., channel] - (place - 0.5) * steep)[inside]
        assert np.abs(off).max() <= 1.01
        # One pixel of the view is twice that, so that a crop wrong by one is seen.
        assert abs(off.mean()) < 0.51 < 0.5 * step * steep
    # Padding is where the view reaches beyond the picture, and nowhere else.
    outside = (px < 0) | (px > width) | (py < 0) | (py > height)
    assert (seen[..., 2][outside] == 0).all() and (seen[..., 2][inside] == 255).all()


preprocessings = st.builds(
    Preprocessing,
    input_size=st.tuples(st.integers(1, 600), st.integers(1, 600)),
    mean=st.just(MEAN),
    std=st.just(STD),
    crop_pct=st.floats(0.1, 1.5),
    crop_mode=st.sampled_from(MODES),
)
picture_sizes = st.tuples(st.integers(1, 5000), st.integers(1, 5000))


@given(size=picture_sizes, asked=preprocessings, u=st.floats(-1000, 1000), v=st.floats(-1000, 1000))
def test_to_view_undoes_to_picture(size: tuple[int, int], asked: Preprocessing, u: float, v: float) -> None:
    where = view_of(size, asked)
    assert where.to_view(*where.to_picture(u, v)) == pytest.approx((u, v), abs=1e-6)
    x0, y0, x1, y1 = where.box
    assert where.to_picture(0, 0) == pytest.approx((x0, y0))
    assert where.to_picture(asked.input_size[1], asked.input_size[0]) == pytest.approx((x1, y1))


@given(size=picture_sizes, asked=preprocessings)
def test_box_is_centred_and_lies_in_the_picture_where_nothing_is_padded(
    size: tuple[int, int], asked: Preprocessing
) -> None:
    where = view_of(size, asked)
    assert isinstance(where, View) and (where.picture_size, where.size) == (size, asked.input_size)
    x0, y0, x1, y1 = where.box
    assert x0 < x1 and y0 < y1
    # One pixel of the view at most off the centre.
    assert abs((x0 + x1) / 2 - size[1] / 2) <= (x1 - x0) / asked.input_size[1]
    assert abs((y0 + y1) / 2 - size[0] / 2) <= (y1 - y0) / asked.input_size[0]
    if asked.crop_mode != "border" and asked.crop_pct <= 1:
        assert x0 >= 0 and y0 >= 0 and x1 <= size[1] + 1e-6 and y1 <= size[0] + 1e-6
    if asked.crop_mode == "border" and asked.crop_pct == 1:
        assert x0 <= 1e-6 and y0 <= 1e-6 and x1 >= size[1] - 1e-6 and y1 >= size[0] - 1e-6


@given(size=picture_sizes, asked=preprocessings, x=st.floats(-100, 5100), y=st.floats(-100, 5100))
def test_view_contains_what_it_shows(size: tuple[int, int], asked: Preprocessing, x: float, y: float) -> None:
    where = view_of(size, asked)
    u, v = where.to_view(x, y)
    edge = min(abs(u), abs(v), abs(u - asked.input_size[1]), abs(v - asked.input_size[0]))
    if edge > 1e-9:
        assert where.contains(x, y) == (0 <= u < asked.input_size[1] and 0 <= v < asked.input_size[0])


def test_known_view_of_timm_default() -> None:
    asked = Preprocessing((224, 224), MEAN, STD, crop_pct=0.875)
    # 512 x 512 becomes 256 x 256, of which 16..240 is seen: half of each number in the picture.
    assert view_of((512, 512), asked).box == (32, 32, 480, 480)
    assert view_of((256, 256), Preprocessing((512, 512), MEAN, STD, crop_mode="squash")).box == (0, 0, 256, 256)
    assert view_of((100, 200), Preprocessing((50, 50), MEAN, STD, crop_mode="border")).box == (0, -48, 200, 152)


# --- ribbons


@pytest.mark.parametrize("crop_mode", MODES)
@pytest.mark.parametrize("size", [(1, 300_000), (300_000, 1), (2, 1_000_001)])
def test_ribbon_neither_fails_nor_fills_memory(size: tuple[int, int], crop_mode: str) -> None:
    across = np.linspace(0, 255, max(size)).astype(np.uint8)
    image = Image.from_array(np.broadcast_to(across[None, :] if size[0] < size[1] else across[:, None], size))
    asked = Preprocessing((224, 224), MEAN, STD, crop_mode=crop_mode)
    assert np.isfinite(model_input(image, asked)).all()
    if crop_mode == "center":
        assert np.abs(view_pixels(image, asked).astype(int) - 127).max() <= 1


@pytest.mark.parametrize("crop_mode", MODES)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("crop_pct", [0.7, 1.2])
def test_cropping_first_differs_by_rounding_only(
    crop_mode: str, interpolation: str, crop_pct: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Preprocessing((48, 40), MEAN, STD, interpolation, crop_pct, crop_mode)
    for height, width in ((30, 400), (400, 30), (90, 100), (20, 20)):
        y, x = np.mgrid[:height, :width]
        waves = [127.5 + 90 * np.sin(x / 3 + phase) * np.cos(y / 4 - phase) for phase in (0, 1, 2)]
        image = Image.from_array(np.stack(waves, -1).astype(np.uint8))
        monkeypatch.undo()
        whole = view_pixels(image, asked).astype(int)
        monkeypatch.setattr(view, "MAX_RESIZED_PIXELS", 0)
        assert np.abs(view_pixels(image, asked) - whole).max() <= 2


# --- refusals


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("input_size", (0, 224)), ("input_size", (224, 10**9)), ("input_size", (224,)), ("channels", 4),
        ("mean", (0.1, 0.2)), ("mean", (float("nan"),) * 3), ("mean", ()), ("std", (0.0,) * 3),
        ("interpolation", "random"), ("crop_pct", 0.0), ("crop_pct", float("nan")), ("crop_mode", "middle"),
    ],
)  # fmt: skip
def test_preprocessing_that_no_view_can_have_is_refused(what: str, value: Any) -> None:
    fine: dict[str, Any] = {"input_size": (224, 224), "mean": MEAN, "std": STD}
    Preprocessing(**fine)
    with pytest.raises(ImageError, match=rf"asks for {what} .*; check its configuration\."):
        Preprocessing(**(fine | {what: value}))
