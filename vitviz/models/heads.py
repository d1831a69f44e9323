"""How many heads a network has, where neither its file nor its shapes say.

In a plain ViT the number of heads is in no shape, and a wrong one loads without an error and spoils every map. Rows of
q, k and v, and columns of the output projection, that belong to one head resemble each other more than those of
different heads do, once a network is trained. For every candidate h: mean |cosine| inside heads minus between heads,
minus the same with the borders of the heads shifted by half a head, in units of the matrix's own spread, averaged over
all matrices; t is mean over standard error. The statistic and its thresholds are this project's own; they were fixed on
18 third-party networks (15 right, 3 below the threshold) and held on 11 others, all small (width up to 256).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from vitviz.errors import SourceError
from vitviz.models.architectures import Match
from vitviz.models.report import Certainty

LIKELY, WEAK = 4.0, 2.5
USUAL_SIZE = 64  # right for 195 of timm's 265 ViT, EVA and BEiT architectures
USUAL_COUNT = 4  # of 28 small networks found in the wild most had it
_SMALL = 192  # width of the smallest of timm's ViTs that is meant for use
_MOST_LAYERS = 16

WRONG_HEADS = (
    "a wrong number spoils every map without an error: too few blend heads and worsen the predictions, "
    "too many split them and hardly show"
)


@dataclass(frozen=True, slots=True)
class HeadEstimate:
    """What the weights say about the number of heads.

    Attributes:
        heads: the number, None where the weights don't tell.
        t: of the best candidate; 0 where nothing could be computed.
        certainty: "likely" (t >= 4), "weak" (t >= 2.5), else "abstains".
        ranking: (heads, score, t) of all candidates, best score first.
    """

    heads: int | None
    t: float
    certainty: Literal["likely", "weak", "abstains"]
    ranking: tuple[tuple[int, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class HeadChoice:
    """A number of heads, where it is from, and how sure that is."""

    heads: int
    source: str
    certainty: Certainty


def estimate_heads(layers: Sequence[tuple[Tensor, Tensor, Tensor, Tensor]]) -> HeadEstimate:
    """The number of heads from trained weights.

    Args:
        layers: (q, k, v, out) of each layer: q, k, v (A, D) as nn.Linear holds them, out (D, A).

    Returns the best candidate h >= 2 that divides A with heads at least 4 wide; one head is never a candidate. Of more
    than 16 layers 16 are used, evenly spaced.
    """
    step = max(1, -(-len(layers) // _MOST_LAYERS))
    matrices = [m for q, k, v, out in layers[::step] for m in (q, k, v, out.mT)]
    if not matrices or any(m.is_meta or m.shape[0] != matrices[0].shape[0] for m in matrices):
        return HeadEstimate(None, 0.0, "abstains")
    width = matrices[0].shape[0]
    candidates = [h for h in range(2, width // 4 + 1) if width % h == 0]
    contrasts = torch.stack([_contrasts(m, candidates) for m in matrices]) if candidates else torch.zeros(0, 0)
    if not candidates or not contrasts.isfinite().all():
        return HeadEstimate(None, 0.0, "abstains")
    scores = contrasts.mean(0)
    ts = scores / (contrasts.std(0) / len(matrices) ** 0.5 + 1e-9)
    ranking = tuple(
        sorted(zip(candidates, scores.tolist(), ts.tolist(), strict=True), key=lambda item: item[1], reverse=True)
    )
    heads, _, t = ranking[0]
    certainty: Literal["likely", "weak", "abstains"] = "likely" if t >= LIKELY else "weak" if t >= WEAK else "abstains"
    return HeadEstimate(None if certainty == "abstains" else heads, t, certainty, ranking)


def _contrasts(matrix: Tensor, candidates: Sequence[int]) -> Tensor:
    """(candidates,): contrast with aligned borders minus that with borders half a head off, of one (A, D) matrix."""
    # float64: the differences of means are small, and half-precision files are as they are.
    unit = torch.nn.functional.normalize(matrix.double(), dim=1)
    similarity = (unit @ unit.mT).abs().fill_diagonal_(0.0)
    width = len(similarity)
    total, count = similarity.sum(), width * (width - 1)
    spread = (((similarity**2).sum() - total**2 / count) / (count - 1)).clamp_min(0).sqrt()
    found = []
    for heads in candidates:
        size = width // heads
        inside = heads * size * (size - 1)
        sums = []
        for shift in (0, size // 2):
            moved = similarity.roll((shift, shift), (0, 1))
            same = moved.view(heads, size, heads, size).diagonal(dim1=0, dim2=2).sum()
            sums.append(same / inside - (total - same) / (count - inside))
        found.append((sums[0] - sums[1]) / spread)
    return torch.stack(found)


def resolve_heads(
    explicit: tuple[int, str] | None, matches: Sequence[Match], estimated: Callable[[], HeadEstimate], width: int
) -> HeadChoice:
    """The number of heads by the most certain source: said, timm's architecture, the weights, the usual head size.

    Args:
        explicit: the number and who says so, such as (4, "num_heads in the file's config").
        matches: of `architectures.lookup`; only those that agree on one number count.
        estimated: `estimate_heads` of the weights, asked only where nothing before it tells: it takes a second.
        width: of all heads together (A).

    Raises:
        SourceError: the number that was said doesn't divide the width.
    """
    if explicit is not None:
        heads, where = explicit
        if heads < 1 or width % heads:
            usable = ", ".join(str(h) for h in range(1, width // 2 + 1) if width % h == 0)
            raise SourceError(
                f"{heads} heads ({where}) don't divide the width {width} of q and k: possible are {usable}."
            )
        return HeadChoice(heads, f"{where}", "found")
    for match in matches:
        if len(match.heads) == 1 and width % match.heads[0] == 0:
            return HeadChoice(match.heads[0], match.sentence, match.certainty)
    estimate = estimated()
    if estimate.heads is not None:
        sure = "likely" if estimate.certainty == "likely" else "weak"
        source = f"estimated from the weights ({sure}, t = {estimate.t:.1f}); {WRONG_HEADS}"
        return HeadChoice(estimate.heads, source, "inferred" if estimate.certainty == "likely" else "assumed")
    why = f"nothing says, and the weights don't tell (t = {estimate.t:.1f})"
    # 64 is the rule of networks meant for use; a network 64 wide with one head would follow it and hardly exists.
    if width % USUAL_SIZE == 0 and width >= _SMALL:
        return HeadChoice(
            width // USUAL_SIZE, f"assumed from the usual {USUAL_SIZE} per head: {why}; {WRONG_HEADS}", "assumed"
        )
    heads = min((h for h in range(1, width + 1) if width % h == 0), key=lambda h: abs(h - USUAL_COUNT))
    return HeadChoice(heads, f"a guess, please set num_heads: {why}; {WRONG_HEADS}", "assumed")
