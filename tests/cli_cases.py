"""A picture and a checkpoint on the disk for the tests of the command line."""

from pathlib import Path

import numpy as np
import PIL.Image

ARCHITECTURE = "test_vit"


def write_picture(path: Path, size=(90, 130), seed=3) -> Path:
    """A PNG of noise on a ramp."""
    rows, cols = np.mgrid[: size[0], : size[1]]
    noise = np.random.default_rng(seed).integers(0, 90, (*size, 3))
    pixels = noise + (np.stack([rows, cols, rows + cols], -1) * 0.7)
    PIL.Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)
    return path


def write_checkpoint(path: Path, sharpen) -> Path:
    """The weights of a tiny ViT of 6 layers and 2 heads, which don't say their architecture."""
    import timm
    from safetensors.torch import save_file

    module = sharpen(timm.create_model(ARCHITECTURE, num_classes=5))
    save_file(module.state_dict(), path)
    return path


def write_files(folder: Path, sharpen) -> tuple[Path, Path]:
    """A picture and a checkpoint."""
    return write_picture(folder / "cat.png"), write_checkpoint(folder / "weights.safetensors", sharpen)


def call(command: str, files: tuple[Path, Path], *options: str) -> int:
    """Run a command on these two; the exit status."""
    from vitviz import cli

    picture, weights = files
    model = ("--model", str(weights), "--architecture", ARCHITECTURE, "--device", "cpu")
    return cli.main([command, str(picture), *model, *options])
