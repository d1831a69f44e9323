"""The few phrases that several panels use, so that one thing has one name everywhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vitviz.attention.methods import METHODS, about
from vitviz.attention.values import HeadMaps, Map
from vitviz.render.plan import MOVING, Plan
from vitviz.render.sequence import token_name
from vitviz.render.titles import asked_text, head_text, layer_text, map_text, query_text

if TYPE_CHECKING:
    from vitviz.ui.store import State

KINDS = {"regular": ", in regular windows", "shifted": ", in shifted windows", "window": ", in windows",
         "grid": ", over a grid of patches that lie apart"}  # fmt: skip


def title_text(title: str) -> str:
    """What a layer's title says: '"2.3 shifted" is block 3 of stage 2, both counted from 0, in shifted windows'."""
    found = re.fullmatch(r"(\d+)\.(\d+) ?(.*)", title)
    if not found:
        return ""
    stage, block, kind = found.groups()
    return f'"{title}" is block {block} of stage {stage}, both counted from 0{KINDS.get(kind, "")}'


def window_text(shown: Map) -> str:
    """The window of the query in words: its size and shift, where it wraps, what is shut out and on padding; or ""."""
    windows, cell = shown.windows, shown.query_cell
    if windows is None:
        return ""
    high, wide = windows.window
    words = f"{'grid' if windows.kind == 'dilated' else 'window'} {high} x {wide}"
    if windows.is_shifted:
        words += f" shifted by {windows.shift[0]}, {windows.shift[1]}"
    parts = [words]
    if cell is not None:
        if any(windows.wraps(cell)):
            parts.append("wraps around")
        if hidden := int(windows.shut_out(cell).sum()):
            parts.append(f"{hidden} keys masked")
        if empty := windows.padding(cell):
            parts.append(f"{empty} of {high * wide} places padding")
    return " · ".join(parts)


def origin_text(shown: Map) -> str:
    """Whose row a map is: "from patch (2, 3)", "from CLS"."""
    return "of features, which no query looks at" if about(shown).of_features else f"from {asked_text(shown)}"


def origins_text(left: Map, right: Map) -> str:
    """Whose rows two maps are that stand side by side; that they are of different queries is said."""
    words = origin_text(left), origin_text(right)
    if words[0] == words[1]:
        return f"both {words[0]}"
    apart = f"left {words[0]}, right {words[1]}"
    if about(left).of_features or about(right).of_features:
        return apart
    if about(left).of_query and about(right).of_query and left.selection.query == right.selection.query:
        return f"{apart}, the same place on two grids"
    return f"{apart}: these are maps of two queries, which need not agree"


def figure_text(shown: Map, plan: Plan, label: str = "") -> str:
    """What a file of a plan is of, as a title; `shown` is the map that it was asked for at."""
    chosen, query = shown.selection, asked_text(shown)
    if plan.over == "map":
        return map_text(shown, label)
    if plan.over == "methods":
        return f"All methods · from {query}"
    layer = layer_text(chosen.layer, shown.layer_title)
    if plan.over == "queries":
        if chosen.method != "attention":
            return f"{about(shown).title} from every patch"
        return f"{layer} · {head_text(chosen.head)} · attention {chosen.direction} every patch"
    if plan.over == "layers":
        what = f"All layers · {head_text(chosen.head)}"
    else:
        what = f"All heads of {layer.lower()}" if plan.format in MOVING else "All heads of all layers"
    return f"{what} · attention {chosen.direction} {query}"


def heads_text(maps: HeadMaps, state: State) -> str:
    """What the maps of all heads are: of attention, whatever method the map beside them has."""
    cell = maps.cells[state.layer] if state.layer < len(maps.cells) else None
    words = f"Attention {maps.direction} {query_text(maps.query, cell)}"
    # Where stages have grids of their own, the same place is another patch in each.
    if cell is not None and len(set(maps.cells)) > 1:
        words += f" of layer {state.layer}, the same place in all"
    if state.method != "attention":
        words += f"; the map shows {METHODS[state.method].title}, which is of no one head"
    return words


def position_text(position: tuple[int, int] | str) -> str:
    """ "patch (5, 7)" (row, column), or a token's name."""
    return token_name(position) if isinstance(position, str) else f"patch ({position[0]}, {position[1]})"


def weight_text(weight: float) -> str:
    """An attention weight with four significant digits, however small it is."""
    return f"{weight:.4f}" if weight == 0 or abs(weight) >= 0.01 else f"{weight:.3e}"
