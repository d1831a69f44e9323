"""What timm reads by itself or nearly: its own networks written under the names of the original releases."""

import dataclasses
import re
from pathlib import Path

import pytest
import timm
import torch
from formats import build, checkpoint_of, findings, images, randomise, recognise

from vitviz.models.foreign import recognise_foreign

VIEW = images(32)
SIZES = {"img_size": 32, "patch_size": 8, "embed_dim": 48, "depth": 2, "num_heads": 4}


def made(architecture, **args):
    return randomise(timm.create_model(architecture, **{**SIZES, **args}))


def renamed(module, *rules, extra=None):
    """The weights of a module with names changed by (pattern, replacement), and further ones."""
    tensors = {}
    for name, tensor in module.state_dict().items():
        for pattern, new in rules:
            name = re.sub(pattern, new, name)
        tensors[name] = tensor.clone()
    return tensors | (extra or {})


def check(module, tensors, same, title, *, heads=4, prefix="", size=32, chosen=None, features=False):
    found = recognise({prefix + k: v for k, v in tensors.items()})
    assert found.format == title
    assert found.model_args.get("num_heads") == heads, findings(found, "heads")
    assert findings(found, "missing") == []
    rebuilt, view = build(found, **(chosen or {})), images(size)
    with torch.no_grad():
        if features:
            same(rebuilt.forward_features(view), module.forward_features(view))
        else:
            same(rebuilt(view), module(view))
    return found


ASKED = {"heads": None, "chosen": {"num_heads": 4}}


class TestPlain:
    @pytest.mark.parametrize("prefix", ["", "module.", "backbone.", "visual.trunk."])
    def test_deit(self, prefix, same):
        module = made("deit_tiny_patch16_224", num_classes=5)
        check(module, renamed(module), same, "timm ViT", prefix=prefix, **ASKED)

    def test_deit_distilled(self, same):
        module = made("deit_tiny_distilled_patch16_224", num_classes=5)
        check(module, renamed(module), same, "DeiT distilled", **ASKED)

    def test_deit_iii(self, same):
        module = made("deit3_small_patch16_224", num_classes=5)
        check(module, renamed(module, (r"ls([12])\.gamma", r"gamma_\1")), same, "DeiT III", **ASKED)

    def test_registers_norms_of_queries_and_no_bias(self, same):
        module = made("vit_tiny_patch16_224", num_classes=5, reg_tokens=3, qk_norm=True, qkv_bias=False, in_chans=1)
        found = recognise(renamed(module))
        assert found.model_args["num_heads"] == 4
        same(build(found)(images(32, 1)), module(images(32, 1)))

    def test_average_before_the_norm(self, same):
        module = made("vit_tiny_patch16_224", num_classes=5, global_pool="avg")
        check(module, renamed(module), same, "timm ViT", **ASKED)

    def test_dino_and_its_projection_head(self, same):
        module = made("vit_small_patch16_224", num_classes=0)
        head = {"head.mlp.0.weight": torch.randn(8, 48), "head.last_layer.weight_g": torch.randn(9, 1)}
        found = check(module, renamed(module, extra=head), same, "DINO", **ASKED)
        assert any("projection head" in text for text, _ in findings(found, "ignored"))
        tensors = renamed(module, (r"^", "module.backbone.")) | {f"module.{k}": v for k, v in head.items()}
        check(module, tensors, same, "timm ViT", **ASKED)

    def test_encoder_of_mae(self, same):
        module = made("vit_base_patch16_224", num_classes=0)
        decoder = {
            "mask_token": torch.randn(1, 1, 16), "decoder_pos_embed": torch.randn(1, 17, 16),
            "decoder_embed.weight": torch.randn(16, 48), "decoder_blocks.0.attn.qkv.weight": torch.randn(48, 16),
            "decoder_pred.weight": torch.randn(192, 16),
        }  # fmt: skip
        found = check(module, renamed(module, extra=decoder), same, "MAE", **ASKED)
        assert any("decoder" in text for text, _ in findings(found, "ignored"))

    @pytest.mark.parametrize("gated", [False, True])
    @pytest.mark.parametrize("chunks", [False, True])
    def test_dinov2(self, gated, chunks, same):
        name = "vit_giant_patch14_dinov2" if gated else "vit_small_patch14_dinov2"
        module = made(name, num_classes=0, **({"mlp_ratio": 4.0} if gated else {}))
        rules = [(r"mlp\.fc1", "mlp.w12"), (r"mlp\.fc2", "mlp.w3")] if gated else []
        rules += [(r"^blocks\.1\.", "blocks.1.1."), (r"^blocks\.0\.", "blocks.0.0.")] if chunks else []
        tensors = renamed(module, *rules, extra={"mask_token": torch.randn(1, 48)})
        check(module, tensors, same, "DINOv2", features=True, **ASKED)

    def test_dinov2_with_registers(self, same):
        module = made("vit_small_patch14_reg4_dinov2", num_classes=0)
        tensors = renamed(module, (r"^reg_token", "register_tokens"))
        # The original adds a position to the class token; timm has it added already.
        position = torch.randn(1, 1, 48)
        tensors["pos_embed"] = torch.cat([position, tensors["pos_embed"]], 1)
        tensors["cls_token"] = tensors["cls_token"] - position
        tensors["mask_token"] = torch.randn(1, 48)
        check(module, tensors, same, "DINOv2", features=True, **ASKED)


class TestClip:
    RULES = (
        (r"^patch_embed\.proj", "conv1"), (r"^cls_token", "class_embedding"), (r"^pos_embed", "positional_embedding"),
        (r"^norm_pre", "ln_pre"), (r"^norm\.", "ln_post."), (r"^blocks\.", "transformer.resblocks."),
        (r"\.norm(\d)", r".ln_\1"), (r"attn\.qkv\.", "attn.in_proj_"), (r"attn\.proj", "attn.out_proj"),
        (r"mlp\.fc1", "mlp.c_fc"), (r"mlp\.fc2", "mlp.c_proj"),
    )  # fmt: skip

    def written(self, module):
        tensors = renamed(module, *self.RULES)
        tensors["class_embedding"] = tensors["class_embedding"][0, 0]
        tensors["positional_embedding"] = tensors["positional_embedding"][0]
        tensors["proj"] = tensors.pop("head.weight").T
        tensors.pop("head.bias")
        return tensors

    def network(self, name, **args):
        module = made(name, num_classes=6, **args)
        torch.nn.init.zeros_(module.head.bias)
        return module

    @pytest.mark.parametrize("prefix", ["", "visual.", "module.visual."])
    def test_open_clip(self, prefix, same):
        module = self.network("vit_base_patch16_clip_224")
        check(module, self.written(module), same, "open_clip", prefix=prefix, **ASKED)

    def test_openai_with_its_text_tower(self, same):
        module = self.network("vit_base_patch16_clip_quickgelu_224", embed_dim=128, num_heads=2)
        tensors = {f"visual.{k}": v for k, v in self.written(module).items()} | {
            "positional_embedding": torch.randn(7, 16), "transformer.resblocks.0.ln_1.weight": torch.randn(16),
            "input_resolution": torch.tensor(32), "context_length": torch.tensor(7), "vocab_size": torch.tensor(9),
        }  # fmt: skip
        check(module, tensors, same, "OpenAI CLIP", heads=2)


class TestEva:
    def test_beit_with_its_pretraining_left_over(self, same):
        module = made("beit_base_patch16_224", num_classes=5)
        extra = {"mask_token": torch.randn(1, 1, 48), "blocks.0.attn.relative_position_index": torch.zeros(17, 17)}
        check(module, renamed(module, extra=extra), same, "BEiT")

    def test_beit_with_a_shared_table(self, same):
        module = made("beit_base_patch16_224", num_classes=0, use_rel_pos_bias=False, use_shared_rel_pos_bias=True,
                      global_pool="token")  # fmt: skip
        check(module, renamed(module), same, "BEiT")

    @pytest.mark.parametrize("prefix", ["", "visual."])
    def test_eva_02_of_base_size(self, prefix, same):
        module = made("eva02_base_patch14_448", num_classes=5)
        tensors = renamed(
            module, (r"mlp\.fc1_g", "mlp.w1"), (r"mlp\.fc1_x", "mlp.w2"), (r"mlp\.fc2", "mlp.w3"),
            (r"mlp\.norm", "mlp.ffn_ln"), (r"([qv])_proj\.bias", r"\1_bias"),
            extra={"rope.freqs_cos": torch.randn(16, 12), "rope.freqs_sin": torch.randn(16, 12)},
        )  # fmt: skip
        check(module, tensors, same, "EVA-02", prefix=prefix)

    def test_eva_02_of_tiny_size(self, same):
        module = made("eva02_tiny_patch14_224", num_classes=5)
        tensors = renamed(module, (r"mlp\.fc1", "mlp.w12"), (r"mlp\.fc2", "mlp.w3"))
        check(module, tensors, same, "EVA-02", **ASKED)

    def test_eva_02_as_timm_writes_it(self, same):
        module = made("eva02_base_patch14_448", num_classes=5)
        check(module, renamed(module), same, "EVA-02", **ASKED)

    def test_eva_01(self, same):
        module = made("eva_giant_patch14_224", num_classes=5, mlp_ratio=3.0)
        check(module, renamed(module), same, "EVA", **ASKED)

    @pytest.mark.parametrize("gated", [False, True])
    def test_dinov3(self, gated, same):
        gate = {"swiglu_mlp": True, "swiglu_align_to": 8} if gated else {}
        module = made("vit_small_patch16_dinov3_qkvb", num_classes=0, global_pool="token", **gate)
        tensors = renamed(
            module, (r"^reg_token", "storage_tokens"), (r"gamma_([12])", r"ls\1.gamma"),
            (r"mlp\.fc1_g", "mlp.w1"), (r"mlp\.fc1_x", "mlp.w2"), (r"mlp\.fc2", "mlp.w3" if gated else "mlp.fc2"),
        )  # fmt: skip
        for i in range(2):
            query, value = (tensors.pop(f"blocks.{i}.attn.{c}_bias") for c in "qv")
            tensors[f"blocks.{i}.attn.qkv.bias"] = torch.cat([query, torch.full((48,), float("nan")), value])
            tensors[f"blocks.{i}.attn.qkv.bias_mask"] = torch.ones(144)
        tensors["mask_token"] = torch.randn(1, 48)
        tensors["rope_embed.periods"] = (100 ** (torch.arange(3) / 3)).bfloat16()
        check(module, tensors, same, "DINOv3", features=True)
        tensors["rope_embed.periods"] = 25.0 ** (torch.arange(3) / 3)
        assert recognise(tensors).model_args["rope_temperature"] == pytest.approx(25)


SWIN = {
    "img_size": 64, "patch_size": 2, "embed_dim": 24, "depths": (2, 1, 2), "num_heads": (2, 4, 8), "window_size": 4,
    "mlp_ratio": 3.0, "num_classes": 5,
}  # fmt: skip


class TestSwin:
    def network(self, name):
        return randomise(timm.create_model(name, **SWIN))

    def microsoft(self, module, masks=True):
        tensors = renamed(
            module, (r"^head\.fc\.", "head."),
            (r"^layers\.(\d+)\.downsample", lambda m: f"layers.{int(m[1]) - 1}.downsample"),
        )  # fmt: skip
        for name, block in module.named_modules():
            if name.endswith(".attn"):
                tensors[f"{name}.relative_position_index"] = block.relative_position_index
        if masks:
            tensors["layers.0.blocks.1.attn_mask"] = module.layers[0].blocks[1].attn_mask
        return tensors

    @pytest.mark.parametrize("version", [1, 2])
    @pytest.mark.parametrize("prefix", ["", "encoder.", "module."])
    def test_microsoft(self, version, prefix, same):
        name = "swin_tiny_patch4_window7_224" if version == 1 else "swinv2_tiny_window8_256"
        module = self.network(name)
        title = "Microsoft Swin" + (" V2" if version == 2 else "")
        found = check(module, self.microsoft(module), same, title, heads=(2, 4, 8), prefix=prefix, size=64)
        assert found.model_args["img_size"] == 64 and found.model_args["window_size"] == 4

    def test_as_timm_writes_it(self, same):
        module = self.network("swin_tiny_patch4_window7_224")
        found = recognise(renamed(module))
        assert found.format == "timm Swin" and findings(found, "image size")[0][1] == "assumed"
        assert found.model_args["img_size"] == 32
        with torch.no_grad():
            same(build(found, img_size=64)(images(64)), module(images(64)))

    @pytest.mark.parametrize(
        ("options", "path", "image"),
        [
            ({"config": {"args": {"window_size": 4}}}, "x.pth", None),
            ({"folder": {"window_size": 4}}, "x.pth", None),
            ({"attributes": {"layers.0.blocks.0.attn": {"window_size": (4, 4)}}}, "x.pth", None),
            ({}, "swinv2_tiny_window4_64.pth", 64),
            ({"config": {"model_name": "swinv2_tiny_patch2_window4_64_22k"}}, "x.pth", 64),
        ],
    )
    def test_window_of_version_2_is_what_stands_beside_the_weights(self, options, path, image, same):
        module = self.network("swinv2_tiny_window8_256")
        checkpoint, network = checkpoint_of(renamed(module), **options)
        found = recognise_foreign(dataclasses.replace(checkpoint, path=Path(path)), network)
        assert found.model_args["window_size"] == 4 and findings(found, "window")[0][1] == "found"
        assert image is None or found.model_args["img_size"] == image
        with torch.no_grad():
            same(build(found, img_size=64)(images(64)), module(images(64)))

    def test_window_of_version_2_is_told_by_the_masks_alone(self, same):
        module = self.network("swinv2_tiny_window8_256")
        tensors = {k: v for k, v in self.microsoft(module).items() if "relative_position_index" not in k}
        found = recognise(tensors)
        assert (found.model_args["window_size"], found.model_args["img_size"]) == (4, 64)
        with torch.no_grad():
            same(build(found)(images(64)), module(images(64)))

    def test_window_of_the_pretraining_is_read_from_the_name(self, same):
        module = randomise(timm.create_model("swinv2_tiny_window8_256", **SWIN, pretrained_window_sizes=(2, 2, 2)))
        checkpoint, network = checkpoint_of(renamed(module))
        path = Path("swinv2_tiny_patch2_window2to4_32to64_22kto1k_ft.pth")
        found = recognise_foreign(dataclasses.replace(checkpoint, path=path), network)
        assert found.model_args["pretrained_window_sizes"] == (2, 2, 2)
        with torch.no_grad():
            same(build(found)(images(64)), module(images(64)))

    def test_window_of_version_2_is_assumed(self):
        found = recognise(renamed(self.network("swinv2_tiny_window8_256")))
        assert findings(found, "window")[0][1] == "assumed" and found.model_args["window_size"] == 8
