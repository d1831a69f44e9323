"""Releases of fixed sizes: told by the index under their own names, and renamed as timm itself renames them."""

import re

import pytest
import timm
import torch
from formats import checkpoint_of, findings, randomise
from timm.models import eva, vision_transformer, vision_transformer_sam

from vitviz.models.foreign.releases import renamed
from vitviz.models.recognising import recognise

LAYERS = ("blocks.0.", "blocks.1.")


def theirs(state, rules):
    """timm's names turned back into those of the release."""
    out = {}
    for name, tensor in state.items():
        for pattern, new in rules:
            name = re.sub(pattern, new, name)
        out[name] = tensor
    return out


def aimv2(state):
    rules = (
        (r"^patch_embed\.", "preprocessor.patchifier."), (r"^pos_embed$", "preprocessor.pos_embed"),
        (r"^norm\.", "trunk.post_trunk_norm."), (r"^blocks\.", "trunk.blocks."), (r"\.norm([12])\.", r".norm_\1."),
        (r"\.fc1_g\.", ".fc1."), (r"\.fc1_x\.", ".fc3."),
    )  # fmt: skip
    return theirs({k: v for k, v in state.items() if not k.startswith("head.")}, rules)


def beit3(state):
    rules = (
        (r"^cls_token$", "beit3.vision_embed.cls_token"), (r"^patch_embed\.", "beit3.vision_embed."),
        (r"^blocks\.", "beit3.encoder.layers."), (r"\.mlp\.norm\.", ".ffn.A.ffn_layernorm."),
        (r"\.mlp\.", ".ffn.A."), (r"\.norm1\.", ".self_attn_layer_norm.A."), (r"\.norm2\.", ".final_layer_norm.A."),
        (r"\.attn\.norm\.", ".self_attn.inner_attn_ln.A."), (r"\.attn\.proj\.", ".self_attn.out_proj.A."),
        (r"\.attn\.([qkv])\.", r".self_attn.\1_proj.A."),
    )  # fmt: skip
    apart = {}
    for name, tensor in state.items():
        if ".attn.qkv." in name:
            apart |= {name.replace("qkv", c): part for c, part in zip("qkv", tensor.chunk(3), strict=True)}
        elif name == "pos_embed":
            places = torch.cat([tensor.new_zeros(2, tensor.shape[2]), tensor[0]])
            apart["beit3.encoder.embed_positions.A.weight"] = places
        else:
            apart[name] = tensor
    out = theirs(apart, rules)
    return out | {
        "beit3.text_embed.weight": torch.zeros(9, 4), "beit3.vision_embed.mask_token": torch.zeros(1, 1, 4),
        "beit3.encoder.layers.0.self_attn.q_proj.B.weight": torch.zeros(4, 4),
    }  # fmt: skip


def perception(state, prefix="visual."):
    rules = (
        (r"^patch_embed\.proj\.", "conv1."), (r"^pos_embed$", "positional_embedding"),
        (r"^cls_token$", "class_embedding"), (r"^blocks\.", "transformer.resblocks."), (r"^norm_pre\.", "ln_pre."),
        (r"^norm\.", "ln_post."), (r"(resblocks\.\d+)\.norm([12])\.", r"\1.ln_\2."),
        (r"\.gamma_([12])$", r".ls_\1.gamma"),
        (r"^attn_pool\.norm\.", "attn_pool.layernorm."), (r"^attn_pool\.latent$", "attn_pool.probe"),
        (r"^attn_pool\.proj\.", "attn_pool.attn.out_proj."), (r"(resblocks\.\d+\.attn)\.qkv\.", r"\1.in_proj_"),
        (r"(resblocks\.\d+\.attn)\.proj\.", r"\1.out_proj."), (r"\.mlp\.fc1\.", ".mlp.c_fc."),
        (r"\.mlp\.fc2\.", ".mlp.c_proj."),
    )  # fmt: skip
    joined = {k: v for k, v in state.items() if not re.match(r"attn_pool\.(q|kv)\.|head\.", k)}
    for kind in ("weight", "bias"):
        if f"attn_pool.q.{kind}" in state:
            parts = [state[f"attn_pool.q.{kind}"], state[f"attn_pool.kv.{kind}"]]
            joined[f"attn_pool.attn.in_proj_{kind}"] = torch.cat(parts)
    if "head.weight" in state:
        joined["proj"] = state["head.weight"].T
    if "cls_token" in joined:
        joined["cls_token"] = joined["cls_token"][0, 0]
    joined["pos_embed"] = joined["pos_embed"][0]
    return {prefix + name: tensor for name, tensor in theirs(joined, rules).items()}


def radio(state):
    rules = ((r"^pos_embed$", "patch_generator.pos_embed"), (r"^(?!patch_generator)", ""))
    kept = {k: v for k, v in state.items() if k.startswith("blocks.")}
    proj = state["patch_embed.proj.weight"]
    kept["patch_generator.embedder.weight"] = proj.reshape(proj.shape[0], -1)
    kept["patch_generator.cls_token.token"] = torch.cat([state["cls_token"][0], state["reg_token"][0]])
    kept["patch_generator.pos_embed"] = torch.empty(1, 128 * 128, proj.shape[0], device=proj.device)
    out = {f"radio_model.model.{name}": tensor for name, tensor in theirs(kept, rules).items()}
    return out | {"radio_model.input_conditioner.norm_mean": torch.zeros(3, 1, 1)}


def sapiens(state):
    rules = (
        (r"^reg_token$", "storage_tokens"), (r"^patch_embed\.proj\.", "patch_embed.projection."),
        (r"\.attn\.([qkv])_proj\.", r".attn.w\1."), (r"\.gamma_1$", ".attn.gamma.weight"),
        (r"\.mlp\.fc1\.", ".ffn.w12."),
        (r"\.mlp\.fc2\.", ".ffn.w3."), (r"(blocks\.\d+)\.norm([12])\.", r"\1.ln\2."), (r"^norm\.", "ln1."),
    )  # fmt: skip
    return theirs(state, rules) | {"mask_token": torch.zeros(1, 1, 4)}


def sam(state):
    out = {f"image_encoder.{name.replace('mlp.fc', 'mlp.lin')}": tensor for name, tensor in state.items()}
    return out | {"prompt_encoder.not_a_point_embed.weight": torch.zeros(1, 4)}


# The release, an architecture of timm's, how its names are written, and timm's own way back.
RELEASES = {
    "AIMv2": ("aimv2_large_patch14_224", aimv2, lambda state: vision_transformer._convert_aimv2(state, None)),
    "BEiT-3": ("beit3_base_patch16_224", beit3, lambda state: vision_transformer._convert_beit3(state, None)),
    "RADIO": ("vit_base_patch16_radio_v3", radio, lambda state: vision_transformer._convert_radio(state)),
    "Perception Encoder": ("vit_pe_core_base_patch16_224", perception, lambda state: eva._convert_pe(state, None)),
    "Sapiens2": ("vit_base_patch16_sapiens2", sapiens, None),
    "Segment Anything": (
        "samvit_base_patch16", sam, lambda state: vision_transformer_sam.checkpoint_filter_fn(state, None)
    ),
}  # fmt: skip


@pytest.mark.parametrize("title", RELEASES)
def test_names_are_known_by_the_index(title):
    architecture, write, _ = RELEASES[title]
    with torch.device("meta"):
        network = timm.create_model(architecture)
    found = recognise(checkpoint_of(write(network.state_dict()))[0])
    assert found.format == title and findings(found, "format") == [(title, "found")]
    assert found.architecture == architecture or architecture in findings(found, "recognised")[0][0]
    assert [f for f in found.findings if f.topic == "heads"]
    if title != "RADIO":  # which timm renames and resamples itself
        wanted = {k: tuple(v.shape) for k, v in network.state_dict().items()}
        assert {k: tuple(v.shape) for k, v in found.tensors.items() if k not in ("head.weight", "head.bias")} == {
            k: v for k, v in wanted.items() if k not in ("head.weight", "head.bias")
        }


@pytest.mark.parametrize("title", [title for title, (_, _, back) in RELEASES.items() if back])
def test_values_are_those_of_timms_own_conversion(title):
    architecture, write, back = RELEASES[title]
    sizes = {"depth": 2, "img_size": 64, "num_classes": 6} if title != "RADIO" else {"depth": 2, "img_size": 64}
    network = randomise(timm.create_model(architecture, **sizes))
    state = {k: v for k, v in write(network.state_dict()).items() if not v.is_meta}
    ours = renamed(checkpoint_of(state)[1]).network.tensors
    wanted = back(dict(state))
    assert set(ours) == set(wanted)
    for name, tensor in wanted.items():
        torch.testing.assert_close(ours[name], tensor, atol=0, rtol=0, msg=name)


def test_perception_encoders_without_class_token_and_pool_too():
    for architecture in ("vit_pe_spatial_base_patch16_512", "vit_pe_lang_large_patch14_448"):
        with torch.device("meta"):
            state = timm.create_model(architecture).state_dict()
        for prefix in ("visual.", "", "module.visual."):
            found = recognise(checkpoint_of(perception(state, prefix))[0])
            assert found.format == "Perception Encoder" and found.architecture == architecture


def test_segment_anything_loses_its_prompt_encoder_aloud():
    with torch.device("meta"):
        state = timm.create_model("samvit_base_patch16").state_dict()
    found = recognise(checkpoint_of(sam(state))[0])
    assert "1 tensors beside the image encoder" in findings(found, "ignored")[0][0]


@pytest.mark.parametrize("encoder", ["vision_encoder.", "encoder."])
def test_dinov2_in_the_image_encoder_of_another_release(encoder):
    """TIPSv2 keeps DINOv2's names behind "vision_encoder.", beside a text encoder."""
    with torch.device("meta"):
        state = timm.create_model("vit_base_patch14_reg1_tipsv2").state_dict()
    state = {k.replace("reg_token", "register_tokens"): v for k, v in state.items()}
    places = state["pos_embed"]
    state["pos_embed"] = torch.cat([places[:, :1], places], 1)
    state["mask_token"] = places[:, 0]
    names = {encoder + k: v for k, v in state.items()} | {"text_encoder.proj": torch.zeros(4, 4)}
    found = recognise(checkpoint_of(names)[0])
    assert found.format == "DINOv2" and found.model_args["reg_tokens"] == 1 and found.model_args["img_size"] == 448
