"""The numbers of every head over a data set: one row for each picture, layer and head, here or on a Ray cluster."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vitviz.attention.ablation import head_ablation
from vitviz.attention.lanes import Lanes, in_order
from vitviz.attention.statistics import head_statistics
from vitviz.attention.tables import quantities
from vitviz.attention.trace import trace
from vitviz.errors import VitvizError
from vitviz.images import Image, read_image
from vitviz.models.loading import load_model
from vitviz.models.model import Model

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What one picture gave: rows, or the reason why there are none."""

    index: int
    rows: tuple[Row, ...] = field(default=(), repr=False)
    problem: str = ""


def rows_of(model: Model, image: Image, *, ablation: bool = False) -> list[Row]:
    """One row for every head of every layer.

    Args:
        ablation: also switch every head off in turn: one more pass for each layer.

    Returns:
        Dicts with picture, sha256, layer, layer_name, head, then the columns of `quantities` (float, NaN where a layer
        has no such number), and with `ablation` target, label and ablation_logit (logit without the head minus with).
    """
    seen = trace(model, image)
    columns = quantities(head_statistics(seen))
    change: np.ndarray | None = None
    target = -1
    if ablation:
        change = head_ablation(model, image, seen=seen)
        target = int(seen.logits.argmax())
    rows: list[Row] = []
    for layer in seen.layers:
        for head in range(layer.num_heads):
            row: Row = {
                "picture": image.name,
                "sha256": image.sha256,
                "model": model.name,
                "layer": layer.index,
                "layer_name": layer.name,
                "head": head,
            }
            row |= {each.column: float(each.values[layer.index, head]) for each in columns}
            if change is not None:
                row |= {"target": target, "label": model.label(target)}
                row["ablation_logit"] = float(change[layer.index, head])
            rows.append(row)
    return rows


def over(model: Model, pictures: Sequence[Path], *, ablation: bool = False) -> Iterator[Found]:
    """The rows of each picture, in order; several are looked at together. A failure never stops the rest."""
    with Lanes(model, len(pictures)) as lanes:

        def look(item: tuple[int, Path]) -> Future[Found]:
            index, path = item
            return lanes.submit(lambda own: _found(own, index, lambda: read_image(path), ablation))

        yield from in_order(look, enumerate(pictures), lanes.count)


def _found(model: Model, index: int, image: Callable[[], Image], ablation: bool) -> Found:
    try:
        return Found(index, tuple(rows_of(model, image(), ablation=ablation)))
    except VitvizError as error:
        return Found(index, problem=str(error))


class _Look:
    """One worker of the cluster: it loads the model once."""

    def __init__(self, source: str, options: dict[str, Any], ablation: bool) -> None:
        self._model = load_model(source, **options)
        self._ablation = ablation

    def __call__(self, item: Row) -> list[Row]:
        found = _found(self._model, int(item["index"]), lambda: read_image(item["path"]), self._ablation)
        # Every picture answers with at least one row, so that a failure is told apart from a loss.
        return [{"index": found.index, "rows": list(found.rows), "problem": found.problem}]


def over_ray(
    source: str, options: dict[str, Any], pictures: Sequence[Path], *, ablation: bool = False, workers: int = 2
) -> Iterator[Found]:
    """The same over Ray Data: on the cluster that RAY_ADDRESS names, else on this machine.

    Args:
        source, options: as load_model takes them; every worker loads the model itself.
        pictures: paths that every worker can read.
        workers: processes that hold a model each.

    Raises VitvizError where Ray is not installed.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise VitvizError("Ray is not installed: pip install 'vitviz[ray]', or leave --engine out.") from error
    started = not ray.is_initialized()
    if started:
        where = os.environ.get("RAY_ADDRESS")
        here: dict[str, Any] = {} if where else {"num_cpus": workers + 1, "include_dashboard": False}
        ray.init(address=where, log_to_driver=False, logging_level="ERROR", **here)
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)  # the bar is ours
        items = [{"index": i, "path": str(path.resolve())} for i, path in enumerate(pictures)]
        made = ray.data.from_items(items, override_num_blocks=max(1, min(len(items), 4 * workers))).flat_map(
            _Look, fn_constructor_args=(source, options, ablation), concurrency=workers
        )
        answers = sorted(made.iter_rows(), key=lambda row: int(row["index"]))
    finally:
        if started:
            ray.shutdown()
    for answer in answers:
        rows = answer["rows"]
        yield Found(int(answer["index"]), tuple(dict(row) for row in rows), str(answer["problem"]))
