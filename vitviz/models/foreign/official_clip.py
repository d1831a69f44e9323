"""Image towers of OpenAI's CLIP and open_clip -> timm's VisionTransformer.

Names: https://github.com/openai/CLIP, clip/model.py (whose `build_model` takes width / 64 heads), and mlfoundations/
open_clip, transformer.py; as in timm 1.0.31, vision_transformer.py `_convert_openai_clip`.
"""

from __future__ import annotations

import torch

from vitviz.models.checkpoint import Checkpoint, Network, Recognition
from vitviz.models.foreign.architectures import architecture_of
from vitviz.models.foreign.conversion import Conversion, Tensors
from vitviz.models.foreign.huggingface_config import CLIP, apply_epsilon, preprocessing_of, read_settings
from vitviz.models.foreign.shapes import read_shapes, vit_args

_CLASS = "class_embedding"
_RULES = (
    (r"^conv1\.", "patch_embed.proj."),
    (r"^class_embedding$", "cls_token"),
    (r"^positional_embedding$", "pos_embed"),
    (r"^ln_pre\.", "norm_pre."),
    (r"^ln_post\.", "norm."),
    (r"^transformer\.resblocks\.(\d+)\.", r"blocks.\1."),
    (r"\.ln_([12])\.", r".norm\1."),
    (r"\.ls_([12])\.gamma$", r".ls\1.gamma"),
    (r"\.attn\.in_proj_", ".attn.qkv."),
    (r"\.attn\.out_proj\.", ".attn.proj."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
)
# Scalars in OpenAI's own files; open_clip's have none of them.
_OPENAI = ("input_resolution", "context_length", "vocab_size")
_OPENAI_HEAD_WIDTH = 64


def detect(tensors: Tensors) -> bool:
    """Whether there is an image tower of CLIP, with `visual.` before its names or without."""
    stems = [k[: -len(_CLASS)] for k in tensors if k == _CLASS or k.endswith("." + _CLASS)]
    return any(
        s + "conv1.weight" in tensors and s + "transformer.resblocks.0.attn.in_proj_weight" in tensors for s in stems
    )


def convert(checkpoint: Checkpoint, network: Network) -> Recognition:
    """Convert; OpenAI's files have width / 64 heads and QuickGELU, others may have other ones."""
    openai = all(k in network.tensors for k in _OPENAI)
    conversion = Conversion("OpenAI CLIP" if openai else "open_clip", network)
    outside = conversion.take_stem(_CLASS, only=True)
    if outside:
        conversion.note("ignored", f"{len(outside)} tensors of the text tower", "converted")
    conversion.rename(_RULES)
    _reshape(conversion)
    shapes = read_shapes(conversion.tensors)
    conversion.note("shapes", shapes.summary(), "inferred")
    args = vit_args(shapes)
    settings = read_settings(checkpoint)
    heads = shapes.embed_dim // _OPENAI_HEAD_WIDTH if openai and shapes.embed_dim % _OPENAI_HEAD_WIDTH == 0 else None
    if heads is None:
        conversion.heads(args, settings.heads, settings.source)
    else:
        conversion.heads(args, heads, "OpenAI's rule, width / 64")
    apply_epsilon(conversion, args, settings, 1e-5)
    args["act_layer"] = "quick_gelu" if openai else "gelu"
    if openai:
        conversion.note("activation", "quick_gelu, as in all of OpenAI's", "inferred")
    else:
        conversion.note("activation", "gelu; towers trained by OpenAI have quick_gelu instead", "assumed")
    preprocessing = preprocessing_of(conversion, settings, CLIP, shapes.channels)
    architecture = architecture_of("clip_quickgelu" if openai else "clip", shapes.embed_dim)
    return conversion.result(architecture, args, preprocessing=preprocessing)


def _reshape(conversion: Conversion) -> None:
    tensors = conversion.tensors
    for name, leading in (("cls_token", 2), ("pos_embed", 1)):
        if name in tensors:
            tensors[name] = tensors[name].reshape(*(1,) * leading, *tensors[name].shape[leading - 3 :])
    projection = tensors.pop("proj", None)
    if projection is not None and projection.dim() == 2:
        tensors["head.weight"] = projection.T.contiguous()
        tensors["head.bias"] = torch.zeros(projection.shape[1], dtype=projection.dtype)
        conversion.note("projection", "into the space shared with text, kept as the head; its bias is 0", "converted")
