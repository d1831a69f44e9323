"""Scenes of one or two plain shapes over cluttered 1/f backgrounds, with the exact mask of every object."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from shapes import SHAPES, distance

TEXTURES = ("plain", "stripes", "dots", "shade", "grain")
BANK_SEED, BANK_SIZE, BANK_COUNT = 20_230, 256, 48
ONE_DIAMETER, TWO_DIAMETER = (0.42, 0.58), (0.34, 0.44)

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Placed:
    """One object: its shape, and the circle around it in units of the view's side, measured from the view's centre."""

    label: str
    x: float
    y: float
    radius: float
    angle: float


@dataclass(frozen=True, slots=True)
class Scene:
    """A drawn scene: image (H, W, 3) uint8; masks, one (H, W) bool per object, in the order of labels."""

    image: NDArray[np.uint8] = field(repr=False, compare=False)
    labels: tuple[str, ...]
    masks: tuple[NDArray[np.bool_], ...] = field(repr=False, compare=False)


@cache
def noise_bank() -> Floats:
    """Periodic noise textures of 1/f amplitude, (n, s, s) float32 with mean 0 and standard deviation 1."""
    rng = np.random.default_rng(BANK_SEED)
    f = np.hypot(np.fft.fftfreq(BANK_SIZE)[:, None], np.fft.rfftfreq(BANK_SIZE)[None]) * BANK_SIZE
    textures = []
    for _ in range(BANK_COUNT):
        amplitude = np.where(f > 0, np.maximum(f, 1) ** -rng.uniform(1.0, 1.6), 0)
        wave = np.exp(2j * np.pi * rng.random(f.shape)) * amplitude
        t = np.fft.irfft2(wave, s=(BANK_SIZE, BANK_SIZE))
        textures.append((t - t.mean()) / t.std())
    return np.stack(textures).astype(np.float32)


def noise(rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    """A random window of a random texture, resized to (h, w) float32."""
    texture = noise_bank()[rng.integers(BANK_COUNT)]
    texture = np.roll(texture, tuple(rng.integers(BANK_SIZE, size=2)), (0, 1))
    reach = rng.uniform(0.6, 1.0) * BANK_SIZE / max(size)
    box = (0, 0, max(2, round(size[1] * reach)), max(2, round(size[0] * reach)))
    return np.asarray(Image.fromarray(texture).resize(size[::-1], Image.Resampling.BICUBIC, box=box))


def colour(rng: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]) -> Floats:
    """A random RGB colour (3,) in 0..1 within ranges of HSV saturation and value."""
    return np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(*saturation), rng.uniform(*value)), np.float32)


def contrasting(rng: np.random.Generator, others: list[Floats]) -> Floats:
    """A vivid colour (3,) far from every other in RGB, so that the object can be seen."""
    tries = [colour(rng, (0.6, 0.95), (0.5, 1.0)) for _ in range(12)]
    gaps = [min(float(np.linalg.norm(t - o)) for o in others) for t in tries]
    wide = [t for t, gap in zip(tries, gaps, strict=True) if gap > 0.5]
    return wide[0] if wide else tries[int(np.argmax(gaps))]


def background(rng: np.random.Generator, size: tuple[int, int]) -> tuple[Floats, list[Floats]]:
    """A muted background with thin strokes, (h, w, 3) float32 in 0..1, and the colours it ranges between."""
    first = colour(rng, (0.04, 0.26), (0.25, 0.9))
    second = np.clip(first + rng.uniform(-0.16, 0.16, 3).astype(np.float32), 0.05, 0.95)
    blend = np.clip(0.5 + 0.3 * noise(rng, size), -0.2, 1.2)[..., None]
    light = 0.05 * noise(rng, size)[..., None]
    ground = first + (second - first) * blend + light
    for _ in range(2):
        ink = np.clip((first + second) / 2 + rng.choice([-1, 1]) * rng.uniform(0.12, 0.3), 0, 1).astype(np.float32)
        cover = strokes(rng, size, count=int(rng.integers(2, 5)))[..., None] * np.float32(rng.uniform(0.4, 0.8))
        ground = ground + (ink - ground) * cover
    return ground, [first, second]


def strokes(rng: np.random.Generator, size: tuple[int, int], *, count: int) -> Floats:
    """Coverage 0..1 of thin bent distractor strokes, (h, w) float32."""
    h, w = size
    canvas = Image.new("L", (2 * w, 2 * h))
    pen = ImageDraw.Draw(canvas)
    t = np.linspace(0, 1, 12)[:, None]
    for _ in range(count):
        start = rng.random(2) * (2 * w, 2 * h)
        middle, end = start + rng.normal(0, 0.22 * 2 * min(h, w), (2, 2))
        bend = (1 - t) ** 2 * start + 2 * t * (1 - t) * middle + t**2 * end
        width = max(1, round(2 * min(h, w) * rng.uniform(0.008, 0.018)))
        pen.line([tuple(p) for p in bend.tolist()], fill=255, width=width, joint="curve")
    return np.asarray(canvas.reduce(2), np.float32) / 255


def texture(rng: np.random.Generator, x: Floats, y: Floats) -> Floats:
    """A pattern in -1..1 over an object's own coordinates (h, w), one of TEXTURES."""
    kind = rng.choice(TEXTURES)
    pace, phase = np.float32(rng.uniform(7, 12)), np.float32(rng.uniform(0, 6.3))
    if kind == "stripes":
        return np.clip(2 * np.sin(pace * x + phase), -1, 1)
    if kind == "dots":
        return np.clip(3 * (np.sin(pace * x + phase) * np.sin(pace * y + phase) - 0.3), -1, 1)
    if kind == "shade":
        return np.clip(x, -1, 1)
    if kind == "grain":
        return np.clip(noise(rng, (x.shape[0], x.shape[1])) * 0.6, -1, 1)
    return np.zeros_like(x)


def place(rng: np.random.Generator, objects: Literal[1, 2]) -> list[Placed]:
    """Different shapes inside the view whose circles do not touch."""
    labels = rng.permutation(SHAPES)[:objects]
    low, high = ONE_DIAMETER if objects == 1 else TWO_DIAMETER
    while True:
        radii = rng.uniform(low / 2, high / 2, objects)
        centres = rng.uniform(-1, 1, (objects, 2)) * (0.48 - radii[:, None])
        if objects == 1 or np.linalg.norm(centres[0] - centres[1]) > radii.sum() + 0.02:
            turns = rng.uniform(0, 2 * np.pi, objects)
            return [
                Placed(str(n), float(c[0]), float(c[1]), float(r), float(a))
                for n, c, r, a in zip(labels, centres, radii, turns, strict=True)
            ]


def paint(
    image: Floats, thing: Placed, side: float, rng: np.random.Generator, others: list[Floats]
) -> tuple[NDArray[np.bool_], Floats]:
    """Paint one object into image (H, W, 3), in place; its mask (H, W) bool and its colour (3,).

    `side` is the view's in pixels; the colour keeps away from `others`.
    """
    h, w = image.shape[:2]
    radius = thing.radius * side
    cx, cy = w / 2 + thing.x * side, h / 2 + thing.y * side
    x0, x1 = max(0, int(cx - radius) - 2), min(w, int(cx + radius) + 3)
    y0, y1 = max(0, int(cy - radius) - 2), min(h, int(cy + radius) + 3)
    dx = ((np.arange(x0, x1) + 0.5 - cx) / radius).astype(np.float32)[None, :]
    dy = ((np.arange(y0, y1) + 0.5 - cy) / radius).astype(np.float32)[:, None]
    cos, sin = np.float32(np.cos(thing.angle)), np.float32(np.sin(thing.angle))
    x, y = cos * dx + sin * dy, cos * dy - sin * dx
    cover = np.clip(0.5 - distance(thing.label, x, y) * np.float32(radius), 0, 1)
    base = contrasting(rng, others)
    pattern = texture(rng, x, y)[..., None] * np.float32(rng.uniform(0.1, 0.2))
    region = image[y0:y1, x0:x1]
    region += (np.clip(base * (1 + pattern), 0, 1) - region) * cover[..., None]
    mask = np.zeros((h, w), bool)
    mask[y0:y1, x0:x1] = cover > 0.5
    return mask, base


def draw(seed: int, size: tuple[int, int] = (128, 128), objects: Literal[1, 2] = 1, *, border: float = 0.0) -> Scene:
    """Draw the scene of a seed at a size (h, w) in pixels; what and where is the same at every size of one aspect.

    All objects lie in the central square of the picture, less `border` pixels on each side (the view).
    """
    if objects not in (1, 2):
        raise ValueError(f"a scene has 1 or 2 objects, not {objects}")
    rng = np.random.default_rng(seed)
    placed = place(rng, objects)
    styles = rng.spawn(objects)
    image, colours = background(rng, size)
    masks = []
    for thing, style in zip(placed, styles, strict=True):
        mask, base = paint(image, thing, min(size) - 2 * border, style, colours)
        colours.append(base)
        masks.append(mask)
    pixels = np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)
    return Scene(pixels, tuple(thing.label for thing in placed), tuple(masks))
