"""Muon for hidden matrices, AdamW for the rest (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/).

torch.optim.Muon orthogonalises in bfloat16, which a CPU without bfloat16 units emulates; this one stays in float32.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import torch
from torch import Tensor, nn


def orthogonalise(matrices: Tensor, *, rounds: int = 5) -> Tensor:
    """Nearest half-orthogonal matrices, roughly, by a quintic Newton-Schulz iteration: (n, r, c) -> (n, r, c)."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(rounds):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum whose every update of a matrix is orthogonalised and scaled to AdamW's usual size."""

    def __init__(self, matrices: list[nn.Parameter], *, lr: float, momentum: float = 0.95, decay: float = 0.05) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every matrix; those of one shape together. A qkv matrix counts as three."""
        for group in self.param_groups:
            alike: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = defaultdict(list)
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p].setdefault("momentum", torch.zeros_like(p))
                state.lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(state, group["momentum"])
                parts = 3 if p.shape[0] == 3 * p.shape[1] else 1
                for piece, u in zip(p.chunk(parts), update.chunk(parts), strict=True):
                    alike[(u.shape[0], u.shape[1])].append((piece, u))
            for (rows, columns), pairs in alike.items():
                steps = orthogonalise(torch.stack([u for _, u in pairs]))
                for (piece, _), step in zip(pairs, steps, strict=True):
                    piece.mul_(1 - group["lr"] * group["decay"])
                    piece.add_(step, alpha=-group["lr"] * 0.2 * max(rows, columns) ** 0.5)


def optimisers(model: nn.Module, *, muon: bool, lr: float, decay: float) -> list[torch.optim.Optimizer]:
    """Muon (or AdamW) for the matrices inside the blocks, AdamW for embeddings, norms, biases and heads."""
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    hidden = [p for n, p in named if p.ndim == 2 and ("blocks" in n or "layers" in n) and "bias_table" not in n]
    known = {id(p) for p in hidden}
    rest = [p for _, p in named if id(p) not in known]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if not muon:
        return [torch.optim.AdamW([*groups, {"params": hidden, "weight_decay": decay}], lr=lr)]
    return [torch.optim.AdamW(groups, lr=lr), Muon(hidden, lr=lr, decay=decay)]
