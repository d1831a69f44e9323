"""What timm resampled while it put weights into a network of another grid, window, patch or number of channels."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Size, Tensor, nn

_TABLES = "relative_position_bias_table"
# A position embedding may lose places of prefix tokens on its way, which is no resampling.
_MOST_PREFIX = 8


def resampled_in(module: nn.Module, tensors: Mapping[str, Tensor]) -> str:
    """One line on the weights whose sizes changed between a file and the network, "" where none did.

    Args:
        module: the network that stands.
        tensors: the weights as the file has them, under the network's names.
    """
    # Put over names, since every layer of a Swin has a table.
    kinds: dict[str, list[str]] = {}
    for name, parameter in module.named_parameters():
        given = tensors.get(name)
        if (
            given is not None
            and given.shape != parameter.shape
            and (kind := _change(name, given.shape, parameter.shape))
        ):
            kinds.setdefault(kind, []).append(name)
    return "; ".join(
        f"{kind}" + (f" in {len(names)} layers" if len(names) > 1 else "") for kind, names in kinds.items()
    )


def trained_patch_of(module: nn.Module, tensors: Mapping[str, Tensor]) -> tuple[int, int] | None:
    """The sides of the patches that a file's patch embedding is a convolution over; None where it is none."""
    weight = tensors.get("patch_embed.proj.weight") if hasattr(module, "patch_embed") else None
    return (int(weight.shape[2]), int(weight.shape[3])) if weight is not None and weight.dim() == 4 else None


def resampled_places(module: nn.Module, tensors: Mapping[str, Tensor]) -> tuple[int, int] | None:
    """The rows of a file's position embedding and of the network's, where one was resampled to the other."""
    for name, parameter in module.named_parameters():
        if (given := tensors.get(name)) is not None and _is_resampled_positions(name, given.shape, parameter.shape):
            return int(given.shape[1]), int(parameter.shape[1])
    return None


def _is_resampled_positions(name: str, given: Size, now: Size) -> bool:
    if not name.endswith("pos_embed") or not len(given) == len(now) == 3:
        return False
    return not 0 <= given[1] - now[1] <= _MOST_PREFIX


def _change(name: str, given: Size, now: Size) -> str:
    if _is_resampled_positions(name, given, now):
        return f"position embedding of {given[1]} places to {now[1]} (bicubic with antialias)"
    if name.endswith(_TABLES) and len(given) == len(now):
        return f"position biases of {_offsets(given)} to {_offsets(now)}"
    if name.endswith(("rel_pos_h", "rel_pos_w")):
        return f"relative positions of {given[0]} offsets to {now[0]}"
    if len(given) == len(now) == 4:
        parts = []
        if given[2:] != now[2:]:
            parts.append(f"patches of {given[2]} x {given[3]} px to {now[2]} x {now[3]} (pseudo-inverse resize)")
        if given[1] != now[1]:
            parts.append(f"{given[1]} input channels to {now[1]}, summed or repeated")
        return ", ".join(parts)
    return ""


def _offsets(shape: Size) -> str:
    return f"{shape[0]} offsets" if len(shape) == 2 else f"{shape[-2]} x {shape[-1]} offsets"
