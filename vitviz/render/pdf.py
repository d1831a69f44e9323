"""A page of marks -> PDF by reportlab: text stays text in an embedded font, pictures are kept without loss."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

from PIL import Image as Pillow

from vitviz import resources
from vitviz.render.letters import FONT, clean, drawn, text_width
from vitviz.render.page import Color, Line, Page, Picture, Ramp, Text

_NAME = "Liberation Sans"


def pdf_of(page: Page, title: str = "") -> bytes:
    """The page as a PDF of one page of its own size, without dates and with a fixed id: the same bytes each time."""
    from reportlab.pdfgen.canvas import Canvas

    _register()
    data = io.BytesIO()
    # reportlab measures from the lower left corner.
    size = page.width, page.height
    # With a font of ours from the start, as the one that reportlab would begin with is not embedded.
    canvas = Canvas(data, pagesize=size, invariant=1, pageCompression=1, initialFontName=_NAME)
    canvas.setTitle(clean(title) or "vitviz")
    canvas.setCreator("vitviz")
    canvas.setFillColorRGB(*_unit(page.background))
    canvas.rect(0, 0, page.width, page.height, stroke=0, fill=1)
    for mark in page.marks:
        if isinstance(mark, Picture):
            _picture(canvas, mark, page)
        elif isinstance(mark, Ramp):
            _ramp(canvas, mark, page.height)
        elif isinstance(mark, Line):
            _line(canvas, mark, page.height)
        else:
            _text(canvas, mark, page.height)
    canvas.showPage()
    canvas.save()
    return data.getvalue()


@lru_cache(maxsize=1)
def _register() -> None:
    from reportlab.pdfbase.pdfmetrics import registerFont
    from reportlab.pdfbase.ttfonts import TTFont

    registerFont(TTFont(_NAME, str(resources.path(FONT))))


def _picture(canvas: Any, mark: Picture, page: Page) -> None:
    from reportlab.lib.utils import ImageReader

    box = mark.x, page.height - mark.y - mark.height, mark.width, mark.height
    if mark.is_plain:
        canvas.saveState()
        canvas.setFillColorRGB(*_unit(mark.pixels[0, 0].tolist()))
        canvas.rect(*box, stroke=0, fill=1)
        canvas.restoreState()
        return
    # reportlab never sets /Interpolate, without which most viewers, but not all, keep patches sharp.
    canvas.drawImage(ImageReader(Pillow.fromarray(mark.enlarged(page.dpi))), *box)


def _ramp(canvas: Any, mark: Ramp, height: float) -> None:
    from reportlab.lib.colors import Color as Shade

    bottom = height - mark.y - mark.height
    colors = [Shade(*_unit(color)) for color in mark.table.tolist()]
    canvas.saveState()
    path = canvas.beginPath()
    path.rect(mark.x, bottom, mark.width, mark.height)
    canvas.clipPath(path, stroke=0, fill=0)
    places = [i / (len(colors) - 1) for i in range(len(colors))]
    canvas.linearGradient(mark.x, bottom, mark.x, bottom + mark.height, colors, places, extend=False)
    canvas.restoreState()


def _line(canvas: Any, mark: Line, height: float) -> None:
    canvas.saveState()
    canvas.setLineWidth(mark.width)
    canvas.setStrokeColorRGB(*_unit(mark.color))
    canvas.setStrokeAlpha(mark.opacity)
    canvas.line(mark.x0, height - mark.y0, mark.x1, height - mark.y1)
    canvas.restoreState()


def _text(canvas: Any, mark: Text, height: float) -> None:
    text = drawn(mark.text)
    back = {"start": 0.0, "middle": 0.5, "end": 1.0}[mark.anchor] * text_width(text, mark.size)
    canvas.saveState()
    canvas.setFillColorRGB(*_unit(mark.color))
    canvas.translate(mark.x, height - mark.y)
    if mark.turned:
        canvas.rotate(90)
    canvas.setFont(_NAME, mark.size)
    canvas.drawString(-back, 0, text)
    canvas.restoreState()


def _unit(color: Color | list[int]) -> tuple[float, float, float]:
    return color[0] / 255, color[1] / 255, color[2] / 255
