"""Networks of every kind of position embedding, each made once."""

import pytest

_PLAIN = {"embed_dim": 32, "depth": 2, "num_heads": 2, "num_classes": 5}
KINDS = {
    "class token": ("vit_tiny_patch16_224", {"img_size": (64, 96)}),
    "distilled": ("deit_tiny_distilled_patch16_224", {"img_size": (64, 96)}),
    "registers, no rows": ("vit_small_patch16_dinov3", {"img_size": (64, 96), "embed_dim": 64}),
    "registers beside": ("vit_little_patch16_reg4_gap_256", {"img_size": (64, 96)}),
    "no class token": ("vit_base_patch16_siglip_224", {"img_size": (64, 96)}),
    "patches only": ("deit3_small_patch16_224", {"img_size": (64, 96)}),
    "naflex": ("naflexvit_base_patch16_gap", {}),
    "naflex, keeps shape": ("naflexvit_base_patch16_par_gap", {}),
    "separate": ("naflexvit_base_patch16_parfac_gap", {}),
    "eva02": ("eva02_tiny_patch14_224", {"img_size": (56, 84), "embed_dim": 64}),
    "mixed": ("vit_small_patch16_rope_mixed_224", {"img_size": (64, 96)}),
    "beit": ("beit_base_patch16_224", {"img_size": (64, 96)}),
}


@pytest.fixture(scope="session")
def kind(make):
    """Name -> Model with a view of 64 x 96 (56 x 84) pixels, 4 x 6 patches."""
    known = {}

    def of(name):
        if name not in known:
            architecture, args = KINDS[name]
            size = args.get("img_size", (64, 96))
            known[name] = make(architecture, size, **{**_PLAIN, **args})
        return known[name]

    return of
