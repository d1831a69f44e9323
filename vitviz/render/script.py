"""A view as the few lines of Python that make it: what "Copy as Python" puts on the clipboard."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from vitviz.attention.values import Ablation, Place, RolloutOptions, Selection
from vitviz.images import Image
from vitviz.render.plan import Plan

_PLACED = "figure.png"


def python_of(plan: Plan, image: Image, source: str, options: dict[str, Any], ablation: Ablation | None = None) -> str:
    """Lines that read the picture, load the model, trace it and draw the overlay of a plan.

    Args:
        plan: its selection and style, the limits in numbers.
        image: the picture; one without a file is named as a file to be saved.
        source, options: as load_model takes them; options that are None are left out.
    """
    chosen, style = plan.selection, plan.style
    words = [f"{name}={_literal(value)}" for name, value in options.items() if value is not None]
    if options.get("pretrained") is True:
        words.remove("pretrained=True")
    if options.get("precision") == "float32":
        words.remove("precision='float32'")
    path = str(image.path) if image.path else f"{Path(image.name).stem}.png"
    lines = [
        "import PIL.Image",
        "import vitviz",
        "",
        f"image = vitviz.read_image({path!r})" + ("" if image.path else "  # save the pasted picture there first"),
        f"model = vitviz.load_model({', '.join([repr(source), *words])})",
        f"trace = vitviz.trace(model, image{_without(ablation)})",
        f"m = {_map(chosen)}",
        "rgb = vitviz.overlay(image, m, " + ", ".join(_style(style)) + ")",
        f'PIL.Image.fromarray(rgb).save("{_PLACED}")',
    ]
    return "\n".join(lines) + "\n"


def _without(ablation: Ablation | None) -> str:
    if not ablation:
        return ""
    heads = ", ".join(str(pair) for pair in sorted(ablation.heads))
    return f", ablation=vitviz.Ablation(frozenset([{heads}]), {ablation.to!r})"


def _map(chosen: Selection) -> str:
    query = _literal(chosen.query)
    if chosen.method == "attention":
        parts = f"layer={chosen.layer}, head={chosen.head!r}, query={query}, direction={chosen.direction!r}"
        return f"vitviz.attention_map(trace, {parts})"
    if chosen.method == "rollout":
        given, usual = getattr(chosen, "options", None) or RolloutOptions(), RolloutOptions()
        changed = [f.name for f in fields(given) if getattr(given, f.name) != getattr(usual, f.name)]
        return (
            f"vitviz.rollout(trace, {', '.join([f'query={query}', *(f'{n}={getattr(given, n)!r}' for n in changed)])})"
        )
    return f"vitviz.relevance(model, image, target={chosen.target!r}, method={chosen.method!r}, seen=trace)"


def _style(style: Any) -> list[str]:
    return [f"{f.name}={_literal(getattr(style, f.name))}" for f in fields(style)]


def _literal(value: Any) -> str:
    return f"vitviz.Place({value.x!r}, {value.y!r})" if isinstance(value, Place) else repr(value)
