"""The matrices of one layer that make q, k and v, and all three as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from vitviz.models.unknown.naming import ATTENTION, count, part_of
from vitviz.models.unknown.units import Unit, listed

FUSED = "one fused matrix"
# Torch's nn.MultiheadAttention has q, k and v in this order under "in_proj_weight", GPT-2 under "c_attn".
_ORDERED = ("qkv", "kqv", "query_key_value", "in_proj", "c_attn")


class NoBlockError(Exception):
    """These tensors are no layer of a plain vision transformer; the message says why."""


def attention_of(matrices: Mapping[str, Unit]) -> dict[str, str]:
    """Name -> part for the matrices that make q, k and v; empty where there are none."""
    parts: dict[str, list[str]] = {}
    for name in matrices:
        part = part_of(name)
        if part:
            parts.setdefault(part, []).append(name)
    for wanted in (("qkv",), ("q", "k", "v"), ("q", "kv")):
        if all(len(parts.get(part, ())) == 1 for part in wanted):
            return {parts[part][0]: part for part in wanted}
    if any(len(names) > 1 for names in parts.values()):
        raise NoBlockError(f"its layers attend more than once: found {listed(matrices.values())}")
    if parts:
        return {}
    # No name tells: a matrix three times as high as another one is wide, that leads back, with an MLP beside them.
    if len(matrices) != 4:
        return {}
    fused = []
    for name, unit in matrices.items():
        (rows, columns), others = unit.shape, [u.shape for n, u in matrices.items() if n != name]
        for height, width in ((rows, columns), (columns, rows)):
            if height % 3 == 0 and ((width, height // 3) in others or (height // 3, width) in others):
                fused.append(name)
    fused = sorted(dict.fromkeys(fused), key=lambda n: (-count(n, ATTENTION | {"in"}), matrices[n].order))
    return {fused[0]: "qkv"} if fused else {}


def tells_order(name: str) -> bool:
    """Whether the name of a fused matrix says in which order q, k and v lie in it; else they are taken in this one."""
    return any(word in name.lower() for word in _ORDERED)


def fused(parts: Sequence[tuple[str, Unit]]) -> tuple[Tensor, Tensor | None]:
    """One (3A, D) matrix with its bias, None where no part has one; as it is where the file has it so."""
    (part, unit), *others = parts
    if part == "qkv" and not others and "kqv" not in unit.name.lower():
        return unit.weight, unit.bias
    weights: list[Tensor] = []
    biases: list[Tensor | None] = []
    for part, unit in parts:
        chunks = len(part)
        split = list(unit.weight.chunk(chunks))
        given: list[Tensor | None] = [None] * chunks if unit.bias is None else list(unit.bias.chunk(chunks))
        if "kqv" in unit.name.lower():
            split[:2] = split[1::-1]
            given[:2] = given[1::-1]
        weights += split
        biases += given
    weight = torch.cat(weights)
    if all(bias is None for bias in biases):
        return weight, None
    filled = [w.new_zeros(w.shape[0]) if b is None else b for w, b in zip(weights, biases, strict=True)]
    return weight, torch.cat(filled)
