"""Recognition -> torch module: timm builds the architecture and resamples; weights that don't fit are refused."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from vitviz.errors import ModelError
from vitviz.models.checkpoint import Recognition
from vitviz.models.misfit import misfit
from vitviz.models.wide_head import BIAS, WEIGHT, is_wide, put_on

Size = int | tuple[int, int]
# What fills a parameter with values, or goes on with values that it was filled with.
_FILLING = frozenset(
    ("uniform_", "normal_", "trunc_normal_", "kaiming_uniform_", "kaiming_normal_", "xavier_uniform_",
     "xavier_normal_", "erfinv_", "mul_", "div_", "add_", "clamp_")
)  # fmt: skip
# Where timm would look for weights by itself; ours are in memory.
_PLACES = ("source", "url", "file", "state_dict", "hf_hub_id", "hf_hub_filename", "custom_load")


class _Uncopied(torch.Tensor):
    """A tensor that no deep copy copies: timm makes one of its config, in which the weights are, before it reads them.

    What is computed from it is a plain tensor.
    """

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    def __deepcopy__(self, memo: dict[int, Any]) -> _Uncopied:
        return self


class _Unfilled(TorchFunctionMode):
    """Leaves parameters unfilled while a network is built: its random values take longer than all else of a load, and
    weights replace every one of them, or the load fails."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        target = args[0] if args else (kwargs or {}).get("tensor")
        if isinstance(target, nn.Parameter) and getattr(func, "__name__", "") in _FILLING:
            return target
        return func(*args, **(kwargs or {}))


def build(recognised: Recognition, sizes: dict[str, Any], pretrained_cfg: dict[str, Any]) -> nn.Module:
    """The module with its weights in, on the CPU.

    Args:
        recognised: architecture, arguments and weights under its names.
        sizes: arguments that the user wants otherwise (img_size, patch_size, num_heads).
        pretrained_cfg: what is known about preprocessing and classifier, over timm's own values.

    Raises ModelError, which lists what is missing or left over, where the weights don't fit.
    """
    if recognised.module is not None:
        return _own(recognised, sizes)
    from timm.models import PretrainedCfg, get_pretrained_cfg

    name = recognised.architecture
    base = name.partition(".")[0]
    args = {**recognised.model_args, **sizes}
    config = get_pretrained_cfg(name) or PretrainedCfg()
    fields = {f.name for f in dataclasses.fields(PretrainedCfg)}
    known = {k: v for k, v in pretrained_cfg.items() if k in fields and k not in _PLACES}
    cleared: dict[str, Any] = {k: None for k in _PLACES if k != "custom_load"}
    config = dataclasses.replace(config, **known, **cleared, custom_load=False)
    if channels := _channels(recognised.tensors, config.first_conv) or args.get("in_chans"):
        config = dataclasses.replace(config, input_size=(channels, *config.input_size[1:]))
    tensors = {name: tensor.as_subclass(_Uncopied) for name, tensor in recognised.tensors.items()}
    wide = is_wide(tensors)
    if wide:
        args |= {"num_classes": 0, "global_pool": ""}
        tensors = {name: tensor for name, tensor in tensors.items() if name not in (WEIGHT, BIAS)}
    overlay = {"state_dict": tensors, "num_classes": args.get("num_classes", config.num_classes)}
    with _Unfilled():
        module: Any = create(
            base, pretrained=True, pretrained_cfg=config.to_dict(), pretrained_cfg_overlay=overlay, **args
        )
    # The module keeps its config; the tensors in it would double the memory.
    module.pretrained_cfg.pop("state_dict", None)
    if "in_chans" in args:
        module.pretrained_cfg["input_size"] = (args["in_chans"], *config.input_size[1:])
    if wide:
        put_on(module, recognised.tensors)
    built: nn.Module = module
    return built


def _channels(tensors: dict[str, torch.Tensor], first: str | None) -> int | None:
    """Channels that the file's patch embedding takes: timm adapts it where the network is to take others."""
    weight = tensors.get(f"{first}.weight")
    return int(weight.shape[1]) if weight is not None and weight.dim() == 4 else None


def create(name: str, **kwargs: Any) -> Any:
    """timm's create_model, with its failures as ModelError and its log kept out of the way."""
    import timm

    # timm warns through logging about what we report or refuse ourselves.
    logger = logging.getLogger("timm")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        return timm.create_model(name, **kwargs)
    except TypeError as error:
        raise ModelError(f"{name} can't be built so: {error}. It may not take another image or patch size.") from error
    except (RuntimeError, AssertionError, ValueError, KeyError) as error:
        if "divisible by num_heads" in str(error):
            raise ModelError(
                f"{kwargs.get('num_heads')} heads don't divide the width of {name}: choose a divisor of it."
            ) from error
        raise ModelError(
            f"The weights or sizes don't fit {name}: {misfit(error)}. Name the architecture that they were made for."
        ) from error
    finally:
        logger.setLevel(level)


def sizes_of(image_size: Size | None, patch_size: Size | None, num_heads: int | None = None) -> dict[str, Any]:
    """The user's sizes as arguments for timm; ModelError for what can be no size."""
    args: dict[str, Any] = {}
    for key, value in (("img_size", image_size), ("patch_size", patch_size)):
        if value is None:
            continue
        pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
        if len(pair) != 2 or not all(isinstance(v, int) and 1 <= v <= 8192 for v in pair):
            raise ModelError(f"{key} must be one or two whole numbers of pixels from 1 to 8192, not {value!r}.")
        args[key] = pair if key == "img_size" else (pair if pair[0] != pair[1] else pair[0])
    if num_heads is not None:
        if not isinstance(num_heads, int) or num_heads < 1:
            raise ModelError(f"The number of heads must be a whole number from 1 on, not {num_heads!r}.")
        args["num_heads"] = num_heads
    return args


def _own(recognised: Recognition, sizes: dict[str, Any]) -> nn.Module:
    module = recognised.module
    assert module is not None
    wanted = {k: v for k, v in sizes.items() if k != "num_heads"}
    if wanted:
        raise ModelError(
            f"This network ({recognised.format}) is none of timm's, and its position and patch embedding can't be "
            f"resampled: open it without {' and '.join(wanted)}."
        )
    try:
        module.load_state_dict(recognised.tensors)
    except RuntimeError as error:
        raise ModelError(f"The weights don't fit the network that they look like: {misfit(error)}.") from error
    return module
