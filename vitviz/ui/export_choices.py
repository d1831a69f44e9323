"""What a figure can be, what it is at first, and what of its choices is kept from one export to the next."""

from __future__ import annotations

import json
from dataclasses import replace

from vitviz.render.codec import from_json, to_json
from vitviz.render.figure import Figure
from vitviz.render.plan import Plan

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
    names = ("figure", "format", "over", "seconds", "mass")
    return replace(plan, **{name: getattr(found, name) for name in names}) if fields else plan
