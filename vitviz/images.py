"""Pictures: read from files without surprises, and made into what a model takes."""

import contextlib
import hashlib
import io
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

# Imported by name, so that Pillow never loads its other plugins (EPS starts Ghostscript) to look for these two.
from PIL import TiffImagePlugin, WebPImagePlugin  # noqa: F401

from vitviz.checks import short
from vitviz.errors import ImageError
from vitviz.pixels import pillow_of, upright_rgb
from vitviz.view import Preprocessing, View, lay_out, view_of

__all__ = ["Image", "Preprocessing", "View", "model_input", "read_image", "view_of", "view_pixels"]

MAX_PIXELS = 64_000_000
MAX_BYTES = 512 * 1024**2
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
OPENS = "PNG, JPEG, WebP, BMP, TIFF and GIF open"
# Counting the frames of a GIF walks through the whole file: 0.6 s at worst for this much.
COUNT_FRAMES_BYTES = 2 * 1024**2
MAX_TIFF_FRAMES = 100

_SIGNATURES = (
    (b"\x89PNG", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"GIF8", "GIF"), (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"), (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
)  # fmt: skip
_REFUSED = (
    (b"%PDF", "a PDF document"), (b"%!PS", "an EPS or PostScript file"), (b"\xc5\xd0\xd3\xc6", "an EPS file"),
    (b"8BPS", "a Photoshop document"), (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"), (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"), (b"\0\0\1\0", "a Windows icon"), (b"PK\3\4", "a zip archive"),
    (b"version https://git-lfs", "a Git LFS pointer and not the file itself"),
)  # fmt: skip
_PILLOW = threading.Lock()


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A picture as the user has it, RGB and upright; ``notes`` says in words what was converted."""

    pixels: NDArray[np.uint8] = field(repr=False)  # (H, W, 3), read-only
    name: str
    path: Path | None
    sha256: str  # of the file's bytes; of shape and pixels where there is no file
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @classmethod
    def from_array(cls, array: Any, *, name: str = "picture") -> "Image":
        """Make an Image of a Pillow image or of an array (H, W), (H, W, 3) or (H, W, 4) in uint8, uint16 or float 0..1.

        Raises ImageError for everything else.
        """
        notes: list[str] = []
        try:
            with _pillow_limit(MAX_PIXELS):
                picture = array if isinstance(array, PIL.Image.Image) else pillow_of(np.asarray(array), notes)
                _refuse_large(picture.size, MAX_PIXELS, _plain(name))
                pixels = upright_rgb(picture, notes)
        except ImageError:
            raise
        except Exception as error:
            raise ImageError(
                f"{_plain(name)} cannot be used as a picture; expected a sound Pillow image or numeric array."
            ) from error
        digest = hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).hexdigest()
        return cls(pixels, _plain(name), None, digest, tuple(notes))


def read_image(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES) -> Image:
    """Read the first frame of a PNG, JPEG, WebP, BMP, TIFF or GIF file as an upright RGB Image.

    Anything else, and anything damaged or too large, raises ImageError with a sentence; nothing else is raised.
    """
    if not isinstance(path, str | os.PathLike):
        raise ImageError(
            f"The path of a picture is {short(path)}: give its name; of an array or a Pillow image Image.from_array "
            "makes a picture."
        )
    path = Path(path)
    name = _plain(path.name) or _plain(str(path))
    data = _bytes_of(path, name, max_bytes)
    notes: list[str] = []
    kind = next((kind for start, kind in _SIGNATURES if data.startswith(start)), None)
    kind = "WebP" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else kind
    if kind is None:
        raise ImageError(f"{name} is {_what_came(data)}; {OPENS}: save it as one of these.")
    try:
        with _pillow_limit(max_pixels), PIL.Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            _refuse_large(picture.size, max_pixels, name)
            pixels = upright_rgb(picture, notes)
            _note_frames(picture, len(data), notes)
    except ImageError:
        raise
    except PIL.Image.DecompressionBombError as error:
        raise ImageError(
            f"{name} has far more pixels than the {max_pixels / 1e6:g} megapixels that open: save a smaller copy."
        ) from error
    except MemoryError as error:
        raise ImageError(f"{name} needs more memory than is free; close something or save a smaller copy.") from error
    except Exception as error:
        # Pillow's plugins answer damaged files with SyntaxError, struct.error, KeyError and a dozen others.
        raise ImageError(
            f"{name} is a {kind} picture that is damaged or cut short; a whole one was expected: "
            "copy it again from where it came, or save it anew in a picture editor."
        ) from error
    return Image(pixels, name, path, hashlib.sha256(data).hexdigest(), tuple(notes))


def check_image(image: Any) -> None:
    """ImageError, with what to do, where this is no Image."""
    if not isinstance(image, Image):
        made = "read_image(path)" if isinstance(image, str | os.PathLike) else "read_image(path) or Image.from_array(x)"
        raise ImageError(f"The picture is {short(image)}: give an Image, as {made} makes it.")


def _plain(text: str) -> str:
    shown = "".join(c if c.isprintable() else "?" for c in text)
    return shown if len(shown) <= 120 else f"{shown[:80]}…{shown[-30:]}"


def _bytes_of(path: Path, name: str, max_bytes: int) -> bytes:
    """The bytes of a regular file of 1 to ``max_bytes`` bytes; stat comes first, as opening a FIFO would block."""
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise ImageError(f"{name} is a folder; a picture file was expected: choose one of the files in it.")
        if not stat.S_ISREG(found.st_mode):
            what = "a named pipe" if stat.S_ISFIFO(found.st_mode) else "a device or socket"
            raise ImageError(f"{name} is {what}; a regular file was expected: save the picture to a file first.")
        # Non-blocking, should the file have become a FIFO since.
        flags = getattr(os, "O_NONBLOCK", 0)
        with open(path, "rb", opener=lambda file, mode: os.open(file, mode | flags)) as file:
            data = file.read(max_bytes + 1) if found.st_size <= max_bytes else b""
    except FileNotFoundError as error:
        raise ImageError(f"There is no file {_plain(str(path))}; check its name and folder.") from error
    except MemoryError as error:
        raise ImageError(f"{name} needs more memory than is free; close something or save a smaller copy.") from error
    except (OSError, ValueError) as error:
        why = _plain(getattr(error, "strerror", None) or "not a usable file name")
        raise ImageError(f"{name} cannot be read ({why}); check its name and that you may read it.") from error
    if found.st_size > max_bytes or len(data) > max_bytes:
        raise ImageError(
            f"{name} has {max(found.st_size, len(data)) / 1024**2:,.0f} MB; "
            f"up to {max_bytes / 1024**2:,.0f} MB open: save a smaller copy."
        )
    if not data:
        raise ImageError(f"{name} is empty (0 bytes); a picture was expected: copy it again from where it came.")
    return data


def _what_came(data: bytes) -> str:
    for start, what in _REFUSED:
        if data.startswith(start):
            return what
    if data[4:8] == b"ftyp":
        if b"avif" in data[8:32] or b"avis" in data[8:32]:
            return "an AVIF picture"
        return "a HEIC picture" if data[8:11] in (b"hei", b"hev", b"mif", b"msf") else "a film or sound file"
    head = data[:1024].lower()
    if b"<svg" in head:
        return "an SVG drawing"
    if b"<html" in head or b"<!doctype html" in head:
        return "a web page"
    return "no picture of a kind that is known"


@contextlib.contextmanager
def _pillow_limit(max_pixels: int) -> Iterator[None]:
    """Put our limit in place of Pillow's own, which is global, and keep its warnings about odd metadata quiet."""
    with _PILLOW, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, PIL.Image.MAX_IMAGE_PIXELS = PIL.Image.MAX_IMAGE_PIXELS, max_pixels
        try:
            yield
        finally:
            PIL.Image.MAX_IMAGE_PIXELS = before


def _refuse_large(size: tuple[int, int], max_pixels: int, name: str) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ImageError(
            f"{name} has {width} x {height} = {width * height / 1e6:,.1f} megapixels; "
            f"up to {max_pixels / 1e6:g} open: save a smaller copy."
        )


def _note_frames(picture: PIL.Image.Image, size: int, notes: list[str]) -> None:
    # A later frame may be damaged; the first one stands.
    with contextlib.suppress(Exception):
        if not getattr(picture, "is_animated", False):
            return
        notes.append("first of several frames")
        if picture.format == "TIFF":
            # Its n_frames takes time with the square of the frames: 20 s for 36,000 in 4 MB.
            frames = 1
            with contextlib.suppress(EOFError):
                for frames in range(1, MAX_TIFF_FRAMES + 2):
                    picture.seek(frames)
            if frames <= MAX_TIFF_FRAMES:
                notes[-1] = f"first of {frames} frames"
        elif picture.format != "GIF" or size <= COUNT_FRAMES_BYTES:
            notes[-1] = f"first of {getattr(picture, 'n_frames', 'several')} frames"


def view_pixels(image: Image, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """What the model sees before normalisation, (h, w, 3) uint8, as timm's eval transform; grey where channels is 1."""
    return np.array(lay_out(image.pixels, preprocessing).convert("RGB"), dtype=np.uint8)


def model_input(image: Image, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """The normalised view, (1, channels, h, w) float32; one channel is ITU-R 601 luminance, taken before resizing."""
    view = np.asarray(lay_out(image.pixels, preprocessing), dtype=np.float32) / np.float32(255)
    mean, std = (np.array(values, np.float32) for values in preprocessing.statistics())
    normalised = (view.reshape(*preprocessing.input_size, preprocessing.channels) - mean) / std
    return np.ascontiguousarray(normalised.transpose(2, 0, 1)[None])
