"""Small vision transformers in naming styles found in the wild, for the structural matcher.

Written before the matcher and not changed to suit it. At its first run 10 of the 12 in STYLES gave the same logits, in
the order of the file and of the alphabet, and both in REFUSED were refused. KeyValue ("prenorm", "postnorm") was wrong
until those words were known; Residuals takes the mean over all tokens, which nothing in a file tells: it needs to be
said. RENAMED was written after the matcher: 7 of 8 matched at the first run, "numbers" was refused until "to" in
"toqueries" was known.

Each style is a module whose state dict is all that the matcher gets, beside a config with the number of heads. Sizes:
view 24 x 24, patch 6, 16 patches, width 32, 3 layers, 4 heads, 7 classes, unless a style says otherwise.
"""

import re

import torch
import torch.nn.functional as F
from torch import nn

D, M, H, L, P, S, K = 32, 72, 4, 3, 6, 24, 7
N = (S // P) ** 2


def attend(q, k, v, heads=H):
    """Attention of (B, N, A) by `heads`, written out."""
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
    weights = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1)
    return (weights @ v).transpose(1, 2).flatten(2)


def tokens_of(conv, x):
    """(B, C, S, S) -> (B, N, D) by a convolution."""
    return conv(x).flatten(2).transpose(1, 2)


def with_class(token, x):
    """The class token of any shape (..., D) before the patches."""
    return torch.cat([token.reshape(1, 1, -1).expand(len(x), -1, -1), x], 1)


def box(**children):
    """A module with these children or parameters and no forward of its own."""
    module = nn.Module()
    for name, child in children.items():
        setattr(module, name, child)
    return module


def drawn(*shape):
    return nn.Parameter(torch.randn(*shape) * 0.3)


class ImageGPT(nn.Module):
    """nanoGPT's names: transformer.h.0.attn.c_attn, mlp.c_fc, ln_f."""

    def __init__(self):
        super().__init__()
        blocks = [
            box(
                ln_1=nn.LayerNorm(D), attn=box(c_attn=nn.Linear(D, 3 * D), c_proj=nn.Linear(D, D)),
                ln_2=nn.LayerNorm(D), mlp=box(c_fc=nn.Linear(D, M), c_proj=nn.Linear(M, D)),
            )
            for _ in range(L)
        ]  # fmt: skip
        self.transformer = box(
            wpe=nn.Embedding(N + 1, D), stem=nn.Conv2d(3, D, P, P), h=nn.ModuleList(blocks), ln_f=nn.LayerNorm(D)
        )
        self.sos = drawn(D)
        self.classifier = nn.Linear(D, K)

    def forward(self, x):
        t = self.transformer
        x = with_class(self.sos, tokens_of(t.stem, x)) + t.wpe.weight
        for b in t.h:
            x = x + b.attn.c_proj(attend(*b.attn.c_attn(b.ln_1(x)).chunk(3, -1)))
            x = x + b.mlp.c_proj(F.gelu(b.mlp.c_fc(b.ln_2(x))))
        return self.classifier(t.ln_f(x)[:, 0])


class CourseNotebook(nn.Module):
    """A course's notebook: input_layer on (c p p) pixels, layer_norm_1, linear.0 and linear.3, mlp_head."""

    def __init__(self):
        super().__init__()
        self.input_layer = nn.Linear(3 * P * P, D)
        self.transformer = nn.Sequential(*(
            box(
                layer_norm_1=nn.LayerNorm(D), attn=nn.MultiheadAttention(D, H, batch_first=True),
                layer_norm_2=nn.LayerNorm(D),
                linear=nn.Sequential(nn.Linear(D, M), nn.GELU(), nn.Dropout(0.1), nn.Linear(M, D), nn.Dropout(0.1)),
            )
            for _ in range(L)
        ))  # fmt: skip
        self.mlp_head = nn.Sequential(nn.LayerNorm(D), nn.Linear(D, K))
        self.cls_token = drawn(1, 1, D)
        self.pos_embedding = drawn(1, N + 1, D)

    def forward(self, x):
        x = F.unfold(x, P, stride=P).transpose(1, 2)
        x = with_class(self.cls_token, self.input_layer(x)) + self.pos_embedding
        for b in self.transformer:
            y = b.layer_norm_1(x)
            x = x + b.attn(y, y, y)[0]
            x = x + b.linear(b.layer_norm_2(x))
        return self.mlp_head(x[:, 0])


class SlicedHeads(nn.Module):
    """A tutorial in plain torch: each head has q, k, v of its own slice of the width; no way back, no last norm."""

    def __init__(self):
        super().__init__()
        d = D // H
        self.linear_mapper = nn.Linear(3 * P * P, D)
        self.class_token = drawn(1, D)
        self.positional_embeddings = nn.Parameter(torch.randn(N + 1, D) * 0.3)
        self.blocks = nn.ModuleList(
            box(
                norm1=nn.LayerNorm(D),
                mhsa=box(**{
                    f"{part}_mappings": nn.ModuleList(nn.Linear(d, d) for _ in range(H)) for part in ("q", "k", "v")
                }),
                norm2=nn.LayerNorm(D),
                mlp=nn.Sequential(nn.Linear(D, M), nn.GELU(), nn.Linear(M, D)),
            )
            for _ in range(L)
        )  # fmt: skip
        self.mlp = nn.Sequential(nn.Linear(D, K), nn.Softmax(dim=-1))

    def forward(self, x):
        x = F.unfold(x, P, stride=P).transpose(1, 2)
        x = with_class(self.class_token, self.linear_mapper(x)) + self.positional_embeddings
        for b in self.blocks:
            parts = b.norm1(x).chunk(H, -1)
            q, k, v = (
                torch.cat([m(p) for m, p in zip(getattr(b.mhsa, f"{n}_mappings"), parts, strict=True)], -1)
                for n in ("q", "k", "v")
            )
            x = x + attend(q, k, v)
            x = x + b.mlp(b.norm2(x))
        return self.mlp[0](x[:, 0])


class Residuals(nn.Sequential):
    """Everything in nn.Sequential, so that nearly every name is a number; mean over all tokens."""

    def __init__(self):
        def block():
            attention = box(
                keys=nn.Linear(D, D), queries=nn.Linear(D, D), values=nn.Linear(D, D), projection=nn.Linear(D, D)
            )
            feed = nn.Sequential(nn.Linear(D, M), nn.GELU(), nn.Dropout(0.0), nn.Linear(M, D))
            return nn.Sequential(
                box(fn=nn.Sequential(nn.LayerNorm(D), attention, nn.Dropout(0.0))),
                box(fn=nn.Sequential(nn.LayerNorm(D), feed, nn.Dropout(0.0))),
            )

        embed = box(
            projection=nn.Sequential(nn.Conv2d(3, D, P, P)), cls_token=drawn(1, 1, D), positions=drawn(N + 1, D)
        )
        super().__init__(
            embed,
            nn.Sequential(*(block() for _ in range(L))),
            nn.Sequential(nn.Identity(), nn.LayerNorm(D), nn.Linear(D, K)),
        )

    def forward(self, x):
        e = self[0]
        x = with_class(e.cls_token, tokens_of(e.projection, x)) + e.positions
        for a, f in self[1]:
            y, m = a.fn[0](x), a.fn[1]
            x = x + m.projection(attend(m.queries(y), m.keys(y), m.values(y)))
            x = x + f.fn[1](f.fn[0](x))
        return self[2](x.mean(1))


class PaperReplica(nn.Module):
    """Names of a video course: patcher, class_embedding, msa_block.multihead_attn, mlp_block.mlp, norms inside."""

    def __init__(self):
        super().__init__()
        self.class_embedding = drawn(1, 1, D)
        self.position_embedding = drawn(1, N + 1, D)
        self.patch_embedding = box(patcher=nn.Conv2d(3, D, P, P))
        self.transformer_encoder = nn.Sequential(*(
            box(
                msa_block=box(layer_norm=nn.LayerNorm(D), multihead_attn=nn.MultiheadAttention(D, H, batch_first=True)),
                mlp_block=box(
                    layer_norm=nn.LayerNorm(D),
                    mlp=nn.Sequential(nn.Linear(D, M), nn.GELU(), nn.Dropout(0.1), nn.Linear(M, D), nn.Dropout(0.1)),
                ),
            )
            for _ in range(L)
        ))  # fmt: skip
        self.classifier = nn.Sequential(nn.LayerNorm(D), nn.Linear(D, K))

    def forward(self, x):
        x = with_class(self.class_embedding, tokens_of(self.patch_embedding.patcher, x)) + self.position_embedding
        for b in self.transformer_encoder:
            y = b.msa_block.layer_norm(x)
            x = x + b.msa_block.multihead_attn(y, y, y)[0]
            x = x + b.mlp_block.mlp(b.mlp_block.layer_norm(x))
        return self.classifier(x[:, 0])


class HeadList(nn.Module):
    """A list of heads with a query, key and value each, joined by output_projection; dense_1, dense_2."""

    def __init__(self):
        super().__init__()
        d = D // H
        self.embedding = box(
            cls_token=drawn(1, 1, D), position_embeddings=drawn(1, N + 1, D),
            patch_embeddings=box(projection=nn.Conv2d(3, D, P, P)),
        )  # fmt: skip
        self.encoder = box(
            blocks=nn.ModuleList(
                box(
                    attention=box(
                        heads=nn.ModuleList(
                            box(query=nn.Linear(D, d), key=nn.Linear(D, d), value=nn.Linear(D, d)) for _ in range(H)
                        ),
                        output_projection=nn.Linear(D, D),
                    ),
                    layernorm_1=nn.LayerNorm(D),
                    mlp=box(dense_1=nn.Linear(D, M), dense_2=nn.Linear(M, D)),
                    layernorm_2=nn.LayerNorm(D),
                )
                for _ in range(L)
            )
        )
        self.classifier = nn.Linear(D, K)

    def forward(self, x):
        e = self.embedding
        x = with_class(e.cls_token, tokens_of(e.patch_embeddings.projection, x)) + e.position_embeddings
        for b in self.encoder.blocks:
            y = b.layernorm_1(x)
            heads = [attend(h.query(y), h.key(y), h.value(y), 1) for h in b.attention.heads]
            x = x + b.attention.output_projection(torch.cat(heads, -1))
            x = x + b.mlp.dense_2(F.gelu(b.mlp.dense_1(b.layernorm_2(x))))
        return self.classifier(x[:, 0])


class FlatNames(nn.Module):
    """Layers as attributes with a number at the end: tb_1_attn, tb_1_norm_a; no container anywhere."""

    def __init__(self):
        super().__init__()
        self.patches, self.cls, self.pos = nn.Conv2d(3, D, P, P), drawn(1, 1, D), drawn(1, N + 1, D)
        for i in range(1, L + 1):
            setattr(self, f"tb_{i}_norm_a", nn.LayerNorm(D))
            setattr(self, f"tb_{i}_qkv", nn.Linear(D, 3 * D, bias=False))
            setattr(self, f"tb_{i}_out", nn.Linear(D, D))
            setattr(self, f"tb_{i}_norm_b", nn.LayerNorm(D))
            setattr(self, f"tb_{i}_up", nn.Linear(D, M))
            setattr(self, f"tb_{i}_down", nn.Linear(M, D))
        self.final, self.logits = nn.LayerNorm(D), nn.Linear(D, K)

    def forward(self, x):
        x = with_class(self.cls, tokens_of(self.patches, x)) + self.pos
        for i in range(1, L + 1):
            norm_a, qkv, out, norm_b, up, down = (
                getattr(self, f"tb_{i}_{name}") for name in ("norm_a", "qkv", "out", "norm_b", "up", "down")
            )
            x = x + out(attend(*qkv(norm_a(x)).chunk(3, -1)))
            x = x + down(F.gelu(up(norm_b(x))))
        return self.logits(self.final(x)[:, 0])


class Hyphens(nn.Module):
    """add_module with hyphens: block-0.self-attention.W_q; mean over the patches, no class token."""

    def __init__(self):
        super().__init__()
        self.add_module("patch-projection", nn.Conv2d(3, D, P, P))
        self.register_parameter("positional-encoding", drawn(1, N, D))
        for i in range(L):
            block, attention = nn.Module(), nn.Module()
            for name in ("W_q", "W_k", "W_v", "W_o"):
                attention.add_module(name, nn.Linear(D, D))
            block.add_module("self-attention", attention)
            block.add_module("layer-norm-1", nn.LayerNorm(D))
            block.add_module("feed-forward", nn.Sequential(nn.Linear(D, M), nn.GELU(), nn.Linear(M, D)))
            block.add_module("layer-norm-2", nn.LayerNorm(D))
            self.add_module(f"block-{i}", block)
        self.add_module("norm-out", nn.LayerNorm(D))
        self.add_module("output-layer", nn.Linear(D, K))

    def forward(self, x):
        get = self.get_submodule
        x = tokens_of(get("patch-projection"), x) + self.get_parameter("positional-encoding")
        for i in range(L):
            at, y = f"block-{i}", get(f"block-{i}.layer-norm-1")(x)
            q, k, v = (get(f"{at}.self-attention.W_{name}")(y) for name in "qkv")
            x = x + get(f"{at}.self-attention.W_o")(attend(q, k, v))
            x = x + get(f"{at}.feed-forward")(get(f"{at}.layer-norm-2")(x))
        return get("output-layer")(get("norm-out")(x).mean(1))


class KeyValue(nn.Module):
    """to_q and a fused to_kv, grey pictures, a head with a hidden layer."""

    def __init__(self):
        super().__init__()
        self.tokenizer = nn.Conv2d(1, D, P, P)
        self.cls_emb, self.pos_emb = drawn(1, 1, D), drawn(1, N + 1, D)
        self.net = box(
            layers=nn.ModuleList(
                box(
                    prenorm=nn.LayerNorm(D),
                    sa=box(to_q=nn.Linear(D, D), to_kv=nn.Linear(D, 2 * D), to_o=nn.Linear(D, D)),
                    postnorm=nn.LayerNorm(D), ff=box(lin_in=nn.Linear(D, M), lin_out=nn.Linear(M, D)),
                )
                for _ in range(L)
            ),
            norm=nn.LayerNorm(D),
        )  # fmt: skip
        self.clf = nn.Sequential(nn.Linear(D, 20), nn.GELU(), nn.Linear(20, K))

    def forward(self, x):
        x = with_class(self.cls_emb, tokens_of(self.tokenizer, x)) + self.pos_emb
        for b in self.net.layers:
            y = b.prenorm(x)
            x = x + b.sa.to_o(attend(b.sa.to_q(y), *b.sa.to_kv(y).chunk(2, -1)))
            x = x + b.ff.lin_out(F.gelu(b.ff.lin_in(b.postnorm(x))))
        return self.clf(self.net.norm(x)[:, 0])


class RawParameters(nn.Module):
    """nn.Parameter matrices of shape (in, out), used as x @ W: wq, wk, wv, wo, w1, b1, w2, b2."""

    def __init__(self):
        super().__init__()
        self.proj, self.cls_tok, self.pos = nn.Conv2d(3, D, P, P), drawn(1, 1, D), drawn(1, N + 1, D)
        shapes = {
            "wq": (D, D),
            "wk": (D, D),
            "wv": (D, D),
            "wo": (D, D),
            "w1": (D, M),
            "b1": (M,),
            "w2": (M, D),
            "b2": (D,),
        }
        self.enc = nn.ModuleList(
            box(n1=nn.LayerNorm(D), n2=nn.LayerNorm(D), **{name: drawn(*shape) for name, shape in shapes.items()})
            for _ in range(L)
        )
        self.norm, self.fc = nn.LayerNorm(D), nn.Linear(D, K)

    def forward(self, x):
        x = with_class(self.cls_tok, tokens_of(self.proj, x)) + self.pos
        for b in self.enc:
            y = b.n1(x)
            x = x + attend(y @ b.wq, y @ b.wk, y @ b.wv) @ b.wo
            x = x + F.gelu(b.n2(x) @ b.w1 + b.b1) @ b.w2 + b.b2
        return self.fc(self.norm(x)[:, 0])


class SquareFeed(nn.Module):
    """An MLP as wide as the model, so that six square matrices differ by name alone."""

    def __init__(self):
        super().__init__()
        self.embed = box(conv=nn.Conv2d(3, D, P, P), cls=drawn(1, 1, D), position=drawn(1, N + 1, D))
        self.encoder_blocks = nn.ModuleList(
            box(
                norm_attn=nn.LayerNorm(D),
                attn=box(
                    query_proj=nn.Linear(D, D), key_proj=nn.Linear(D, D), value_proj=nn.Linear(D, D),
                    final_proj=nn.Linear(D, D),
                ),
                norm_ffn=nn.LayerNorm(D),
                ffn=nn.Sequential(nn.Linear(D, D), nn.GELU(), nn.Linear(D, D)),
            )
            for _ in range(L)
        )  # fmt: skip
        self.head = nn.Sequential(nn.LayerNorm(D), nn.Linear(D, K))

    def forward(self, x):
        x = with_class(self.embed.cls, tokens_of(self.embed.conv, x)) + self.embed.position
        for b in self.encoder_blocks:
            y, a = b.norm_attn(x), b.attn
            x = x + a.final_proj(attend(a.query_proj(y), a.key_proj(y), a.value_proj(y)))
            x = x + b.ffn(b.norm_ffn(x))
        return self.head(x[:, 0])


class EncoderLayers(nn.Module):
    """torch's nn.TransformerEncoder as it comes (norms after, ReLU), under a name of its own."""

    def __init__(self):
        super().__init__()
        self.patchify, self.token, self.posenc = nn.Conv2d(3, D, P, P), drawn(1, 1, D), drawn(1, N + 1, D)
        self.body = nn.TransformerEncoder(nn.TransformerEncoderLayer(D, H, M, batch_first=True), L)
        self.out = nn.Linear(D, K)

    def forward(self, x):
        x = with_class(self.token, tokens_of(self.patchify, x)) + self.posenc
        return self.out(self.body(x)[:, 0])


class NoKeys(nn.Module):
    """A gated MLP mixer: as numbered as a ViT and with a fused projection, but without attention. To be refused."""

    def __init__(self):
        super().__init__()
        self.patch_embed, self.pos_embed = nn.Conv2d(3, D, P, P), drawn(1, N, D)
        self.blocks = nn.ModuleList(
            box(norm=nn.LayerNorm(D), fc1=nn.Linear(D, M), gate=nn.Linear(N, N), fc2=nn.Linear(M, D)) for _ in range(L)
        )
        self.head = nn.Linear(D, K)


class GatedFeed(nn.Module):
    """A SwiGLU feed-forward (w1, w2, w3) and RMS norms: no plain ViT; to be refused, never opened as another."""

    def __init__(self):
        super().__init__()
        self.patch_embed, self.cls_token, self.pos_embed = nn.Conv2d(3, D, P, P), drawn(1, 1, D), drawn(1, N + 1, D)
        self.layers = nn.ModuleList(
            box(
                attention_norm=nn.RMSNorm(D), attention=box(wqkv=nn.Linear(D, 3 * D), wo=nn.Linear(D, D)),
                ffn_norm=nn.RMSNorm(D),
                feed_forward=box(w1=nn.Linear(D, M), w2=nn.Linear(M, D), w3=nn.Linear(D, M)),
            )
            for _ in range(L)
        )  # fmt: skip
        self.norm, self.output = nn.RMSNorm(D), nn.Linear(D, K)


STYLES = (
    ImageGPT, CourseNotebook, SlicedHeads, Residuals, PaperReplica, HeadList, FlatNames, Hyphens, KeyValue,
    RawParameters, SquareFeed, EncoderLayers,
)  # fmt: skip
REFUSED = (NoKeys, GatedFeed)


def renamed(tensors, rules, parts):
    """A state dict with names changed by (pattern, replacement), fused QKV split where its parts are named."""
    found = {}
    for key, value in tensors.items():
        for pattern, new in rules:
            key = re.sub(pattern, new, key)
        if parts and "QKV" in key:
            found |= {key.replace("QKV", part): chunk for part, chunk in zip(parts, value.chunk(3), strict=True)}
        else:
            found[key] = value
    return found


# The course notes' network (references.Notes) under other names.
RENAMED = {
    "linear_q": (
        [
            (r"^patch_embed", "to_tokens"),
            (r"blocks\.(\d+)\.", r"model.encoder.block_\1."),
            ("norm1", "ln_before_attn"),
            ("norm2", "ln_before_ff"),
            (r"attn\.in_proj_", "attn.QKV."),
            ("attn.out_proj", "attn.fc_out"),
            (r"mlp\.0", "ff.fc_in"),
            (r"mlp\.3", "ff.fc_out"),
            ("^norm", "ln_post"),
            ("^head", "prediction"),
        ],
        ("linear_q", "linear_k", "linear_v"),
    ),
    "camelCase": (
        [
            (r"^patch_embed", "patchEmbedding.projLayer"),
            ("cls_token", "clsToken"),
            ("pos_embed", "posEmbedding"),
            (r"blocks\.(\d+)\.", r"transformerLayers.\1."),
            ("norm1", "layerNorm1"),
            ("norm2", "layerNorm2"),
            (r"attn\.in_proj_", "selfAttention.QKV."),
            ("attn.out_proj", "selfAttention.outProj"),
            (r"mlp\.0", "mlp.linear1"),
            (r"mlp\.3", "mlp.linear2"),
            ("^norm", "finalNorm"),
            ("^head", "classificationHead"),
        ],
        ("queryLayer", "keyLayer", "valueLayer"),
    ),
    "dense": (
        [
            (r"^patch_embed", "patch_encoder.projection"),
            ("cls_token", "class_emb"),
            ("pos_embed", "patch_encoder.position_embedding.weight"),
            (r"blocks\.(\d+)\.", r"transformer_block_\1."),
            ("norm1", "layernorm_a"),
            ("norm2", "layernorm_b"),
            (r"attn\.in_proj_", "mha.QKV."),
            ("attn.out_proj", "mha.dense"),
            (r"mlp\.0", "ffn_dense1"),
            (r"mlp\.3", "ffn_dense2"),
            ("^norm", "ln"),
            ("^head", "mlp_head.dense"),
        ],
        ("q_dense", "k_dense", "v_dense"),
    ),
    "layer_norm": (
        [
            (r"^patch_embed", "proj_in"),
            ("cls_token", "cls"),
            ("pos_embed", "embed_positions.weight"),
            (r"blocks\.(\d+)\.", r"sentence_encoder.layers.\1."),
            ("norm1", "self_attn_layer_norm"),
            ("norm2", "final_layer_norm"),
            (r"attn\.in_proj_", "self_attn.QKV."),
            (r"\.attn.out_proj", ".self_attn.out_proj"),
            (r"mlp\.0", "fc1"),
            (r"mlp\.3", "fc2"),
            ("^norm", "layer_norm"),
            ("^head", "output_projection"),
        ],
        ("q_proj", "k_proj", "v_proj"),
    ),
    "terse": (
        [
            (r"^patch_embed", "pe"),
            ("cls_token", "ct"),
            ("pos_embed", "pos"),
            (r"blocks\.(\d+)\.", r"l\1."),
            ("norm1", "n1"),
            ("norm2", "n2"),
            (r"attn\.in_proj_", "a.QKV."),
            ("attn.out_proj", "a.o"),
            (r"mlp\.0", "f1"),
            (r"mlp\.3", "f2"),
            ("^norm", "n"),
            ("^head", "h"),
        ],
        ("q", "k", "v"),
    ),
    "no usual word": (
        [
            (r"^patch_embed", "stem"),
            ("cls_token", "summary"),
            ("pos_embed", "where"),
            (r"blocks\.(\d+)\.", r"stages.\1."),
            ("norm1", "pre"),
            ("norm2", "mid"),
            (r"attn\.in_proj_", "mix.inp."),
            ("attn.out_proj", "mix.back"),
            (r"mlp\.0", "wide"),
            (r"mlp\.3", "narrow"),
            ("^norm", "last"),
            ("^head", "answer"),
        ],
        False,
    ),
    "numbers": (
        [
            (r"^patch_embed", "embedding.patches.proj"),
            ("cls_token", "embedding.cls"),
            ("pos_embed", "embedding.pos"),
            (r"blocks\.(\d+)\.", r"encoder.\1."),
            ("norm1", "0.norm"),
            ("norm2", "1.norm"),
            (r"attn\.in_proj_", "0.fn.QKV."),
            ("attn.out_proj", "0.fn.unify_heads"),
            (r"mlp\.0", "1.fn.0"),
            (r"mlp\.3", "1.fn.2"),
            ("^norm", "to_logits.0"),
            ("^head", "to_logits.1"),
        ],
        ("toqueries", "tokeys", "tovalues"),
    ),
    "language model": (
        [
            (r"^patch_embed", "vision.patch_embed.proj"),
            ("cls_token", "vision.cls_token"),
            ("pos_embed", "vision.pos_embed"),
            (r"blocks\.(\d+)\.", r"vision.trunk.layer\1."),
            ("norm1", "input_layernorm"),
            ("norm2", "post_attention_layernorm"),
            (r"attn\.in_proj_", "attention.QKV."),
            ("attn.out_proj", "attention.wo"),
            (r"mlp\.0", "mlp.dense_h_to_4h"),
            (r"mlp\.3", "mlp.dense_4h_to_h"),
            ("^norm", "vision.norm"),
            ("^head", "fc"),
        ],
        False,
    ),
}
