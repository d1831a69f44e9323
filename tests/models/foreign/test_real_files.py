"""Formats without a library to write them: Google's archives, jeonsworld, OpenMMLab; and the real twins."""

import json
import re
from functools import partial

import numpy as np
import pytest
import timm
import torch
from formats import build, checkpoint_of, findings, folder_of, images, randomise, recognise
from torch import nn
from torch.nn import functional as F

from vitviz.errors import ModelError
from vitviz.models.foreign import recognise_foreign

SIZES = {"img_size": 32, "patch_size": 8, "embed_dim": 48, "depth": 2, "num_heads": 4}
VIEW = images(32)


def vit(**args):
    return randomise(timm.create_model("vit_tiny_patch16_224", **{**SIZES, "num_classes": 5, **args}))


def flax_names(module, heads, big_vision):
    """The tensors of timm's ViT as google-research/vision_transformer or big_vision keep them."""
    mha, mlp, second = (0, 0, 1) if big_vision else (1, 3, 2)
    archive = {}

    def dense(name, weight, bias, shape=None, lead=False):
        kernel = weight.T
        archive[f"{name}/kernel"] = kernel.reshape(shape) if shape else kernel
        archive[f"{name}/bias"] = bias.reshape(heads, -1) if lead else bias

    def norm(name, layer):
        archive[f"{name}/scale"], archive[f"{name}/bias"] = layer.weight, layer.bias

    width = module.embed_dim
    split, merged = (width, heads, width // heads), (heads, width // heads, width)
    archive["embedding/kernel"] = module.patch_embed.proj.weight.permute(2, 3, 1, 0)
    archive["embedding/bias"] = module.patch_embed.proj.bias
    archive["pos_embedding" if big_vision else "Transformer/posembed_input/pos_embedding"] = module.pos_embed
    if module.cls_token is not None:
        archive["cls"] = module.cls_token
    norm("Transformer/encoder_norm", module.norm)
    for i, block in enumerate(module.blocks):
        at = f"Transformer/encoderblock_{i}"
        norm(f"{at}/LayerNorm_0", block.norm1)
        norm(f"{at}/LayerNorm_{second}", block.norm2)
        parts = zip(
            ("query", "key", "value"), block.attn.qkv.weight.chunk(3), block.attn.qkv.bias.chunk(3), strict=True
        )
        for part, weight, bias in parts:
            dense(f"{at}/MultiHeadDotProductAttention_{mha}/{part}", weight, bias, split, lead=True)
        dense(f"{at}/MultiHeadDotProductAttention_{mha}/out", block.attn.proj.weight, block.attn.proj.bias, merged)
        dense(f"{at}/MlpBlock_{mlp}/Dense_0", block.mlp.fc1.weight, block.mlp.fc1.bias)
        dense(f"{at}/MlpBlock_{mlp}/Dense_1", block.mlp.fc2.weight, block.mlp.fc2.bias)
    if module.attn_pool is not None:
        pool, at = module.attn_pool, "MAPHead_0"
        archive[f"{at}/probe"] = pool.latent
        norm(f"{at}/LayerNorm_0", pool.norm)
        inside = f"{at}/MultiHeadDotProductAttention_0"
        dense(f"{inside}/query", pool.q.weight, pool.q.bias, split, lead=True)
        for part, weight, bias in zip(("key", "value"), pool.kv.weight.chunk(2), pool.kv.bias.chunk(2), strict=True):
            dense(f"{inside}/{part}", weight, bias, split, lead=True)
        dense(f"{inside}/out", pool.proj.weight, pool.proj.bias, merged)
        dense(f"{at}/MlpBlock_0/Dense_0", pool.mlp.fc1.weight, pool.mlp.fc1.bias)
        dense(f"{at}/MlpBlock_0/Dense_1", pool.mlp.fc2.weight, pool.mlp.fc2.bias)
    if isinstance(module.head, nn.Linear):
        dense("head", module.head.weight, module.head.bias)
    return {k: np.ascontiguousarray(v.detach().numpy()) for k, v in archive.items()}


def stacked(archive):
    """Layers along a leading axis, as big_vision's scan keeps them."""
    out, layers = {}, {}
    for name, array in archive.items():
        found = re.match(r"(Transformer/encoderblock)_(\d+)/(.*)", name)
        if found:
            layers.setdefault(f"{found[1]}/{found[3]}", {})[int(found[2])] = array
        else:
            out[name] = array
    return out | {k: np.stack([v[i] for i in sorted(v)]) for k, v in layers.items()}


class TestGoogle:
    @pytest.mark.parametrize(
        ("prefix", "args", "big_vision", "stack"),
        [
            ("", {}, False, False),
            ("opt/target/", {"num_classes": 0}, False, False),
            ("params/", {"class_token": False, "global_pool": "avg", "fc_norm": False}, True, True),
            ("params/img/", {"class_token": False, "global_pool": "map", "num_classes": 0}, True, True),
        ],
    )
    def test_archive(self, prefix, args, big_vision, stack, tmp_path, same):
        module = vit(**args)
        archive = flax_names(module, 4, big_vision)
        archive = {prefix + k: v for k, v in (stacked(archive) if stack else archive).items()}
        np.savez(tmp_path / "vit.npz", **archive)
        read = np.load(tmp_path / "vit.npz", allow_pickle=False)
        found = recognise({k: torch.from_numpy(read[k]) for k in read.files}, container="numpy archive")
        assert found.model_args["num_heads"] == 4 and findings(found, "heads")[0][1] == "found"
        with torch.no_grad():
            same(build(found)(VIEW), module(VIEW))
            # timm's own reader is a second oracle.
            again = timm.create_model(found.architecture, **{**SIZES, "num_classes": 5, **args})
            again.load_pretrained(str(tmp_path / "vit.npz"))
            same(build(found)(VIEW), again.eval()(VIEW))


@pytest.mark.parametrize("prefix", ["transformer.", "module.transformer.", ""])
def test_jeonsworld(prefix, same):
    module = vit()
    tensors = {}
    for name, tensor in module.state_dict().items():
        name = re.sub(r"^patch_embed\.proj", "embeddings.patch_embeddings", name)
        name = {"cls_token": "embeddings.cls_token", "pos_embed": "embeddings.position_embeddings"}.get(name, name)
        name = re.sub(r"^norm\.", "encoder.encoder_norm.", re.sub(r"^blocks\.", "encoder.layer.", name))
        name = name.replace("norm1", "attention_norm").replace("norm2", "ffn_norm").replace(".mlp.", ".ffn.")
        name = (name if name.startswith("head.") else prefix + name).replace("attn.proj", "attn.out")
        if "attn.qkv" in name:
            for part, third in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                tensors[name.replace("qkv", part)] = third
        else:
            tensors[name] = tensor
    found = recognise(tensors)
    assert found.format == "jeonsworld ViT-pytorch" and "num_heads" not in found.model_args
    with torch.no_grad():
        same(build(found, num_heads=4)(VIEW), module(VIEW))


class TestOpenMMLab:
    RULES = (
        (r"^patch_embed\.proj\.", "patch_embed.projection."), (r"^blocks\.", "layers."), (r"^norm\.", "ln1."),
        (r"(layers\.\d+)\.norm([12])\.", r"\1.ln\2."), (r"\.mlp\.fc1\.", ".ffn.layers.0.0."),
        (r"\.mlp\.fc2\.", ".ffn.layers.1."), (r"\.ls1\.gamma", ".attn.gamma1.weight"),
        (r"\.ls2\.gamma", ".ffn.gamma2.weight"), (r"^head(_dist)?\.", r"head.layers.head\1."),
    )  # fmt: skip

    @pytest.mark.parametrize("architecture", ["vit_tiny_patch16_224", "deit3_small_patch16_224",
                                              "deit_tiny_distilled_patch16_224"])  # fmt: skip
    @pytest.mark.parametrize("prefix", ["backbone.", ""])
    def test_vit(self, architecture, prefix, same):
        module = randomise(timm.create_model(architecture, **SIZES, num_classes=5))
        tensors = {}
        for name, tensor in module.state_dict().items():
            for pattern, new in self.RULES:
                name = re.sub(pattern, new, name)
            tensors[name if name.startswith("head.") else prefix + name] = tensor
        found = recognise(tensors)
        assert found.format == "OpenMMLab ViT"
        with torch.no_grad():
            same(build(found, num_heads=4)(VIEW), module(VIEW))

    def test_swin(self, same):
        module = randomise(timm.create_model(
            "swin_tiny_patch4_window7_224", img_size=64, patch_size=2, embed_dim=24, depths=(2, 2), num_heads=(2, 4),
            window_size=4, num_classes=5,
        ))  # fmt: skip
        merging = Unfolded(module.layers[1].downsample)
        tensors = {}
        for name, tensor in module.state_dict().items():
            if "downsample" in name:
                continue
            name = re.sub(r"^layers\.", "backbone.stages.", name).replace(".attn.", ".attn.w_msa.")
            name = name.replace(".mlp.fc1.", ".ffn.layers.0.0.").replace(".mlp.fc2.", ".ffn.layers.1.")
            name = re.sub(r"^patch_embed\.proj\.", "backbone.patch_embed.projection.", name)
            name = re.sub(r"^(patch_embed\.norm|norm)\.", r"backbone.\1.", name)
            tensors[name.replace("backbone.norm.", "backbone.norm1.")] = tensor
        tensors |= {f"backbone.stages.0.downsample.{k}": v for k, v in merging.state_dict().items()}
        found = recognise(tensors)
        view = images(64)
        module.layers[1].downsample = merging
        with torch.no_grad():
            same(build(found, img_size=64)(view), module(view))


class Unfolded(nn.Module):
    """mmcv's PatchMerging: nn.Unfold, norm, reduction; here with weights of its own."""

    def __init__(self, theirs):
        super().__init__()
        self.norm = randomise(nn.LayerNorm(theirs.norm.weight.numel()), 5)
        self.reduction = randomise(nn.Linear(*reversed(theirs.reduction.weight.shape), bias=False), 6)

    def forward(self, x):
        rows, cols = x.shape[1] // 2, x.shape[2] // 2
        merged = F.unfold(x.permute(0, 3, 1, 2), kernel_size=2, stride=2).transpose(1, 2)
        return self.reduction(self.norm(merged)).unflatten(1, (rows, cols))


class TestTwins:
    """One trained network in many formats, with its logits."""

    # The epsilon of that network is 1e-5; only the folder says so. With the formats' own the logits are off by 5e-4.
    @pytest.mark.parametrize(
        "name",
        ["torchvision_vit.pth", "hf_disk_names.bin", "hf_v5_in_memory_names.pth", "jeonsworld.bin", "timm_plain.pth",
         "lightning_style.ckpt", "google_flax.npz", "hf_vit_dir", "timm_plain.safetensors", "timm_fp16.safetensors"],
    )  # fmt: skip
    def test_logits(self, name, shared, same):
        folder = shared / "checkpoints" / "twins_cifar10"
        if not folder.is_dir():
            pytest.skip("no twins beside the repository")
        expected = torch.load(folder / "expected.pt", weights_only=True)
        options = {}
        if name.endswith(".npz"):
            read = np.load(folder / name, allow_pickle=False)
            tensors = {k: torch.from_numpy(read[k]) for k in read.files}
        elif name == "hf_vit_dir":
            tensors, options["folder"] = folder_of(folder / name)
        elif name.endswith(".safetensors"):
            from safetensors.torch import load_file

            tensors = load_file(folder / name)
        else:
            tensors = torch.load(folder / name, weights_only=True)
            tensors = {k.removeprefix("model."): v for k, v in tensors.get("state_dict", tensors).items()}
        found = recognise(tensors, **options)
        chosen = {} if "num_heads" in found.model_args else {"num_heads": 4}
        if not options:
            assert findings(found, "norm epsilon")[0][1] == "assumed"
            chosen["norm_layer"] = partial(nn.LayerNorm, eps=1e-5)
        with torch.no_grad():
            ours = build(found, **chosen)(expected["input"])
        if "fp16" in name:
            assert float((ours - expected["logits"]).abs().max()) < 1e-2
        else:
            same(ours, expected["logits"])
        if options:
            labels = json.loads((folder / "README.json").read_text())["labels"]
            assert found.labels == tuple(labels) and found.preprocessing["mean"] == (0.4914, 0.4822, 0.4465)


@pytest.mark.parametrize("name", ["swin_shapes64.pth", "swinv2_shapes64.pth", "vit_shapes64.pth"])
def test_own_shapes_have_the_sizes_expected(name, shared):
    folder = shared / "checkpoints"
    if not (folder / "own_shapes").is_dir():
        pytest.skip("no real files beside the repository")
    expected = json.loads((folder / "expected.json").read_text())[f"own_shapes/{name}"]["opens"]
    tensors = torch.load(folder / "own_shapes" / name, weights_only=True)
    found = recognise(tensors.get("state_dict", tensors.get("model", tensors)))
    args = found.model_args
    assert (args["patch_size"], args["num_classes"], args["embed_dim"]) == (
        expected["patch"], expected["classes"], expected["dim"]
    )  # fmt: skip
    if "depths" in expected:
        assert (list(args["depths"]), list(args["num_heads"])) == (expected["depths"], expected["heads"])
    else:
        assert (args["depth"], args["reg_tokens"], args["img_size"]) == (expected["layers"], 2, expected["image"])
    chosen = {} if "num_heads" in args else {"num_heads": expected["heads"]}
    build(found, **chosen)


class TestRefusals:
    def test_unknown_names_are_no_known_format(self):
        tensors = {"encoder.weight": torch.zeros(3, 3), "encoder.bias": torch.zeros(3)}
        assert recognise_foreign(*checkpoint_of(tensors)) is None
        assert recognise_foreign(*checkpoint_of({})) is None

    @pytest.mark.parametrize(
        "broken",
        [
            {"pos_embed": torch.zeros(())},
            {"patch_embed.proj.weight": torch.zeros(48, 192)},
            {"blocks.0.mlp.fc1.weight": torch.zeros(0, 48)},
            {"blocks.100000.norm1.weight": torch.zeros(48)},
            {"blocks.0.attn.qkv.weight": torch.zeros(96, 48)},
        ],
        ids=lambda b: next(iter(b)),
    )
    def test_shapes_that_make_no_sense_are_refused_in_a_sentence(self, broken):
        tensors = {**vit().state_dict(), **broken}
        with pytest.raises(ModelError) as error:
            recognise_foreign(*checkpoint_of(tensors))
        assert str(error.value).startswith("This looks like") and "\n" not in str(error.value)
