"""The raw numbers of maps -> NPZ or safetensors, with names and units, and the same bytes each time."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from vitviz.attention.values import Map
from vitviz.render.compose import Tile, units_of

_EPOCH = (1980, 1, 1, 0, 0, 0)


def arrays_of(tiles: list[Tile], over: str) -> dict[str, np.ndarray]:
    """The arrays by name, float32.

    One map is "values" (gh, gw). Heads are "layer_NN" (H, gh, gw) with "layer_NN_prefix" (H, P); layers are
    "layer_NN" (gh, gw); queries are "values" (n, gh, gw) and "queries" (n, 2), row and column of each.
    """
    if over == "map":
        return {"values": tiles[0].shown.values, **_prefix("prefix", [tiles[0].shown])}
    if over == "queries":
        cells = np.array([tile.shown.query_cell for tile in tiles], dtype=np.int32)
        return {"values": np.stack([tile.shown.values for tile in tiles]), "queries": cells}
    if over == "methods":
        return {tile.shown.selection.method: tile.shown.values for tile in tiles}
    found: dict[int, list[Map]] = {}
    for tile in tiles:
        found.setdefault(tile.shown.selection.layer, []).append(tile.shown)
    made: dict[str, np.ndarray] = {}
    for layer, maps in sorted(found.items()):
        name = f"layer_{layer:02d}"
        made[name] = np.stack([m.values for m in maps]) if over == "heads" else maps[0].values
        made |= _prefix(f"{name}_prefix", maps, over == "heads")
    return made


def _prefix(name: str, maps: list[Map], stacked: bool = False) -> dict[str, np.ndarray]:
    if not maps[0].prefix_weights:
        return {}
    rows = np.array([list(m.prefix_weights.values()) for m in maps], dtype=np.float32)
    return {name: rows if stacked else rows[0]}


def about(shown: Map, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What the numbers are: units, axes, where the grid lies in the picture; and the recipe."""
    unit = units_of(shown)
    return {
        "unit": f"{unit}, share of a row that sums to 1" if unit == "attention weight" else unit,
        "axes": "head (or query), row, column; rows downwards from the top of the picture",
        "grid": list(shown.grid.shape),
        "view_box_px": list(shown.view.box),
        "view_size_px": list(shown.view.size),
        "patch_px_of_view": list(shown.grid.stride),
        "picture_size_px": list(shown.view.picture_size),
        "prefix_tokens": list(shown.prefix_weights),
        "recipe": dict(recipe),
    }


def npz(arrays: Mapping[str, np.ndarray], text: str) -> bytes:
    """An archive for `numpy.load(file, allow_pickle=False)`; "about" is JSON in an array of text without dimensions."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in {**arrays, "about": np.array(text)}.items():
            body = io.BytesIO()
            np.lib.format.write_array(body, np.asarray(array, order="C"), allow_pickle=False)
            # numpy itself writes the time of day into the archive.
            entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, body.getvalue())
    return data.getvalue()


def safetensors(arrays: Mapping[str, np.ndarray], text: str) -> bytes:
    """The same arrays as safetensors, JSON of what they are under "vitviz" in its metadata."""
    from safetensors.numpy import save

    # One key alone: the writer keeps several in no certain order.
    made: bytes = save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, {"vitviz": text})
    return made


def describe(shown: Map, recipe: Mapping[str, Any]) -> str:
    """`about` as JSON."""
    return json.dumps(about(shown, recipe), ensure_ascii=False, allow_nan=False)
