"""What torch and timm say of weights that don't fit, in one sentence: how many of each kind, by whole names."""

from __future__ import annotations

import re
import textwrap

SHOWN = 4
_MISSING = re.compile(r'Missing key\(s\) in state_dict: ((?:"[^"]*"(?:, )?)+)')
_LEFT = re.compile(r'Unexpected key\(s\) in state_dict: ((?:"[^"]*"(?:, )?)+)')
_SHAPE = re.compile(
    r"size mismatch for (\S+): copying a param with shape torch\.Size\(\[([\d, ]*)\]\) from checkpoint, "
    r"the shape in current model is torch\.Size\(\[([\d, ]*)\]\)"
)


def misfit(error: Exception) -> str:
    """What does not fit, such as "2 weights are missing (a, b)"; the error's own words where it is of another kind."""
    text = " ".join(str(error).split())
    parts = []
    for pattern, what in ((_MISSING, "missing"), (_LEFT, "left over")):
        if found := pattern.search(text):
            names = re.findall(r'"([^"]*)"', found[1])
            parts.append(_counted(names, what))
    shapes = [
        f"{name} is {_sides(given)} and should be {_sides(wanted)}" for name, given, wanted in _SHAPE.findall(text)
    ]
    if shapes:
        parts.append(_counted(shapes, "of another shape"))
    return "; ".join(parts) or textwrap.shorten(text, 400, placeholder=" …")


def _counted(names: list[str], what: str) -> str:
    rest = len(names) - SHOWN
    shown = ", ".join(names[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")
    return f"{len(names)} weight{' is' if len(names) == 1 else 's are'} {what} ({shown})"


def _sides(shape: str) -> str:
    return shape.replace(", ", " x ") or "a single number"
