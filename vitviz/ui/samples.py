"""The pictures and models that come with the program."""

from __future__ import annotations

from pathlib import Path

from vitviz import resources

MODELS = (("Demo ViT (patch 16)", "demo"), ("Demo Swin", "demo-swin"))
_FIRST = "star_and_ring.png"


def pictures() -> list[Path]:
    """The demo pictures, the one to begin with first."""
    found = sorted(resources.path("demo/pictures").glob("*.png"))
    return sorted(found, key=lambda path: path.name != _FIRST)


def title(path: Path) -> str:
    """A name for people: "star and ring"."""
    return path.stem.replace("_", " ")
