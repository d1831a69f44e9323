"""What each head does as a number: mean attention distance, entropy, and the weight on class token, registers and sink.

Distance: Dosovitskiy et al. 2020 (arXiv 2010.11929), figures 7 and 11; google-research/vision_transformer issue 162.
Sinks and registers: Darcet et al. 2023 (arXiv 2309.16588).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from vitviz.attention.layer import Layer
from vitviz.attention.trace import Trace
from vitviz.errors import AttentionError, Cancelled
from vitviz.models.layout import Grid

Definition = Literal["vit", "renormalised"]
Progress = Callable[[float | None, str], None]


@dataclass(frozen=True, slots=True)
class LayerStatistics:
    """The heads of one layer.

    Attributes:
        distance: by definition, (H,) in pixels of the view; NaN for a pool, whose query lies nowhere.
        entropy: (H,) in nats, the mean over all queries.
        prefix_mass: (P, H), the share that the patches spend on each prefix token, the mean over patches as queries.
        sink_mass: (H,), the largest share that the patches spend together on one patch.
        sink: (H,), that patch, row-major over the grid.
    """

    distance: dict[str, np.ndarray]
    entropy: np.ndarray
    prefix_mass: np.ndarray
    sink_mass: np.ndarray
    sink: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class HeadStatistics:
    """One number of each kind for every head of every layer, of one picture or the mean over several.

    Every array is (L, H_max) float32, NaN where a layer has fewer heads (or no such token).

    Attributes:
        distance_vit: mean attention distance in pixels of the view, weights as they are.
        distance_renormalised: the same after dropping the prefix columns and normalising each row.
        entropy: of the rows in nats, at most ln N.
        prefix_mass: the share on each prefix token, by name.
        sink_mass: the largest share on any one patch.
        sink: per layer the (row, column) of that patch for every head; empty for a mean over pictures.
        heads, layer_names: how many heads each layer has, and its name.
        pictures: names of the pictures.
    """

    distance_vit: np.ndarray = field(repr=False)
    distance_renormalised: np.ndarray = field(repr=False)
    entropy: np.ndarray = field(repr=False)
    prefix_mass: dict[str, np.ndarray] = field(repr=False)
    sink_mass: np.ndarray = field(repr=False)
    sink: tuple[tuple[tuple[int, int], ...], ...] = field(repr=False)
    heads: tuple[int, ...]
    layer_names: tuple[str, ...] = field(repr=False)
    model_name: str
    pictures: tuple[str, ...]


def attention_distance(trace: Trace, definition: Definition = "vit") -> np.ndarray:
    """How far each head looks: the mean distance between patch centres, weighted by attention, mean over queries.

    Args:
        trace: of one picture.
        definition: "vit" takes patch-to-patch weights as they are, so weight on the class token counts as distance 0;
            "renormalised" drops the prefix columns and normalises each row first.

    Returns:
        (L, H_max) float32 in pixels of the model's view, NaN where a layer has fewer heads.

    Raises AttentionError for an unknown definition. Dosovitskiy et al. 2020, figures 7 and 11.
    """
    if definition not in ("vit", "renormalised"):
        raise AttentionError(f"The definition {definition!r} is unknown: give 'vit' or 'renormalised'.")
    found = head_statistics(trace)
    return found.distance_vit if definition == "vit" else found.distance_renormalised


def attention_entropy(trace: Trace) -> np.ndarray:
    """How widely each head looks: -sum a ln a of its rows, mean over all queries.

    Returns:
        (L, H_max) float32 in nats, at most ln N (in a windowed layer ln of the places of a window); NaN where a layer
        has fewer heads.
    """
    return head_statistics(trace).entropy


def head_statistics(
    trace: Trace,
    *,
    progress: Progress = lambda fraction, text: None,
    cancel: Callable[[], bool] = lambda: False,
) -> HeadStatistics:
    """All the numbers of this module, in one walk over the rows in chunks.

    Args:
        trace: of one picture.
        progress: called with (fraction, text) at every layer.
        cancel: asked at every chunk; True raises Cancelled.
    """
    layers = []
    for layer in trace.layers:
        progress(layer.index / len(trace.layers), f"Head statistics: layer {layer.index}")
        layers.append(layer_statistics(layer, cancel))
    return gathered(trace, layers)


@torch.inference_mode()
def layer_statistics(layer: Layer, cancel: Callable[[], bool] = lambda: False) -> LayerStatistics:
    """The numbers of one layer's heads."""
    sums = _Sums(layer)
    for queries, keys, weights in layer.blocks():
        if cancel():
            raise Cancelled("The head statistics were cancelled.")
        sums.add(queries, keys, weights)
    return sums.result()


class _Sums:
    """Adds up one layer chunk by chunk; doubles, since 1024 px are millions of rows."""

    def __init__(self, layer: Layer) -> None:
        self._prefix, self._grid = layer.num_prefix_tokens, layer.grid
        self._placed = layer.kind != "pool"
        self._queries = _centres(layer.query_grid, self._prefix, layer.device)
        self._keys = _centres(layer.grid, self._prefix, layer.device)
        self._rows = self._looks = 0
        self._distance, self._renormalised, self._entropy = (np.zeros(layer.num_heads) for _ in range(3))
        self._received = torch.zeros(layer.num_heads, layer.num_keys + 1, dtype=torch.float32, device=layer.device)

    def add(self, queries: Tensor, keys: Tensor, weights: Tensor) -> None:
        """Add blocks (b, n), (b, m), (b, H, n, m); tokens that are -1 are padding, whose rows do not count."""
        real = (queries >= 0).float()  # (b, n)
        self._rows += int(real.sum())
        self._entropy += _total(torch.special.entr(weights).sum(-1) * real.unsqueeze(1))
        # A pool's queries are no tokens: each of its rows counts as a look.
        patches = (queries >= self._prefix).float() if self._placed else torch.ones_like(real)
        self._looks += int(patches.sum())
        received = torch.einsum("bhnm,bn->hbm", weights, patches).flatten(1)
        self._received.index_add_(1, keys.flatten() % (self._received.shape[1]), received)
        if self._placed:
            # Its quick way through a product of matrices is wrong by pixels for near neighbours.
            apart = torch.cdist(self._queries[queries], self._keys[keys], compute_mode="donot_use_mm_for_euclid_dist")
            apart = apart * (keys >= self._prefix).unsqueeze(1) * patches.unsqueeze(-1)
            # Not as a product of matrices: its plain sums over a thousand keys are off in the sixth digit.
            travelled = (weights * apart.unsqueeze(1)).sum(-1)
            mass = (weights * (keys >= self._prefix)[:, None, None]).sum(-1)
            self._distance += _total(travelled)
            self._renormalised += _total(travelled / mass.clamp_min(torch.finfo(mass.dtype).tiny))

    def result(self) -> LayerStatistics:
        looks, rows = max(self._looks, 1), max(self._rows, 1)
        mean = (self._received[:, :-1].double().cpu() / looks).numpy()
        patches = mean[:, self._prefix :]
        distance = {"vit": self._distance / looks, "renormalised": self._renormalised / looks}
        if not self._placed:
            distance = {name: np.full_like(each, np.nan) for name, each in distance.items()}
        return LayerStatistics(
            distance, self._entropy / rows, mean[:, : self._prefix].T, patches.max(1), patches.argmax(1)
        )


def _centres(grid: Grid, prefix: int, device: torch.device) -> Tensor:
    """The middle of every token's patch (N + 1, 2) in pixels of the view; prefix tokens and padding lie at 0."""
    rows, cols = np.divmod(np.arange(grid.size), grid.cols)
    patches = np.stack([(rows + 0.5) * grid.stride[0], (cols + 0.5) * grid.stride[1]], -1)
    padded = np.concatenate([np.zeros((prefix, 2)), patches, np.zeros((1, 2))])
    return torch.from_numpy(padded.astype(np.float32)).to(device)


def _total(values: Tensor) -> np.ndarray:
    total: np.ndarray = values.cpu().double().sum((0, 2)).numpy()
    return total


def gathered(trace: Trace, layers: Sequence[LayerStatistics]) -> HeadStatistics:
    """The numbers of all layers of a trace, side by side."""
    heads = tuple(layer.num_heads for layer in trace.layers)
    names = dict.fromkeys(name for layer in trace.layers for name in layer.prefix_tokens)

    def table(rows: Sequence[np.ndarray | None]) -> np.ndarray:
        filled = np.full((len(heads), max(heads)), np.nan, dtype=np.float32)
        for row, values in zip(filled, rows, strict=True):
            if values is not None:
                row[: len(values)] = values
        return filled

    def share(name: str) -> list[np.ndarray | None]:
        return [
            each.prefix_mass[layer.prefix_tokens.index(name)] if name in layer.prefix_tokens else None
            for layer, each in zip(trace.layers, layers, strict=True)
        ]

    return HeadStatistics(
        distance_vit=table([each.distance["vit"] for each in layers]),
        distance_renormalised=table([each.distance["renormalised"] for each in layers]),
        entropy=table([each.entropy for each in layers]),
        prefix_mass={name: table(share(name)) for name in names},
        sink_mass=table([each.sink_mass for each in layers]),
        sink=tuple(
            tuple(divmod(int(token), layer.grid.cols) for token in each.sink)
            for layer, each in zip(trace.layers, layers, strict=True)
        ),
        heads=heads,
        layer_names=tuple(layer.name for layer in trace.layers),
        model_name=trace.model_name,
        pictures=(trace.image_name,),
    )
