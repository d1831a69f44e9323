"""The few phrases that several panels use, so that one thing has one name everywhere."""

from __future__ import annotations

from vitviz.attention.values import Head, Query

NAMES = {"cls": "CLS", "dist": "DIST", "mean": "MEAN"}


def token_name(token: str) -> str:
    """A token's name as it stands on its chip: "CLS", "REG0"."""
    return NAMES.get(token, token.upper())


def head_text(head: Head) -> str:
    """ "head 3", or "mean of heads"."""
    return f"head {head}" if isinstance(head, int) else f"{head} of heads"


def query_text(query: Query | None, cell: tuple[int, int] | None) -> str:
    """ "patch (5, 7)" (row, column), a token's name, or "the mean patch"."""
    if cell is not None:
        return f"patch ({cell[0]}, {cell[1]})"
    if query == "mean":
        return "MEAN (all patches)"
    return token_name(query) if isinstance(query, str) else "-"


def weight_text(weight: float) -> str:
    """An attention weight with four significant digits, however small it is."""
    return f"{weight:.4f}" if weight == 0 or abs(weight) >= 0.01 else f"{weight:.3e}"
