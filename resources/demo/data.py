"""Scenes drawn once into memory-mapped bytes, then cropped, turned and recoloured into training batches."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scenes import draw
from shapes import SHAPES

VIEW, BORDER = 128, 8
CANVAS = VIEW + 2 * BORDER
GROUND = len(SHAPES)
ONE_SHARE = 0.6
TRAIN_SEED, HELD_OUT_SEED, PICTURE_SEED = 0, 1_000_000_000, 2_000_000_000


@dataclass(frozen=True, slots=True)
class Scenes:
    """Drawn scenes: images (N, s, s, 3) uint8, areas (N, s/2, s/2) uint8 class of every other pixel, labels (N, C)."""

    images: NDArray[np.uint8] = field(repr=False)
    areas: NDArray[np.uint8] = field(repr=False)
    labels: NDArray[np.float32] = field(repr=False)

    def __len__(self) -> int:
        return len(self.images)


def draw_one(seed: int, border: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]:
    """One scene for training or evaluation: image, area map (GROUND where no object is), soft label (C,)."""
    objects = 1 if np.random.default_rng([seed, 7]).random() < ONE_SHARE else 2
    side = VIEW + 2 * border
    scene = draw(seed, (side, side), 1 if objects == 1 else 2, border=border)
    area = np.full((side // 2, side // 2), GROUND, np.uint8)
    label = np.zeros(len(SHAPES), np.float32)
    for name, mask in zip(scene.labels, scene.masks, strict=True):
        area[mask[::2, ::2]] = SHAPES.index(name)
        label[SHAPES.index(name)] = 1 / objects
    return scene.image, area, label


def _draw_range(folder: str, first: int, start: int, stop: int, border: int) -> None:
    files = [np.load(Path(folder, f"{n}.npy"), mmap_mode="r+") for n in ("images", "areas", "labels")]
    for i in range(start, stop):
        for file, value in zip(files, draw_one(first + i, border), strict=True):
            file[i] = value
    for file in files:
        file.flush()


def make_scenes(folder: Path, count: int, *, first: int = TRAIN_SEED, border: int = BORDER, workers: int = 2) -> None:
    """Draw `count` scenes of consecutive seeds into folder, unless they are there already."""
    done = folder / "done"
    if done.exists() and done.read_text() == f"{count} {first} {border}":
        return
    folder.mkdir(parents=True, exist_ok=True)
    done.unlink(missing_ok=True)
    side = VIEW + 2 * border
    shapes = {"images": (count, side, side, 3), "areas": (count, side // 2, side // 2), "labels": (count, len(SHAPES))}
    for name, shape in shapes.items():
        kind = np.float32 if name == "labels" else np.uint8
        np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=kind, shape=shape).flush()
    step = 500
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        starts = range(0, count, step)
        jobs = [pool.submit(_draw_range, str(folder), first, s, min(s + step, count), border) for s in starts]
        for job in jobs:
            job.result()
    done.write_text(f"{count} {first} {border}")


def open_scenes(folder: Path) -> Scenes:
    """The scenes of a folder as read-only memory maps, shared between processes by the page cache."""
    images, areas, labels = (np.load(folder / f"{n}.npy", mmap_mode="r") for n in ("images", "areas", "labels"))
    return Scenes(images, areas, np.array(labels))


def single_object(scenes: Scenes) -> Scenes:
    """Those scenes that show one object only."""
    keep = scenes.labels.max(axis=1) == 1
    return Scenes(scenes.images[keep], scenes.areas[keep], scenes.labels[keep])


def batch(scenes: Scenes, rng: np.random.Generator, size: int) -> Scenes:
    """A random batch of views (n, VIEW, VIEW, 3): cropped, turned, mirrored, channels permuted, gain varied."""
    images = np.empty((size, VIEW, VIEW, 3), np.uint8)
    areas = np.empty((size, VIEW // 2, VIEW // 2), np.uint8)
    chosen = rng.integers(len(scenes), size=size)
    for n, i in enumerate(chosen):
        y, x = (int(v) for v in rng.integers(0, BORDER + 1, size=2))
        image = scenes.images[i, 2 * y : 2 * y + VIEW, 2 * x : 2 * x + VIEW]
        area = scenes.areas[i, y : y + VIEW // 2, x : x + VIEW // 2]
        if rng.random() < 0.5:
            image, area = image[:, ::-1], area[:, ::-1]
        turns = int(rng.integers(4))
        gain = rng.uniform(0.75, 1.15, 3)
        curve = np.clip(np.arange(256)[:, None] * gain, 0, 255).astype(np.uint8)
        turned = np.rot90(image, turns)
        for c, source in enumerate(rng.permutation(3)):
            images[n, ..., c] = curve[:, c][turned[..., source]]
        areas[n] = np.rot90(area, turns)
    return Scenes(images, areas, scenes.labels[chosen])


def shares(areas: NDArray[np.uint8], grid: int) -> NDArray[np.float32]:
    """The share of each shape, and of the ground last, in every patch: (N, h, w) -> (N, grid * grid, C + 1)."""
    n, h, w = areas.shape
    cells = areas.reshape(n, grid, h // grid, grid, w // grid).transpose(0, 1, 3, 2, 4).reshape(n, grid * grid, -1)
    return np.stack([(cells == c).mean(axis=2, dtype=np.float32) for c in range(GROUND + 1)], axis=2)
