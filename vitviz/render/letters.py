"""Text as figures hold it: what a file may hold at all, and what the font of pictures and PDF can draw of it.

The font is the same on every machine, so that a figure has the same bytes; it has Latin, Greek and Cyrillic letters.
The others are written as what they are called, which can be read, where a box could not. An SVG keeps all letters: its
viewer has more fonts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby

from PIL import ImageFont

from vitviz import resources

FONT = "fonts/LiberationSans-Regular.ttf"
# Whoever lacks the font has one of the same widths.
FAMILIES = "Liberation Sans, Arial, Helvetica, sans-serif"
_JOINERS = "\u200c\u200d"  # between letters of Persian, Hindi and families of emoji
_ABSENT = "\uffff"


@lru_cache(maxsize=16)
def font(pixels: float) -> ImageFont.FreeTypeFont:
    """The font at a size in pixels; the basic layout, which is the same wherever Pillow is."""
    return ImageFont.truetype(str(resources.path(FONT)), pixels, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def text_width(text: str, size: float) -> float:
    """The width of a line of text in points, as it is drawn in pictures and PDF."""
    return float(font(1000).getlength(drawn(text))) * size / 1000


def clean(text: str) -> str:
    """Text without what no file may hold (control characters, lone surrogates), with accents and letters composed."""
    whole = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode())
    return "".join(c if c.isprintable() or c == "\u00a0" or c in _JOINERS else " " for c in whole)


@lru_cache(maxsize=4096)
def drawn(text: str) -> str:
    """Text with letters that the font lacks as code points in brackets, "[U+732B]", and symbols by name, "[cat face]".

    Letters that are written from right to left count as such: nothing here turns or joins them.
    """
    runs = groupby(clean(text), _drawable)
    return "".join("".join(letters) if there else _called(letters) for there, letters in runs)


def lacking(texts: Iterable[str]) -> str:
    """A sentence on the letters of some texts that pictures and PDF write by code or name, "" where there are none."""
    found = "".join(dict.fromkeys(c for text in texts for c in clean(text) if not _drawable(c) and not _silent(c)))
    if not found:
        return ""
    some = found[:8] + ("…" if len(found) > 8 else "")
    return f"the font lacks {some}, written as {drawn(found[0])}; SVG keeps such letters"


def _called(letters: Iterable[str]) -> str:
    words: list[str] = []
    for char in letters:
        if _silent(char):
            continue
        code = f"{ord(char):04X}"
        name = unicodedata.name(char, "") if unicodedata.category(char) in ("So", "Sk", "Sm") else ""
        if name:
            words.append(name.lower())
        elif words and words[-1].startswith("U+"):
            words[-1] += f" {code}"
        else:
            words.append(f"U+{code}")
    return f"[{', '.join(words)}]" if words else ""


def _silent(char: str) -> bool:
    """Whether a character only changes how others look."""
    return char in _JOINERS or "\ufe00" <= char <= "\ufe0f"


@lru_cache(maxsize=4096)
def _drawable(char: str) -> bool:
    if char.isascii() or char == "\u00a0":
        return True
    if unicodedata.bidirectional(char) in ("R", "AL", "AN"):
        return False
    letters = font(32)
    # What has no glyph is drawn as the box of what is no character at all.
    return not _silent(char) and bytes(letters.getmask(char)) != bytes(letters.getmask(_ABSENT))
