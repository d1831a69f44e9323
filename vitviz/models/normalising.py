"""The mean and std that pictures were normalised with, where what stands beside the weights says them.

Configs and logs hold a mean and a std of much else: of a measure over runs, of noise, of how weights were drawn.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vitviz.models import stated
from vitviz.models.checkpoint import Checkpoint
from vitviz.models.unknown.naming import words

_MEAN, _STD = ("mean", "image_mean", "norm_mean"), ("std", "image_std", "norm_std")
# Words in the name of a dict: its mean and std are of pictures, or of something else.
_PICTURE = re.compile(r"norm|preproc|data|image|img|pixel|input|picture|transforms?$")
_ELSE = re.compile(r"decoder|text|metric|loss|acc|aug|nois|jitter|score|result|histor|initiali|init$|target|label")
# "val" holds measures, "val_transform" holds none.
_MEASURED = re.compile(r"val|test|eval")
_DEPTH = 4
_BYTE = 255.0


@dataclass(frozen=True, slots=True)
class Statistics:
    """Mean and std of each channel, values being from 0 to 1, with a sentence for the report on each."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    mean_said: str
    std_said: str


def statistics(checkpoint: Checkpoint, channels: int) -> Statistics | None:
    """The mean and std that stand side by side in one dict, of as many channels; None where none do.

    One number for all channels counts where there is one channel or a name says that it is of pictures; what stands
    among measures, losses, augmentations and noise never counts. Those of values from 0 to 255 are divided by 255.
    """
    for where, values in stated.sources(checkpoint):
        for path, part in _dicts(values):
            means, stds = _numbers(part, _MEAN), _numbers(part, _STD)
            if means is None or stds is None or part.get("do_normalize") is False:
                continue
            alone = channels == 1 or _says(f"{path}{means[0]}", _PICTURE)
            mean, std = (_of_channels(numbers, channels, alone) for _, numbers in (means, stds))
            scale = _BYTE if max(mean, default=0) > 1 else 1.0
            if mean and std and all(0 <= v <= scale for v in mean) and all(0 < v <= scale for v in std):
                of = " of 255" if scale > 1 else ""
                return Statistics(
                    mean=tuple(v / scale for v in mean),
                    std=tuple(v / scale for v in std),
                    mean_said=f"{_listed(means[1])}{of}, from {path}{means[0]} in {where}",
                    std_said=f"{_listed(stds[1])}{of}, from {path}{stds[0]} in {where}",
                )
    return None


def _numbers(values: dict[str, Any], names: tuple[str, ...]) -> tuple[str, tuple[float, ...]] | None:
    """(name, numbers) of the first of these names that has numbers."""
    for name in names:
        value = values.get(name)
        numbers = tuple(value) if isinstance(value, list | tuple) else (value,)
        if numbers and all(type(v) in (int, float) and math.isfinite(v) for v in numbers):
            return name, tuple(float(v) for v in numbers)
    return None


def _of_channels(numbers: tuple[float, ...], channels: int, alone: bool) -> tuple[float, ...]:
    """One for each channel, empty where they are for another number of them; `alone`: one may stand for all."""
    if len(numbers) == 1:
        return numbers * channels if alone else ()
    return numbers if len(numbers) == channels else ()


def _dicts(values: dict[str, Any], path: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """(path with a dot, dict), outer ones first, without those whose names say that they are of something else."""
    yield path, values
    for key, value in values.items():
        name = str(key)
        is_else = _says(name, _ELSE) or (_says(name, _MEASURED) and not _says(name, _PICTURE))
        if isinstance(value, dict) and depth < _DEPTH and not is_else:
            yield from _dicts(value, f"{path}{name}.", depth + 1)


def _says(name: str, known: re.Pattern[str]) -> bool:
    return any(map(known.match, words(name)))


def _listed(numbers: tuple[float, ...]) -> str:
    return ", ".join(f"{v:g}" for v in numbers)
