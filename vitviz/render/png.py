"""Pixels <-> PNG, with text of ours inside it: read back by hand, capped, so that a hostile file costs nothing."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image as Pillow
from PIL import PngImagePlugin

KEYWORD = "vitviz"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MOST_CHUNKS = 10_000
# A fifth of the time of zlib's usual level for a sixth more bytes: at 6 the PNG takes half as long as a ViT-S.
_LEVEL = 2


def png(pixels: np.ndarray, text: str | None = None, *, dpi: int | None = None) -> bytes:
    """(H, W, 3) or (H, W) uint8 -> PNG, with `text` in an iTXt chunk of the keyword "vitviz"."""
    data = io.BytesIO()
    options = {} if dpi is None else {"dpi": (dpi, dpi)}
    Pillow.fromarray(pixels).save(data, format="PNG", compress_level=_LEVEL, pnginfo=info(text), **options)
    return data.getvalue()


def info(text: str | None) -> PngImagePlugin.PngInfo:
    """What Pillow is to write beside the pixels."""
    made = PngImagePlugin.PngInfo()
    if text is not None:
        made.add_itxt(KEYWORD, text, zip=True)
    return made


def text_in(data: bytes, most: int) -> str | None:
    """The text that `png` put into a PNG, None where there is none; ValueError where it is over `most` bytes."""
    if not data.startswith(_SIGNATURE):
        return None
    at, prefix = len(_SIGNATURE), KEYWORD.encode() + b"\0"
    for _ in range(_MOST_CHUNKS):
        if at + 12 > len(data):
            return None
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        if kind == b"IEND" or at + 12 + length > len(data):
            return None
        if kind == b"iTXt" and data[at + 8 : at + 8 + len(prefix)] == prefix:
            return _unpacked(data[at + 8 + len(prefix) : at + 8 + length], most)
        at += 12 + length
    return None


def _unpacked(body: bytes, most: int) -> str:
    """compressed?, method, language \\0, translated keyword \\0, text (PNG, third edition, 11.3.3.4)."""
    packed, rest = body[:1] == b"\1", body[2:].split(b"\0", 2)
    if len(rest) != 3:
        raise ValueError("its text is cut short")
    text = rest[2]
    if packed:
        unpacker = zlib.decompressobj()
        try:
            text = unpacker.decompress(text, most + 1)
        except zlib.error as error:
            raise ValueError("its text is damaged") from error
    if len(text) > most:
        raise ValueError(f"its text is larger than {most} bytes")
    return text.decode("utf-8")
