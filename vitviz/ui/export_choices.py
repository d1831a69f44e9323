"""What a figure can be, what it is at first, and what of its choices is kept from one export to the next."""

from __future__ import annotations

import json
from dataclasses import replace

from vitviz.attention.methods import METHODS
from vitviz.attention.values import Method
from vitviz.render.codec import from_json, to_json
from vitviz.render.figure import Figure
from vitviz.render.plan import MOVING, NUMBERS, Over, Plan

FORMATS = (
    ("PNG picture", "png"), ("SVG drawing", "svg"), ("PDF document", "pdf"), ("Mask, black and white PNG", "mask"),
    ("Animated GIF", "gif"), ("Animated PNG", "apng"), ("Numbers, NPZ", "npz"),
    ("Numbers, safetensors", "safetensors"),
)  # fmt: skip
OVERS = (
    ("The shown map", "map"), ("All heads", "heads"), ("All layers", "layers"), ("All patches as queries", "queries"),
    ("All methods", "methods"),
)  # fmt: skip
SIZES = (("One column of a paper, 85 mm", "one column"), ("Two columns, 174 mm", "two columns"),
         ("Another width", "other"), ("The picture's own pixels, and what is around them", "own"),
         ("The picture's own pixels alone", "alone"))  # fmt: skip


SCALES = (("One for all", "figure"), ("Each its own", "map"), ("From 0, shared in a layer", "layer"),
          ("From 0, shared by all layers", "all"), ("Fixed, as in the window", "fixed"))  # fmt: skip


def legal_overs(kind: str, method: Method) -> list[Over]:
    """What a file of a kind can be over; a method that is of no layer and head is one map for all of them."""
    about = METHODS[method]
    varied: list[Over] = ["heads", "layers"] if about.of_head else []
    queries: list[Over] = ["queries"] if about.of_query else []
    if kind in MOVING:
        return [*reversed(varied), *queries]
    if kind == "mask":
        return ["map"]
    return ["map", *varied, "methods", *(queries if kind in NUMBERS else [])]


def remembered(plan: Plan) -> str:
    """What of a plan is kept for the next time, as JSON: all but selection, style and words of one figure."""
    kept = to_json(replace(plan, figure=replace(plan.figure, title="", label="")))
    return json.dumps({k: kept[k] for k in ("figure", "format", "over", "seconds", "mass")})


def begun(plan: Plan, text: str) -> Plan:
    """The plan that the dialog begins with: with what was kept, else as a figure with a colour bar and its numbers."""
    return recalled(plan, text) if text else replace(plan, figure=Figure.for_paper())


def recalled(plan: Plan, text: str) -> Plan:
    """The plan with what was kept; as it is where that can't be read."""
    try:
        kept = json.loads(text) if text else {}
        fields = {k: v for k, v in kept.items() if k in ("figure", "format", "over", "seconds", "mass")}
        found = from_json(Plan, fields)
    except (ValueError, AttributeError, RecursionError):
        return plan
    if not fields:
        return plan
    names = ["figure", "format", "over", "seconds", "mass"]
    legal = legal_overs(found.format, plan.selection.method)
    if found.over not in legal:
        # It was asked for of another method.
        found = replace(found, over="map", format=found.format if "map" in legal else "png")
    return replace(plan, **{name: getattr(found, name) for name in names})
