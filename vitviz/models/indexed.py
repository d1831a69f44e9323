"""Weights with the keys and shapes of one of timm's architectures -> Recognition: what is that one's, and what is not.

What neither a tensor nor the file says is the architecture's own; where several share all tensors, it is a guess.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from vitviz.errors import ModelError, ViewWantedError
from vitviz.models import stated
from vitviz.models.architectures import Match
from vitviz.models.checkpoint import Checkpoint, Network, Recognition
from vitviz.models.foreign.shapes import Shapes, read_shapes
from vitviz.models.foreign.swin_shapes import smallest_view, stated_window
from vitviz.models.report import Certainty, Finding

_CLASSIFIERS = ("head.weight", "head.fc.weight", "fc.weight")
_TABLE = "layers.0.blocks.0.attn.relative_position_bias_table"


def of_timm(checkpoint: Checkpoint, network: Network, matches: list[Match]) -> Recognition:
    """Weights whose names and shapes are those of an architecture of timm's; the first match counts.

    Raises:
        ViewWantedError: their position embedding is for a grid that is no square and that nothing says.
    """
    return _Indexed(checkpoint, network, matches[0]).recognition()


def classes_of(tensors: dict[str, Tensor]) -> int:
    """Number of classes under timm's names, 0 where there is no head."""
    known = [name for name in _CLASSIFIERS if name in tensors]
    # LeViT has head.linear, CrossViT one head for each of its branches.
    others = sorted(name for name in tensors if name.startswith("head.") and name.endswith(".weight"))
    weight = next((tensors[name] for name in known + others if tensors[name].dim() == 2), None)
    return 0 if weight is None else int(weight.shape[0])


class _Indexed:
    """One match on its way to a Recognition; each step says in a finding what it settled."""

    def __init__(self, checkpoint: Checkpoint, network: Network, match: Match) -> None:
        self._checkpoint, self._tensors, self._match = checkpoint, network.tensors, match
        self._name = _named_by(checkpoint, match.names) or match.names[0]
        self._args: dict[str, Any] = {"num_classes": classes_of(network.tensors)}
        self._findings = [Finding("recognised", match.sentence, match.certainty)]
        self._any_grid = match.level == "without head and resolution"

    def recognition(self) -> Recognition:
        self._heads()
        self._window()
        self._view()
        self._activation()
        eps = stated.norm_eps(self._checkpoint)
        if eps is not None:
            self._say("norm epsilon", f"{eps[0]:g}, from {eps[1]}")
        elif self._match.norm_eps is not None:
            text = f"{self._match.norm_eps:g}, that of {self._name}; no tensor tells"
            self._say("norm epsilon", text, "assumed")
        return Recognition(
            format="timm",
            tensors=self._tensors,
            architecture=self._name,
            model_args=self._args,
            preprocessing=self._preprocessing(),
            labels=stated.labels(self._checkpoint, self._args["num_classes"]),
            norm_eps=None if eps is None else eps[0],
            findings=self._findings,
        )

    def _heads(self) -> None:
        """The number that the file says, which may not be the architecture's, else the architecture's."""
        own = self._match.heads
        said = stated.said(self._checkpoint, stated.HEADS, int)
        qkv = self._tensors.get("blocks.0.attn.qkv.weight")
        width = 0 if qkv is None or len(own) > 1 else qkv.shape[0] // 3
        if said is not None and (said[0],) != own and width and said[0] > 0 and width % said[0] == 0:
            self._args["num_heads"] = said[0]
            self._say("heads", f"{said[0]}, from {said[1]}, unlike those of {self._name}")
        elif own:
            self._say("heads", f"{', '.join(map(str, own))}, those of {self._name}", self._match.certainty)

    def _window(self) -> None:
        """A Swin's window: V1's tables tell it, of V2 the file may, else it is that of one architecture of several."""
        own = self._match.windows.get(self._name)
        table = self._tensors.get(_TABLE)
        if table is not None and self._any_grid:
            side = math.isqrt(table.shape[0])
            if side % 2 and side * side == table.shape[0]:
                self._args["window_size"] = (side + 1) // 2
                self._say("window", f"{(side + 1) // 2} patches a side, from the tables of biases", "inferred")
        elif own is not None and "window" in self._match.disagree:
            beside = stated_window(self._checkpoint)
            if beside.window is not None:
                self._args["window_size"] = beside.window
                self._say("window", f"{beside.window} patches a side, from {beside.says}")
            elif self._name not in self._checkpoint.path.name:
                others = ", ".join(name for name in self._match.names if self._match.windows.get(name) != own)
                text = f"{own[0]} patches a side, those of {self._name}; {others} has the same tensors"
                self._say("window", text, "assumed")

    def _view(self) -> None:
        """The view that the positions are for; where no tensor tells it, the one that is said, or the usual one."""
        said = stated.size(self._checkpoint)
        own = self._match.views.get(self._name)
        shapes = self._shapes()
        if shapes is not None and (shapes.tokens or shapes.image):
            if shapes.image is None and self._any_grid:
                raise ViewWantedError(shapes.tokens - shapes.prefix, shapes.patch)
            if shapes.image is not None and shapes.image != own:
                self._args["img_size"] = shapes.image
                text = f"{shapes.image[0]} x {shapes.image[1]} px, from the position embedding"
                self._say("view", text, "inferred")
        elif any(key.startswith("pos_embed") for key in self._tensors):
            return  # of a hybrid, say: resampled to the architecture's own where it is another
        elif said is not None:
            self._args["img_size"] = said[0]
            self._say("view", f"{said[0][0]} x {said[0][1]} px, from {said[1]}")
        elif "window_size" in self._args:
            patch = int(self._tensors["patch_embed.proj.weight"].shape[-1])
            side = smallest_view(patch, self._args["window_size"], len(self._match.heads) or 4)
            self._args["img_size"] = (side, side)
            self._say("view", f"{side} x {side} px, on which the last stage is one window", "assumed")
        elif own is not None:
            sure: Certainty = "inferred" if self._match.level == "exact" else "assumed"
            self._say("view", f"{own[0]} x {own[1]} px, that of {self._name}; no tensor tells", sure)

    def _shapes(self) -> Shapes | None:
        """What the tensors tell of a plain ViT; None for other networks."""
        patch = self._tensors.get("patch_embed.proj.weight")
        if patch is None or patch.dim() != 4 or any(key.startswith("patch_embed.backbone.") for key in self._tensors):
            return None
        said = stated.view(self._checkpoint)
        grid = None if said is None else (said[0][0] // patch.shape[2], said[0][1] // patch.shape[3])
        try:
            return read_shapes(self._tensors, grid)
        except (ModelError, KeyError, IndexError, ValueError):
            return None

    def _activation(self) -> None:
        said = stated.activation(self._checkpoint)
        own = stated.ACTIVATIONS.get(self._match.activation.lower())
        if said is not None and said[0] != own and "blocks.0.attn.qkv.weight" in self._tensors:
            self._args["act_layer"] = said[0]
            self._say("activation", f"{said[0]}, from {said[1]}")
        elif "activation" in self._match.disagree:
            text = f"that of {self._name}; others with these shapes have another, and no tensor tells"
            self._say("activation", text, "assumed")

    def _preprocessing(self) -> dict[str, Any]:
        known = self._match.preprocessing
        if not known:
            return {}
        hinted = next((p for p in known if any(_tag(user) in self._checkpoint.path.name for user in p[2])), None)
        mean, std, users = hinted or known[0]
        if len(known) > 1:
            text = (
                f"mean {mean}, std {std} as {users[0]}; others with these shapes use other values, "
                "and wrong ones shift every prediction"
            )
            self._say("preprocessing", text, "inferred" if hinted else "assumed")
        return {"mean": mean, "std": std}

    def _say(self, topic: str, text: str, certainty: Certainty = "found") -> None:
        self._findings.append(Finding(topic, text, certainty))


def _named_by(checkpoint: Checkpoint, names: tuple[str, ...]) -> str | None:
    """The architecture that the config or the file's name says, if it is one of these."""
    said = stated.said(checkpoint, ("architecture", "arch", "model", "model_name"), str)
    if said is not None and said[0].partition(".")[0] in names:
        return str(said[0]).partition(".")[0]
    return next((name for name in sorted(names, key=len, reverse=True) if name in checkpoint.path.name), None)


def _tag(name: str) -> str:
    return name.partition(".")[2] or name
