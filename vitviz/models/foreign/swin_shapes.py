"""What the tensors of a Swin or Swin V2 tell about its architecture, under timm's names (timm 1.0.31).

Windows: V1's bias table has (2w - 1)^2 rows. V2 computes its bias, so that only buffers of older files
(`relative_coords_table`, `relative_position_index`, `attn_mask`) tell, or what stands beside the weights; the image
only `attn_mask` does, one mask per window.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any

from vitviz.errors import ModelError
from vitviz.models import stated
from vitviz.models.checkpoint import Checkpoint
from vitviz.models.foreign.conversion import Conversion, Tensors
from vitviz.models.foreign.shapes import one_or_two, ratio, shape_of

_BUFFERS = r"relative_position_index$|relative_coords_table$|attn_mask$"
# Of V2 the usual ones: 8 x 8 windows on 256 pixels.
_USUAL_WINDOW = 8
_LARGEST_WINDOW = 64


@dataclass(frozen=True, slots=True)
class SwinShapes:
    """Sizes of a Swin read off its tensors; `window` and `image` None where nothing tells them.

    Attributes:
        version: 1 with tables of biases, 2 with a logit scale.
        window: side of the windows in patches, of the first stage.
        image: side of the image in pixels.
        classes: 0 without a classifier.
    """

    version: int
    embed_dim: int
    depths: tuple[int, ...]
    heads: tuple[int, ...]
    patch: tuple[int, int]
    channels: int
    hidden: int
    classes: int
    qkv_bias: bool
    window: int | None
    image: int | None


def read_swin(tensors: Tensors) -> SwinShapes:
    """Read the sizes of a Swin off its tensors, named as timm names them, before `drop_buffers`.

    Raises:
        ModelError: a tensor that every Swin has is not there, or blocks are numbered with holes.
    """
    depths = _depths(tensors)
    version = 2 if "layers.0.blocks.0.attn.logit_scale" in tensors else 1
    told, dims = ("logit_scale", 3) if version == 2 else ("relative_position_bias_table", 2)
    heads = []
    for stage in range(len(depths)):
        shape = shape_of(tensors, f"layers.{stage}.blocks.0.attn.{told}", dims)
        heads.append(shape[0] if version == 2 else shape[1])
    embed_dim, channels, *patch = shape_of(tensors, "patch_embed.proj.weight", 4)
    windows = [_window(tensors, stage) for stage in range(len(depths))]
    head = next((tensors[k] for k in ("head.fc.weight", "head.weight") if k in tensors), None)
    return SwinShapes(
        version=version,
        embed_dim=embed_dim,
        depths=depths,
        heads=tuple(heads),
        patch=(patch[0], patch[1]),
        channels=channels,
        hidden=shape_of(tensors, "layers.0.blocks.0.mlp.fc1.weight", 2)[0],
        classes=0 if head is None else int(head.shape[0]),
        qkv_bias=any(f"layers.0.blocks.0.attn.{k}" in tensors for k in ("qkv.bias", "q_bias")),
        window=windows[0],
        image=_image(tensors, patch[0], windows),
    )


def swin_args(
    conversion: Conversion,
    *,
    image: tuple[int, int] | None = None,
    window: int | None = None,
    says: str = "",
    image_says: str = "",
) -> tuple[dict[str, Any], SwinShapes]:
    """timm's arguments, and the findings about heads, window and image; drops the buffers.

    Args:
        image: what a config (`image_says`, else `says`) says about the size of the image in pixels.
        window: what it (`says`) says about the window.
    """
    shapes = read_swin(conversion.tensors)
    conversion.drop(_BUFFERS, "computed anew")
    conversion.note(
        "shapes",
        f"Swin V{shapes.version}, width {shapes.embed_dim}, {shapes.depths} layers, patches of "
        f"{one_or_two(shapes.patch)} px, {shapes.channels} channels, {shapes.classes} classes",
        "inferred",
    )
    conversion.note("heads", f"{shapes.heads}, from the {'bias tables' if shapes.version == 1 else 'logit scales'}")
    args: dict[str, Any] = {
        "patch_size": one_or_two(shapes.patch),
        "in_chans": shapes.channels,
        "embed_dim": shapes.embed_dim,
        "depths": shapes.depths,
        "num_heads": shapes.heads,
        "mlp_ratio": ratio(shapes.embed_dim, shapes.hidden),
        "qkv_bias": shapes.qkv_bias,
        "num_classes": shapes.classes,
        "global_pool": "avg",
    }
    if shapes.window:
        conversion.note("window", f"{shapes.window} patches a side, from the tensors", "inferred")
    elif window:
        conversion.note("window", f"{window} patches a side, from {says}")
    elif side := _last_side(shapes, image):
        window = side
        conversion.note("window", f"{side} patches a side, with which the last stage is one window", "assumed")
    else:
        conversion.note("window", f"{_USUAL_WINDOW} patches a side: nothing in the file tells", "assumed")
    args["window_size"] = shapes.window or window or _USUAL_WINDOW
    smallest = smallest_view(shapes.patch[0], args["window_size"], len(shapes.depths))
    if shapes.image:
        conversion.note("image size", f"{shapes.image} px, from the tensors", "inferred")
    elif image:
        conversion.note("image size", f"{one_or_two(image)} px, from {image_says or says}")
    else:
        conversion.note("image size", f"{smallest} px, on which the last stage is one window", "assumed")
    args["img_size"] = shapes.image or (one_or_two(image) if image else smallest)
    return args, shapes


def _last_side(shapes: SwinShapes, image: tuple[int, int] | None) -> int | None:
    """Side of the last stage's grid where it is a square of whole patches that may be a window."""
    merged = shapes.patch[0] * 2 ** (len(shapes.depths) - 1)
    if image is None or image[0] != image[1] or image[0] % merged:
        return None
    return image[0] // merged if 1 < image[0] // merged <= _LARGEST_WINDOW else None


def smallest_view(patch: int, window: int, stages: int) -> int:
    """Side in pixels of the smallest image on which the last stage still fills a window, as 224 = 4 * 7 * 2^3."""
    return patch * window << (stages - 1)


def _depths(tensors: Tensors) -> tuple[int, ...]:
    stages: dict[int, set[int]] = {}
    for name in tensors:
        if found := re.match(r"layers\.(\d+)\.blocks\.(\d+)\.", name):
            stages.setdefault(int(found[1]), set()).add(int(found[2]))
    complete = all(blocks == set(range(len(blocks))) for blocks in stages.values())
    if not stages or set(stages) != set(range(len(stages))) or not complete:
        raise ModelError("The stages and blocks of this Swin are not numbered from 0 without holes: some are missing.")
    return tuple(len(stages[i]) for i in range(len(stages)))


def _window(tensors: Tensors, stage: int) -> int | None:
    attention = f"layers.{stage}.blocks.0.attn."
    table = tensors.get(attention + "relative_position_bias_table")
    if table is not None:
        side = math.isqrt(table.shape[0])
        return (side + 1) // 2 if side * side == table.shape[0] and side % 2 else None
    coordinates = tensors.get(attention + "relative_coords_table")
    if coordinates is not None and coordinates.dim() == 4:
        return (coordinates.shape[1] + 1) // 2
    index = tensors.get(attention + "relative_position_index")
    if index is not None and index.numel():
        side = math.isqrt(math.isqrt(index.numel()))
        return side if side * side * side * side == index.numel() else None
    mask = next((v for k, v in tensors.items() if re.fullmatch(rf"layers\.{stage}\.blocks\.\d+\.attn_mask", k)), None)
    if mask is not None and mask.dim() == 3:
        side = math.isqrt(mask.shape[1])
        return side if side * side == mask.shape[1] == mask.shape[2] else None
    return None


@dataclass(frozen=True, slots=True)
class StatedWindow:
    """What stands beside the weights: window and image; the window and image of the pretraining before a larger one."""

    window: int | None = None
    image: tuple[int, int] | None = None
    trained: tuple[int, int] | None = None
    says: str = ""
    image_says: str = ""


def stated_window(checkpoint: Checkpoint) -> StatedWindow:
    """The window that the config, the pickled modules, or a name such as swinv2_base_window12to16_192to256 says."""
    view = stated.size(checkpoint)
    viewed: dict[str, Any] = {} if view is None else {"image": view[0], "image_says": view[1]}
    found = stated.said(checkpoint, ("window_size",), (int, tuple))
    side = found[0] if found is not None and isinstance(found[0], int) else None
    if found is not None and isinstance(found[0], tuple) and len(set(found[0])) == 1 and isinstance(found[0][0], int):
        side = found[0][0]
    if found is not None and side is not None and 1 <= side <= _LARGEST_WINDOW:
        return replace(StatedWindow(side, says=found[1]), **viewed)
    names = [(checkpoint.path.name, "the file's name")]
    named = stated.stated(checkpoint, ("architecture", "arch", "model", "model_name"), str)
    for text, says in ([named] if named is not None else []) + names:
        if match := re.search(r"swin.*window(?:(\d{1,2})to)?(\d{1,2})_(?:(\d{2,4})to)?(\d{2,4})", text):
            before, window, before_image, image = (int(part) if part else 0 for part in match.groups())
            if 1 <= window <= _LARGEST_WINDOW and 32 <= image <= 8192:
                trained = (before, before_image) if before and before_image else None
                return replace(StatedWindow(window, (image, image), trained, says), **viewed)
    return StatedWindow(**viewed)


def _image(tensors: Tensors, patch: int, windows: list[int | None]) -> int | None:
    mask = next((tensors[k] for k in tensors if re.fullmatch(r"layers\.0\.blocks\.\d+\.attn_mask", k)), None)
    if mask is not None and mask.dim() == 3 and windows[0]:
        side = math.isqrt(mask.shape[0])
        if side * side == mask.shape[0]:
            return side * windows[0] * patch
    for stage, window in enumerate(windows):
        # A stage smaller than its window has the window cut down to it.
        if window and windows[0] and window < windows[0]:
            return window * patch << stage
    return None
