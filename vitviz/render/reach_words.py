"""A receptive field in words: what each step is, how many patches it shows, and how that compares with a ViT."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vitviz.attention.reach import Reach, Way
    from vitviz.attention.trace import Trace

LEGEND = "White: what is seen, with the token framed in it; dashed orange: what was seen one step before."
AXES: dict[Way, str] = {
    "down": "Patches seen through the last layers, down to each, in %",
    "up": "Patches seen after each layer, in %",
}


def share_text(count: int, total: int) -> str:
    """ "784 of 3136 patches (25.0 %)"; no line may break within the patches or the share."""
    return f"{count} of {total} patches\u00a0({100 * count / total:.1f}\u00a0%)"


def step_text(trace: Trace, found: Reach, at: int) -> str:
    """What is seen in one step, in a sentence without its stop."""
    step = found.steps[at]
    seen = share_text(step.count, found.grid.size)
    token = f"token at patch\u00a0({step.cell[0]},\u00a0{step.cell[1]}) of {step.own.rows}\u00a0x\u00a0{step.own.cols}"
    if step.layers is None:
        whose = "The last layer's" if step.own.shape == found.grid.shape else "The last stage's"
        return f"{whose} {token} stands for {seen}"
    if found.way == "up":
        return f"After {_layer(trace, step.layers[1])} the {token} has seen {seen}"
    first, last = step.layers
    through = _layer(trace, last) if first == last else f"layers {last} down to {_named(trace, first)}"
    return f"Through {through} the {token} sees {seen}"


def short_text(found: Reach, at: int) -> str:
    """Which layers a step is, in two or three words."""
    layers = found.steps[at].layers
    if layers is None:
        return "No layer"
    if found.way == "up":
        return f"After layer {layers[1]}"
    return f"Layer {layers[1]}" if layers[0] == layers[1] else f"Layers {layers[1]} to {layers[0]}"


def tick_texts(found: Reach) -> list[str]:
    """What stands under the bar of each step: the layer that it comes to."""
    at = 1 if found.way == "up" else 0
    return ["none" if step.layers is None else str(step.layers[at]) for step in found.steps]


def growth_text(trace: Trace, found: Reach, *, line: bool = True) -> str:
    """When all is seen, against a ViT, which a dashed line stands for where there is a `line`."""
    counts, total = found.counts, found.grid.size
    whole = next((i for i, count in enumerate(counts) if count == total), None)
    words = (_down_text if found.way == "down" else _up_text)(trace, found, whole)
    return f"{words if line else words.replace(' (dashed)', '')} {found.note}".rstrip()


def _down_text(trace: Trace, found: Reach, whole: int | None) -> str:
    last = max(step.layers[1] for step in found.steps if step.layers is not None)
    windows = trace.layers[last].windows
    if whole == 1 and windows is None:
        return "One layer is enough, as in every ViT."
    if whole == 1:
        return (
            f"One layer is enough, as in a ViT: a window of layer {last} covers all {found.steps[0].own.rows} x "
            f"{found.steps[0].own.cols} patches of its stage. Upwards shows how it grew stage by stage."
        )
    count = len(found.steps) - 1
    when = f"All through the last {whole} layers" if whole else f"Not all even through all {count} layers"
    return f"{when}; a ViT's token sees all through any one layer (dashed)."


def _up_text(trace: Trace, found: Reach, whole: int | None) -> str:
    if whole == 0:
        return "All patches from the first layer on, as in every ViT."
    when = f"All after {whole + 1} layers" if whole is not None else f"Not all even after {len(found.steps)} layers"
    return f"{when}; a ViT sees all from the first layer on (dashed)."


def _named(trace: Trace, index: int) -> str:
    title = trace.layers[index].title
    return f"{index} ({title})" if title else str(index)


def _layer(trace: Trace, index: int) -> str:
    return f"layer {_named(trace, index)}"
