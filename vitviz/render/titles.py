"""What a map is, in words: the same over a pane and in a figure."""

from __future__ import annotations

from vitviz.attention.methods import TOKENS, about
from vitviz.attention.values import Head, Map, Query
from vitviz.render.sequence import token_name


def head_text(head: Head) -> str:
    """ "head 3", or "mean of heads"."""
    return f"head {head}" if isinstance(head, int) else f"{head} of heads"


def layer_text(index: int, title: str = "") -> str:
    """ "Layer 5", or "Layer 5 (2.1 shifted)" in networks with stages."""
    return f"Layer {index} ({title})" if title else f"Layer {index}"


def query_text(query: Query | None, cell: tuple[int, int] | None) -> str:
    """ "patch (5, 7)" (row, column), a token's name, or "the mean patch"."""
    if cell is not None:
        return f"patch ({cell[0]}, {cell[1]})"
    if query == "mean":
        return "MEAN (all patches)"
    if query == "pool":
        return "the pool's query"
    return token_name(query) if isinstance(query, str) else "-"


def asked_text(shown: Map) -> str:
    """The token that looks in a map, or is looked at; on an attention pool that is its own, whatever was asked for."""
    return query_text("pool" if shown.from_pool else shown.selection.query, shown.query_cell)


def map_text(shown: Map, label: str = "") -> str:
    """What a map is, as a title: method, layers and heads, class, and the token that looks."""
    chosen, query = shown.selection, asked_text(shown)
    if chosen.method == "attention":
        off = " (off)" if chosen.head in shown.ablation.of(chosen.layer) else ""
        where = f"{layer_text(chosen.layer, shown.layer_title)} · {head_text(chosen.head)}{off}"
        return f"{where} · attention {chosen.direction} {query}"
    title = about(shown).title
    if chosen.method in TOKENS:
        to = f" to {query}" if about(shown).of_query else ""
        return f"{title}{to} · after {layer_text(chosen.layer, shown.layer_title).lower()}"
    if about(shown).of_features:
        return f"{title} for {label or f'class {chosen.target}'}"
    if chosen.method == "rollout":
        return f"{title} from {query} · {shown.layer_name} · {head_text(chosen.head)}"
    return f"{title} for {label or f'class {chosen.target}'} · from {query}"
