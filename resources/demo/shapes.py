"""The six shapes, easy to tell apart whatever their rotation, as signed distances."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHAPES = ("ring", "disc", "bar", "cross", "star", "triangle")

Floats = NDArray[np.float32]


def outline(label: str) -> NDArray[np.float64] | None:
    """Vertices (n, 2) of a shape inside the unit circle, or None for the round ones."""
    if label == "bar":
        return np.array([(-0.96, -0.26), (0.96, -0.26), (0.96, 0.26), (-0.96, 0.26)])
    if label == "cross":
        a, b = 0.97, 0.25
        return np.array(
            [(-b, -a), (b, -a), (b, -b), (a, -b), (a, b), (b, b), (b, a), (-b, a), (-b, b), (-a, b), (-a, -b), (-b, -b)]
        )
    if label == "star":
        turn = np.arange(10) * np.pi / 5
        reach = np.where(np.arange(10) % 2 == 0, 1.0, 0.4)
        return np.stack([np.sin(turn) * reach, -np.cos(turn) * reach], axis=1)
    if label == "triangle":
        turn = np.arange(3) * 2 * np.pi / 3
        return np.stack([np.sin(turn), -np.cos(turn)], axis=1)
    return None


def distance(label: str, x: Floats, y: Floats) -> Floats:
    """Signed distance of points (...) to a shape's edge in units of its circle's radius, negative inside.

    Polygons after Inigo Quilez, https://iquilezles.org/articles/distfunctions2d/.
    """
    if label in ("disc", "ring"):
        r = np.hypot(x, y)
        return r - np.float32(0.86) if label == "disc" else np.abs(r - np.float32(0.74)) - np.float32(0.22)
    vertices = outline(label)
    if vertices is None:
        raise ValueError(f"unknown shape {label!r}; one of {', '.join(SHAPES)}")
    nearest = np.full(x.shape, np.inf, np.float32)
    inside = np.zeros(x.shape, bool)
    for (ax, ay), (bx, by) in zip(vertices, np.roll(vertices, 1, axis=0), strict=True):
        ex, ey = np.float32(bx - ax), np.float32(by - ay)
        px, py = x - np.float32(ax), y - np.float32(ay)
        along = np.clip((px * ex + py * ey) / (ex * ex + ey * ey), 0, 1)
        nearest = np.minimum(nearest, (px - ex * along) ** 2 + (py - ey * along) ** 2)
        if ey:
            inside ^= ((ay <= y) != (by <= y)) & ((px - ex * (py / ey)) < 0)
    return np.where(inside, -1, 1).astype(np.float32) * np.sqrt(nearest)
