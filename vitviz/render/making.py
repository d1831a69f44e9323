"""Plan + picture, model and trace -> the bytes of a file. The window, the command line and notebooks all come here."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from vitviz.attention.choosing import chosen_map
from vitviz.attention.maps import head_maps, place_of
from vitviz.attention.methods import METHODS
from vitviz.attention.values import Head, HeadMaps, Map, Selection
from vitviz.errors import AttentionError
from vitviz.render import animation, numbers
from vitviz.render.compose import Tile, page_of, sheet_of
from vitviz.render.figure import Figure
from vitviz.render.frames import frames_of
from vitviz.render.overlay import Canvas
from vitviz.render.page import Page
from vitviz.render.pdf import pdf_of
from vitviz.render.plan import MOVING, NUMBERS, Plan, Seen
from vitviz.render.png import png
from vitviz.render.raster import pixels_of, refuse_large
from vitviz.render.scale import ends_text
from vitviz.render.seen_only import part_for
from vitviz.render.style import Limits, limits_of
from vitviz.render.svg import svg_of
from vitviz.render.titles import head_text

_MOST_QUERIES = 256


def map_for(seen: Seen, selection: Selection, maps: HeadMaps | None = None) -> Map:
    """The map of a selection, whatever its method."""
    return chosen_map(seen.model, seen.image, seen.trace, selection, maps)


def limits_for(seen: Seen, shown: Map, limits: Limits, maps: HeadMaps | None = None) -> tuple[float, float]:
    """The values at the ends of the colours of a map."""
    if limits in ("map",) or isinstance(limits, tuple) or shown.selection.method != "attention":
        whole = shown.values[None]
        return limits_of(shown.values, limits, whole, [whole])
    chosen = placed(seen, shown.selection)
    maps = maps or head_maps(seen.trace, chosen.query, chosen.direction)
    return limits_of(shown.values, limits, maps.values[chosen.layer], maps.values)


def placed(seen: Seen, selection: Selection) -> Selection:
    """The selection with a patch of its layer as the place in the picture that it is: other layers have other grids."""
    if not isinstance(selection.query, tuple):
        return selection
    return replace(selection, query=place_of(seen.trace, seen.trace.layer(selection.layer), selection.query))


def tiles_of(plan: Plan, seen: Seen) -> list[Tile]:
    """The maps of a plan, each with its label, its limits and its place on a sheet."""
    tiles = _tiles(plan, seen)
    # Methods have units of their own.
    if plan.scale != "figure" or plan.over == "methods" or isinstance(plan.style.limits, tuple):
        return tiles
    values = np.concatenate([tile.shown.values.ravel() for tile in tiles])
    shared = limits_of(values, "map", values, [values])
    return [replace(tile, limits=shared) for tile in tiles]


def _tiles(plan: Plan, seen: Seen) -> list[Tile]:
    chosen, limits = plan.selection, plan.style.limits
    if plan.over == "map":
        shown = map_for(seen, chosen)
        return [Tile(shown, "", limits_for(seen, shown, limits))]
    if plan.over == "queries":
        return _queries(plan, seen)
    if plan.over == "methods":
        return _methods(plan, seen)
    chosen = placed(seen, chosen)
    maps = head_maps(seen.trace, chosen.query, chosen.direction) if chosen.method == "attention" else None

    def tile(selection: Selection, label: str, row: int, col: int) -> Tile:
        shown = map_for(seen, selection, maps)
        return Tile(shown, label, limits_for(seen, shown, limits, maps), row, col)

    if plan.over == "layers":
        count = len(seen.trace.layers)
        cols = math.ceil(math.sqrt(count))
        heads = [_legal(chosen.head, layer.num_heads) for layer in seen.trace.layers]
        # A frame stands alone, and says which head it is of; a sheet has no room for that in every tile.
        of = [f" · {head_text(head)}" if plan.format in MOVING else "" for head in heads]
        return [
            tile(_named(seen, replace(chosen, layer=i, head=heads[i])), f"Layer {i}{of[i]}", *divmod(i, cols))
            for i in range(count)
        ]
    layers = [seen.trace.layer(chosen.layer).index] if plan.format in MOVING else range(len(seen.trace.layers))
    return [
        tile(_named(seen, replace(chosen, layer=i, head=h)), f"Layer {i} head {h}", i, h)
        for i in layers
        for h in range(seen.trace.layers[i].num_heads)
    ]


def _methods(plan: Plan, seen: Seen) -> list[Tile]:
    """Every method that is defined for the model, each on its own scale: their units differ."""
    tiles: list[Tile] = []
    for method, about in METHODS.items():
        try:
            shown = map_for(seen, replace(plan.selection, method=method))
        except AttentionError:
            continue
        limits = limits_for(seen, shown, "map")
        words = f"{about.title}\n{_of(seen, shown)}\n{ends_text(limits)} {about.unit}"
        tiles.append(Tile(shown, words, limits, *divmod(len(tiles), 3)))
    return tiles


def _of(seen: Seen, shown: Map) -> str:
    """What one of many methods is of: layer, heads and query of attention, the class of what explains one."""
    chosen, about = shown.selection, METHODS[shown.selection.method]
    query = chosen.query.upper() if isinstance(chosen.query, str) else f"patch {shown.query_cell}"
    parts = [f"layer {chosen.layer} {_heads(chosen.head)}"] if about.of_head else []
    parts += [query if parts else f"from {query}"] if about.of_query else []
    parts += [f"class {seen.trace.label(chosen.target)}"] if about.of_class and chosen.target is not None else []
    return ", ".join(parts)


def _heads(head: Head) -> str:
    return f"head {head}" if isinstance(head, int) else head


def _legal(head: Head, count: int) -> Head:
    return head if isinstance(head, str) else min(head, count - 1)


def _named(seen: Seen, selection: Selection) -> Selection:
    """A token that a layer lacks (an attention pool has none) is its mean over the patches there."""
    layer, query = seen.trace.layers[selection.layer], selection.query
    query = seen.trace.default_query if query is None else query
    lacks = isinstance(query, str) and query not in (*layer.prefix_tokens, "mean")
    return replace(selection, query="mean") if lacks else selection


def _queries(plan: Plan, seen: Seen) -> list[Tile]:
    """Every patch of the layer as the query, row by row; every second or third where there are too many."""
    layer = seen.trace.layer(plan.selection.layer)
    if layer.kind == "pool":
        raise AttentionError(
            f"Layer {layer.index} of {seen.trace.model_name} ({layer.name}) is an attention pool, which has one query "
            "of its own: choose another layer."
        )
    grid = layer.query_grid
    step = 1 if plan.format in NUMBERS else math.ceil(math.sqrt(grid.size / _MOST_QUERIES))
    cells = [(row, col) for row in range(0, grid.rows, step) for col in range(0, grid.cols, step)]
    places = [(cell, place_of(seen.trace, layer, cell)) for cell in cells]
    inside = [cell for cell, place in places if seen.trace.view.contains(place.x, place.y)]
    maps = [map_for(seen, replace(plan.selection, layer=layer.index, query=cell)) for cell in inside]
    limits = plan.style.limits
    top = max(float(m.values.max()) for m in maps)
    return [Tile(m, f"Patch {m.query_cell}", _ends(limits, m, top), i, 0) for i, m in enumerate(maps)]


def _ends(limits: Limits, shown: Map, top: float) -> tuple[float, float]:
    if isinstance(limits, tuple):
        return limits
    return limits_of(shown.values, "map", shown.values, [shown.values]) if limits == "map" else (0.0, top)


def mask_pixels(plan: Plan, seen: Seen, shown: Map) -> np.ndarray:
    """The mask over the picture, (H, W) uint8 of 0 and 255; 0 where the model saw nothing."""
    image, shown = part_for(plan.figure, seen.image, shown)
    _, mask = Canvas(image, shown.view).share_of_mass(shown, plan.mass)
    return np.where(mask, 255, 0).astype(np.uint8)


def make(plan: Plan, seen: Seen, tiles: list[Tile], recipe: dict[str, Any], text: str) -> bytes:
    """The bytes of a plan's file from its maps: drawing and packing alone, no torch.

    Args:
        tiles: as `tiles_of` gives them.
        recipe: goes into files of numbers.
        text: the same as one text, which goes into PNG files.
    """
    if plan.format in NUMBERS:
        arrays, words = numbers.arrays_of(tiles, plan.over), numbers.describe(tiles[0].shown, recipe)
        return numbers.npz(arrays, words) if plan.format == "npz" else numbers.safetensors(arrays, words)
    if plan.format == "mask":
        return png(mask_pixels(plan, seen, tiles[0].shown), text)
    if plan.format == "gif":
        return animation.gif(frames_of(plan, seen, tiles), plan.seconds)
    if plan.format == "apng":
        return animation.apng(frames_of(plan, seen, tiles), plan.seconds, text)
    if plan.format == "svg":
        return svg_of(page_for(plan, seen, tiles), _description(plan, tiles))
    if plan.format == "pdf":
        return pdf_of(page_for(plan, seen, tiles), plan.figure.title or _description(plan, tiles))
    if plan.over == "map" and plan.figure.bare:
        return png(bare_pixels(plan, seen, tiles[0]), text)
    page = page_for(plan, seen, tiles)
    return png(pixels_of(page), text, dpi=page.dpi)


def page_for(plan: Plan, seen: Seen, tiles: list[Tile]) -> Page:
    """The page of one map, or the sheet of several."""
    if plan.over == "map":
        return page_of(seen.image, tiles[0], plan.style, _entitled(plan.figure, tiles[0].shown), plan.scale)
    names = plan.over != "heads"
    return sheet_of(seen.image, tiles, plan.style, _entitled(plan.figure, tiles[0].shown, True), plan.scale, names)


def _entitled(figure: Figure, shown: Map, sheet: bool = False) -> Figure:
    """The figure with the heads that are off as the last words of its title, which an overlay alone has not."""
    if figure.bare and not sheet:
        return figure
    return replace(figure, title=" · ".join(part for part in (figure.title, shown.without) if part))


def bare_pixels(plan: Plan, seen: Seen, tile: Tile) -> np.ndarray:
    """The overlay alone, at the picture's size times the figure's scale."""
    scale, (image, shown) = plan.figure.scale, part_for(plan.figure, seen.image, tile.shown)
    refuse_large(image.size[1] * scale, image.size[0] * scale)
    return np.ascontiguousarray(Canvas(image, shown.view, scale).draw(shown, plan.style, tile.limits)[..., :3])


def _description(plan: Plan, tiles: list[Tile]) -> str:
    shown = tiles[0].shown
    model = f"{shown.model_name} {shown.without}".strip()
    what = f"{plan.selection.method} of {model} over {shown.image_name}"
    return f"{what}, {shown.layer_name}" if plan.over == "map" else f"{what}, all {plan.over}"
