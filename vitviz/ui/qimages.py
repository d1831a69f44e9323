"""Pixels of numpy and pictures of Qt, one made into the other, and the picture on the clipboard."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QGuiApplication, QImage, QPixmap

from vitviz.errors import ImageError

MOST_PIXELS = 64_000_000  # of a pasted picture, as for one from a file


def image_of(pixels: NDArray[np.uint8]) -> QImage:
    """Pixels (H, W, 3) uint8 as a QImage with memory of its own."""
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


def pixmap_of(pixels: NDArray[np.uint8]) -> QPixmap:
    """Pixels (H, W, 3) uint8 as a QPixmap."""
    return QPixmap.fromImage(image_of(pixels))


def pixels_of(image: QImage) -> NDArray[np.uint8]:
    """The pixels of a QImage of any format as (H, W, 3) or, with alpha, (H, W, 4); a copy."""
    height, width = image.height(), image.width()
    if height * width > MOST_PIXELS:
        raise ImageError(
            f"The picture on the clipboard has {width} x {height} pixels; "
            f"at most {MOST_PIXELS // 1_000_000} megapixels are read: scale it down first."
        )
    channels = 4 if image.hasAlphaChannel() else 3
    wanted = QImage.Format.Format_RGBA8888 if channels == 4 else QImage.Format.Format_RGB888
    image = image.convertToFormat(wanted)
    # Rows are padded to four bytes, and the memory is Qt's: hence the slice and the copy.
    rows = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(height, image.bytesPerLine())
    return rows[:, : width * channels].reshape(height, width, channels).copy()


def from_clipboard() -> NDArray[np.uint8] | None:
    """The picture on the clipboard as (H, W, 3), or (H, W, 4) with straight alpha; None where there is none.

    Raises ImageError for more than MOST_PIXELS.
    """
    image = QGuiApplication.clipboard().image()
    return None if image.isNull() else pixels_of(image)


def to_clipboard(pixels: NDArray[np.uint8]) -> None:
    """Put pixels (H, W, 3) uint8 on the clipboard as a picture."""
    QGuiApplication.clipboard().setImage(image_of(pixels))
