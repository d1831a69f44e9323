"""A page of marks -> SVG: text stays text, pictures are embedded as PNG."""

from __future__ import annotations

import base64
from xml.sax.saxutils import escape, quoteattr

from vitviz.render.letters import FAMILIES, clean
from vitviz.render.page import Color, Line, Page, Picture, Ramp, Text
from vitviz.render.png import png


def svg_of(page: Page, description: str = "") -> bytes:
    """The page as SVG 1.1 in UTF-8; `description` is for people who can't see it."""
    ramps: list[str] = []
    body = [_mark(mark, ramps, page.dpi) for mark in page.marks]
    size = f'width="{_n(page.width)}pt" height="{_n(page.height)}pt" viewBox="0 0 {_n(page.width)} {_n(page.height)}"'
    head = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1" {size}>',
        f"<desc>{escape(clean(description))}</desc>",
        f"<defs>{''.join(ramps)}</defs>",
        # In numbers: some viewers take 100 % of something else.
        f'<rect width="{_n(page.width)}" height="{_n(page.height)}" fill="{_hex(page.background)}"/>',
    ]
    return "\n".join([*head, *body, "</svg>", ""]).encode()


def _mark(mark: Picture | Ramp | Line | Text, ramps: list[str], dpi: int) -> str:
    if isinstance(mark, Text):
        return _text(mark)
    if isinstance(mark, Line):
        return (
            f'<line x1="{_n(mark.x0)}" y1="{_n(mark.y0)}" x2="{_n(mark.x1)}" y2="{_n(mark.y1)}" '
            f'stroke="{_hex(mark.color)}" stroke-width="{_n(mark.width)}" stroke-opacity="{_n(mark.opacity)}"/>'
        )
    box = f'x="{_n(mark.x)}" y="{_n(mark.y)}" width="{_n(mark.width)}" height="{_n(mark.height)}"'
    if isinstance(mark, Ramp):
        name = f"ramp{len(ramps)}"
        last = len(mark.table) - 1
        stops = "".join(
            f'<stop offset="{_n(i / last)}" stop-color="{_hex(color)}"/>' for i, color in enumerate(mark.table.tolist())
        )
        ramps.append(f'<linearGradient id="{name}" x1="0" y1="1" x2="0" y2="0">{stops}</linearGradient>')
        return f'<rect {box} fill="url(#{name})"/>'
    if mark.is_plain:
        return f'<rect {box} fill="{_hex(mark.pixels[0, 0].tolist())}"/>'
    data = base64.b64encode(png(mark.enlarged(dpi))).decode("ascii")
    way = "auto" if mark.smooth else "pixelated"
    return (
        f'<image {box} preserveAspectRatio="none" style="image-rendering:{way}" '
        f'xlink:href="data:image/png;base64,{data}"/>'
    )


def _text(mark: Text) -> str:
    turned = f' transform="rotate(-90 {_n(mark.x)} {_n(mark.y)})"' if mark.turned else ""
    return (
        f'<text x="{_n(mark.x)}" y="{_n(mark.y)}" font-family={quoteattr(FAMILIES)} font-size="{_n(mark.size)}" '
        f'fill="{_hex(mark.color)}" text-anchor="{mark.anchor}" xml:space="preserve"{turned}>'
        f"{escape(clean(mark.text))}</text>"
    )


def _n(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")


def _hex(color: Color | list[int]) -> str:
    return f"#{color[0]:02x}{color[1]:02x}{color[2]:02x}"
