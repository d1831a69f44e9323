"""The end of the conversions of a plain ViT whose file says little: jeonsworld's, OpenMMLab's, torchvision's."""

from __future__ import annotations

from vitviz.models.checkpoint import Checkpoint, Recognition
from vitviz.models.foreign.architectures import architecture_of
from vitviz.models.foreign.conversion import Conversion
from vitviz.models.foreign.huggingface_config import apply_activation, apply_epsilon, preprocessing_of, read_settings
from vitviz.models.foreign.shapes import read_shapes, vit_args


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
