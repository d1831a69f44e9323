"""Sums of weighted colours, four bytes at a time, and samples between the middles of patches."""

from __future__ import annotations

import numpy as np

OPAQUE = np.array([0, 0, 0, 255], dtype=np.uint8).view(np.uint32)[0]
_EVEN, _HALVES = np.uint32(0x00FF00FF), np.uint32(0x00800080)


def weight_of(opacity: float) -> np.uint16:
    """An opacity as a weight of 0 to 256."""
    return np.uint16(round(min(max(opacity, 0.0), 1.0) * 256))


def words_of(colors: np.ndarray) -> np.ndarray:
    """(..., 3) of 0..255 -> one 32-bit word that is R, G, B, 0 in memory."""
    pixels = np.zeros((*colors.shape[:-1], 4), dtype=np.uint8)
    pixels[..., :3] = colors
    words: np.ndarray = pixels.view(np.uint32)[..., 0]
    return words


def shares_of(words: np.ndarray, weight: int) -> np.ndarray:
    """Every byte of words of 32 bits times weight / 256, rounded; two bytes of each at a time."""
    even = ((words & _EVEN) * np.uint32(weight) + _HALVES) >> np.uint32(8) & _EVEN
    odd = ((words >> np.uint32(8) & _EVEN) * np.uint32(weight) + _HALVES) & ~_EVEN
    shares: np.ndarray = even | odd
    return shares


def bicubic(at: np.ndarray, count: int) -> np.ndarray:
    """Catmull-Rom weights (points, count) of samples 0..count-1 at fractional positions; edges repeat."""
    base = np.floor(at).astype(np.int64)
    t = (at - base).astype(np.float32)
    taps = (
        ((-0.5 * t + 1.0) * t - 0.5) * t,
        ((1.5 * t - 2.5) * t) * t + 1.0,
        ((-1.5 * t + 2.0) * t + 0.5) * t,
        ((0.5 * t - 0.5) * t) * t,
    )
    weights = np.zeros((len(at), count), dtype=np.float32)
    rows = np.arange(len(at))
    for offset, tap in zip((-1, 0, 1, 2), taps, strict=True):
        np.add.at(weights, (rows, np.clip(base + offset, 0, count - 1)), tap)
    return weights
