"""Which known format the names of a network's tensors are, and the network under timm's names.

Formats and key signatures: MODELS.md section 2. A format is told by a few names; none of them is told by its file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vitviz.errors import ModelError, in_one_line
from vitviz.models.checkpoint import Checkpoint, Network, Recognition
from vitviz.models.foreign import (
    google,
    huggingface,
    huggingface_beit,
    huggingface_clip,
    huggingface_dino,
    huggingface_swin,
    jeonsworld,
    official,
    official_clip,
    official_eva,
    official_swin,
    openmmlab,
    torchvision,
)
from vitviz.models.foreign.conversion import Tensors

__all__ = ["FORMATS", "Format", "recognise_foreign"]


@dataclass(frozen=True, slots=True)
class Format:
    """A way of naming weights: how to tell it, by names alone, and how to convert from it."""

    name: str
    detect: Callable[[Tensors], bool]
    convert: Callable[[Checkpoint, Network], Recognition]


# Where the signs of one are among those of another, the one with more signs comes first.
FORMATS = (
    Format("Google npz", google.detect, google.convert),
    Format("torchvision ViT", torchvision.detect_vit, torchvision.convert_vit),
    Format("torchvision Swin", torchvision.detect_swin, torchvision.convert_swin),
    Format("jeonsworld", jeonsworld.detect, jeonsworld.convert),
    Format("OpenMMLab ViT", openmmlab.detect_vit, openmmlab.convert_vit),
    Format("OpenMMLab Swin", openmmlab.detect_swin, openmmlab.convert_swin),
    Format("Hugging Face DINOv3", huggingface_dino.detect_v3, huggingface_dino.convert_v3),
    Format("Hugging Face DINOv2", huggingface_dino.detect_v2, huggingface_dino.convert_v2),
    Format("Hugging Face BEiT", huggingface_beit.detect, huggingface_beit.convert),
    Format("Hugging Face Swin", huggingface_swin.detect, huggingface_swin.convert),
    Format("Hugging Face ViT", huggingface.detect, huggingface.convert),
    Format("Hugging Face CLIP", huggingface_clip.detect, huggingface_clip.convert),
    Format("CLIP", official_clip.detect, official_clip.convert),
    Format("Swin", official_swin.detect, official_swin.convert),
    Format("DINOv3", official_eva.detect_dinov3, official_eva.convert_dinov3),
    Format("BEiT", official_eva.detect_beit, official_eva.convert_beit),
    Format("EVA", official_eva.detect_eva, official_eva.convert_eva),
    Format("ViT under timm's names", official.detect, official.convert),
)


def recognise_foreign(checkpoint: Checkpoint, network: Network) -> Recognition | None:
    """Tell the format of a network and convert its weights to timm's names.

    `model_args` has `num_heads` only where the file tells it; else a finding on "heads" is marked "assumed".

    Args:
        checkpoint: the file, for the config beside or inside it.
        network: the weights in it that are meant.

    Returns:
        None where no format fits.

    Raises:
        ModelError: the names are a known format's, the weights are not whole or don't fit together.
    """
    for known in FORMATS:
        if known.detect(network.tensors):
            try:
                return known.convert(checkpoint, network)
            except ModelError as error:
                raise ModelError(f"This looks like {known.name}, but can't be converted. {error}") from error
            except (RuntimeError, ValueError, TypeError, IndexError, KeyError, ZeroDivisionError) as error:
                raise ModelError(
                    f"This looks like {known.name}, but its tensors don't fit together: {in_one_line(error)}."
                ) from error
    return None
