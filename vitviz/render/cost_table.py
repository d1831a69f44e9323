"""Costs of several models as rows of words and numbers, each with its ratio to the first; window and files share it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vitviz.models.units import digits, flops_text

if TYPE_CHECKING:
    from vitviz.attention.costs import Cost

_TOP = 5


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one column of a row; `ratio` to the first column or why there is none, empty where none is due."""

    text: str
    ratio: str = ""

    @property
    def words(self) -> str:
        """Both in a line: "24.1 ms (×3.2)"."""
        return f"{self.text} ({self.ratio})" if self.ratio else self.text


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table, with what it means."""

    name: str
    tip: str
    cells: tuple[Cell, ...]


def rows_of(costs: Sequence[Cost | None]) -> list[Row]:
    """The table; None is a model that was not measured yet."""
    runs = {cost.runs for cost in costs if cost is not None}
    timed = f"median of {runs.pop()} plain passes" if len(runs) == 1 else "median of some plain passes"
    devices = ", ".join(sorted({f"{cost.device}, {cost.precision}" for cost in costs if cost is not None}))
    made = [
        _row("Tokens", "Patches and prefix tokens of the first layer", costs, lambda c: c.tokens, "{:,.0f}".format),
        _texts("Patch grid", "Rows x columns of patches", costs, lambda c: f"{c.grid[0]} x {c.grid[1]}"),
        _row("Operations", "Of one pass, counted; a multiplication and an addition are two", costs, _flops, flops_text),
        _texts(
            "… in attention", "Share of q·k and weights·v in them", costs,
            lambda c: "not counted" if c.attention is None else f"{c.attention:.1%}",
        ),
        _time(f"Of one pass on {devices}: {timed}; no ratio where fastest to slowest of two models overlap", costs),
        _texts("… fastest to slowest", "Of the passes that were timed", costs, _spread),
        _texts("… measured on", "Device and precision of the passes", costs, lambda c: f"{c.device}, {c.precision}"),
        _row(
            "Memory of a pass", "Most bytes alive at once beside the weights, in a plain pass", costs,
            lambda c: c.forward_bytes, bytes_text,
        ),
        _row(
            "Memory of the trace", "What is kept to look at any row of any head", costs,
            lambda c: c.trace_bytes, bytes_text,
        ),
        _row("Parameters", "Of the model", costs, lambda c: c.parameters, count_text),
    ]  # fmt: skip
    for k in range(max((len(cost.top) for cost in costs if cost is not None), default=0)):
        cells = tuple(Cell("…" if cost is None else _class(cost, k)) for cost in costs)
        made.append(Row(f"Top {k + 1}", "Class and its probability", cells))
    return made


def _flops(cost: Cost) -> float | None:
    return cost.flops


def _class(cost: Cost, k: int) -> str:
    if k >= min(_TOP, len(cost.top)):
        return ""
    label, share = cost.top[k]
    return f"{label} {share:.1%}"


def _spread(cost: Cost) -> str:
    if cost.spread is None:
        return "1 run"
    low, high = (seconds_text(seconds) for seconds in cost.spread)
    if low.split()[1] == high.split()[1]:
        low = low.split()[0]
    return f"{low} to {high}, {cost.runs} runs"


def _time(tip: str, costs: Sequence[Cost | None]) -> Row:
    """The median times; a ratio between times that overlap would be one of noise."""
    row, first = _row("Time", tip, costs, lambda c: c.seconds, seconds_text), costs[0]
    cells = [
        cell if first is None or cost is None or not cell.ratio else replace(cell, ratio=_ratio_of(cell, cost, first))
        for cell, cost in zip(row.cells, costs, strict=True)
    ]
    return replace(row, cells=tuple(cells))


def _ratio_of(cell: Cell, cost: Cost, first: Cost) -> str:
    if cost.spread is None or first.spread is None:
        return "1 run"
    apart = cost.spread[0] > first.spread[1] or cost.spread[1] < first.spread[0]
    return cell.ratio if apart else "times overlap"


def _row(
    name: str,
    tip: str,
    costs: Sequence[Cost | None],
    value: Callable[[Cost], float | None],
    text: Callable[[float], str],
) -> Row:
    first = None if costs[0] is None else value(costs[0])
    cells = []
    for i, cost in enumerate(costs):
        found = None if cost is None else value(cost)
        if found is None:
            cells.append(Cell("…" if cost is None else "not counted"))
        else:
            cells.append(Cell(text(found), ratio_text(found / first) if i and first else ""))
    return Row(name, tip, tuple(cells))


def _texts(name: str, tip: str, costs: Sequence[Cost | None], text: Callable[[Cost], str]) -> Row:
    return Row(name, tip, tuple(Cell("…" if cost is None else text(cost)) for cost in costs))


def ratio_text(ratio: float) -> str:
    """ "×3.2", "×0.20", "×0.041", "×120"."""
    return f"×{ratio:.0f}" if ratio >= 99.5 else f"×{ratio:#.2g}" if ratio < 0.995 else f"×{ratio:.1f}"


def seconds_text(seconds: float) -> str:
    """Milliseconds, or seconds from one second on."""
    return f"{digits(seconds)} s" if seconds >= 1 else f"{digits(seconds * 1e3)} ms"


def bytes_text(count: float) -> str:
    """Bytes in kB, MB or GB (powers of ten)."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{digits(count / size)} {unit}"
    return f"{digits(count / 1e3)} kB"


def count_text(count: float) -> str:
    """A number in thousands or millions."""
    return f"{digits(count / 1e6)} M" if count >= 1e6 else f"{digits(count / 1e3)} k"
