"""Reading pictures: real ones with a known truth, made ones of every mode, and files that must be refused."""

import io
import os
import shutil
import struct
import threading
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import ImageCms

from vitviz import images, pixels
from vitviz.errors import ImageError
from vitviz.images import Image, read_image

SHARED = Path(os.environ.get("VITVIZ_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "images"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="no shared pictures")

RAMP16 = np.arange(65536, dtype=np.uint16).reshape(256, 256)


def colours(height: int = 24, width: int = 32) -> np.ndarray:
    """A picture with no symmetry: red grows rightwards, green downwards, blue is 40."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // (width - 1), y * 255 // (height - 1), np.full_like(x, 40)], -1).astype(np.uint8)


def saved(tmp_path: Path, picture: Any, kind: str = "PNG", **how: Any) -> Path:
    path = tmp_path / f"picture.{kind.lower()}"
    (picture if isinstance(picture, PIL.Image.Image) else PIL.Image.fromarray(picture)).save(path, kind, **how)
    return path


def refusal(path: Path, **limits: int) -> str:
    """The sentence with which a file is refused: one, plain, ended."""
    with pytest.raises(ImageError) as caught:
        read_image(path, **limits)
    said = str(caught.value)
    assert said.isprintable() and said.endswith(".") and ("; " in said or ": " in said), said
    return said


# --- real pictures


@needs_shared
@pytest.mark.parametrize(
    ("name", "size", "note"),
    [
        ("cat_chelsea.png", (300, 451), None),
        ("astronaut.png", (512, 512), None),
        ("rocket.jpg", (427, 640), "colours converted from the file's profile to sRGB"),
        ("cameraman_gray.png", (512, 512), None),
        ("chessboard_gray_u16.tif", (200, 200), "16-bit scaled from 0..255"),
        ("palette_color.png", (10, 10), None),
        ("exif_landscape_1.jpg", (1200, 1800), None),
        ("exif_landscape_6.jpg", (1200, 1800), "turned as EXIF orientation 6 says"),
        ("cmyk.jpg", (100, 100), "CMYK converted"),
        ("gray16.tif", (64, 64), "16-bit scaled from 291..694"),
        ("hopper.jpg", (128, 128), None),
        ("hopper.webp", (128, 128), None),
        ("hopper.tif", (128, 128), None),
        ("transparent_rgba.png", (150, 200), "transparency laid over white"),
        ("hopper_palette.gif", (128, 128), None),
        ("palette_p.png", (150, 162), "transparency laid over white"),
    ],
)
def test_real_picture_has_its_size_and_says_what_was_converted(
    name: str, size: tuple[int, int], note: str | None
) -> None:
    image = read_image(SHARED / name)
    assert image.size == size and image.pixels.shape == (*size, 3) and image.pixels.dtype == np.uint8
    assert image.notes == (() if note is None else (note,))
    assert image.pixels.std() > 5
    assert image.name == name and image.path == SHARED / name
    assert image.sha256 in (SHARED / "README.md").read_text()


@needs_shared
def test_exif_6_displays_as_exif_1() -> None:
    one, six = (read_image(SHARED / f"exif_landscape_{n}.jpg").pixels.astype(int) for n in (1, 6))
    assert np.abs(one - six).mean() < 5 and np.abs(one - six[::-1, ::-1]).mean() > 50


@needs_shared
def test_same_portrait_in_every_format_looks_the_same() -> None:
    truth = read_image(SHARED / "hopper.tif").pixels.astype(int)
    for name in ("hopper.jpg", "hopper.webp", "hopper_palette.gif"):
        assert np.abs(read_image(SHARED / name).pixels - truth).mean() < 12, name


@needs_shared
def test_dark_16_bit_is_scaled_from_its_own_range() -> None:
    stored = np.asarray(PIL.Image.open(SHARED / "gray16.tif")).astype(float)
    grey = read_image(SHARED / "gray16.tif").pixels
    assert (grey.min(), grey.max()) == (0, 255)
    np.testing.assert_allclose(grey[..., 1], (stored - 291) * 255 / (694 - 291), atol=0.51)


@needs_shared
def test_srgb_profile_leaves_colours_untouched() -> None:
    with PIL.Image.open(SHARED / "astronaut.png") as picture:
        np.testing.assert_array_equal(read_image(SHARED / "astronaut.png").pixels, np.asarray(picture))


@needs_shared
def test_adobe_rgb_profile_is_converted() -> None:
    with PIL.Image.open(SHARED / "rocket.jpg") as picture:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(picture.info["icc_profile"]))
        truth = ImageCms.profileToProfile(picture, profile, ImageCms.createProfile("sRGB"))
    np.testing.assert_array_equal(read_image(SHARED / "rocket.jpg").pixels, np.asarray(truth))


@needs_shared
def test_truncated_and_avif_are_refused_by_what_they_are(tmp_path: Path) -> None:
    assert "truncated.jpg is a JPEG picture that is damaged or cut short" in refusal(SHARED / "truncated.jpg")
    assert "hopper.avif is an AVIF picture; PNG, JPEG, WebP" in refusal(SHARED / "hopper.avif")
    shutil.copy(SHARED / "hopper.avif", tmp_path / "hopper.png")
    assert "an AVIF picture" in refusal(tmp_path / "hopper.png")


# --- made pictures


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "GIF", "JPEG"])
def test_every_format_gives_its_colours(tmp_path: Path, kind: str) -> None:
    path = saved(tmp_path, colours(), kind, **({"lossless": True} if kind == "WEBP" else {}))
    off = np.abs(read_image(path).pixels.astype(int) - colours())
    assert off.max() == 0 if kind in ("PNG", "BMP", "TIFF", "WEBP") else off.mean() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_every_orientation_is_turned_upright(tmp_path: Path, kind: str, orientation: int) -> None:
    upright = colours()
    # The stored picture whose turning gives the upright one (EXIF 2.3, tag 0x0112).
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.swapaxes(0, 1),
        6: np.rot90(upright, 1), 7: np.rot90(upright.swapaxes(0, 1), 2), 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    how = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind == "JPEG" else {}
    image = read_image(saved(tmp_path, np.ascontiguousarray(stored), kind, exif=exif.tobytes(), **how))
    assert image.size == (24, 32)
    assert np.abs(image.pixels.astype(int) - upright).mean() < 4
    assert image.notes == ((f"turned as EXIF orientation {orientation} says",) if orientation != 1 else ())


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_ramp_has_mean_127_5(tmp_path: Path, kind: str) -> None:
    image = read_image(saved(tmp_path, RAMP16, kind))
    assert image.pixels.mean() == 127.5
    assert image.notes == ("16-bit scaled from 0..65535",)


def test_16_bit_grey_keeps_its_darkness_unless_it_would_be_black(tmp_path: Path) -> None:
    dark = read_image(saved(tmp_path, RAMP16 // 4))
    assert 63 <= dark.pixels.max() <= 64
    nearly_black = read_image(saved(tmp_path, RAMP16 // 16))
    assert nearly_black.pixels.max() == 255 and nearly_black.notes == ("16-bit scaled from 0..4095",)
    black = read_image(saved(tmp_path, RAMP16 * 0))
    assert black.pixels.max() == 0


def test_white_is_zero_16_bit_tiff_is_inverted(tmp_path: Path) -> None:
    path = saved(tmp_path, RAMP16, "TIFF")
    data = path.read_bytes()
    black_is_zero = struct.pack("<HHII", 262, 3, 1, 1)
    assert data.count(black_is_zero) == 1
    plain = read_image(path).pixels
    path.write_bytes(data.replace(black_is_zero, struct.pack("<HHII", 262, 3, 1, 0)))
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, 255 - plain)
    assert image.notes[-1] == "inverted, as the file says that white is zero"


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_float_and_32_bit_grey_run_from_their_minimum_to_their_maximum(tmp_path: Path, dtype: Any) -> None:
    values = np.linspace(-3000, 9000, 64 * 64).reshape(64, 64).astype(dtype)
    image = read_image(saved(tmp_path, values, "TIFF"))
    assert (image.pixels.min(), image.pixels.max()) == (0, 255) and abs(image.pixels.mean() - 127.5) < 0.5
    assert image.notes == (f"{'float' if dtype is np.float32 else '32-bit'} scaled from -3000..9000",)


def test_float_grey_with_holes_shows_them_black_or_white(tmp_path: Path) -> None:
    values = np.array([[0.0, 1.0, 2.0], [np.nan, np.inf, -np.inf]], np.float32)
    image = read_image(saved(tmp_path, values, "TIFF"))
    assert image.pixels[..., 0].tolist() == [[0, 128, 255], [0, 255, 0]]
    hollow = read_image(saved(tmp_path, np.full((4, 4), np.nan, np.float32), "TIFF"))
    assert hollow.pixels.max() == 0


def test_transparency_is_laid_over_white(tmp_path: Path) -> None:
    rgba = np.dstack([colours(), np.full((24, 32), 255, np.uint8)])
    assert read_image(saved(tmp_path, rgba)).notes == ()
    rgba[:, 16:, 3], rgba[:, :4, 3] = 0, 128
    image = read_image(saved(tmp_path, rgba))
    assert image.notes == ("transparency laid over white",)
    assert (image.pixels[:, 16:] == 255).all()
    np.testing.assert_array_equal(image.pixels[:, 4:16], colours()[:, 4:16])
    np.testing.assert_allclose(image.pixels[:, :4], colours()[:, :4] * (128 / 255) + 127, atol=1)
    grey = read_image(saved(tmp_path, PIL.Image.fromarray(rgba).convert("LA")))
    assert (grey.pixels[:, 16:] == 255).all() and grey.pixels[:, 4:16].std() > 5


def test_transparent_palette_colour_is_white(tmp_path: Path) -> None:
    palette = PIL.Image.new("P", (8, 8), 1)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.paste(0, (0, 0, 4, 8))
    for kind in ("PNG", "GIF"):
        image = read_image(saved(tmp_path, palette, kind, transparency=0))
        assert (image.pixels[:, :4] == 255).all() and (image.pixels[:, 4:] == [0, 0, 255]).all(), kind
        assert image.notes == ("transparency laid over white",)


def test_colour_key_of_rgb_is_white(tmp_path: Path) -> None:
    flat = np.zeros((4, 4, 3), np.uint8)
    flat[:, :2] = 10, 20, 30
    image = read_image(saved(tmp_path, flat, transparency=(10, 20, 30)))
    assert (image.pixels[:, :2] == 255).all() and (image.pixels[:, 2:] == 0).all()


@pytest.mark.parametrize(("mode", "kind"), [("CMYK", "TIFF"), ("CMYK", "JPEG"), ("LAB", "TIFF"), ("YCbCr", "TIFF")])
def test_other_colour_spaces_keep_the_colour(tmp_path: Path, mode: str, kind: str) -> None:
    orange = PIL.Image.new("RGB", (16, 16), (240, 130, 30))
    if mode == "LAB":
        to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        stored = ImageCms.applyTransform(orange, to_lab)
        assert stored is not None
    else:
        stored = orange.convert(mode)
    image = read_image(saved(tmp_path, stored, kind))
    np.testing.assert_allclose(image.pixels.mean((0, 1)), (240, 130, 30), atol=6)
    assert image.notes == (f"{mode} converted",)


def test_one_bit_picture_is_black_and_white(tmp_path: Path) -> None:
    board = np.indices((8, 8)).sum(0) % 2 == 0
    for kind in ("PNG", "TIFF", "BMP"):
        image = read_image(saved(tmp_path, PIL.Image.fromarray(board), kind))
        np.testing.assert_array_equal(image.pixels[..., 2], board * 255)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_of_several_frames_is_shown(tmp_path: Path, kind: str) -> None:
    frames = [PIL.Image.new("RGB", (9, 7), (0, 0, 80 * n + 10)) for n in range(3)]
    image = read_image(saved(tmp_path, frames[0], kind, save_all=True, append_images=frames[1:]))
    assert image.notes == ("first of 3 frames",)
    np.testing.assert_allclose(image.pixels, np.broadcast_to((0, 0, 10), (7, 9, 3)), atol=4)


@pytest.mark.parametrize("kind", ["GIF", "TIFF"])
def test_frames_of_a_long_file_are_not_counted(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [PIL.Image.new("RGB", (9, 7), (0, 0, 80 * n)) for n in range(3)]
    path = saved(tmp_path, frames[0], kind, save_all=True, append_images=frames[1:])
    monkeypatch.setattr(images, "MAX_TIFF_FRAMES", 3)
    assert read_image(path).notes == ("first of 3 frames",)
    monkeypatch.setattr(images, "MAX_TIFF_FRAMES", 2)
    monkeypatch.setattr(images, "COUNT_FRAMES_BYTES", 10)
    assert read_image(path).notes == ("first of several frames",)


def test_damaged_or_misfitting_profile_is_ignored_with_a_note(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for profile in (b"no profile at all", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()):
            image = read_image(saved(tmp_path, colours(), icc_profile=profile))
            assert image.notes == ("colour profile ignored, as it does not fit or is damaged",)
            np.testing.assert_array_equal(image.pixels, colours())
        # A Pillow without littlecms.
        patch.setattr(pixels.ImageCms, "ImageCmsProfile", lambda file: (_ for _ in ()).throw(ImportError("no cms")))
        np.testing.assert_array_equal(read_image(saved(tmp_path, colours(), icc_profile=b"x" * 200)).pixels, colours())


def test_damaged_exif_is_no_reason_to_refuse(tmp_path: Path) -> None:
    path = saved(tmp_path, colours(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff broken")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(path).size == (24, 32)


# --- refusals


def test_what_is_no_regular_file_is_named(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)
    assert "There is no file" in refusal(tmp_path / "none.png")
    (tmp_path / "empty.png").touch()
    assert "empty.png is empty (0 bytes)" in refusal(tmp_path / "empty.png")
    assert "cannot be read" in refusal(tmp_path / "a\0b.png")
    assert "cannot be read (Not a directory)" in refusal(tmp_path / "empty.png" / "inside.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    assert "cannot be read" in refusal(tmp_path / "loop.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_named_pipe_and_device_never_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.append(refusal(tmp_path / "pipe.png")), daemon=True)
    reader.start()
    reader.join(5)
    assert said and "is a named pipe" in said[0]
    assert "is a device or socket" in refusal(Path("/dev/zero"))


def test_unreadable_file_says_why(tmp_path: Path) -> None:
    path = saved(tmp_path, colours())
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert "cannot be read (Permission denied)" in refusal(path)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"%PDF-1.7\n", "a PDF document"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "an EPS or PostScript file"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC picture"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0avifmif1", "an AVIF picture"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp41", "a film or sound file"),
        (b"<!DOCTYPE html><title>404</title>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a Git LFS pointer"),
        (b"PK\3\4rest", "a zip archive"),
        (b"P6 1 1 255 abc", "no picture of a kind that is known"),
        (b"x", "no picture of a kind that is known"),
    ],
)
def test_other_kinds_are_named_with_the_list_of_what_opens(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "thing.png"
    path.write_bytes(data)
    said = refusal(path)
    assert f"thing.png is {what}" in said and "PNG, JPEG, WebP, BMP, TIFF and GIF open" in said


def test_refusal_shows_hostile_name_as_plain_short_text(tmp_path: Path) -> None:
    path = tmp_path / ("\x1b[31m\n\u202e" + "a" * 200)
    path.write_bytes(b"x")
    said = refusal(path)
    assert len(said) < 300 and "?[31m??" in said


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP"])
def test_half_a_file_is_refused(tmp_path: Path, kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = saved(tmp_path, noise, kind)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "damaged or cut short" in refusal(path)


def header_of_png(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + end


def test_large_pictures_are_refused_from_the_header(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(header_of_png(10_000, 6_401))
    assert "10000 x 6401 = 64.0 megapixels; up to 64 open" in refusal(path)
    path.write_bytes(header_of_png(100_000, 100_000))
    assert "far more pixels than the 64 megapixels that open" in refusal(path)
    path.write_bytes(header_of_png(10_000, 6_400))
    assert "damaged" in refusal(path)


def test_limits_are_those_given_and_pillows_own_is_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 100)
    path = saved(tmp_path, colours())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(path, max_pixels=24 * 32).size == (24, 32)
    assert PIL.Image.MAX_IMAGE_PIXELS == 100
    assert "megapixels" in refusal(path, max_pixels=24 * 32 - 1)
    assert PIL.Image.MAX_IMAGE_PIXELS == 100
    bytes_ = path.stat().st_size
    assert read_image(path, max_bytes=bytes_).size == (24, 32)
    assert "MB open" in refusal(path, max_bytes=bytes_ - 1)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no list of open files here")
def test_no_file_stays_open(tmp_path: Path) -> None:
    good, bad = saved(tmp_path, colours()), tmp_path / "bad.png"
    bad.write_bytes(good.read_bytes()[:60])
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        read_image(good)
        refusal(bad)
    assert len(os.listdir("/proc/self/fd")) == before


def small_files() -> list[bytes]:
    made = []
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    rgb = PIL.Image.fromarray(colours(12, 16))
    for picture, kind, how in [
        (rgb, "PNG", {"exif": exif.tobytes(), "icc_profile": srgb}),
        (rgb, "JPEG", {"exif": exif.tobytes()}),
        (rgb, "WEBP", {"exif": exif.tobytes()}),
        (rgb, "BMP", {}),
        (rgb, "TIFF", {"exif": exif.tobytes()}),
        (rgb, "TIFF", {"compression": "tiff_lzw"}),
        (rgb, "GIF", {"save_all": True, "append_images": [PIL.Image.new("RGB", (16, 12))]}),
        (rgb.convert("CMYK"), "JPEG", {}),
        (rgb.convert("RGBA"), "WEBP", {}),
        (PIL.Image.fromarray(RAMP16[::32, ::32].copy()), "PNG", {}),
        (PIL.Image.fromarray(RAMP16[::32, ::32].astype(np.float32)), "TIFF", {}),
    ]:
        file = io.BytesIO()
        picture.save(file, kind, **how)
        made.append(file.getvalue())
    return made


SMALL = small_files()


@settings(max_examples=400, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    which=st.integers(0, len(SMALL) - 1),
    flips=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.none() | st.integers(1, 4000),
)
@example(which=0, flips=[(0, 0x89)], cut=None)
def test_mutated_file_gives_a_picture_or_a_sentence(
    tmp_path: Path, which: int, flips: list[tuple[int, int]], cut: int | None
) -> None:
    data = bytearray(SMALL[which])
    for at, byte in flips:
        data[at % len(data)] = byte
    path = tmp_path / "mutated"
    path.write_bytes(data[:cut])
    try:
        image = read_image(path, max_pixels=1_000_000)
    except ImageError as error:
        assert str(error).isprintable() and str(error).endswith(".")
    else:
        assert image.pixels.shape == (*image.size, 3) and min(image.size) > 0


# --- arrays


def test_arrays_of_every_kind_give_the_same_picture() -> None:
    truth = colours()
    opaque = np.full((24, 32, 1), 255, np.uint8)
    for array in (
        truth, np.dstack([truth, opaque]), truth.astype(np.uint16) * 257, np.dstack([truth, opaque]) * np.uint16(257),
        truth / 255, (truth / 255).astype(np.float32), np.dstack([truth, opaque]) / 255, PIL.Image.fromarray(truth),
        truth[::-1][::-1],
    ):  # fmt: skip
        image = Image.from_array(array, name="made")
        np.testing.assert_array_equal(image.pixels, truth)
        assert (image.name, image.path) == ("made", None)
        assert image.sha256 == Image.from_array(truth).sha256
    assert (Image.from_array(truth[..., 0]).pixels == truth[..., :1]).all()
    assert Image.from_array(RAMP16).pixels.mean() == 127.5
    assert Image.from_array(np.linspace(0, 1, 65536).reshape(256, 256)).pixels.mean() == 127.5


def test_sha_tells_shapes_and_pixels_apart() -> None:
    flat = np.zeros((4, 9, 3), np.uint8)
    other = flat.copy()
    other[3, 8, 2] = 1
    assert len({Image.from_array(a).sha256 for a in (flat, other, flat.reshape(9, 4, 3))}) == 3


def test_pixels_are_a_read_only_copy() -> None:
    array = colours()
    image = Image.from_array(array)
    array[:] = 0
    np.testing.assert_array_equal(image.pixels, colours())
    with pytest.raises(ValueError, match="read-only"):
        image.pixels[0, 0, 0] = 1
    assert "pixels" not in repr(image)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 2), bool), np.zeros((2, 2), np.int64), np.zeros((2, 2), complex), np.zeros(4, np.uint8),
        np.zeros((2, 2, 2), np.uint8), np.zeros((1, 3, 4, 4), np.uint8), np.zeros((0, 3), np.uint8),
        np.full((2, 2), np.nan), np.full((2, 2), 255.0), np.full((2, 2), -0.1), np.full((2, 2), np.inf), "text", None,
        [[1, 2], [3]],
    ],
    ids=str,
)  # fmt: skip
def test_arrays_that_are_no_pictures_are_refused(array: Any) -> None:
    with pytest.raises(ImageError) as caught:
        Image.from_array(array)
    assert "expected" in str(caught.value) and str(caught.value).endswith(".")


def test_pillow_image_of_a_cut_file_is_refused() -> None:
    file = io.BytesIO()
    PIL.Image.fromarray(colours(200, 300)).save(file, "PNG")
    lazy = PIL.Image.open(io.BytesIO(file.getvalue()[:-200]))
    with pytest.raises(ImageError, match="cannot be used as a picture"):
        Image.from_array(lazy)
