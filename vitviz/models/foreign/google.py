"""Google's .npz files (vision_transformer, big_vision) -> timm's VisionTransformer.

Names and layouts: https://github.com/google-research/vision_transformer and big_vision, as read by timm 1.0.31,
vision_transformer.py `_load_weights`. Kernels are (in, ..., out); those of query, key and value (D, heads, head
width), so that the number of heads is in the shapes.
"""

from __future__ import annotations

import re

import torch

from vitviz.errors import ModelError
from vitviz.models.checkpoint import Checkpoint, Network, Recognition
from vitviz.models.foreign.architectures import architecture_of
from vitviz.models.foreign.conversion import Conversion, Tensors
from vitviz.models.foreign.huggingface_config import HALF, apply_epsilon, preprocessing_of, read_settings
from vitviz.models.foreign.shapes import read_shapes, shape_of, vit_args

_EMBEDDING = re.compile(r"^(opt/target/|params/img/|params/)?embedding/kernel$")
_BLOCK = "Transformer/encoderblock"
_RULES = (
    (r"^cls$", "cls_token"),
    (r"^(?:Transformer/posembed_input/)?pos_embedding$", "pos_embed"),
    (r"^embedding/", "patch_embed.proj."),
    (r"^Transformer/encoder_norm/", "norm."),
    (r"^head/", "head."),
    (r"^Transformer/encoderblock_(\d+)/", r"blocks.\1."),
    (r"^MAPHead_0/MultiHeadDotProductAttention_0/(query|key|value|out)/", r"attn_pool.\1."),
    (r"^MAPHead_0/probe$", "attn_pool.latent"),
    (r"^MAPHead_0/LayerNorm_0/", "attn_pool.norm."),
    (r"(blocks\.\d+\.|MAPHead_0/)MlpBlock_\d/Dense_0/", r"\1mlp.fc1."),
    (r"(blocks\.\d+\.|MAPHead_0/)MlpBlock_\d/Dense_1/", r"\1mlp.fc2."),
    (r"^MAPHead_0/", "attn_pool."),
    (r"\.LayerNorm_0/", ".norm1."),
    # The second norm is numbered 2 in the first releases, where the attention counts too, and 1 in big_vision.
    (r"\.LayerNorm_[12]/", ".norm2."),
    (r"\.MultiHeadDotProductAttention_\d/query/", ".attn.q."),
    (r"\.MultiHeadDotProductAttention_\d/key/", ".attn.k."),
    (r"\.MultiHeadDotProductAttention_\d/value/", ".attn.v."),
    (r"\.MultiHeadDotProductAttention_\d/out/", ".attn.proj."),
)


def detect(tensors: Tensors) -> bool:
    """Whether this is a plain ViT of Google's; their hybrids with a ResNet in front are not."""
    return (
        any(map(_EMBEDDING.match, tensors))
        and any(_BLOCK in k for k in tensors)
        and not any(k.endswith("conv_root/kernel") for k in tensors)
    )


def convert(checkpoint: Checkpoint, network: Network) -> Recognition:
    """Convert; kernels are turned round, stacked blocks taken apart."""
    conversion = Conversion("Google npz", network)
    stem = next(m[1] or "" for k in network.tensors if (m := _EMBEDDING.match(k)))
    conversion.tensors = {k.removeprefix(stem): v for k, v in network.tensors.items() if k.startswith(stem)}
    if len(conversion.tensors) < len(network.tensors):
        conversion.note("ignored", f"all outside of {stem!r}: optimizer state or a text tower", "converted")
    _unstack(conversion)
    conversion.drop(r"^pre_logits/", "timm's ViT has no layer before the head: the logits are not the model's")
    conversion.rename(_RULES)
    heads = _heads(conversion.tensors)
    conversion.tensors = {_torch_name(k): _turned(k, v) for k, v in conversion.tensors.items()}
    _join_pool(conversion)
    conversion.join_qkv()
    conversion.note("layout", "kernels turned from (in, out) to (out, in)", "converted")
    shapes = read_shapes(conversion.tensors)
    conversion.note("shapes", shapes.summary(), "inferred")
    args = vit_args(shapes)
    if not shapes.class_token and not shapes.map_pool:
        # big_vision's "gap" norms the tokens and then averages.
        args["fc_norm"] = False
    conversion.heads(args, heads, "the shapes of the query kernels")
    settings = read_settings(checkpoint)
    apply_epsilon(conversion, args, settings, 1e-6)
    conversion.note("activation", "gelu, as timm takes these files; Flax's own approximates it by tanh", "assumed")
    preprocessing = preprocessing_of(conversion, settings, HALF, shapes.channels)
    family = "siglip" if shapes.map_pool else "vit"
    return conversion.result(architecture_of(family, shapes.embed_dim), args, preprocessing=preprocessing)


def _unstack(conversion: Conversion) -> None:
    """`encoderblock/...` with a leading axis of layers -> `encoderblock_0/...` and so on."""
    apart: Tensors = {}
    for name, tensor in conversion.tensors.items():
        if not name.startswith(_BLOCK + "/"):
            apart[name] = tensor
            continue
        if tensor.dim() == 0 or tensor.shape[0] > 1000:
            raise ModelError(f"The stacked weight {name} has the shape {tuple(tensor.shape)}.")
        for i, layer in enumerate(tensor):
            apart[name.replace(_BLOCK, f"{_BLOCK}_{i}", 1)] = layer
    conversion.tensors = apart


def _heads(tensors: Tensors) -> int:
    _, heads, head_width = shape_of(tensors, "blocks.0.attn.q.kernel", 3)
    rows = shape_of(tensors, "blocks.0.attn.proj.kernel", 3)
    if rows[:2] != (heads, head_width):
        raise ModelError(f"The output kernel {rows} does not fit {heads} heads of {head_width}.")
    return heads


def _torch_name(name: str) -> str:
    return re.sub(r"\.(kernel|scale)$", ".weight", name)


def _turned(name: str, tensor: torch.Tensor) -> torch.Tensor:
    if name.endswith(("cls_token", "pos_embed", "latent")):
        return tensor
    if re.search(r"\.(q|k|v|query|key|value)\.kernel$", name):
        return tensor.flatten(1).T
    if re.search(r"(\.attn\.proj|^attn_pool\.out)\.kernel$", name):
        return tensor.flatten(0, -2).T
    if name.endswith(".kernel"):
        return tensor.permute(3, 2, 0, 1) if tensor.dim() == 4 else tensor.permute(1, 0)
    return tensor.flatten()


def _join_pool(conversion: Conversion) -> None:
    """The pool's query, key, value and out -> timm's `q`, `kv` and `proj`."""
    tensors = conversion.tensors
    for kind in ("weight", "bias"):
        parts = [tensors.pop(f"attn_pool.{part}.{kind}", None) for part in ("key", "value")]
        if parts[0] is not None and parts[1] is not None:
            tensors[f"attn_pool.kv.{kind}"] = torch.cat([parts[0], parts[1]])
    conversion.rename([(r"^attn_pool\.query\.", "attn_pool.q."), (r"^attn_pool\.out\.", "attn_pool.proj.")])
