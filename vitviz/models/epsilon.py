"""The epsilon of a network's norms, which no tensor tells."""

from __future__ import annotations

from torch import nn

from vitviz.errors import ModelError

_NORMS = ("LayerNorm", "RMSNorm", "RmsNorm", "SimpleNorm", "GroupNorm")


def norms(module: nn.Module) -> dict[str, nn.Module]:
    """The norms over features by name; those over a batch keep their own epsilon."""
    return {
        name: child
        for name, child in module.named_modules()
        if type(child).__name__.startswith(_NORMS) and isinstance(getattr(child, "eps", None), float)
    }


def epsilons(module: nn.Module) -> dict[str, float]:
    """The epsilon of each norm by its name."""
    return {name: float(vars(child)["eps"]) for name, child in norms(module).items()}


def set_epsilon(module: nn.Module, epsilon: float | dict[str, float]) -> None:
    """Give all norms one epsilon, or each its own by name; ModelError for what can be none."""
    found = norms(module)
    wanted = epsilon if isinstance(epsilon, dict) else dict.fromkeys(found, epsilon)
    for name, value in wanted.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
            raise ModelError(f"The epsilon of norms must be a number between 0 and 1, such as 1e-6, not {value!r}.")
        if name not in found:
            raise ModelError(f"There is no norm {name!r} in this network to give an epsilon to.")
    for name, value in wanted.items():
        found[name].eps = float(value)  # type: ignore[assignment]
