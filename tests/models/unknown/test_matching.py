"""Weights of any naming become the network that they are of, or are refused with what lacks."""

import sys
from pathlib import Path
from random import Random

import pytest
import timm
import torch

from vitviz.errors import SourceError
from vitviz.models.checkpoint import Checkpoint, Network
from vitviz.models.loading import preprocessing_of
from vitviz.models.unknown.matching import match_structure
from vitviz.models.unknown.plain_vit import PlainViT

sys.path.insert(0, str(Path(__file__).parent))
import naming_styles
import references

# What no tensor and no name tells: this one takes the mean over all tokens though it has a class token.
UNKNOWABLE = {naming_styles.Residuals: {"pool": "mean"}}


def drawn(module, seed=0):
    """A module with weights that make every part of it matter."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in module.parameters():
            value.add_(torch.randn(value.shape, generator=generator) * 0.15)
    return module.eval()


def matched(tensors, *, path="x.pt", attributes=None, folder=None, num_heads=None, **config):
    """The recognition of a state dict with these values beside it."""
    network = Network("", dict(tensors))
    checkpoint = Checkpoint(
        Path(path), "torch zip", "", (network,), config=config, folder=folder or {}, attributes=attributes or {}
    )
    return match_structure(network, checkpoint, num_heads=num_heads)


def built(recognition):
    """The network with its weights: every key has a place and every place a key."""
    module = recognition.module
    if module is None:
        module = timm.create_model(recognition.architecture, **recognition.model_args)
    module.load_state_dict({key: value.float() for key, value in recognition.tensors.items()}, strict=True)
    return module.eval()


def largest_difference(module, recognition, channels=3, size=24):
    x = torch.randn(2, channels, size, size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return float((built(recognition)(x) - module(x)).abs().max())


def certainty(recognition, topic):
    return next(f.certainty for f in recognition.findings if f.topic == topic)


def text(recognition, topic):
    return next(f.text for f in recognition.findings if f.topic == topic)


@pytest.mark.parametrize("order", ("of the file", "of the alphabet"))
@pytest.mark.parametrize("style", naming_styles.STYLES, ids=lambda style: style.__name__)
def test_styles_that_it_was_not_tuned_on(style, order):
    torch.manual_seed(0)
    module = drawn(style())
    tensors = module.state_dict()
    if order == "of the alphabet":  # safetensors files come so
        tensors = dict(sorted(tensors.items()))
    found = matched(tensors, num_heads=4, **UNKNOWABLE.get(style, {}))
    assert largest_difference(module, found, channels=1 if style is naming_styles.KeyValue else 3) < 1e-5


@pytest.mark.parametrize("order", ("of the file", "of the alphabet"))
@pytest.mark.parametrize("names", naming_styles.RENAMED)
def test_names_that_came_after_it(names, order):
    torch.manual_seed(0)
    module = drawn(references.Notes())
    tensors = naming_styles.renamed(module.state_dict(), *naming_styles.RENAMED[names])
    if order == "of the alphabet":
        tensors = dict(sorted(tensors.items()))
    assert largest_difference(module, matched(tensors, num_heads=4)) < 1e-5


@pytest.mark.parametrize("style", naming_styles.REFUSED, ids=lambda style: style.__name__)
def test_styles_that_are_no_plain_vit_are_refused(style):
    with pytest.raises(SourceError, match=r"no plain vision transformer: 3 numbered layers .* found"):
        matched(style().state_dict(), num_heads=4)


@pytest.mark.parametrize("pool", ("cls", "mean"))
@pytest.mark.parametrize("generation", (0, 1, 2))
def test_lucidrains_of_each_generation(generation, pool):
    torch.manual_seed(0)
    module = drawn(references.Lucidrains(generation, pool=pool))
    found = matched(module.state_dict(), heads=4, pool=pool)
    assert found.format == f"lucidrains vit-pytorch, generation {generation}" and isinstance(found.module, PlainViT)
    assert largest_difference(module, found) < 1e-5
    config = found.module.config
    assert config.inner == (40 if generation == 0 else 64) and config.channels_last and config.linear_patches
    assert certainty(found, "patches") == "assumed"


def test_lucidrains_with_patches_as_wide_as_its_tokens_and_tokens_without_batch():
    torch.manual_seed(0)
    module = drawn(references.Lucidrains(2, dim=108, flat_tokens=True))
    found = matched(module.state_dict(), dim_head=16)
    assert found.module.config.patch_norms == (True, True) and found.module.config.heads == 4
    assert largest_difference(module, found) < 1e-5


def test_lucidrains_that_timm_can_build_goes_to_timm():
    torch.manual_seed(0)
    module = drawn(references.Lucidrains(1, dim=64, heads=4, dim_head=16))
    found = matched(module.state_dict(), heads=4)
    assert found.architecture == "vit_tiny_patch16_224" and found.tensors["patch_embed.proj.weight"].dim() == 4
    assert largest_difference(module, found) < 1e-5


@pytest.mark.parametrize("token", (True, False))
@pytest.mark.parametrize("activation", ("relu", "gelu"))
@pytest.mark.parametrize("norm_first", (True, False))
def test_transformer_encoder_with_norms_before_and_after(norm_first, activation, token):
    torch.manual_seed(0)
    module = drawn(references.Encoder(norm_first, activation, last_norm=norm_first, token=token))
    said = {} if activation == "relu" else {"activation": "gelu"}
    found = matched(module.state_dict(), nhead=4, **said)
    assert largest_difference(module, found) < 1e-5
    assert (found.module is None) == norm_first and certainty(found, "norms") == "assumed"
    assert certainty(found, "activation") == ("assumed" if activation == "relu" else "found")


@pytest.mark.parametrize("norm_first", (True, False))
def test_norm_first_of_the_config_wins(norm_first):
    torch.manual_seed(0)
    module = drawn(references.Encoder(norm_first, "relu", last_norm=not norm_first))
    found = matched(module.state_dict(), nhead=4, norm_first=norm_first)
    assert largest_difference(module, found) < 1e-5 and certainty(found, "norms") == "found"


@pytest.mark.parametrize(
    "sizes",
    (
        {},
        {"depth": 1, "dim": 48, "heads": 3},
        {"depth": 11, "hidden": 96},
        {"hidden": 32},
        {"channels": 1, "patch": 4},
        {"channels": 4},
        {"hidden": 33, "dim": 36},
    ),
)
def test_course_notes_of_any_depth_and_width(sizes):
    torch.manual_seed(0)
    module = drawn(references.Notes(**sizes))
    found = matched(module.state_dict(), args={"model": {"num_heads": sizes.get("heads", 4)}})
    assert largest_difference(module, found, channels=sizes.get("channels", 3)) < 1e-5
    assert found.architecture == "vit_tiny_patch16_224" and "nn.MultiheadAttention" in found.format
    assert "args.model.num_heads" in text(found, "heads") and certainty(found, "heads") == "found"


class TestHeads:
    def tensors(self):
        return references.Notes().state_dict()

    def heads(self, **given):
        return matched(self.tensors(), **given).model_args["num_heads"]

    def test_what_the_user_says_wins_over_the_config(self):
        assert self.heads(num_heads=8, n_heads=2) == 8

    def test_config_wins_over_attributes_and_attributes_over_the_weights(self):
        attributes = {f"blocks.{i}.attn": {"num_heads": 2, "embed_dim": 32} for i in range(3)}
        assert self.heads(attributes=attributes) == 2 and self.heads(attributes=attributes, num_attention_heads=8) == 8

    def test_folder_config_is_read(self):
        assert self.heads(folder={"num_attention_heads": 2}) == 2

    def test_lists_of_heads_need_no_word(self):
        found = matched(naming_styles.HeadList().state_dict())
        assert found.model_args["num_heads"] == 4 and certainty(found, "heads") == "found"

    def test_untrained_weights_are_an_assumption_that_says_what_is_wrong_with_it(self):
        torch.manual_seed(0)
        found = matched(drawn(references.Notes()).state_dict())
        assert certainty(found, "heads") == "assumed" and "spoils every map" in text(found, "heads")

    def test_number_that_does_not_divide_is_refused(self):
        with pytest.raises(SourceError, match="don't divide"):
            matched(self.tensors(), num_heads=5)

    def test_sizes_of_a_known_architecture_give_its_heads(self):
        tensors = references.Notes(image=224, patch=16, dim=192, depth=12, hidden=768, classes=7).state_dict()
        found = matched(tensors)
        assert found.model_args["num_heads"] == 3 and "vit_tiny_patch16_224" in text(found, "heads")
        assert certainty(found, "heads") == "inferred" and certainty(found, "mean and std") == "assumed"


class TestStated:
    def test_epsilon_activation_and_statistics_of_the_config_are_taken(self):
        found = matched(
            references.Notes().state_dict(), num_heads=4, layer_norm_eps=1e-12, hidden_act="gelu_new",
            mean=[0.1, 0.2, 0.3], std=[0.3, 0.2, 0.1], classes=["a", "b", "c", "d", "e"],
        )  # fmt: skip
        module = built(found)
        assert module.blocks[0].norm1.eps == 1e-12 and type(module.blocks[0].mlp.act).__name__ == "GELUTanh"
        assert found.preprocessing["mean"] == (0.1, 0.2, 0.3) and found.labels == ("a", "b", "c", "d", "e")
        topics = ("heads", "activation", "norm epsilon", "mean and std")
        assert {certainty(found, topic) for topic in topics} == {"found"}

    def test_what_is_not_said_is_assumed_aloud(self):
        found = matched(drawn(references.Notes()).state_dict())
        assumed = {f.topic for f in found.findings if f.certainty == "assumed"}
        assert {"heads", "activation", "norm epsilon", "norms", "mean and std"} <= assumed
        assert certainty(found, "pooling") == "inferred" and certainty(found, "view") == "inferred"
        assert preprocessing_of(built(found)).mean == (0.5, 0.5, 0.5)

    def test_view_that_is_no_square_needs_to_be_said(self):
        tensors = references.Notes().state_dict()
        tensors["pos_embed"] = torch.randn(1, 4 * 5 + 1, 32)
        with pytest.raises(SourceError, match="fit no square grid"):
            matched(tensors, num_heads=4)
        assert matched(tensors, num_heads=4, img_size=[24, 30]).model_args["img_size"] == (24, 30)

    def test_labels_by_number_and_to_number(self):
        tensors = references.Notes(classes=3).state_dict()
        assert matched(tensors, num_heads=4, class_to_idx={"b": 1, "a": 0, "c": 2}).labels == ("a", "b", "c")
        assert matched(tensors, num_heads=4, id2label={"0": "x", "2": "z", "1": "y"}).labels == ("x", "y", "z")
        assert matched(tensors, num_heads=4, classes=["only", "two"]).labels == ()

    def test_order_of_flattened_patches_is_read_from_smooth_weights(self, shared):
        trained = torch.load(shared / "checkpoints/cifar10_mha/vit.pt", weights_only=True, map_location="cpu")
        weight = trained.pop("patch_embed.proj.weight")  # (D, c, p1, p2)
        for flat in (weight.permute(0, 2, 3, 1).flatten(1), weight.flatten(1)):
            found = matched({"patch_embed.proj.weight": flat, **trained}, num_heads=4)
            torch.testing.assert_close(found.tensors["patch_embed.proj.weight"], weight)
            assert certainty(found, "patches") == "inferred"


@pytest.mark.parametrize(
    ("name", "is_told"),
    [("mix.inp.", False), ("attention.fused.", False), ("attn.QKV.", True), ("attn.in_proj_", True)],
)
def test_order_in_a_fused_matrix_is_an_assumption_where_no_name_tells_it(name, is_told):
    module = drawn(references.Notes())
    tensors = naming_styles.renamed(module.state_dict(), [(r"attn\.in_proj_", name)], False)
    found = matched(tensors, num_heads=4)
    assert largest_difference(module, found) < 1e-5
    said = [(f.text, f.certainty) for f in found.findings if f.topic == "qkv order"]
    assert [certainty for _, certainty in said] == ([] if is_told else ["assumed"])
    assert all(name.rstrip(".") in text and "wrong order" in text for text, _ in said)


class TestMore:
    def test_lists_side_by_side(self):
        """norms.0, attentions.0, mlps.0: no list of layers, but lists of their parts."""
        module = drawn(references.Notes())
        names = {"norm1": "first_norms", "attn": "attentions", "norm2": "second_norms", "mlp": "mlps"}
        tensors = {}
        for key, value in module.state_dict().items():
            parts = key.split(".")
            if parts[0] == "blocks":
                key = ".".join([names[parts[2]], parts[1], *parts[3:]])
            tensors[key] = value
        assert largest_difference(module, matched(tensors, num_heads=4)) < 1e-5

    def test_layer_scale_is_multiplied_in(self):
        theirs = drawn(
            timm.create_model(
                "vit_tiny_patch16_224", img_size=24, patch_size=6, embed_dim=32, depth=2, num_heads=4, num_classes=5,
                init_values=0.5, global_pool="token",
            )
        )  # fmt: skip
        found = matched(theirs.state_dict(), num_heads=4, norm_eps=1e-6)
        assert largest_difference(theirs, found) < 1e-5 and "layer scale" in text(found, "converted")

    def test_tensors_without_a_role_are_named(self):
        tensors = references.Notes().state_dict() | {
            "mask_token": torch.zeros(1, 1, 32), "projector.weight": torch.zeros(7, 9),
            "blocks.0.attn.step": torch.tensor(3),
        }  # fmt: skip
        ignored = [f.text for f in matched(tensors, num_heads=4).findings if f.topic == "ignored"]
        assert any("mask_token" in t and "pretraining" in t for t in ignored) and any("projector" in t for t in ignored)

    def test_weights_alone_without_a_head_have_no_classes(self):
        tensors = {k: v for k, v in references.Notes().state_dict().items() if not k.startswith("head")}
        assert matched(tensors, num_heads=4).model_args["num_classes"] == 0

    def test_half_precision_stays_half(self):
        tensors = {k: v.half() for k, v in references.Notes().state_dict().items()}
        found = matched(tensors, num_heads=4)
        assert {value.dtype for value in found.tensors.values()} == {torch.float16}

    @pytest.mark.parametrize(
        ("change", "reason"),
        (
            (lambda t: t.pop("patch_embed.weight"), "no patch embedding"),
            (lambda t: t.pop("pos_embed"), "no position embedding: rotary"),
            (lambda t: t.update({"pool.q.weight": torch.zeros(32, 32)}), "attends outside its layers"),
            (lambda t: t.update({"patch_embed.bias": torch.zeros(3)}), "tensors don't fit"),
            (lambda t: t.update({"stem.weight": torch.zeros(8, 3, 3, 3)}), "several convolutions"),
            (lambda t: t.update({"block.bn.running_mean": torch.zeros(32)}), "role is not known"),
            (
                lambda t: [t.update({f"blocks.{i}.attn.q_norm.weight": torch.ones(8)}) for i in range(3)],
                "without a role",
            ),
            (lambda t: [t.pop(f"blocks.{i}.norm2.{p}") for i in range(3) for p in ("weight", "bias")], "1 norms"),
        ),
    )
    def test_what_it_can_not_compute_is_refused_with_the_reason(self, change, reason):
        tensors = references.Notes().state_dict()
        change(tensors)
        with pytest.raises(SourceError, match=reason):
            matched(tensors, num_heads=4)

    @pytest.mark.parametrize(
        ("name", "args"),
        (
            ("vit_small_patch14_reg4_dinov2", {"patch_size": 16}),
            ("deit3_small_patch16_224", {}),
            ("vit_medium_patch16_gap_256", {}),
            ("vit_little_patch16_reg4_gap_256", {}),
            ("test_vit2", {"reg_tokens": 1, "class_token": False}),
        ),
    )
    def test_relatives_of_timm_give_the_same_logits(self, name, args):
        theirs = drawn(timm.create_model(name, img_size=64, embed_dim=48, depth=2, num_heads=3, num_classes=5, **args))
        found = matched(theirs.state_dict(), num_heads=3, norm_eps=1e-6)
        assert largest_difference(theirs, found, size=64) < 1e-4

    @pytest.mark.parametrize(
        "name",
        (
            "vit_base_patch16_siglip_224", "deit_tiny_distilled_patch16_224", "eva02_tiny_patch14_224",
            "beit_base_patch16_224", "vit_relpos_small_patch16_224", "vit_srelpos_small_patch16_224",
            "vit_small_patch16_dinov3", "vit_dlittle_patch16_reg1_gap_256", "vit_pwee_patch16_reg1_gap_256",
        ),
    )  # fmt: skip
    def test_relatives_that_compute_more_are_refused_rather_than_opened_wrongly(self, name):
        theirs = timm.create_model(name, embed_dim=48, depth=2, num_heads=3)
        with pytest.raises(SourceError):
            matched(theirs.state_dict(), num_heads=3)

    def test_changed_files_open_whole_or_are_refused(self):
        """120 state dicts with tensors dropped, reshaped, renamed, doubled: nothing but SourceError ever comes out."""
        random = Random(0)
        bases = [
            references.Notes().state_dict(),
            references.Lucidrains(2).state_dict(),
            naming_styles.KeyValue().state_dict(),
        ]
        for _ in range(120):
            tensors = dict(random.choice(bases))
            for _ in range(random.randint(1, 3)):
                key, kind = random.choice(list(tensors)), random.randrange(5)
                value = tensors.pop(key)
                if kind == 1:
                    tensors[key] = torch.zeros([random.randint(0, 40) for _ in range(random.randint(0, 5))])
                elif kind == 2:
                    tensors[random.choice(("", ".", "q", "bias", "weight", "0", "blocks.0.heads.0.q.weight"))] = value
                elif kind == 3:
                    tensors[key] = value[None]
                elif kind == 4:
                    tensors[key.replace(".1.", ".9.").replace("norm", "qkv")] = value
            try:
                found = matched(tensors, num_heads=4)
            except SourceError:
                continue
            with torch.no_grad():
                built(found)(torch.zeros(1, *found.preprocessing["input_size"]))


FILES = (
    ("cifar10_mha/vit.pt", {"patch": 4, "image": 32, "dim": 128, "layers": 4, "heads": 4, "classes": 10}),
    ("mnist_mha/vit_mnist_best.pth", {"patch": 7, "image": 28, "channels": 1, "dim": 64, "layers": 4, "heads": 4}),
    ("mnist_lucidrains/vit_mnist_gpu.pt", {"patch": 4, "image": 28, "channels": 1, "dim": 64, "layers": 6, "heads": 4}),
    ("own_shapes/vit_shapes64.pth", {"patch": 8, "image": 64, "dim": 96, "layers": 5, "heads": 3, "registers": 2}),
)


def read(path):
    """A real file's tensors and the values beside them."""
    found = torch.load(path, weights_only=True, map_location="cpu")
    if isinstance(found.get("model"), dict):
        return found["model"], {key: value for key, value in found.items() if key != "model"}
    return found, {}


@pytest.mark.parametrize(("file", "expected"), FILES, ids=lambda value: value if isinstance(value, str) else "")
def test_real_files_are_what_they_are(shared, file, expected):
    tensors, config = read(shared / "checkpoints" / file)
    found = matched(tensors, path=file, **config)
    module = built(found)
    assert tuple(module.patch_embed.img_size) == (expected["image"],) * 2
    assert tuple(module.patch_embed.patch_size) == (expected["patch"],) * 2
    assert module.embed_dim == expected["dim"] and len(module.blocks) == expected["layers"]
    assert module.blocks[0].attn.num_heads == expected["heads"] and certainty(found, "heads") == "inferred"
    assert "likely" in text(found, "heads") and "t = " in text(found, "heads")
    assert found.preprocessing["input_size"][0] == expected.get("channels", 3)
    assert module.num_prefix_tokens == 1 + expected.get("registers", 0)


@pytest.mark.parametrize(
    "file",
    ("timm_plain.pth", "torchvision_vit.pth", "hf_disk_names.bin", "hf_v5_in_memory_names.pth", "jeonsworld.bin"),
)
def test_twins_in_names_of_other_libraries_give_the_same_logits(shared, file):
    tensors, config = read(shared / "checkpoints/twins_cifar10" / file)
    expected = torch.load(shared / "checkpoints/twins_cifar10/expected.pt", weights_only=True, map_location="cpu")
    with torch.no_grad():
        logits = built(matched(tensors, **config))(expected["input"])
    torch.testing.assert_close(logits, expected["logits"], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("file", "reason"),
    (
        ("neg_head_only/best_vit.pth", "no patch embedding and no attention: this is only a classifier head"),
        ("neg_hw_exact/hw_exact.pth", "tensors without layer names"),
        ("own_shapes/swin_shapes64.pth", "bias for relative positions, as Swin"),
        ("own_shapes/swinv2_shapes64.pth", "bias for relative positions, as Swin"),
    ),
)
def test_files_of_something_else_are_refused_with_the_reason(shared, file, reason):
    tensors, config = read(shared / "checkpoints" / file)
    with pytest.raises(SourceError, match=reason) as refusal:
        matched(tensors, path=file, **config)
    assert Path(file).name in str(refusal.value) and len(str(refusal.value)) < 700
