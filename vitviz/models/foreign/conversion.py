"""The steps that all conversions to timm's names share, each of which says in a finding what it did."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import torch

from vitviz.errors import ModelError
from vitviz.models.checkpoint import Network, Recognition
from vitviz.models.report import Certainty, Finding

Tensors = dict[str, torch.Tensor]
Rules = Sequence[tuple[str, str]]

_SHOWN = 3
_QKV = re.compile(r"^(.*\.attn)\.([qkv])\.(weight|bias)$")


class Conversion:
    """The tensors of one network on their way to timm's names. The network given is left as it was.

    Attributes:
        format: whose naming it was.
        tensors: the weights under the names reached so far.
        findings: what was done and assumed so far.
    """

    def __init__(self, format: str, network: Network) -> None:
        self.format = format
        self.tensors: Tensors = dict(network.tensors)
        self.findings: list[Finding] = [Finding("format", format)]

    def note(self, topic: str, text: str, certainty: Certainty = "found") -> None:
        """Append one finding."""
        self.findings.append(Finding(topic, text, certainty))

    def take_stem(self, ending: str, *, only: bool = False) -> Tensors:
        """Take off the prefix before the name that ends so, from every name that has it.

        Args:
            ending: a whole name inside the network, such as "patch_embed.proj.weight".
            only: leave out the tensors without the prefix, where a second tower may have the same names.

        Returns:
            The tensors left out.
        """
        ends = [k for k in self.tensors if k == ending or k.endswith("." + ending)]
        # The shortest is the network itself; a longer one may lie in its decoder or in a second tower.
        stem = min(ends, key=len)[: -len(ending)] if ends else ""
        if not stem:
            return {}
        outside = {k: v for k, v in self.tensors.items() if only and not k.startswith(stem)}
        # A classifier beside "model.vit." is named "model.classifier".
        parent = stem[: stem[:-1].rfind(".") + 1]
        self.tensors = self._once(
            (k.removeprefix(stem) if k.startswith(stem) else k.removeprefix(parent), v)
            for k, v in self.tensors.items()
            if k not in outside
        )
        self.note("names", f"prefix {stem!r} taken off", "converted")
        return outside

    def rename(self, rules: Rules) -> None:
        """Replace in every name the pattern of each (pattern, replacement), in this order."""
        compiled = [(re.compile(pattern), new) for pattern, new in rules]
        renamed = []
        for name, tensor in self.tensors.items():
            for pattern, new in compiled:
                name = pattern.sub(new, name)
            renamed.append((name, tensor))
        self.tensors = self._once(renamed)

    def drop(self, pattern: str, why: str) -> None:
        """Leave out the tensors whose names match, and say why."""
        found = re.compile(pattern)
        gone = [k for k in self.tensors if found.search(k)]
        if gone:
            self.tensors = {k: v for k, v in self.tensors.items() if k not in set(gone)}
            names = ", ".join(gone[:_SHOWN]) + (f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else "")
            self.note("ignored", f"{names}: {why}", "converted")

    def join_qkv(self, biases: Literal["fused", "split"] = "fused") -> None:
        """Join `*.attn.q`, `.k` and `.v` to `*.attn.qkv`.

        Args:
            biases: "fused" to one bias, a missing one of the three as zeros; "split" to `q_bias` and `v_bias`, as in
                BEiT and EVA, whose keys have no bias.
        """
        parts: dict[tuple[str, str], Tensors] = {}
        joined: Tensors = {}
        for name, tensor in self.tensors.items():
            found = _QKV.match(name)
            if found is None:
                joined[name] = tensor
            else:
                parts.setdefault((found[1], found[3]), {})[found[2]] = tensor
        for (place, kind), part in parts.items():
            if kind == "weight":
                if len(part) < 3 or len({t.shape[-1] for t in part.values()}) > 1:
                    raise ModelError(f"The query, key and value weights of {place} are not three of one width.")
                joined[f"{place}.qkv.weight"] = torch.cat([part[c] for c in "qkv"])
            elif biases == "fused":
                some = next(iter(part.values()))
                joined[f"{place}.qkv.bias"] = torch.cat([part.get(c, torch.zeros_like(some)) for c in "qkv"])
            else:
                if "k" in part and bool(part["k"].count_nonzero()):
                    self.note("ignored", f"the bias of the keys of {place}: it changes no attention", "converted")
                joined.update({f"{place}.{c}_bias": part[c] for c in "qv" if c in part})
        self.tensors = joined

    def split_biases(self) -> None:
        """Split every `*.attn.qkv.bias` to `q_bias` and `v_bias`; the keys' third is 0 in every pass."""
        split: Tensors = {}
        for name, tensor in self.tensors.items():
            if name.endswith(".attn.qkv.bias"):
                place = name.removesuffix("qkv.bias")
                split[place + "q_bias"], _, split[place + "v_bias"] = tensor.chunk(3, dim=-1)
            else:
                split[name] = tensor
        self.tensors = split

    def heads(self, args: dict[str, Any], heads: int | Sequence[int] | None, source: str) -> None:
        """Put the number of heads into `args` where it is known, and say whence; else say that it is not."""
        width = args.get("embed_dim", 0)
        if isinstance(heads, int) and heads > 0 and width % heads:
            self.note("heads", f"{source} says {heads} heads, which don't divide the width {width}", "warning")
            heads = None
        if heads is None:
            self.note("heads", "not in the file: no shape tells the number of heads of a plain ViT", "assumed")
        else:
            args["num_heads"] = heads
            self.note("heads", f"{heads}, from {source}")

    def result(
        self,
        architecture: str,
        model_args: dict[str, Any],
        *,
        preprocessing: dict[str, Any] | None = None,
        labels: tuple[str, ...] = (),
    ) -> Recognition:
        """The Recognition, with a warning for every tensor that a layer lacks and its fellows have."""
        for name in gaps(self.tensors):
            self.note("missing", name, "warning")
        if labels and len(labels) != model_args.get("num_classes"):
            self.note("labels", f"{len(labels)} names for {model_args.get('num_classes')} classes: not used", "warning")
            labels = ()
        return Recognition(
            format=self.format,
            tensors=self.tensors,
            architecture=architecture,
            model_args=model_args,
            preprocessing=preprocessing or {},
            labels=labels,
            findings=self.findings,
        )

    def _once(self, pairs: Any) -> Tensors:
        out: Tensors = {}
        for name, tensor in pairs:
            if name in out:
                raise ModelError(f"Two tensors of this {self.format} file mean the same weight, {name}.")
            out[name] = tensor
        return out


def gaps(tensors: Tensors) -> tuple[str, ...]:
    """Names that most numbered blocks have and some lack, such as "blocks.3.attn.qkv.weight"."""
    groups: dict[tuple[str, str], set[int]] = {}
    depths: dict[str, set[int]] = {}
    for name in tensors:
        found = re.match(r"^((?:layers\.\d+\.)?blocks\.)(\d+)\.(.*)$", name)
        if found:
            groups.setdefault((found[1], found[3]), set()).add(int(found[2]))
            depths.setdefault(found[1], set()).add(int(found[2]))
    missing = []
    for trunk, numbers in depths.items():
        # A number far beyond the count of blocks is a name gone wrong, not that many missing layers.
        every = set(range(min(max(numbers) + 1, 2 * len(numbers))))
        for (place, rest), have in groups.items():
            if place == trunk and 2 * len(have) >= len(every):
                missing += [f"{trunk}{i}.{rest}" for i in sorted(every - have)]
    return tuple(missing)
