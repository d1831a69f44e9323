"""How the objects of the API show themselves in a notebook: HTML, and PNG where they are pictures.

The classes lie on floors that know nothing of drawing, so what is said here is put on them from above.
"""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any

import numpy as np
from PIL import Image as Pillow

from vitviz.render.png import png

_LARGEST = 512  # pixels along the longer side
_WIDTH = 240.0  # points


def map_png(shown: Any) -> bytes:
    """A Map as PNG: its values in colours, and a colour bar."""
    from vitviz.render.compose import page_of_values
    from vitviz.render.raster import pixels_of

    return png(pixels_of(page_of_values(shown, _WIDTH)))


def map_html(shown: Any) -> str:
    """A Map with what it is of."""
    words = [_what(shown), f"{shown.model_name} on {shown.image_name}"]
    words += [f"on {name}: {weight:.4f}" for name, weight in shown.prefix_weights.items()]
    return _figure(map_png(shown), words)


def _what(shown: Any) -> str:
    """Method, layers, heads, query or class of a Map, as far as its method knows them."""
    from vitviz.attention.methods import TOKENS, about
    from vitviz.render.titles import map_text

    chosen, found = shown.selection, about(shown)
    if chosen.method in TOKENS:
        return map_text(shown)
    heads = f"head {chosen.head}" if isinstance(chosen.head, int) else f"{chosen.head} of heads"
    parts = [found.title]
    parts += [f"layer {chosen.layer} ({shown.layer_name})", heads] if found.of_head else [shown.layer_name]
    parts += [f"{chosen.direction} {chosen.query}"] if found.of_query else []
    parts += [f"class {chosen.target}"] if found.of_class and chosen.target is not None else []
    return ", ".join(parts)


def image_png(image: Any) -> bytes:
    """An Image as PNG, at most 512 pixels long."""
    picture = Pillow.fromarray(image.pixels)
    picture.thumbnail((_LARGEST, _LARGEST), Pillow.Resampling.LANCZOS)
    return png(np.asarray(picture))


def image_html(image: Any) -> str:
    """An Image with its name, size and notes."""
    height, width = image.size
    return _figure(image_png(image), [f"{image.name}, {width} x {height} px", *image.notes])


def report_html(report: Any) -> str:
    """A Report as a table."""
    rows = [(f.topic, f.text, "" if f.certainty == "found" else f.certainty) for f in report]
    if not any(row[2] for row in rows):
        return _table(("", "found"), [row[:2] for row in rows])
    return _table(("", "found", "how sure"), rows)


def model_html(model: Any) -> str:
    """A Model with its report."""
    return f"<p><b>{escape(model.name)}</b></p>{report_html(model.report)}"


def trace_html(trace: Any) -> str:
    """A Trace: its layers and the most probable classes."""
    rows = [
        (str(each.index), each.name, each.kind, str(each.num_heads), f"{each.grid.rows} x {each.grid.cols}",
         "" if each.error is None else f"{each.error:.1e}")
        for each in trace.layers
    ]  # fmt: skip
    top = [(label, f"{share:.4f}") for label, share in trace.top_k(5)]
    head = f"<p><b>{escape(trace.model_name)}</b> on {escape(trace.image_name)}, {trace.seconds * 1000:.0f} ms</p>"
    layers = _table(("layer", "module", "attention", "heads", "patches", "max |A v - output|"), rows)
    return head + (_table(("class", "probability"), top) if top else "") + layers


_PNG: dict[tuple[str, str], Callable[[Any], bytes]] = {
    ("vitviz.attention.values", "Map"): map_png,
    ("vitviz.images", "Image"): image_png,
}
_HTML: dict[tuple[str, str], Callable[[Any], str]] = {
    ("vitviz.attention.values", "Map"): map_html,
    ("vitviz.images", "Image"): image_html,
    ("vitviz.models.model", "Model"): model_html,
    ("vitviz.models.report", "Report"): report_html,
    ("vitviz.attention.trace", "Trace"): trace_html,
}


def attach() -> None:
    """Give `_repr_html_` and `_repr_png_` to the classes that have been imported by now; imports none."""
    for name, table in (("_repr_png_", _PNG), ("_repr_html_", _HTML)):
        for (module, kind), show in table.items():
            found = getattr(sys.modules.get(module), kind, None)
            if found is not None and name not in vars(found):
                setattr(found, name, show)


def _figure(data: bytes, words: Iterable[str]) -> str:
    source = base64.b64encode(data).decode("ascii")
    text = "<br>".join(escape(each) for each in words)
    return f'<figure><img src="data:image/png;base64,{source}"><figcaption>{text}</figcaption></figure>'


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    made = io.StringIO()
    made.write("<table><thead><tr>" + "".join(f"<th>{escape(h)}</th>" for h in head) + "</tr></thead><tbody>")
    for row in rows:
        made.write("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>")
    made.write("</tbody></table>")
    return made.getvalue()
