"""timm's names of the architectures of each family (timm 1.0.31)."""

from __future__ import annotations

# timm's architecture of each family by width. All sizes are given explicitly: the name only says the family.
_NAMES: dict[str, dict[int, str]] = {
    "vit": {192: "vit_tiny_patch16_224", 384: "vit_small_patch16_224", 768: "vit_base_patch16_224",
            1024: "vit_large_patch16_224", 1280: "vit_huge_patch14_224"},
    "deit": {192: "deit_tiny_patch16_224", 384: "deit_small_patch16_224", 768: "deit_base_patch16_224"},
    "deit_distilled": {192: "deit_tiny_distilled_patch16_224", 384: "deit_small_distilled_patch16_224",
                       768: "deit_base_distilled_patch16_224"},
    "deit3": {384: "deit3_small_patch16_224", 512: "deit3_medium_patch16_224", 768: "deit3_base_patch16_224",
              1024: "deit3_large_patch16_224", 1280: "deit3_huge_patch14_224"},
    "dinov2": {384: "vit_small_patch14_dinov2", 768: "vit_base_patch14_dinov2", 1024: "vit_large_patch14_dinov2",
               1536: "vit_giant_patch14_dinov2"},
    "dinov2_reg": {384: "vit_small_patch14_reg4_dinov2", 768: "vit_base_patch14_reg4_dinov2",
                   1024: "vit_large_patch14_reg4_dinov2", 1536: "vit_giant_patch14_reg4_dinov2"},
    "dinov3": {384: "vit_small_patch16_dinov3_qkvb", 768: "vit_base_patch16_dinov3_qkvb",
               1024: "vit_large_patch16_dinov3_qkvb", 1280: "vit_huge_plus_patch16_dinov3_qkvb"},
    "clip": {768: "vit_base_patch16_clip_224", 1024: "vit_large_patch14_clip_224", 1280: "vit_huge_patch14_clip_224"},
    "clip_quickgelu": {768: "vit_base_patch16_clip_quickgelu_224", 1024: "vit_large_patch14_clip_quickgelu_224"},
    "siglip": {768: "vit_base_patch16_siglip_224", 1024: "vit_large_patch16_siglip_256",
               1152: "vit_so400m_patch14_siglip_224"},
    "beit": {768: "beit_base_patch16_224", 1024: "beit_large_patch16_224"},
    "eva": {192: "eva02_tiny_patch14_224", 384: "eva02_small_patch14_224", 768: "eva02_base_patch14_224",
            1024: "eva02_large_patch14_224", 1408: "eva_giant_patch14_224"},
    "swin": {96: "swin_tiny_patch4_window7_224", 128: "swin_base_patch4_window7_224",
             192: "swin_large_patch4_window7_224"},
    "swinv2": {96: "swinv2_tiny_window8_256", 128: "swinv2_base_window8_256",
               192: "swinv2_large_window12_192"},
}  # fmt: skip


def architecture_of(family: str, width: int) -> str:
    """timm's name of a family's architecture of this width, or of the nearest width."""
    names = _NAMES[family]
    return names[min(names, key=lambda w: abs(w - width))]
