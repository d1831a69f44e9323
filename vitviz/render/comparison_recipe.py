"""The recipe of a comparison: its models, what each shows, and what was measured, so that the same bytes come again.

Times and memory are kept as they were measured, not measured again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from vitviz.atomic import slug
from vitviz.attention.costs import Cost
from vitviz.attention.trace import trace
from vitviz.attention.values import Ablation, Query, Selection
from vitviz.errors import VitvizError
from vitviz.images import Image
from vitviz.models.model import Model
from vitviz.models.resizing import is_approximation
from vitviz.render.codec import LATER, canonical, from_json, to_json
from vitviz.render.comparison import Compared, csv_of, page_for_models
from vitviz.render.figure import Figure
from vitviz.render.labels import Labels, labels_of, with_labels
from vitviz.render.making import map_for
from vitviz.render.pdf import pdf_of
from vitviz.render.plan import Scale, Seen
from vitviz.render.png import png
from vitviz.render.product import Product, model_of, picture_of, run_of, text_of, versions
from vitviz.render.raster import pixels_of
from vitviz.render.style import Style, color_table
from vitviz.render.svg import svg_of
from vitviz.render.wanted import Recipe, check_common, model_in, of

FORMAT, VERSION = "vitviz comparison", 2
Kind = Literal["png", "svg", "pdf"]
KINDS: tuple[Kind, ...] = ("png", "svg", "pdf")
_MOST = 16  # models


@dataclass(frozen=True, slots=True)
class Shown:
    """What one model of a comparison shows, what was pinned there, what it costs, and labels that were given for it."""

    selection: Selection
    limits: tuple[float, float]
    cost: Cost
    ablation: Ablation = Ablation()  # noqa: RUF009  frozen
    style: Style | None = None
    pinned: Query | None = field(default=None, metadata=LATER)
    labels: Labels = field(default=(), metadata=LATER)


@dataclass(frozen=True, slots=True, eq=False)
class ComparisonRecipe(Recipe):
    """The recipe of a comparison; `shown` goes with `models`."""

    shown: tuple[Shown, ...]
    style: Style
    figure: Figure
    kind: Kind
    scale: Scale | None = None

    def produce(self, image: Image | None, models: Sequence[Model]) -> Product:
        assert image is not None
        compared = [_compared(image, model, shown) for model, shown in zip(models, self.shown, strict=True)]
        return product_of(compared, self.style, self.figure, self.kind, self.scale)


def _compared(image: Image, model: Model, shown: Shown) -> Compared:
    model = with_labels(model, shown.labels)
    found = trace(model, image)
    if shown.ablation:
        found = trace(model, image, ablation=shown.ablation, plain=found)
    seen = Seen(image, model, found)
    return Compared(seen, map_for(seen, shown.selection), shown.limits, shown.cost, shown.style, shown.pinned)


def product_of(
    models: Sequence[Compared], style: Style, figure: Figure, kind: Kind, scale: Scale | None = None
) -> Product:
    """The figure of a comparison, with its table as CSV beside it; `scale` as `page_for_models` has it."""
    style, figure = canonical(style), canonical(figure)
    content = _content(models, style, figure, kind, scale)
    page = page_for_models(models, style, figure, scale)
    about = figure.title or f"{', '.join(each.name for each in models)} over {models[0].seen.image.name}"
    if kind == "svg":
        data = svg_of(page, about)
    elif kind == "pdf":
        data = pdf_of(page, about)
    else:
        data = png(pixels_of(page), text_of(content), dpi=page.dpi)
    name = f"{slug(f'{Path(models[0].seen.image.name).stem} comparison')}.{kind}"
    return Product.of(name, data, content, beside={".csv": csv_of(models).encode()})


def write_comparison(
    path: Path, models: Sequence[Compared], style: Style, figure: Figure, scale: Scale | None = None
) -> list[Path]:
    """Write the figure (PNG, SVG or PDF by its ending), the table `NAME.csv` and the recipe `NAME.json` beside it.

    Raises FileError where a file can't be written, VitvizError for another ending.
    """
    kind = path.suffix.lower().lstrip(".")
    if kind not in KINDS:
        raise VitvizError(f"{path.name} is no figure that can be written: end it with .png, .svg or .pdf.")
    return product_of(models, style, figure, kind, scale).write(path)


def _content(
    models: Sequence[Compared], style: Style, figure: Figure, kind: Kind, scale: Scale | None
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "picture": picture_of(models[0].seen.image),
        "models": [
            {
                "name": each.name,
                "model": model_of(each.seen.model),
                "approximation": is_approximation(each.seen.model),
                **to_json(_shown(each)),
                "run": run_of(each.seen.model),
            }
            for each in models
        ],
        "style": to_json(style),
        **({} if scale is None else {"scale": scale}),
        "figure": to_json(figure),
        "file": {"format": kind},
        "versions": versions(),
    }


def _shown(model: Compared) -> Shown:
    if model.cost is None:
        raise VitvizError(f"{model.name} was not measured yet: wait for the table, and write it then.")
    cost = replace(model.cost, scaling=None)  # of the curves, which are no part of the figure
    altered = model.seen.trace.ablation
    labels = labels_of(model.seen.model, [model.shown])
    return canonical(Shown(model.shown.selection, model.limits, cost, altered, model.style, model.pinned, labels))


def _read(entry: dict[str, Any]) -> Shown:
    shown = from_json(Shown, {f.name: entry[f.name] for f in fields(Shown) if f.name in entry})
    if shown.style is not None:
        color_table(shown.style.colormap)
    return shown


def read(path: Path, content: dict[str, Any]) -> ComparisonRecipe:
    """The recipe in some JSON values; KeyError, TypeError or ValueError where they are none."""
    check_common(content)
    of(content["picture"], dict)
    every = of(content["models"], list)
    if not 1 <= len(every) <= _MOST:
        raise ValueError(f"it has {len(every)} models, expected 1 to {_MOST}")
    style = from_json(Style, content["style"])
    color_table(style.colormap)
    kind = of(of(content["file"], dict)["format"], str)
    if kind not in KINDS:
        raise ValueError(f"its file is a {kind[:20]!r}, expected {', '.join(KINDS)}")
    scale = content.get("scale")
    if scale not in (None, *get_args(Scale)):
        raise ValueError(f"its scale is {str(scale)[:20]!r}, expected {', '.join(get_args(Scale))}")
    return ComparisonRecipe(
        content,
        path,
        tuple(model_in(path, of(each, dict)["model"]) for each in every),
        tuple(_read(each) for each in every),
        style,
        from_json(Figure, content["figure"]),
        kind,
        scale,
    )
