"""Whatever Pillow decodes, or an array, as upright 8-bit sRGB; what had to be changed is noted."""

import contextlib
import io
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageCms

from vitviz.errors import ImageError

# Below this maximum a 16-bit picture would show at most 31 of 255: 12-bit cameras and microscopes, mostly.
DARK_16 = 8192
_TURNS = dict(enumerate(("FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE"), 2)) | dict(
    enumerate(("ROTATE_270", "TRANSVERSE", "ROTATE_90"), 6)
)


def orientation(picture: PIL.Image.Image) -> int:
    """How the picture is turned, 1 to 8 as EXIF says it; 1, upright, where its EXIF can't be read."""
    with contextlib.suppress(Exception):
        turn = picture.getexif().get(0x0112, 1)
        return turn if turn in _TURNS else 1
    return 1


def pillow_of(array: NDArray[Any], notes: list[str]) -> PIL.Image.Image:
    """An array (H, W), (H, W, 3) or (H, W, 4) of uint8, uint16 or floats from 0 to 1 as an 8-bit picture."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)) or array.size == 0:
        raise ImageError(f"An array of shape {array.shape} came; expected (H, W), (H, W, 3) or (H, W, 4): reshape it.")
    if array.dtype == np.uint16:
        colour = _scaled(array[..., :3] if array.ndim == 3 else array, notes)
        alpha = np.rint(array[..., 3:] / 257).astype(np.uint8) if array.ndim == 3 else None
        array = colour if alpha is None else np.concatenate([colour, alpha], axis=2)
    elif array.dtype.kind == "f":
        # The negated form also refuses NaN.
        if not (array.min() >= -1e-3 and array.max() <= 1 + 1e-3):
            raise ImageError(
                f"An array of floats from {array.min():g} to {array.max():g} came; expected 0 to 1: scale it first."
            )
        array = np.rint(array.clip(0, 1) * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise ImageError(f"An array of {array.dtype} came; expected uint8, uint16 or float from 0 to 1: convert it.")
    return PIL.Image.fromarray(np.ascontiguousarray(array))


def _scaled(values: NDArray[Any], notes: list[str]) -> NDArray[np.uint8]:
    """Scale 16-bit, 32-bit and float values to 0..255, where Pillow would clip them."""
    if values.dtype.kind == "u" and values.max() >= DARK_16:
        notes.append("16-bit scaled from 0..65535")
        return np.rint(values / np.float32(257)).astype(np.uint8)
    kind = {"u": "16-bit", "i": "32-bit"}.get(values.dtype.kind, "float")
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    notes.append(f"{kind} scaled from {low:.10g}..{high:.10g}")
    values = np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low)
    return np.rint((values - low) * (255 / (high - low) if high > low else 0.0)).astype(np.uint8)


def upright_rgb(picture: PIL.Image.Image, notes: list[str]) -> NDArray[np.uint8]:
    """Decode: grey scaled, colours to sRGB, transparency over white, turned; (H, W, 3) uint8, read-only."""
    turned = orientation(picture)
    tags = getattr(picture, "tag_v2", {})
    raw = str(getattr(picture, "tile", ""))
    picture.load()
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        grey = _scaled(np.asarray(picture), notes)
        # Pillow leaves 16-bit WhiteIsZero (tag 262 of 0) as it is stored.
        if tags.get(262) == 0 and picture.mode.startswith("I;16"):
            grey = 255 - grey
            notes.append("inverted, as the file says that white is zero")
        colour, alpha = PIL.Image.fromarray(grey).convert("RGB"), None
    else:
        if ";16" in raw:
            notes.append("16-bit colour reduced to 8 bits")
        alpha = picture.convert("RGBA").getchannel("A") if picture.has_transparency_data else None
        base = picture.getchannel("L") if picture.mode == "LA" else picture
        base = base.convert("RGBA") if alpha is not None and base.mode not in ("L", "RGB") else base
        base = base.convert("RGB") if base.mode in ("1", "P", "RGBA", "RGBX") else base
        if base.mode not in ("L", "RGB"):
            notes.append(f"{base.mode} converted")
        colour = _srgb(base, picture.info.get("icc_profile"), notes)
    # TIFF has been turned by load() and then says 1.
    now = orientation(picture)
    if alpha is not None and alpha.getextrema()[0] != 255:
        colour = PIL.Image.composite(colour, PIL.Image.new("RGB", colour.size, "white"), alpha)
        notes.append("transparency laid over white")
    if turned != 1 or now != 1:
        notes.append(f"turned as EXIF orientation {turned if turned != 1 else now} says")
    if now != 1:
        colour = colour.transpose(PIL.Image.Transpose[_TURNS[now]])
    pixels = np.array(colour, dtype=np.uint8)
    pixels.setflags(write=False)
    return pixels


def _srgb(picture: PIL.Image.Image, profile: bytes | None, notes: list[str]) -> PIL.Image.Image:
    """Convert to RGB, by the ICC profile where it is sound and differs from sRGB."""
    plain = picture.convert("RGB")
    # LAB says by itself what its colours are.
    if not profile or picture.mode == "LAB":
        return plain
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}[source.profile.xcolor_space.strip()]
        if mode != picture.mode and (mode != "RGB" or picture.mode == "CMYK"):
            raise ValueError(f"a profile of {mode} for a picture of {picture.mode}")
        to_srgb = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        if mode != "CMYK":
            # Most profiles say sRGB in other words: all colours in steps of 17 tell.
            levels = np.stack(np.meshgrid(*[np.arange(0, 256, 17, dtype=np.uint8)] * 3), -1).reshape(64, 64, 3)
            colours = PIL.Image.fromarray(levels).convert(mode)
            seen = np.asarray(ImageCms.applyTransform(colours, to_srgb), dtype=int)
            if np.abs(seen - np.asarray(colours.convert("RGB"))).max() <= 2:
                return plain
        converted = ImageCms.applyTransform(plain if mode == "RGB" else picture, to_srgb)
        if converted is None:
            raise ValueError("no picture came back")
    except (ImageCms.PyCMSError, ImportError, OSError, ValueError, KeyError, TypeError, AttributeError):
        notes.append("colour profile ignored, as it does not fit or is damaged")
        return plain
    notes.append("colours converted from the file's profile to sRGB")
    return converted
