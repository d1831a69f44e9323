"""One small network of every family whose attention is captured, on views that are not square."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Family:
    """A timm architecture shrunk by `args`, and what its trace must have found."""

    key: str
    architecture: str
    size: tuple[int, int]
    args: dict[str, Any]
    kinds: tuple[str, ...]
    prefix: tuple[str, ...] = ()
    grids: tuple[tuple[int, int], ...] = ((4, 6),)
    fused: bool = False  # built with timm's experimental fused attention
    marks: tuple[Any, ...] = field(default=())

    def __str__(self) -> str:
        return self.key


_PLAIN = {"embed_dim": 32, "depth": 2, "num_heads": 2, "num_classes": 5}
_SWIN = {"window_size": 4, "embed_dim": 16, "depths": (2, 2), "num_heads": (2, 4), "num_classes": 5}
_MAX = {"embed_dim": (32, 64), "depths": (1, 1), "stem_width": 16, "num_classes": 5}
_REGISTERS = ("reg0", "reg1", "reg2", "reg3")


def _plain(key, architecture, *, prefix=("cls",), pool=False, size=(64, 96), grids=((4, 6),), **args):
    kinds = ("global", "global") + (("pool",) if pool else ())
    sized = {} if architecture.startswith("naflexvit") else {"img_size": size}
    return Family(key, architecture, size, {**sized, **_PLAIN, **args}, kinds, prefix, grids)


def _windowed(key, architecture, size, grids, count, fused=False, **args):
    sized = {} if architecture.startswith("tiny_vit") else {"img_size": size}
    return Family(key, architecture, size, {**sized, **args}, ("window",) * count, (), grids, fused)


_PADDED = {"size": (36, 44), "grids": ((9, 11), (5, 6)), "count": 4, **_SWIN}
_EVEN = {"size": (64, 96), "grids": ((16, 24), (8, 12)), "count": 4, **_SWIN}
_STAGES = {"size": (64, 96), "grids": ((16, 24), (8, 12)), "count": 4, **_MAX}

FAMILIES = (
    _plain("vit", "vit_tiny_patch16_224"),
    _plain("vit-qk-norm", "vit_tiny_patch16_224", qk_norm=True),
    _plain("deit-distilled", "deit_tiny_distilled_patch16_224", prefix=("cls", "dist")),
    _plain("dinov2-registers", "vit_small_patch14_reg4_dinov2", prefix=("cls", *_REGISTERS), size=(56, 84)),
    _plain("dinov3", "vit_small_patch16_dinov3", prefix=("cls", *_REGISTERS), embed_dim=64),
    _plain("eva02", "eva02_tiny_patch14_224", size=(56, 84), embed_dim=64),
    _plain("beit", "beit_base_patch16_224"),
    _plain("siglip", "vit_base_patch16_siglip_224", prefix=(), pool=True),
    _plain("flexivit", "flexivit_small"),
    _plain("naflex-registers", "naflexvit_base_patch16_gap", prefix=_REGISTERS),
    _plain("naflex-pool", "naflexvit_base_patch16_map", prefix=("reg0",), pool=True),
    _plain("hybrid", "vit_tiny_r_s16_p8_224", grids=((2, 3),)),
    _plain("relpos-cls", "vit_relpos_base_patch16_cls_224"),
    _plain("relpos-mlp", "vit_relpos_small_patch16_rpn_224", prefix=()),
    _windowed("swin-padded", "swin_tiny_patch4_window7_224", **_PADDED),
    _windowed("swin-fused-padded", "swin_tiny_patch4_window7_224", fused=True, **_PADDED),
    _windowed("swin", "swin_tiny_patch4_window7_224", **_EVEN),
    _windowed("swin-fused", "swin_tiny_patch4_window7_224", fused=True, **_EVEN),
    _windowed(
        "swin-fused-one-window",
        "swin_tiny_patch4_window7_224",
        **{**_PADDED, "size": (24, 32), "grids": ((6, 8), (3, 4))},
        fused=True,
    ),
    _windowed("swinv2-padded", "swinv2_tiny_window8_256", **_PADDED),
    _windowed("swinv2", "swinv2_tiny_window8_256", **_EVEN),
    _windowed("swinv2-cr-padded", "swinv2_cr_tiny_224", **_PADDED),
    _windowed("swinv2-cr", "swinv2_cr_tiny_ns_224", **_EVEN),
    _windowed("maxvit-tf", "maxvit_tiny_tf_224", **_STAGES),
    _windowed("maxvit-tf-fused", "maxvit_tiny_tf_224", fused=True, **_STAGES),
    _windowed("maxvit-rmlp", "maxvit_rmlp_pico_rw_256", **_STAGES),
    _windowed("maxvit-parallel", "maxvit_tiny_pm_256", block_type=("PM", "PM"), **_STAGES),
    _windowed("maxvit-nchw", "maxvit_nano_rw_256", **_STAGES),
    # As wide as it has channels: 32 channels on a grid of 16 x 32 must not be read as a grid of 32 x 16.
    _windowed("maxvit-nchw-wide", "maxvit_nano_rw_256", (64, 128), ((16, 32), (8, 16)), 4, **_MAX),
    _windowed("maxxvit", "maxxvitv2_nano_rw_256", **{**_STAGES, "count": 2}),
    Family(
        "sam", "samvit_base_patch16_224", (64, 96),
        {"img_size": (64, 96), **_PLAIN, "window_size": 3, "global_attn_indexes": (1,)}, ("window", "global"),
    ),
    _windowed("tinyvit-padded", "tiny_vit_5m_224", (96, 128), ((12, 16), (6, 8), (3, 4)), 3, num_classes=5,
              embed_dims=(16, 32, 32, 32), depths=(1, 1, 1, 1), num_heads=(1, 2, 2, 2), window_sizes=(7, 5, 4, 3)),
    Family(
        "coatnet", "test_coatnet", (64, 96), {"img_size": (64, 96), "num_classes": 5}, ("global",) * 3,
        grids=((4, 6), (2, 3)),
    ),
)  # fmt: skip
