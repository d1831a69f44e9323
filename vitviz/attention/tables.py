"""Head statistics as named columns: for a plot, a table and a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vitviz.attention.lanes import Lanes, in_order
from vitviz.attention.statistics import HeadStatistics, Progress, head_statistics
from vitviz.attention.trace import trace
from vitviz.errors import AttentionError, Cancelled, VitvizError
from vitviz.images import read_image
from vitviz.models.model import Model


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """One number of every head: `column` in files, `title` and `unit` for people, `values` (L, H_max)."""

    column: str
    title: str
    unit: str
    values: np.ndarray


def quantities(found: HeadStatistics) -> tuple[Quantity, ...]:
    """Everything there is of these statistics; weights on registers are one sum."""
    made = [
        Quantity("distance_vit_px", "Mean attention distance (as in the ViT paper)", "px", found.distance_vit),
        Quantity(
            "distance_renormalised_px",
            "Mean attention distance (patches only, renormalised)",
            "px",
            found.distance_renormalised,
        ),
        Quantity("entropy_nats", "Entropy of attention", "nats", found.entropy),
    ]
    others = {name: share for name, share in found.prefix_mass.items() if name not in ("cls", "dist")}
    for name, title in (("cls", "class token"), ("dist", "distillation token")):
        if name in found.prefix_mass:
            made.append(Quantity(f"mass_{name}", f"Weight on the {title}", "share", found.prefix_mass[name]))
    if others:
        total: np.ndarray = np.stack(list(others.values())).sum(0)
        made.append(Quantity("mass_registers", "Weight on the registers", "share", total))
    made.append(Quantity("mass_sink", "Weight on the strongest sink (one patch)", "share", found.sink_mass))
    return tuple(made)


def table(found: HeadStatistics) -> tuple[list[str], list[list[object]]]:
    """Names of the columns, and a row for every head of every layer; an empty string where there is no number."""
    columns = quantities(found)
    header = ["layer", "layer_name", "head", *(each.column for each in columns)]
    one = len(found.pictures) == 1
    header += ["sink_row", "sink_column"] if one else []
    rows: list[list[object]] = []
    for layer, count in enumerate(found.heads):
        for head in range(count):
            numbers = [float(each.values[layer, head]) for each in columns]
            row: list[object] = [layer, found.layer_names[layer], head]
            row += ["" if np.isnan(number) else number for number in numbers]
            rows.append([*row, *(found.sink[layer][head] if one else ())])
    return header, rows


def csv_text(found: HeadStatistics) -> str:
    """The table as CSV with a header; the model and the number of pictures stand in columns of their own."""
    header, rows = table(found)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["model", "pictures", *header])
    for row in rows:
        numbers = [f"{value:.7g}" if isinstance(value, float) else value for value in row]
        writer.writerow([found.model_name, len(found.pictures), *numbers])
    return out.getvalue()


class Mean:
    """A running mean, so that a folder of any size needs the memory of one picture."""

    def __init__(self) -> None:
        self._first: HeadStatistics | None = None
        self._sums: dict[str, np.ndarray] = {}
        self._pictures: list[str] = []

    def __len__(self) -> int:
        return len(self._pictures)

    def add(self, found: HeadStatistics) -> None:
        """Add the statistics of one or several pictures."""
        if self._first is None:
            self._first = found
        elif (found.heads, list(found.prefix_mass)) != (self._first.heads, list(self._first.prefix_mass)):
            raise AttentionError(
                f"The statistics of {found.model_name} have {len(found.heads)} layers and other heads or tokens than "
                f"those of {self._first.model_name}: a mean is over pictures of one model."
            )
        weight = len(found.pictures)
        for name, values in _arrays(found).items():
            self._sums[name] = self._sums.get(name, 0.0) + weight * values.astype(np.float64)
        self._pictures += found.pictures

    def result(self) -> HeadStatistics:
        """The mean so far; AttentionError before the first picture."""
        if self._first is None:
            raise AttentionError("A mean over no pictures was asked for: name at least one.")
        if len(self._pictures) == 1:
            return self._first
        mean = {name: (total / len(self._pictures)).astype(np.float32) for name, total in self._sums.items()}
        return replace(
            self._first,
            distance_vit=mean["distance_vit"],
            distance_renormalised=mean["distance_renormalised"],
            entropy=mean["entropy"],
            sink_mass=mean["sink_mass"],
            prefix_mass={name: mean[f"on {name}"] for name in self._first.prefix_mass},
            sink=(),
            pictures=tuple(self._pictures),
        )


def statistics_over(
    model: Model,
    pictures: Sequence[Path],
    *,
    progress: Progress = lambda fraction, text: None,
    cancel: Callable[[], bool] = lambda: False,
    failed: Callable[[Path, VitvizError], None] | None = None,
) -> HeadStatistics:
    """The mean of the head statistics over picture files, each passed through the model once.

    Args:
        model: as load_model gives it.
        pictures: files, as picture_files lists them.
        progress: called with (fraction, name of the picture).
        cancel: asked at every module and chunk; True raises Cancelled.
        failed: called with a picture that can't be looked at and the reason, and the others go on; None raises it.

    Raises ImageError for a file that is no picture, AttentionError for an empty list or where every picture failed.
    """
    mean = Mean()
    with Lanes(model, len(pictures), cancel=cancel) as lanes:

        def look(path: Path) -> Future[HeadStatistics | VitvizError]:
            return lanes.submit(lambda own: _looked(own, path, lanes.cancelled))

        looked = in_order(look, pictures, lanes.count)
        for number, path in enumerate(pictures):
            progress(number / len(pictures), f"{path.name} ({number + 1} of {len(pictures)})")
            if isinstance(found := next(looked), HeadStatistics):
                mean.add(found)
            elif failed is None:
                raise found
            else:
                failed(path, found)
    if pictures and not len(mean):
        raise AttentionError("No picture could be looked at, so there is no mean.")
    return mean.result()


def _looked(model: Model, path: Path, cancel: Callable[[], bool]) -> HeadStatistics | VitvizError:
    try:
        return head_statistics(trace(model, read_image(path), cancel=cancel), cancel=cancel)
    except Cancelled:
        raise
    except VitvizError as error:
        return error


def _arrays(found: HeadStatistics) -> dict[str, np.ndarray]:
    plain = {name: getattr(found, name) for name in ("distance_vit", "distance_renormalised", "entropy", "sink_mass")}
    return plain | {f"on {name}": share for name, share in found.prefix_mass.items()}
