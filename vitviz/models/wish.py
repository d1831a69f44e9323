"""A model as it is asked for: its source and the options of `load_model`. No torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class ModelWish:
    """A model as the user asked for it; equal wishes are the same model. The fields are arguments of `load_model`."""

    source: str = "demo"
    architecture: str | None = None
    pretrained: bool = True
    image_size: tuple[int, int] | None = None
    patch_size: int | tuple[int, int] | None = None
    crop: str | None = None
    num_heads: int | None = None
    network: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    norm_eps: float | None = None
    labels: Path | None = None
    device: str = "auto"
    precision: str = "float32"

    @property
    def options(self) -> dict[str, Any]:
        """All but the source, to be given to `load_model` by name."""
        return {name: getattr(self, name) for name in OPTIONS}


OPTIONS = tuple(f.name for f in fields(ModelWish) if f.name != "source")
