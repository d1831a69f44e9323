"""Tensors of unknown names, gathered: weight with bias, heads of a list as one matrix, numbered layers as a trunk."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vitviz.models.unknown.naming import part_of

_NUMBER = re.compile(r"(?<!\d)\d+(?!\d)")
# Norms whose author named the two vectors otherwise: {weight: bias}.
_PAIRS = {"gamma": "beta", "alpha": "beta", "a_2": "b_2", "g": "b", "scale": "offset", "scale_": "bias", "w": "b"}


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """A weight with its bias.

    Attributes:
        name: the path of the module, or of the parameter where no module holds it.
        raw: a bare matrix, which may be used as x @ W; else as nn.Linear, nn.Conv2d, nn.LayerNorm hold it.
        order: of the first of its keys in the file.
        keys: the names in the file.
    """

    name: str
    weight: Tensor
    bias: Tensor | None
    keys: tuple[str, ...]
    order: int
    raw: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the weight."""
        return tuple(self.weight.shape)

    @property
    def is_norm(self) -> bool:
        """Two vectors of one length."""
        return self.weight.dim() == 1 and self.bias is not None and self.bias.shape == self.weight.shape

    def turned(self) -> Unit:
        """The same with a matrix used as x @ W turned to nn.Linear's (out, in)."""
        return replace(self, weight=self.weight.mT, raw=False)


@dataclass(frozen=True, slots=True, eq=False)
class Trunk:
    """Layers that repeat: for each its units by the name after (or around) its number."""

    name: str
    layers: tuple[dict[str, Unit], ...]

    @property
    def keys(self) -> frozenset[str]:
        """All names in the file that lie in the trunk."""
        return frozenset(key for layer in self.layers for unit in layer.values() for key in unit.keys)


def units_of(tensors: Mapping[str, Tensor]) -> list[Unit]:
    """The tensors with each bias put to its weight, in the order of the file."""
    order = {key: i for i, key in enumerate(tensors)}
    units: list[Unit] = []
    taken: set[str] = set()
    for key, weight in tensors.items():
        name, bias = _with_bias(key, weight, tensors)
        if name is None:
            continue
        keys = (key,) if bias is None else (key, bias)
        taken.update(keys)
        raw = (bias is None and not key.endswith("weight")) or (weight.dim() == 2 and not key.endswith("weight"))
        units.append(Unit(name, weight, None if bias is None else tensors[bias], keys, order[key], raw))
    left = [key for key in tensors if key not in taken]
    units += [Unit(key, tensors[key], None, (key,), order[key], True) for key in left]
    return sorted(units, key=lambda unit: unit.order)


def _with_bias(key: str, weight: Tensor, tensors: Mapping[str, Tensor]) -> tuple[str | None, str | None]:
    """The unit's name and the bias's key; (None, None) where this key is a bias itself or has to wait."""
    parent, _, leaf = key.rpartition(".")
    dot = f"{parent}." if parent else ""

    def there(other: str) -> str | None:
        bias = tensors.get(f"{dot}{other}")
        # A vector as long as one side of the matrix; anything else of that name is a tensor of its own.
        return f"{dot}{other}" if bias is not None and bias.dim() == 1 and len(bias) in weight.shape else None

    if leaf == "weight":
        return parent, there("bias")
    if leaf.endswith("_weight"):
        return f"{dot}{leaf[:-7]}", there(f"{leaf[:-7]}_bias")
    if leaf in _PAIRS and weight.dim() == 1:
        partner = there(_PAIRS[leaf])
        if partner and tensors[partner].shape == weight.shape:
            return parent, partner
    if weight.dim() == 2:
        for pattern, other in ((r"^([wW])(?=[_\d]|[a-z]{1,2}\d?$)", "b"), (r"_w$", "_b"), (r"W$", "b")):
            bias = there(re.sub(pattern, other, leaf))
            if bias and bias != key:
                return key, bias
        return key, None
    return None, None


def trunks(units: Sequence[Unit]) -> Iterator[Trunk]:
    """What may be the numbered layers, those that hold most tensors first.

    Either one prefix before a number whose names and shapes repeat (blocks.0.attn, encoder_layer_0, block-0, tb_1_qkv),
    or lists side by side with the same numbers (norms.0, attentions.0, mlps.0).
    """
    groups: dict[str, dict[int, dict[str, Unit]]] = {}
    for unit in units:
        for found in _NUMBER.finditer(unit.name):
            rest = groups.setdefault(unit.name[: found.start()], {}).setdefault(int(found[0]), {})
            rest[unit.name[found.end() :]] = unit
    whole = [(prefix, layers) for prefix, group in groups.items() if (layers := _repeating(group))]
    whole.sort(key=lambda item: (-sum(map(len, item[1])), len(item[0])))
    yield from (Trunk(f"{prefix}#", layers) for prefix, layers in whole)
    templates: dict[str, dict[int, Unit]] = {}
    for unit in units:
        if first := _NUMBER.search(unit.name):
            template = f"{unit.name[: first.start()]}#{unit.name[first.end() :]}"
            templates.setdefault(template, {})[int(first[0])] = unit
    by_numbers: dict[tuple[int, ...], dict[int, dict[str, Unit]]] = {}
    for template, numbered in templates.items():
        side = by_numbers.setdefault(tuple(sorted(numbered)), {})
        for number, unit in numbered.items():
            side.setdefault(number, {})[template] = unit
    beside = [layers for group in by_numbers.values() if len(group) > 1 and (layers := _repeating(group))]
    beside.sort(key=lambda layers: -sum(map(len, layers)))
    yield from (Trunk("lists side by side", layers) for layers in beside)


def _repeating(group: dict[int, dict[str, Unit]]) -> tuple[dict[str, Unit], ...] | None:
    """The layers in order where numbers follow each other and all hold the same names and shapes, else None."""
    numbers = sorted(group)
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))) or numbers[0] > 1:
        return None
    first = _shapes(group[numbers[0]])
    if sum(len(shape) == 2 for shape, _ in first.values()) < 3 or any(_shapes(group[n]) != first for n in numbers):
        return None
    return tuple({name: group[n][name] for name in first} for n in numbers)


def _shapes(layer: Mapping[str, Unit]) -> dict[str, tuple[tuple[int, ...], bool]]:
    """The shape of each weight, and whether it has a bias."""
    return {name: (unit.shape, unit.bias is not None) for name, unit in layer.items()}


def joined_heads(layer: Mapping[str, Unit]) -> tuple[dict[str, Unit], int | None]:
    """A layer whose heads have matrices of their own, with these joined; and how many heads, None where there is none.

    (d, D) of each head follow each other in (H d, D); (d, d) on a slice of the width each lie on the diagonal.
    """
    lists: dict[str, dict[int, Unit]] = {}
    for name, unit in layer.items():
        if unit.weight.dim() == 2 and part_of(name) and (numbers := list(_NUMBER.finditer(name))):
            last = numbers[-1]
            lists.setdefault(f"{name[: last.start()]}#{name[last.end() :]}", {})[int(last[0])] = unit
    lists = {name: of for name, of in lists.items() if sorted(of) == list(range(len(of))) and len(of) > 1}
    lists = {
        name: of for name, of in lists.items() if len(set(_shapes({u.name: u for u in of.values()}).values())) == 1
    }
    counts = {len(of) for of in lists.values()}
    if len(counts) != 1 or {part_of(name) for name in lists} not in ({"q", "k", "v"}, {"qkv"}):
        return dict(layer), None
    gone = {unit.name for of in lists.values() for unit in of.values()}
    kept = {name: unit for name, unit in layer.items() if unit.name not in gone}
    for name, of in lists.items():
        kept[name] = _joined(name, [of[i] for i in range(len(of))])
    return kept, counts.pop()


def _joined(name: str, heads: Sequence[Unit]) -> Unit:
    rows, columns = heads[0].shape
    weights = [unit.weight for unit in heads]
    biases = [unit.bias for unit in heads if unit.bias is not None]
    if part_of(name) == "qkv":
        # q, k and v of each head follow each other: all q first, then all k, then all v
        weight = torch.cat([w.reshape(3, -1, columns) for w in weights], 1).flatten(0, 1)
        bias = torch.cat([b.reshape(3, -1) for b in biases], 1).flatten() if biases else None
    else:
        weight = _on_diagonal(weights) if rows == columns else torch.cat(weights)
        bias = torch.cat(biases) if biases else None
    return Unit(name, weight, bias, tuple(key for unit in heads for key in unit.keys), heads[0].order, heads[0].raw)


def _on_diagonal(squares: Sequence[Tensor]) -> Tensor:
    size = squares[0].shape[0]
    whole = squares[0].new_zeros(size * len(squares), size * len(squares))
    for i, square in enumerate(squares):
        whole[i * size : (i + 1) * size, i * size : (i + 1) * size] = square
    return whole


def listed(units: Iterable[Unit], most: int = 8) -> str:
    """Names and shapes for a message."""
    texts = [f"{key} {tuple(unit.shape)}" for unit in units for key in unit.keys[:1]]
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")
