"""Vision transformers written as their authors write them, for the matcher to be compared with.

Lucidrains: the three generations of vit-pytorch's vit.py. Encoder: torch's nn.TransformerEncoder as people use it.
Notes: the course notes' VisionTransformer on nn.MultiheadAttention.
"""

import torch
from einops import rearrange
from einops.layers.torch import Rearrange
from torch import nn


class Residual(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def forward(self, x):
        return self.fn(x) + x


class PreNorm(nn.Module):
    def __init__(self, dim, fn):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fn = fn

    def forward(self, x):
        return self.fn(self.norm(x))


class Attention(nn.Module):
    """Of all generations: scale and norm are what changed."""

    def __init__(self, dim, heads, dim_head, scale, norm=False):
        super().__init__()
        inner = heads * dim_head
        self.heads, self.scale = heads, scale
        if norm:
            self.norm = nn.LayerNorm(dim)
        self.to_qkv = nn.Linear(dim, inner * 3, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, dim), nn.Dropout(0.1))

    def forward(self, x):
        if hasattr(self, "norm"):
            x = self.norm(x)
        q, k, v = (rearrange(t, "b n (h d) -> b h n d", h=self.heads) for t in self.to_qkv(x).chunk(3, dim=-1))
        out = (q @ k.transpose(-1, -2) * self.scale).softmax(-1) @ v
        return self.to_out(rearrange(out, "b h n d -> b n (h d)"))


def feed_forward(dim, hidden, norm=False):
    layers = [nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(0.1), nn.Linear(hidden, dim), nn.Dropout(0.1)]
    return nn.Sequential(*([nn.LayerNorm(dim)] if norm else []), *layers)


class Feed(nn.Module):
    def __init__(self, dim, hidden, norm=False):
        super().__init__()
        self.net = feed_forward(dim, hidden, norm)

    def forward(self, x):
        return self.net(x)


class Stack(nn.Module):
    def __init__(self, generation, dim, depth, heads, dim_head, hidden):
        super().__init__()
        self.generation = generation
        self.layers = nn.ModuleList([])
        if generation == 2:
            self.norm = nn.LayerNorm(dim)
        for _ in range(depth):
            scale = dim**-0.5 if generation == 0 else dim_head**-0.5
            attention = Attention(dim, heads, dim_head, scale, generation == 2)
            feed = Feed(dim, hidden, generation == 2)
            pair = [attention, feed] if generation == 2 else [PreNorm(dim, attention), PreNorm(dim, feed)]
            self.layers.append(nn.ModuleList([Residual(fn) for fn in pair] if generation == 0 else pair))

    def forward(self, x):
        for attention, feed in self.layers:
            if self.generation == 0:
                x = feed(attention(x))
            else:
                x = attention(x) + x
                x = feed(x) + x
        return self.norm(x) if self.generation == 2 else x


class Lucidrains(nn.Module):
    """vit-pytorch's ViT: generation 0 (patch_to_embedding), 1 (PreNorm), 2 (norms inside, LayerNorm around patches)."""

    def __init__(
        self, generation, *, image=24, patch=6, channels=3, dim=40, depth=3, heads=4, dim_head=16, hidden=56, classes=5,
        pool="cls", flat_tokens=False,
    ):  # fmt: skip
        super().__init__()
        flat, count = channels * patch * patch, (image // patch) ** 2
        rearranged = Rearrange("b c (h p1) (w p2) -> b (h w) (p1 p2 c)", p1=patch, p2=patch)
        self.generation, self.pool, self.rearranged = generation, pool, rearranged
        self.pos_embedding = nn.Parameter(torch.randn(1, count + 1, dim))
        if generation == 0:
            dim_head = dim // heads
            self.patch_to_embedding = nn.Linear(flat, dim)
        elif generation == 1:
            self.to_patch_embedding = nn.Sequential(rearranged, nn.Linear(flat, dim))
        else:
            self.to_patch_embedding = nn.Sequential(
                rearranged, nn.LayerNorm(flat), nn.Linear(flat, dim), nn.LayerNorm(dim)
            )
        self.cls_token = nn.Parameter(torch.randn(1, 1, dim))
        if flat_tokens:  # as of 2025 both are without the batch dimension
            self.pos_embedding = nn.Parameter(torch.randn(count + 1, dim))
            self.cls_token = nn.Parameter(torch.randn(1, dim))
        self.transformer = Stack(generation, dim, depth, heads, dim_head, hidden)
        if generation == 0:
            self.mlp_head = nn.Sequential(
                nn.LayerNorm(dim), nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(0.1), nn.Linear(hidden, classes)
            )
        elif generation == 1:
            self.mlp_head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, classes))
        else:
            self.mlp_head = nn.Linear(dim, classes)

    def forward(self, x):
        x = self.patch_to_embedding(self.rearranged(x)) if self.generation == 0 else self.to_patch_embedding(x)
        token = self.cls_token if self.cls_token.dim() == 3 else self.cls_token[None]
        x = torch.cat([token.expand(len(x), -1, -1), x], 1) + self.pos_embedding
        x = self.transformer(x)
        return self.mlp_head(x.mean(1) if self.pool == "mean" else x[:, 0])


class Encoder(nn.Module):
    """A ViT on torch's nn.TransformerEncoder."""

    def __init__(self, norm_first, activation, last_norm, *, token=True):
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            32, 4, 48, activation=activation, batch_first=True, norm_first=norm_first, layer_norm_eps=1e-5
        )
        self.patch_embed = nn.Conv2d(3, 32, 6, 6)
        self.cls_token = nn.Parameter(torch.randn(1, 1, 32)) if token else None
        self.pos_embed = nn.Parameter(torch.randn(1, 16 + token, 32))
        self.transformer = nn.TransformerEncoder(
            layer, 3, norm=nn.LayerNorm(32) if last_norm else None, enable_nested_tensor=False
        )
        self.fc = nn.Linear(32, 5)

    def forward(self, x):
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        if self.cls_token is not None:
            x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1)
        x = self.transformer(x + self.pos_embed)
        return self.fc(x[:, 0] if self.cls_token is not None else x.mean(1))


class NotesBlock(nn.Module):
    def __init__(self, dim, heads, hidden):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = nn.MultiheadAttention(dim, heads, dropout=0.1, batch_first=True)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(
            nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(0.1), nn.Linear(hidden, dim), nn.Dropout(0.1)
        )

    def forward(self, x):
        y = self.norm1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class Notes(nn.Module):
    """The course notes' VisionTransformer: nn.MultiheadAttention, nn.LayerNorm, mlp.0 and mlp.3, a class token."""

    def __init__(self, *, image=24, patch=6, channels=3, dim=32, depth=3, heads=4, hidden=64, classes=5):
        super().__init__()
        self.patch_embed = nn.Conv2d(channels, dim, patch, patch)
        self.cls_token = nn.Parameter(torch.randn(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.randn(1, (image // patch) ** 2 + 1, dim))
        self.blocks = nn.ModuleList([NotesBlock(dim, heads, hidden) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, classes)

    def forward(self, x):
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])
