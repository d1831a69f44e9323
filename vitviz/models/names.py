"""timm's models by name, with what people choose them by: family, parameters, size of the view. No torch, no timm.

Read from the index that `resources/architectures/make.py` writes, so that a search as one types needs no import.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from vitviz import resources
from vitviz.errors import FileError

DEMOS = ("demo", "demo-swin")  # they come with the program
INDEX = "architectures/index.json.gz"


@dataclass(frozen=True, slots=True)
class Named:
    """One set of pretrained weights, or an architecture without any.

    Attributes:
        name: as load_model takes it, tag and all.
        tag: what the weights were trained on; "" for a bare architecture.
        family: timm's class, such as "VisionTransformer".
        parameters: of the architecture as timm builds it.
        size: (height, width) of the view in pixels.
        classes: of the weights; 0 without a classifier.
    """

    name: str
    tag: str
    family: str
    parameters: int
    size: tuple[int, int]
    classes: int

    @property
    def searched(self) -> str:
        """What a search looks into."""
        return f"{self.name} {self.family} {self.size[0]}px {amount(self.parameters)}".casefold()


def read(path: Path) -> dict[str, Any]:
    """The index as it was written; FileError where the file is damaged."""
    try:
        found = json.loads(gzip.decompress(path.read_bytes()))
        if not (isinstance(found, dict) and isinstance(found["architectures"], dict) and found["timm"]):
            raise ValueError("it lists no architectures")
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise FileError(f"The index of architectures {path} is damaged ({error}): install vitviz again.") from error
    return found


@cache
def pretrained() -> tuple[Named, ...]:
    """Every set of weights that timm names for the families of the index, by name."""
    found = []
    for name, facts in read(resources.path(INDEX))["architectures"].items():
        for tag, height, width, classes in facts["weights"]:
            full = f"{name}.{tag}" if tag else name
            found.append(Named(full, tag, facts["family"], facts["parameters"], (height, width), classes))
    return tuple(sorted(found, key=lambda each: each.name))


@cache
def demos() -> tuple[Named, ...]:
    """The two networks that come with the program, which need no download."""
    facts = (("VisionTransformer", 1_297_542), ("SwinTransformer", 965_010))
    return tuple(Named(name, "", *of, (128, 128), 6) for name, of in zip(DEMOS, facts, strict=True))


@cache
def architectures() -> tuple[Named, ...]:
    """Every architecture of the index, by name."""
    index = read(resources.path(INDEX))["architectures"]
    return tuple(
        Named(name, "", facts["family"], facts["parameters"], (facts["size"][0], facts["size"][1]), facts["classes"])
        for name, facts in sorted(index.items())
    )


def search(query: str, among: Sequence[Named]) -> list[Named]:
    """Those in which every word of the query occurs, names that begin with it first."""
    words = query.casefold().split()
    found = [each for each in among if all(word in each.searched for word in words)]
    return sorted(found, key=lambda each: not each.name.startswith(words[0])) if words else found


def amount(parameters: int) -> str:
    """ "86.6 M" for 86567656."""
    if parameters >= 1e9:
        return f"{parameters / 1e9:.2f} G"
    return f"{parameters / 1e6:.1f} M"
