"""The roles of the tensors in one layer of unknown naming: norms, q, k, v, output, MLP; by shape, then by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from vitviz.models.unknown.naming import ATTENTION, FEED, OUT, SCALES, count, natural, place, shared
from vitviz.models.unknown.projections import FUSED, NoBlockError, attention_of, fused
from vitviz.models.unknown.units import Trunk, Unit, joined_heads, listed

_TABLES = ("relative_position", "logit_scale", "cpb_mlp", "rel_pos", "rope")


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """The layers of a trunk under the names of timm's blocks.

    Attributes:
        tensors: of each layer: norm1, norm2, attn.qkv, attn.proj, mlp.fc1, mlp.fc2, each .weight and .bias.
        width: of a token (D). inner: of all heads (A). hidden: of the MLP.
        heads: where the file has a matrix for each head.
        qkv: how q, k and v were found, for the report.
        qkv_bias: whether any of q, k, v has a bias.
        notes: what was converted.
        places: the name after the layer's number for each role, for the report.
    """

    tensors: tuple[dict[str, Tensor], ...]
    width: int
    inner: int
    hidden: int
    heads: int | None
    qkv: str
    qkv_bias: bool
    notes: tuple[str, ...]
    places: dict[str, str]


def layers_of(trunk: Trunk) -> Layers:
    """The layers of a trunk by role; NoBlockError where they are none."""
    joined = [joined_heads(layer) for layer in trunk.layers]
    heads = joined[0][1]
    plan = _Plan(joined[0][0])
    tensors = tuple(plan.tensors(layer) for layer, _ in joined)
    first = tensors[0]
    notes = list(plan.notes)
    if heads is not None:
        notes.append(f"joined the matrices of {heads} heads")
    return Layers(
        tensors=tensors,
        width=plan.width,
        inner=first["attn.qkv.weight"].shape[0] // 3,
        hidden=first["mlp.fc1.weight"].shape[0],
        heads=heads,
        qkv=f"a matrix each for {heads} heads" if heads else plan.kind,
        qkv_bias="attn.qkv.bias" in first,
        notes=tuple(notes),
        places=plan.places,
    )


class _Plan:
    """Which unit of a layer has which role, from the first layer."""

    def __init__(self, units: Mapping[str, Unit]) -> None:
        self.notes: list[str] = []
        if tables := [unit for name, unit in units.items() if any(table in name for table in _TABLES)]:
            raise NoBlockError(f"they have a bias for relative positions, as Swin and BEiT have: {listed(tables)}")
        if odd := [unit for unit in units.values() if unit.weight.dim() not in (1, 2)]:
            raise NoBlockError(f"its layers hold tensors that a plain transformer has not: {listed(odd)}")
        matrices = {name: unit for name, unit in units.items() if unit.weight.dim() == 2}
        vectors = {name: unit for name, unit in units.items() if unit.weight.dim() == 1}
        attention = attention_of(matrices)
        if not attention:
            raise NoBlockError(f"its layers hold no q, k and v: found {listed(units.values())}")
        norms = {name: unit for name, unit in vectors.items() if unit.is_norm}
        if not norms:
            raise NoBlockError(
                "its norms have no bias, and whether they are LayerNorm or RMSNorm no file tells: "
                f"found {listed(units.values())}"
            )
        self.width = max(unit.shape[0] for unit in norms.values())
        self._attention = attention
        self._turned, inner, self.kind = self._orientation(matrices)
        rest = {name: unit for name, unit in matrices.items() if name not in attention}
        self._out = self._output(rest, inner)
        self._first, self._second = self._feed({n: u for n, u in rest.items() if n != self._out})
        self._norm1, self._norm2 = self._norms(norms)
        self._scales = self._layer_scales({n: u for n, u in vectors.items() if n not in norms})
        if self._out is None:
            self.notes.append("no output projection in the file: the identity stands in")
        if self._scales:
            self.notes.append("layer scale multiplied into the matrices that it follows")

    @property
    def places(self) -> dict[str, str]:
        """Role -> name after the layer's number."""
        parts = {
            "q, k, v": " ".join(self._attention),
            "output": self._out or "none",
            "MLP": f"{self._first} {self._second}",
        }
        return {"norms": f"{self._norm1} {self._norm2}", **parts}

    def tensors(self, layer: Mapping[str, Unit]) -> dict[str, Tensor]:
        """One layer under timm's names."""
        turned = {n: u.turned() if u.weight.dim() == 2 and self._is_turned(u) else u for n, u in layer.items()}
        found: dict[str, Tensor] = {}

        def put(role: str, weight: Tensor, bias: Tensor | None) -> None:
            found[f"{role}.weight"] = weight
            # A Linear without bias is one with a bias of zeros.
            found[f"{role}.bias"] = weight.new_zeros(weight.shape[0]) if bias is None else bias

        put("norm1", turned[self._norm1].weight, turned[self._norm1].bias)
        put("norm2", turned[self._norm2].weight, turned[self._norm2].bias)
        weight, bias = fused([(part, turned[name]) for name, part in self._attention.items()])
        found["attn.qkv.weight"] = weight
        if bias is not None:
            found["attn.qkv.bias"] = bias
        if self._out is None:
            put("attn.proj", torch.eye(self.width, dtype=weight.dtype, device=weight.device), None)
        else:
            put("attn.proj", turned[self._out].weight, turned[self._out].bias)
        put("mlp.fc1", turned[self._first].weight, turned[self._first].bias)
        put("mlp.fc2", turned[self._second].weight, turned[self._second].bias)
        for role, name in zip(("attn.proj", "mlp.fc2"), self._scales, strict=False):
            scale = layer[name].weight
            found[f"{role}.weight"] = found[f"{role}.weight"] * scale[:, None]
            found[f"{role}.bias"] = found[f"{role}.bias"] * scale
        return found

    def _is_turned(self, unit: Unit) -> bool:
        return self._turned == "all" or (self._turned == "raw" and unit.raw)

    def _orientation(self, matrices: Mapping[str, Unit]) -> tuple[str, int, str]:
        """Whether matrices are (in, out), the width of all heads, and how q, k and v are held."""
        width = self.width
        parts = {part: matrices[name] for name, part in self._attention.items()}
        kind = {("qkv",): FUSED, ("q", "k", "v"): "a matrix each", ("q", "kv"): "q, and k with v"}
        held = kind[tuple(part for part in ("q", "k", "v", "kv", "qkv") if part in parts)]
        one = parts.get("qkv", parts.get("q"))
        assert one is not None
        share = 3 if "qkv" in parts else 1
        turned = "none"
        if one.shape[1] != width:
            if one.shape[0] != width:
                raise NoBlockError(
                    f"q, k and v don't take the {width} values of a token: found {listed(parts.values())}"
                )
            turned = "raw" if one.raw else "all"
        elif any(unit.raw for unit in matrices.values() if unit not in parts.values()) and self._feeds_turned(matrices):
            turned = "raw"
        if turned != "none":
            self.notes.append("matrices held as (in, out) turned to (out, in)")
        rows = _turned_shape(one, turned)[0]
        heights = {part: _turned_shape(unit, turned) for part, unit in parts.items()}
        if rows % share or any(shape != (rows * (2 if part == "kv" else 1), width) for part, shape in heights.items()):
            raise NoBlockError(f"q, k and v have different widths: found {listed(parts.values())}")
        return turned, rows // share, held

    def _feeds_turned(self, matrices: Mapping[str, Unit]) -> bool:
        """Whether bare matrices are used as x @ W: the first of the MLP's two is then (D, M)."""
        feed = {n: u for n, u in matrices.items() if n not in self._attention and u.shape[0] != u.shape[1]}
        if len(feed) != 2:
            return True  # square ones don't tell; bare matrices are mostly used so
        first, second = sorted(feed, key=place)
        return feed[first].shape[0] == self.width and feed[second].shape[1] == self.width

    def _output(self, rest: Mapping[str, Unit], inner: int) -> str | None:
        fits = [name for name, unit in rest.items() if _turned_shape(unit, self._turned) == (self.width, inner)]
        pair = [name for name, unit in rest.items() if name not in fits]
        # Two other matrices make the MLP and leave the one that fits; where the MLP's fit as well, names decide.
        if len(fits) == 1 and len(pair) == 2:
            return fits[0]
        if len(rest) == 2 and inner == self.width:
            return None
        if not fits:
            raise NoBlockError(
                f"no matrix leads from q, k and v back to {self.width} values: found {listed(rest.values())}"
            )
        near = next(iter(self._attention))
        return max(
            fits,
            key=lambda name: (
                shared(name, near),
                count(name, OUT) - 2 * count(name, FEED) + 2 * count(name, ATTENTION),
                [(-number, "") for number, _ in natural(name)],
            ),
        )

    def _feed(self, rest: Mapping[str, Unit]) -> tuple[str, str]:
        if len(rest) == 3:
            raise NoBlockError(
                f"its MLP has three matrices, as gated ones (SwiGLU) have: found {listed(rest.values())}"
            )
        if len(rest) != 2:
            raise NoBlockError(
                f"its layers have {len(rest)} matrices where an MLP's two should be: {listed(rest.values())}"
            )
        shapes = {name: _turned_shape(unit, self._turned) for name, unit in rest.items()}
        ups = [name for name, (rows, columns) in shapes.items() if columns == self.width]
        downs = [name for name, (rows, columns) in shapes.items() if rows == self.width]
        if len(ups) == 2 and len(downs) == 2:
            first, second = sorted(rest, key=place)
        elif len(ups) == len(downs) == 1 and ups != downs and shapes[ups[0]][0] == shapes[downs[0]][1]:
            first, second = ups[0], downs[0]
        else:
            raise NoBlockError(f"two matrices that are no MLP: {listed(rest.values())}")
        return first, second

    def _norms(self, norms: Mapping[str, Unit]) -> tuple[str, str]:
        other = [unit for unit in norms.values() if unit.shape[0] != self.width]
        if other:
            raise NoBlockError(
                f"it has norms of q and k, or within its MLP, which this reader can't place: {listed(other)}"
            )
        if len(norms) != 2:
            raise NoBlockError(f"its layers have {len(norms)} norms instead of two: {listed(norms.values())}")
        near = next(iter(self._attention))

        def later(name: str) -> tuple[int, int, list[tuple[int, str]]]:
            return shared(name, self._first) - shared(name, near), *place(name)

        first, second = sorted(norms, key=later)
        return first, second

    def _layer_scales(self, vectors: Mapping[str, Unit]) -> tuple[str, ...]:
        if not vectors:
            return ()
        known = all(unit.shape == (self.width,) and count(name, SCALES) for name, unit in vectors.items())
        if not known or len(vectors) != 2:
            raise NoBlockError(f"its layers hold vectors without a role: {listed(vectors.values())}")
        near = next(iter(self._attention))
        return tuple(sorted(vectors, key=lambda n: (shared(n, self._first) - shared(n, near), *place(n))))


def _turned_shape(unit: Unit, turned: str) -> tuple[int, int]:
    rows, columns = unit.shape
    return (columns, rows) if turned == "all" or (turned == "raw" and unit.raw) else (rows, columns)
