"""What an exported figure is made of, as JSON beside it: enough to make the same bytes again."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from vitviz import __version__
from vitviz.atomic import slug, write_bytes
from vitviz.attention.values import Map, Place, Query, Selection
from vitviz.errors import FileError
from vitviz.images import Image
from vitviz.render.overlay import overlay
from vitviz.render.style import Style, color_table

FORMAT = "vitviz figure"
MAX_BYTES = 2**20
_OPTIONS: dict[str, tuple[type, ...]] = {
    "architecture": (str,), "crop": (str,), "precision": (str,), "pretrained": (bool,), "num_heads": (int,),
    "image_size": (int, list), "patch_size": (int, list),
}  # fmt: skip


def figure(image: Image, shown: Map, style: Style, limits: tuple[float, float]) -> bytes:
    """The PNG of a map over its picture, at the picture's own size."""
    pixels = overlay(
        image,
        shown,
        colormap=style.colormap,
        opacity=style.opacity,
        limits=limits,
        interpolation=style.interpolation,
        show_query=style.show_query,
    )
    return png(pixels)


def png(pixels: np.ndarray) -> bytes:
    """(H, W, 3) uint8 -> PNG."""
    data = io.BytesIO()
    Pillow.fromarray(pixels).save(data, format="PNG", optimize=False)
    return data.getvalue()


def recipe(
    image: Image, shown: Map, style: Style, limits: tuple[float, float], model: Mapping[str, Any]
) -> dict[str, Any]:
    """Picture, model, selection, style and versions of a figure.

    Args:
        model: source, architecture and the options that load_model was given, as JSON values.
    """
    return {
        "format": FORMAT,
        "version": 1,
        "picture": {
            "path": str(image.path.resolve()) if image.path else None,
            "name": image.name,
            "size": list(image.size),
            "sha256": image.sha256,
        },
        "model": dict(model),
        "selection": {
            "method": shown.selection.method,
            "layer": shown.selection.layer,
            "layer_name": shown.layer_name,
            "head": shown.selection.head,
            "query": _query(shown.selection.query),
            "direction": shown.selection.direction,
        },
        "style": {**asdict(style), "limits": list(limits), "scale": style.limits},
        "values": {
            "grid": list(shown.grid.shape),
            "smallest": float(shown.values.min()),
            "largest": float(shown.values.max()),
            "sum": float(shown.values.sum()),
            "prefix": shown.prefix_weights,
            "padding": shown.padding_mass,
        },
        "versions": {"vitviz": __version__, **{name: _version(name) for name in ("torch", "timm", "numpy", "pillow")}},
    }


def figure_name(shown: Map) -> str:
    """A file name that says what is shown, so that other figures get other names."""
    chosen = shown.selection
    query = chosen.query
    if isinstance(query, Place):
        text = f"x{query.x:.0f} y{query.y:.0f}"
    else:
        text = f"r{query[0]} c{query[1]}" if isinstance(query, tuple) else str(query)
    way = " to" if chosen.direction == "to" else ""
    picture = Path(shown.image_name).stem
    return f"{slug(f'{picture} {shown.model_name} layer {chosen.layer} head {chosen.head}{way} {text}')}.png"


def export(path: Path, data: bytes, made_from: Mapping[str, Any]) -> Path:
    """Write a figure and, beside it, its recipe as `NAME.json`; the path of the recipe."""
    sidecar = path.with_suffix(path.suffix + ".json")
    write_bytes(path, data)
    write_bytes(sidecar, json.dumps(made_from, indent=1, ensure_ascii=False).encode())
    return sidecar


def read_recipe(path: Path) -> tuple[dict[str, Any], Selection, Style]:
    """A recipe as `export` wrote it, with its selection and style; FileError for anything else."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FileError(f"{path.name} is larger than {MAX_BYTES} bytes: it is no recipe of vitviz.")
        content = json.loads(path.read_bytes())
        if content["format"] != FORMAT:
            raise ValueError("another format")
        chosen, drawn, picture, model = (content[part] for part in ("selection", "style", "picture", "model"))
        low, high = (_number(v) for v in drawn["limits"])
        selection = Selection(
            layer=_whole(chosen["layer"]),
            head=chosen["head"] if chosen["head"] in ("mean", "max", "min") else _whole(chosen["head"]),
            query=_query_from(chosen["query"]),
            direction=_one_of(chosen["direction"], ("from", "to")),
        )
        style = Style(
            colormap=_of(drawn["colormap"], str),
            opacity=_number(drawn["opacity"]),
            limits=(low, high),
            interpolation=_one_of(drawn["interpolation"], ("nearest", "smooth")),
            show_query=_of(drawn["show_query"], bool),
        )
        color_table(style.colormap)
        _of(picture["sha256"], str), _of(picture["name"], str), _of(picture["path"], str, type(None))
        _of(model["source"], str), _of(model.get("sha256"), str, type(None))
        for name, value in _of(model.get("options", {}), dict).items():
            _of(value, *_OPTIONS.get(name, (object,)))
    except OSError as error:
        raise FileError(f"{path} can't be read: {error.strerror or error}.") from error
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise FileError(f"{path.name} is no recipe of vitviz: name the .json beside an exported figure.") from error
    return content, selection, style


def _of(value: Any, *kinds: type) -> Any:
    if not isinstance(value, kinds):
        raise TypeError(f"{value!r} is no {kinds[0].__name__}")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _whole(value: Any) -> int:
    if _number(value) != int(value):
        raise ValueError(f"{value!r} is no whole number")
    return int(value)


def _one_of(value: Any, allowed: tuple[str, ...]) -> Any:
    if value not in allowed:
        raise ValueError(f"{value!r} is none of {', '.join(allowed)}")
    return value


def _query(query: Query | None) -> Any:
    return {"x": query.x, "y": query.y} if isinstance(query, Place) else query


def _query_from(value: Any) -> Query | None:
    if isinstance(value, dict):
        return Place(_number(value["x"]), _number(value["y"]))
    if isinstance(value, list):
        row, col = value
        return _whole(row), _whole(col)
    return None if value is None else str(value)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
