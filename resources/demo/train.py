"""Trains one demo network on drawn scenes: class labels, plus what every patch shows (arXiv 2104.10858).

A second stage, of the ViT, goes on from its weights and teaches its maps to point at the object of a class.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from checkpoint import open_checkpoint, write_checkpoint
from data import Scenes, batch, open_scenes, shares, single_object
from guidance import pointing_loss
from muon import optimisers
from networks import PATCH_SIZES, build, logits, vit_before_last, vit_logits
from shapes import SHAPES
from torch import Tensor, nn
from torch.nn import functional as F

QUICK_TESTS = 600
GUIDANCE = 0.3
MEANING = (
    "Trained so that token and attention Grad-CAM of a class lie on its object: how well its maps point "
    "is no evidence for the methods on other networks."
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides a training run; `minutes` replaces `steps` as the measure of progress where it is given.

    `guidance` weighs the loss of the maps; where it is 0, the run begins with an untrained network.
    """

    kind: str
    seed: int = 0
    steps: int = 10_000
    minutes: float | None = None
    lr: float = 2e-3
    decay: float = 0.05
    warmup_steps: int = 80
    fade: float = 0.25
    muon: bool = True
    token_weight: float = 1.0
    guidance: float = 0.0
    report_every: float = 600.0


def patch_size_and_batch(recipe: Recipe, rng: np.random.Generator, progress: float) -> tuple[int, int]:
    """The patch size of the next batch, mostly coarse and cheap at first, and how many scenes it holds."""
    if recipe.kind == "swin":
        return 4, 16
    fine = 0.25 if recipe.guidance else 0.25 * min(1.0, progress / 0.5)
    size = int(rng.choice(PATCH_SIZES, p=[fine, 0.6 - fine * 0.4, 0.4 - fine * 0.6]))
    return size, {8: 16, 16: 32, 32: 64}[size]


def pixels(images: np.ndarray[Any, np.dtype[np.uint8]]) -> Tensor:
    """Bytes (N, H, W, 3) as the network's input (N, 3, H, W), mean and deviation 0.5."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(127.5).sub_(1).contiguous()


def faded(images: Tensor, areas: np.ndarray[Any, np.dtype[np.uint8]], amount: Tensor) -> Tensor:
    """Blend views (N, 3, H, W) with their white masks on grey by amounts (N,): form can be learnt before colour."""
    bare = torch.from_numpy(np.where(areas == len(SHAPES), np.float32(-0.3), np.float32(0.9)))[:, None]
    bare = F.interpolate(bare, size=images.shape[2:], mode="nearest")
    return torch.lerp(images, bare.expand_as(images), amount[:, None, None, None])


def label_loss(classes: Tensor, tokens: Tensor, scenes: Scenes, *, weight: float) -> Tensor:
    """Cross-entropy on the soft class labels plus that on each patch's shares; bare ground counts a fifth."""
    target = torch.from_numpy(shares(scenes.areas, math.isqrt(tokens.shape[1])))
    counts = 0.2 + 0.8 * (target[..., -1] < 1).float()
    each = F.cross_entropy(tokens.flatten(0, 1), target.flatten(0, 1), reduction="none")
    token_loss = (each * counts.flatten()).sum() / counts.sum()
    return F.cross_entropy(classes, torch.from_numpy(scenes.labels)) + weight * token_loss


@torch.no_grad()
def held_out_accuracy(model: nn.Module, head: nn.Module, scenes: Scenes, patch_size: int) -> float:
    """Share of single-object scenes (drawn at the view's size) whose shape is named first."""
    right = 0
    for start in range(0, len(scenes), 100):
        part = slice(start, start + 100)
        classes, _ = logits(model, head, pixels(scenes.images[part]), patch_size)
        right += int((classes.argmax(1).numpy() == scenes.labels[part].argmax(1)).sum())
    return right / len(scenes)


class Run:
    """A training under way: the network, its token head, their optimisers, and how far it has come."""

    def __init__(self, recipe: Recipe, start: Path | None = None) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.model = build(recipe.kind) if start is None else open_checkpoint(start).train()
        self.earlier = {} if start is None else json.loads((start / "config.json").read_text())["training"]
        self.head = nn.Linear(self.model.num_features, len(SHAPES) + 1)
        if start is not None:  # it was not kept: at zero it moves nothing but itself at first
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)
        self.both = nn.ModuleList([self.model, self.head])
        self.tools = optimisers(self.both, muon=recipe.muon, lr=recipe.lr, decay=recipe.decay)
        self.step, self.seen, self.seconds = 0, 0, 0.0
        self.curve: list[dict[str, Any]] = []

    def progress(self) -> float:
        """How much of the run is done, 0..1, by steps or by the clock."""
        r = self.recipe
        return min(1.0, self.seconds / 60 / r.minutes if r.minutes else self.step / r.steps)

    def usual(self, scenes: Scenes, rng: np.random.Generator, patch_size: int, count: int) -> Tensor:
        """The loss of the labels on a random batch, which fades in."""
        ease = np.float32(max(0.0, 1 - self.progress() / self.recipe.fade))
        fade = torch.from_numpy(np.sqrt(rng.random(count, dtype=np.float32)) * ease)
        drawn = batch(scenes, rng, count)
        views = faded(pixels(drawn.images), drawn.areas, fade)
        found = logits(self.model, self.head, views, patch_size)
        return label_loss(*found, drawn, weight=self.recipe.token_weight)

    def guided(self, scenes: Scenes, rng: np.random.Generator, patch_size: int, count: int) -> Tensor:
        """The loss of the labels on a random batch, and that of the maps of one class of every scene."""
        drawn = batch(scenes, rng, count)
        targets = torch.tensor([int(rng.choice(np.flatnonzero(label))) for label in drawn.labels])
        before = vit_before_last(self.model, pixels(drawn.images), patch_size)
        inside = torch.from_numpy(shares(drawn.areas, drawn.images.shape[1] // patch_size))
        inside = inside[torch.arange(count), :, targets]
        labels = label_loss(*vit_logits(self.model, self.head, before), drawn, weight=self.recipe.token_weight)
        return labels + self.recipe.guidance * pointing_loss(self.model, before, targets, inside)

    def learn(self, scenes: Scenes, rng: np.random.Generator) -> float:
        """One step on a random batch; its loss. Warm-up and cosine set the rate."""
        r, progress = self.recipe, self.progress()
        rate = r.lr * min(1.0, (self.step + 1) / r.warmup_steps) * 0.5 * (1 + math.cos(math.pi * progress))
        for group in (g for tool in self.tools for g in tool.param_groups):
            group["lr"] = rate
        patch_size, count = patch_size_and_batch(r, rng, progress)
        loss = self.guided(scenes, rng, patch_size, count) if r.guidance else self.usual(scenes, rng, patch_size, count)
        self.both.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.both.parameters(), 1.0)
        for tool in self.tools:
            tool.step()
        self.step, self.seen = self.step + 1, self.seen + count
        return float(loss.item())

    def report(self, tests: Scenes, out: Path, loss: float) -> None:
        """Measure on held-out scenes, lengthen the curve, print it, and write the checkpoint to `out`."""
        self.model.eval()
        sizes = PATCH_SIZES if self.recipe.kind == "vit" else (4,)
        accuracy = {str(p): round(held_out_accuracy(self.model, self.head, tests, p), 4) for p in sizes}
        self.model.train()
        reached = {"steps": self.step, "scenes": self.seen, "minutes": round(self.seconds / 60, 1)}
        self.curve.append({**reached, "loss": round(loss, 4), "accuracy": accuracy})
        print(self.curve[-1], flush=True)
        record = {"recipe": asdict(self.recipe), "seed": self.recipe.seed, **reached, "accuracy": accuracy}
        record = {**record, "curve": self.curve}
        training = {**self.earlier, "guidance": {**record, "meaning": MEANING}} if self.recipe.guidance else record
        write_checkpoint(out, self.model, self.recipe.kind, training)

    def save(self, file: Path) -> None:
        """Keep all that `load` needs to go on from here."""
        state = {"model": self.both.state_dict(), "tools": [t.state_dict() for t in self.tools], "curve": self.curve}
        torch.save({**state, "step": self.step, "seen": self.seen, "seconds": self.seconds}, file)

    def load(self, file: Path) -> None:
        """Go on from a saved run."""
        state = torch.load(file, weights_only=True)
        self.both.load_state_dict(state["model"])
        for tool, saved in zip(self.tools, state["tools"], strict=True):
            tool.load_state_dict(saved)
        self.step, self.seen, self.seconds = state["step"], state["seen"], state["seconds"]
        self.curve = state["curve"]


def train(recipe: Recipe, scenes_folder: Path, held_out_folder: Path, out: Path, start: Path | None = None) -> None:
    """Train, from the weights in `start` where given, and write the checkpoint to `out`, at intervals and at the end.

    A run that was broken off goes on where it was.
    """
    torch.set_num_threads(1)
    scenes, tests = open_scenes(scenes_folder), single_object(open_scenes(held_out_folder))
    tests = Scenes(tests.images[:QUICK_TESTS], tests.areas[:QUICK_TESTS], tests.labels[:QUICK_TESTS])
    stage = "guided" if recipe.guidance else "trained"
    run, kept = Run(recipe, start), scenes_folder / f"{recipe.kind}.{stage}.state.pt"
    if kept.exists():
        run.load(kept)
    rng = np.random.default_rng([recipe.seed, run.step])
    began, reported = time.monotonic() - run.seconds, time.monotonic()
    losses: list[float] = []
    while run.progress() < 1:
        losses.append(run.learn(scenes, rng))
        run.seconds = time.monotonic() - began
        if run.progress() >= 1 or time.monotonic() - reported > recipe.report_every:
            run.report(tests, out, float(np.mean(losses)))
            run.save(kept)
            losses.clear()
            reported = time.monotonic()
    kept.unlink(missing_ok=True)


def main() -> None:
    """Command line: python train.py vit|swin SCENES HELD_OUT OUT [--minutes M | --steps S] [--guide FOLDER]."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("vit", "swin"))
    for name in ("scenes", "held_out", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--adamw", action="store_true")
    parser.add_argument("--report-every", type=float, default=600.0)
    parser.add_argument("--guide", type=Path, metavar="FOLDER", help="the second stage, from the weights in FOLDER")
    a = parser.parse_args()
    recipe = Recipe(a.kind, steps=a.steps, minutes=a.minutes, lr=a.lr, muon=not a.adamw, report_every=a.report_every)
    if a.guide is not None:
        recipe = replace(recipe, guidance=GUIDANCE, fade=0.0)
    train(recipe, a.scenes, a.held_out, a.out, a.guide)


if __name__ == "__main__":
    main()
