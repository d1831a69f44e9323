"""The modules that run while attention is called, and which of them is the transformer block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A module that was running when attention was called: its name, itself, the shape of its first argument."""

    name: str
    module: nn.Module
    shape: tuple[int, ...]


class Blocks:
    """Finds the transformer block around an attention call: the module whose output is the tokens of the next one.

    That is the innermost one around the attention that holds a perceptron beside it: it has a part called so, or is an
    item of a list of modules and has matrices of its own beyond the attention's.
    """

    def __init__(self, root: nn.Module) -> None:
        self._modules = dict(root.named_modules())
        self._known: dict[tuple[str, str], bool] = {}

    def around(self, frames: Sequence[Frame]) -> Frame | None:
        """The block among the running modules, outermost first; None where there is no such module."""
        owned = [any(True for _ in frame.module.parameters()) for frame in frames]
        inner = max((i for i, has in enumerate(owned) if has), default=-1)
        if inner < 0:
            return None
        attention = frames[inner]
        for frame in reversed(frames[:inner]):
            key = (frame.name, attention.name)
            if key not in self._known:
                self._known[key] = self._is_block(frame, attention.module)
            if self._known[key]:
                return frame
        # A block that calls attention itself has no attention module within.
        own = type(attention.module).__name__.endswith(("Block", "Layer"))
        return attention if own and self._is_item(attention.name) else None

    def _is_item(self, name: str) -> bool:
        parent = self._modules.get(name.rpartition(".")[0]) if name else None
        return isinstance(parent, nn.ModuleList | nn.Sequential | nn.ModuleDict)

    def _is_block(self, frame: Frame, attention: nn.Module) -> bool:
        if any("mlp" in name or "ffn" in name for name, _ in frame.module.named_children()):
            return True
        if not self._is_item(frame.name):
            return False
        inside = {id(p) for p in attention.parameters()}
        # The shortest way from a list to the attention may be a norm around it, which is no block.
        return any(p.dim() >= 2 and id(p) not in inside for p in frame.module.parameters())
