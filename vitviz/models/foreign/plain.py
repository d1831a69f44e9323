"""The end of the conversions whose files say little: a plain ViT of jeonsworld's, a ViT or Swin of OpenMMLab's,
torchvision's or Microsoft's.
"""

from __future__ import annotations

from vitviz.models.checkpoint import Checkpoint, Recognition
from vitviz.models.foreign.architectures import architecture_of
from vitviz.models.foreign.conversion import Conversion
from vitviz.models.foreign.huggingface_config import (
    IMAGENET,
    apply_activation,
    apply_epsilon,
    preprocessing_of,
    read_settings,
)
from vitviz.models.foreign.shapes import read_shapes, vit_args
from vitviz.models.foreign.swin_shapes import stated_window, swin_args


def plain_vit(
    conversion: Conversion, checkpoint: Checkpoint, usual: tuple[tuple[float, ...], tuple[float, ...]]
) -> Recognition:
    """What is built from tensors that have timm's names; nothing but a file beside them tells the number of heads.

    Args:
        usual: mean and std of the preprocessing that the format's own weights have.
    """
    shapes = read_shapes(conversion.tensors)
    conversion.note("shapes", shapes.summary(), "inferred")
    args, settings = vit_args(shapes), read_settings(checkpoint)
    conversion.heads(args, settings.heads, settings.source)
    apply_epsilon(conversion, args, settings, 1e-6)
    apply_activation(conversion, args, settings, "gelu")
    preprocessing = preprocessing_of(conversion, settings, usual, shapes.channels)
    family = "deit_distilled" if shapes.distillation_token else "vit"
    return conversion.result(architecture_of(family, shapes.embed_dim), args, preprocessing=preprocessing)


def plain_swin(conversion: Conversion, checkpoint: Checkpoint, whose: str) -> Recognition:
    """What is built from tensors of a Swin or Swin V2 that have timm's names, its buffers among them.

    Args:
        whose: the activation is assumed to be, such as "Swin's own".
    """
    beside = stated_window(checkpoint)
    args, shapes = swin_args(
        conversion, image=beside.image, window=beside.window, says=beside.says, image_says=beside.image_says
    )
    settings = read_settings(checkpoint)
    apply_epsilon(conversion, args, settings, 1e-5)
    conversion.note("activation", f"gelu, {whose}", "assumed")
    if shapes.version == 2:
        args["pretrained_window_sizes"] = (0,) * len(shapes.depths)
        if beside.trained is not None:
            window, image = beside.trained
            grids = (image // (shapes.patch[0] << stage) for stage in range(len(shapes.depths)))
            trained = tuple(min(window, max(grid, 1)) for grid in grids)
            args["pretrained_window_sizes"] = trained
            conversion.note("window", f"position bias trained for windows of {trained}, from {beside.says}", "inferred")
        else:
            conversion.note("window", "position bias taken as trained for this window", "assumed")
    preprocessing = preprocessing_of(conversion, settings, IMAGENET, shapes.channels)
    family = "swinv2" if shapes.version == 2 else "swin"
    return conversion.result(architecture_of(family, shapes.embed_dim), args, preprocessing=preprocessing)
