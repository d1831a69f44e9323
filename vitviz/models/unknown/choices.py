"""The choices of a plain vision transformer that its tensors tell in part or not at all, each with a finding.

Said beside the weights, else inferred from shapes and values, else assumed: what torch and most people's code have.
"""

from __future__ import annotations

import math
from typing import Literal, cast

from vitviz.errors import UnknownArchitectureError, ViewWantedError
from vitviz.models import stated
from vitviz.models.architectures import Match, lookup
from vitviz.models.checkpoint import Checkpoint
from vitviz.models.heads import HeadEstimate, estimate_heads, resolve_heads
from vitviz.models.normalising import statistics
from vitviz.models.report import Certainty, Finding
from vitviz.models.unknown.assembly import plain_tensors
from vitviz.models.unknown.blocks import Layers
from vitviz.models.unknown.embedding import channels_last
from vitviz.models.unknown.plain_vit import Activation, PlainConfig
from vitviz.models.unknown.surround import Surround

ENCODER = "torch nn.TransformerEncoder"
LUCIDRAINS = "lucidrains vit-pytorch, generation"

_TIMM_ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu", "gelutanh": "gelu_tanh", "quickgelu": "quick_gelu", "relu": "relu", "silu": "silu",
}  # fmt: skip


class Choices:
    """Makes the config of a network whose layers and surround are known; `findings` says where each choice is from."""

    def __init__(
        self, layers: Layers, around: Surround, naming: str, checkpoint: Checkpoint, num_heads: int | None
    ) -> None:
        self.findings: list[Finding] = []
        self._layers, self._around, self._format = layers, around, naming
        self._checkpoint, self._num_heads = checkpoint, num_heads
        self._matches: list[Match] = lookup(plain_tensors(layers, around))

    def config(self) -> PlainConfig:
        """The network's choices, each that no tensor tells with a finding."""
        layers, around = self._layers, self._around
        pre_norm = self._pre_norm()
        activation = self._activation()
        eps = self._eps()
        classes = around.head[-1].shape[0] if around.head else 0
        image_size, position = self._grid()
        gray = around.channels == 1
        mean, std = self._statistics(gray)
        self._say("crop", "1, the whole shorter side: the file does not say", "assumed")
        last = self._flatten_order()
        # vit-pytorch's first generation scaled by the width of the model; its dim_head came later.
        by_width = self._format == f"{LUCIDRAINS} 0"
        if by_width:
            self._say("attention scale", f"{layers.width} ** -0.5, as vit-pytorch's first generation had it", "assumed")
        hidden = tuple(unit.shape[0] for unit in around.head[:-1])
        if hidden:
            self._say(
                "head",
                f"hidden layers {hidden} with {activation}; another activation changes the predictions alone",
                "assumed",
            )
        if around.embed_norm is not None:
            where = "after position and class token were added"
            self._say("norms", f"{around.embed_norm.name} taken as a norm {where}", "assumed")
        return PlainConfig(
            image_size=image_size,
            patch_size=around.patch_size,
            width=layers.width,
            depth=len(layers.tensors),
            heads=self._heads(),
            hidden=layers.hidden,
            classes=classes,
            channels=around.channels,
            inner=layers.inner,
            pre_norm=pre_norm,
            activation=activation,
            eps=eps,
            qkv_bias=layers.qkv_bias,
            scale="width" if by_width else "head",
            linear_patches=around.is_linear,
            channels_last=last,
            patch_norms=(around.norm_in is not None, around.norm_out is not None),
            embed_norm=around.embed_norm is not None,
            class_token=around.class_token is not None,
            registers=0 if around.registers is None else len(around.registers),
            position=position,
            pool=self._pool(),
            final_norm=around.final_norm is not None,
            head_norm=around.head_norm is not None,
            head_hidden=hidden,
            head_activation=activation,
            mean=mean,
            std=std,
        )

    def _heads(self) -> int:
        layers, inner = self._layers, self._layers.inner
        explicit = None if self._num_heads is None else (self._num_heads, "as asked for")
        if explicit is None and layers.heads is not None:
            explicit = (layers.heads, "a matrix for each head in the file")
        explicit = explicit or stated.said(self._checkpoint, stated.HEADS, int)
        size = stated.said(self._checkpoint, stated.HEAD_SIZE, int)
        if explicit is None and size and size[0] > 0 and inner % size[0] == 0:
            explicit = (inner // size[0], f"width {inner} by {size[1]}")
        choice = resolve_heads(explicit, self._matches, self._estimate, inner)
        self._say("heads", f"{choice.heads} of width {inner // choice.heads}: {choice.source}", choice.certainty)
        return choice.heads

    def _estimate(self) -> HeadEstimate:
        fused = [layer["attn.qkv.weight"].chunk(3) for layer in self._layers.tensors]
        outs = [layer["attn.proj.weight"] for layer in self._layers.tensors]
        return estimate_heads([(q, k, v, out) for (q, k, v), out in zip(fused, outs, strict=True)])

    def _pre_norm(self) -> bool:
        found = stated.said(self._checkpoint, stated.PRE_NORM, bool)
        if found:
            self._say("norms", f"{'before' if found[0] else 'after'} attention and MLP: {found[1]}")
            return bool(found[0])
        last = self._around.final_norm or self._around.head_norm
        if self._format != ENCODER:
            if not last:
                self._say(
                    "norms", "before attention and MLP, as nearly all do, though none follows the last layer", "assumed"
                )
            else:
                self._say(
                    "norms", "before attention and MLP, as nearly all do: the same tensors serve norms after", "assumed"
                )
            return True
        how = (
            "before attention and MLP, as a norm follows the last layer; nn.TransformerEncoderLayer's default is after"
            if last
            else "after attention and MLP: nn.TransformerEncoderLayer's default, and no norm follows the last layer"
        )
        self._say("norms", f"{how}; the wrong order spoils predictions and maps (norm_first says)", "assumed")
        return last is not None

    def _activation(self) -> Activation:
        found = stated.activation(self._checkpoint)
        if found:
            self._say("activation", f"{found[0]}: {found[1]}")
            return cast(Activation, found[0])
        for match in self._matches:
            if match.activation.lower() in _TIMM_ACTIVATIONS and match.level != "without head and resolution":
                known = _TIMM_ACTIVATIONS[match.activation.lower()]
                self._say("activation", f"{known}: {match.sentence}", "inferred")
                return known
        encoder = self._format == ENCODER
        why = "nn.TransformerEncoderLayer's default" if encoder else "what most vision transformers have"
        chosen: Activation = "relu" if encoder else "gelu"
        self._say(
            "activation",
            f"{chosen}: {why}; a wrong one costs little accuracy and can't be seen in the weights",
            "assumed",
        )
        return chosen

    def _pool(self) -> Literal["token", "mean", "mean of all"]:
        found = stated.stated(self._checkpoint, stated.POOL, str)
        if found and found[0].lower() in ("mean", "avg", "gap"):
            # vit-pytorch and most own code take the mean over all tokens, timm over the patches.
            patches = self._around.class_token is None or found[0].lower() == "avg"
            over: Literal["mean", "mean of all"] = "mean" if patches else "mean of all"
            self._say("pooling", f"{over}: {found[1]}")
            return over
        if self._around.class_token is None:
            self._say("pooling", "mean of the patches, as there is no class token", "inferred")
            return "mean"
        self._say("pooling", "the class token, as there is one", "inferred")
        return "token"

    def _flatten_order(self) -> bool:
        around = self._around
        if not around.is_linear or around.channels == 1:
            return True
        smooth, ratio = channels_last(around.patch.weight, around.patch_size, around.channels)
        usual = self._format.startswith(LUCIDRAINS)
        last = usual if smooth is None else smooth
        order = "(row column channel)" if last else "(channel row column)"
        if smooth is None:
            why = "as vit-pytorch has it" if usual else "as nn.Unfold has it"
            self._say("patches", f"flattened as {order} {why}; the wrong order spoils everything", "assumed")
        else:
            self._say(
                "patches", f"flattened as {order}, in which the weights are smoother (ratio {ratio:.2f})", "inferred"
            )
        return last

    def _grid(self) -> tuple[tuple[int, int], Literal["all", "patches"]]:
        """(height, width) of the view, and which tokens have a position."""
        around, (high, wide) = self._around, self._around.patch_size
        said = stated.view(self._checkpoint)
        prefix = (around.class_token is not None) + (0 if around.registers is None else len(around.registers))
        if around.position is None:
            raise UnknownArchitectureError(
                f"{self._checkpoint.path.name} holds no position embedding: rotary or fixed positions are in no "
                "tensor, and without them every map would be wrong. Name the architecture that it was made for."
            )
        count = len(around.position)
        options: tuple[tuple[int, Literal["all", "patches"]], ...] = ((count - prefix, "all"), (count, "patches"))
        for patches, which in options:
            if said and (said[0][0] // high) * (said[0][1] // wide) == patches:
                self._say("view", f"{said[0][0]} x {said[0][1]} px, from {said[1]}")
                return said[0], which
            side = math.isqrt(max(patches, 0))
            if side and side * side == patches:
                self._say(
                    "view",
                    f"{side * high} x {side * wide} px, from {patches} positions of patches in a square",
                    "inferred",
                )
                return (side * high, side * wide), which
        raise ViewWantedError(max(count - prefix, 1), around.patch_size)

    def _statistics(self, gray: bool) -> tuple[tuple[float, ...], tuple[float, ...]]:
        said = statistics(self._checkpoint, self._around.channels)
        if said is not None:
            self._say("mean and std", f"{said.mean_said}; {said.std_said}")
            return said.mean, said.std
        for match in self._matches:
            if match.preprocessing and not gray and match.level != "without head and resolution":
                usual, spread, weights = match.preprocessing[0]
                text = f"{usual} and {spread}: those of timm's {weights[0]}, which has the same shapes"
                self._say("mean and std", text, "assumed")
                return usual, spread
        self._say("mean and std", "0.5 and 0.5: the file does not say; set mean and std as in training", "assumed")
        return ((0.5,), (0.5,)) if gray else ((0.5,) * 3, (0.5,) * 3)

    def _eps(self) -> float:
        found = stated.said(self._checkpoint, stated.EPS, float)
        if found and 0 < found[0] < 1:
            self._say("norm epsilon", f"{found[0]:g}: {found[1]}")
            return float(found[0])
        self._say("norm epsilon", "1e-05: torch's default; 1e-6 or 1e-12 instead changes little", "assumed")
        return 1e-5

    def _say(self, topic: str, text: str, certainty: Certainty = "found") -> None:
        self.findings.append(Finding(topic, text, certainty))
