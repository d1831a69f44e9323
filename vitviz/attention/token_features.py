"""What the tokens themselves hold, layer by layer: norms, principal components, likeness to a patch.

Norms: Darcet et al. 2023 (arXiv 2309.16588), the outliers that registers cure. Components as colours: Oquab et al. 2023
(arXiv 2304.07193), figure 1. Likeness: Amir et al. 2021 (arXiv 2112.05814).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from vitviz.attention.maps import token_of
from vitviz.attention.trace import Trace
from vitviz.attention.values import Map, Query, Selection, query_of
from vitviz.errors import AttentionError
from vitviz.images import View
from vitviz.models.layout import Grid

Side = Literal["above", "below"]


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """The first three principal components of the patches of one layer.

    Attributes:
        scores: (gh, gw, 3) float32, each patch along the components; of the foreground alone where there is one, and
            0 outside it.
        colors: (gh, gw, 3) uint8, each component from its least to its largest value as red, green, blue.
        foreground: (gh, gw) bool, all True without a threshold.
        explained: the share of the variance along each component, (3,) float64.
    """

    scores: np.ndarray = field(repr=False)
    colors: np.ndarray = field(repr=False)
    foreground: np.ndarray = field(repr=False)
    explained: np.ndarray
    layer: int
    grid: Grid
    view: View
    layer_name: str


def token_norms(trace: Trace, layer: int) -> Map:
    """The length of every token after a layer's block.

    Returns:
        a Map whose values (gh, gw) float32 are Euclidean norms, without unit; those of the prefix tokens are its
        `prefix_weights`.
    """
    return Features(trace).norms(layer)


def feature_components(
    trace: Trace, layer: int, *, foreground: float | None = None, side: Side = "above"
) -> Components:
    """The first three principal components of the patches' features after a layer's block.

    Args:
        foreground: where given, patches whose first component, scaled to 0..1, lies beyond it are the foreground, and
            the components are those of the foreground alone, as in DINOv2.
        side: which side of it is the foreground; the sign of a component means nothing.

    Raises AttentionError where fewer than two patches are left.
    """
    return Features(trace).components(layer, foreground, side)


def feature_similarity(trace: Trace, layer: int, query: Query | None = None) -> Map:
    """How alike the features of the query and of every patch are after a layer's block.

    Returns:
        a Map whose values (gh, gw) float32 are cosines, -1 to 1; those of the prefix tokens are its `prefix_weights`.
    """
    return Features(trace).similarity(layer, query)


class Features:
    """The tokens of a trace, with what is computed once for many looks at the same layer."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        # Of one layer only: a copy of every layer would be as large as the trace.
        self._tokens: tuple[int, np.ndarray] | None = None
        self._units: tuple[int, np.ndarray] | None = None

    def tokens(self, layer: int) -> np.ndarray:
        """(N, D) float32."""
        index, kept = self._trace.layer(layer).index, self._tokens
        if kept is None or kept[0] != index:
            kept = self._tokens = index, self._trace.features(index)
        return kept[1]

    def norms(self, layer: int) -> Map:
        """See `token_norms`."""
        found = np.linalg.norm(self.tokens(layer), axis=1)
        return self._map(layer, found, "token norm", None, None)

    def similarity(self, layer: int, query: Query | None = None) -> Map:
        """See `feature_similarity`."""
        found = self._trace.layer(layer)
        query = self._trace.default_query if query is None else query_of(query)
        token, cell = token_of(self._trace, found, query, lenient=not isinstance(query, tuple))
        kept = self._units
        if kept is None or kept[0] != found.index:
            kept = self._units = found.index, _unit(self.tokens(layer))
        units = kept[1]
        if token is None:
            chosen = _unit(self.tokens(layer)[found.num_prefix_tokens :].mean(0, keepdims=True))[0]
            query = "mean"
        else:
            chosen = units[token]
        return self._map(layer, units @ chosen, "token similarity", query, cell)

    def components(self, layer: int, foreground: float | None = None, side: Side = "above") -> Components:
        """See `feature_components`."""
        found = self._trace.layer(layer)
        patches = self.tokens(layer)[found.num_prefix_tokens :].astype(np.float64)
        scores, explained = _principal(patches)
        inside = np.ones(len(patches), dtype=bool)
        if foreground is not None:
            first = _scaled(scores[:, 0])
            inside = first >= foreground if side == "above" else first <= foreground
            if inside.sum() < 2:
                raise AttentionError(
                    f"The threshold {foreground:g} leaves {int(inside.sum())} patches of layer {found.index} as "
                    "foreground: choose one nearer to the middle, or the other side."
                )
            within, explained = _principal(patches[inside])
            scores = np.zeros_like(scores)
            scores[inside] = within
        colors = np.zeros((len(patches), 3), dtype=np.uint8)
        colors[inside] = np.stack([_scaled(scores[inside, i]) for i in range(3)], -1) * 255 + 0.5
        shape = found.query_grid.shape
        return Components(
            scores=scores.astype(np.float32).reshape(*shape, 3),
            colors=colors.reshape(*shape, 3),
            foreground=inside.reshape(shape),
            explained=explained,
            layer=found.index,
            grid=found.query_grid,
            view=self._trace.view,
            layer_name=found.name,
        )

    def _map(
        self,
        layer: int,
        values: np.ndarray,
        method: Literal["token norm", "token similarity"],
        query: Query | None,
        cell: tuple[int, int] | None,
    ) -> Map:
        found = self._trace.layer(layer)
        count = found.num_prefix_tokens
        return Map(
            values=np.ascontiguousarray(values[count:].reshape(found.query_grid.shape), dtype=np.float32),
            selection=Selection(found.index, "mean", query, method=method),
            grid=found.query_grid,
            view=self._trace.view,
            layer_name=found.name,
            model_name=self._trace.model_name,
            image_name=self._trace.image_name,
            prefix_weights={n: float(v) for n, v in zip(found.prefix_tokens, values, strict=False)},
            query_cell=cell,
            ablation=self._trace.ablation,
            layer_title=found.title,
        )


def _unit(tokens: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(tokens, axis=1, keepdims=True)
    units: np.ndarray = tokens / np.maximum(norms, np.finfo(tokens.dtype).tiny)
    return units


def _principal(patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores (n, 3) along the first three principal components, and their shares of the variance (3,).

    The largest score by size of each component is positive, so that the same features have the same colours.
    """
    centred = patches - patches.mean(0)
    wide = centred.shape[0] < centred.shape[1]
    # The eigenvectors of the smaller of the two products: a tenth of the time of a decomposition of the matrix itself.
    product = centred @ centred.T if wide else centred.T @ centred
    values, vectors = np.linalg.eigh(product)
    values, vectors = values[::-1].clip(0.0), vectors[:, ::-1][:, :3]
    scores = vectors * np.sqrt(values[:3]) if wide else centred @ vectors
    missing = 3 - scores.shape[1]
    scores = np.pad(scores, ((0, 0), (0, missing)))
    signs = np.sign(scores[np.abs(scores).argmax(0), range(3)])
    total = values.sum()
    shares = np.pad(values[:3], (0, max(0, 3 - len(values)))) / (total if total > 0 else 1.0)
    return scores * np.where(signs == 0, 1.0, signs), shares


def _scaled(values: np.ndarray) -> np.ndarray:
    span = values.max() - values.min()
    scaled: np.ndarray = (values - values.min()) / (span if span > 0 else 1.0)
    return scaled
