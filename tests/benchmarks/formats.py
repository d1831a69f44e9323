"""Format by format: does a file written by its own library open, how exactly, in what time, with what memory.

    python tests/benchmarks/formats.py
    python tests/benchmarks/formats.py --width 768 --depth 12 --only '*Hugging Face*' torchvision*

Each network has random weights and is written by the library whose format it is. It is opened in a fork of its own;
`peak` is the most memory above what the process had before, in multiples of the file's size. Where no shape tells the
number of heads (random weights can't be estimated from), or the view of a Swin, it is said; the table marks that.
"""

from __future__ import annotations

import argparse
import fnmatch
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import save_file
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1] / "models" / "unknown"))
import references

from vitviz.errors import VitvizError
from vitviz.models.loading import load_model

SIZE, CLASSES = 64, 10
Made = tuple[nn.Module, Callable[[Any], torch.Tensor], Callable[[Path], Path]]
ROWS: dict[str, tuple[Callable[[int, int, int], Made], dict[str, Any]]] = {}


def main() -> int:
    """Print the table; the exit status is 1 where a format did not open exactly."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=192, help="of a token (default: 192)")
    parser.add_argument("--depth", type=int, default=4, help="layers (default: 4)")
    parser.add_argument("--only", nargs="+", default=["*"], help="patterns of formats")
    options = parser.parse_args()
    print("| format | opens | exact to | said | file MB | seconds | CPU s | peak over file |")
    print("|---|---|---|---|---|---|---|---|")
    fork = multiprocessing.get_context("fork")
    failed = False
    for name, (_, said) in ROWS.items():
        if not any(fnmatch.fnmatch(name, pattern) for pattern in options.only):
            continue
        with tempfile.TemporaryDirectory() as folder:
            heads = options.width // 48
            values = {**said, "num_heads": heads} if "num_heads" in said else said
            with fork.Pool(1) as pool:
                pool.apply(write, (name, options.width, options.depth, heads, folder))
            with fork.Pool(1) as pool:
                row = pool.apply(measure, (folder, values))
        failed |= row[0] != "yes" or row[1] > 1e-4
        opens, exact, size, seconds, cpu, peak = row
        words = ", ".join(said) or "nothing"
        print(f"| {name} | {opens} | {exact:.0e} | {words} | {size:.1f} | {seconds:.2f} | {cpu:.2f} | {peak:.1f} |")
        sys.stdout.flush()
    return int(failed)


def write(name: str, width: int, depth: int, heads: int, folder: str) -> None:
    """Make the network, its file, and what it says about one view."""
    torch.manual_seed(0)
    module, run, save = ROWS[name][0](width, depth, heads)
    with torch.no_grad():
        for value in module.parameters():
            value.add_(0.05 * torch.randn(value.shape))
        view = torch.randn(1, 3, SIZE, SIZE)
        expected = run(view)
    path = save(Path(folder))
    torch.save({"view": view, "expected": expected, "name": path.name}, Path(folder) / "reference")


def measure(folder: str, said: dict[str, Any]) -> tuple[str, float, float, float, float, float]:
    """(opens, largest difference, MB, seconds, seconds of the processor, peak over the file's size)."""
    reference = torch.load(Path(folder) / "reference", weights_only=True)
    path = Path(folder) / reference["name"]
    files = [path] if path.is_file() else [each for each in path.iterdir() if each.suffix != ".json"]
    size = sum(each.stat().st_size for each in files) / 2**20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, cpu = time.perf_counter(), time.process_time()
    try:
        model = load_model(path, device="cpu", **said)
    except VitvizError as error:
        return f"no: {error}", float("nan"), size, time.perf_counter() - start, time.process_time() - cpu, 0.0
    seconds, used = time.perf_counter() - start, time.process_time() - cpu
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    with torch.no_grad():
        found = model.module(reference["view"])
    if found.shape != reference["expected"].shape:
        return f"other output {tuple(found.shape)}", float("nan"), size, seconds, used, peak / size
    return "yes", float((found - reference["expected"]).abs().max()), size, seconds, used, peak / size


def row(name: str, **said: Any) -> Callable[[Callable[[int, int, int], Made]], Callable[[int, int, int], Made]]:
    """Put a maker of networks into the table."""

    def put(make: Callable[[int, int, int], Made]) -> Callable[[int, int, int], Made]:
        ROWS[name] = make, said
        return make

    return put


def as_torch(module: nn.Module, wrap: Callable[[dict[str, Any]], Any] = lambda state: state) -> Callable[[Path], Path]:
    """Saves a state dict, in a wrapper perhaps, with torch."""

    def save(folder: Path) -> Path:
        torch.save(wrap(module.state_dict()), folder / "weights.pth")
        return folder / "weights.pth"

    return save


def plain(width: int, depth: int, heads: int) -> nn.Module:
    """timm's ViT of this size."""
    return timm.create_model(
        "vit_tiny_patch16_224", img_size=SIZE, patch_size=8, embed_dim=width, depth=depth, num_heads=heads,
        num_classes=CLASSES,
    ).eval()  # fmt: skip


@row("timm, safetensors", num_heads=True)
def _(width: int, depth: int, heads: int) -> Made:
    module = plain(width, depth, heads)

    def save(folder: Path) -> Path:
        save_file(module.state_dict(), folder / "model_weights.safetensors")
        return folder / "model_weights.safetensors"

    return module, module, save


@row("timm, torch", num_heads=True)
def _(width: int, depth: int, heads: int) -> Made:
    module = plain(width, depth, heads)
    return module, module, as_torch(module)


@row("timm, torch before 1.6", num_heads=True)
def _(width: int, depth: int, heads: int) -> Made:
    module = plain(width, depth, heads)

    def save(folder: Path) -> Path:
        torch.save(module.state_dict(), folder / "old.pth", _use_new_zipfile_serialization=False)
        return folder / "old.pth"

    return module, module, save


@row("timm, folder of the hub")
def _(width: int, depth: int, heads: int) -> Made:
    module = plain(width, depth, heads)

    def save(folder: Path) -> Path:
        args = {"img_size": SIZE, "patch_size": 8, "embed_dim": width, "depth": depth, "num_heads": heads}
        timm.models.save_for_hf(module, folder / "hub", model_args=args, safe_serialization=True)
        return folder / "hub"

    return module, module, save


@row("DDP and EMA of a training run", num_heads=True)
def _(width: int, depth: int, heads: int) -> Made:
    module = plain(width, depth, heads)

    def wrap(state: dict[str, Any]) -> dict[str, Any]:
        worse = {f"module.{k}": v + 1 for k, v in state.items()}
        return {"model": worse, "model_ema": {f"module.{k}": v for k, v in state.items()}, "epoch": 3}

    return module, module, as_torch(module, wrap)


@row("whole pickled module")
def _(width: int, depth: int, heads: int) -> Made:
    module = plain(width, depth, heads)

    def save(folder: Path) -> Path:
        torch.save(module, folder / "whole.pt")
        return folder / "whole.pt"

    return module, module, save


@row("timm Swin", image_size=SIZE)
def _(width: int, depth: int, heads: int) -> Made:
    module = timm.create_model(
        "swin_tiny_patch4_window7_224", img_size=SIZE, embed_dim=width // 2, depths=(2, depth), num_heads=(2, 4),
        window_size=4, num_classes=CLASSES,
    ).eval()  # fmt: skip
    return module, module, as_torch(module)


@row("torchvision ViT", num_heads=True)
def _(width: int, depth: int, heads: int) -> Made:
    from torchvision.models import VisionTransformer

    module = VisionTransformer(SIZE, 8, depth, heads, width, 4 * width, num_classes=CLASSES).eval()
    return module, module, as_torch(module)


@row("torchvision Swin", image_size=SIZE)
def _(width: int, depth: int, heads: int) -> Made:
    from torchvision.models import SwinTransformer

    module = SwinTransformer([4, 4], width // 2, [2, depth], [2, 4], [4, 4], num_classes=CLASSES).eval()
    return module, module, as_torch(module)


@row("Google npz")
def _(width: int, depth: int, heads: int) -> Made:
    import numpy as np

    sys.path.insert(0, str(Path(__file__).parents[1] / "models" / "foreign"))
    from test_real_files import flax_names

    module = plain(width, depth, heads)

    def save(folder: Path) -> Path:
        np.savez(folder / "vit.npz", **flax_names(module, heads, False))
        return folder / "vit.npz"

    return module, module, save


def transformers_row(title: str, kind: str, output: Callable[[Any], torch.Tensor], **config: Any) -> None:
    """A folder of transformers; kind "ViT" is ViTForImageClassification, "CLIPVision Model" is CLIPVisionModel."""

    def make(width: int, depth: int, heads: int) -> Made:
        import transformers

        transformers.logging.set_verbosity_error()
        family, _, task = kind.partition(" ")
        values = {
            "hidden_size": width, "num_hidden_layers": depth, "num_attention_heads": heads, "image_size": SIZE,
            "intermediate_size": 4 * width, "patch_size": 8, "num_labels": CLASSES, **config,
        }  # fmt: skip
        if "embed_dim" in config:  # Swin
            values = {"image_size": SIZE, "patch_size": 4, "num_labels": CLASSES, **config}
        settings = getattr(transformers, f"{family}Config")(**values)
        module = getattr(transformers, family + (task or "ForImageClassification"))(settings).eval()

        def save(folder: Path) -> Path:
            module.save_pretrained(folder / "saved")
            return folder / "saved"

        return module, lambda view: output(module(view)), save

    ROWS[f"Hugging Face {title}"] = make, {}


def _logits(out: Any) -> torch.Tensor:
    return out.logits


def _pooled(out: Any) -> torch.Tensor:
    return out.pooler_output


_SWIN = {"embed_dim": 96, "depths": [2, 4], "num_heads": [2, 4], "window_size": 4}
transformers_row("ViT", "ViT", _logits)
transformers_row("DeiT", "DeiT", _logits)
transformers_row("BEiT", "Beit", _logits, use_relative_position_bias=True)
transformers_row("DINOv2", "Dinov2 Model", _pooled)
transformers_row("DINOv3", "DINOv3ViT Model", _pooled)
transformers_row("Swin", "Swin", _logits, **_SWIN)
transformers_row("Swin V2", "Swinv2", _logits, **_SWIN)
transformers_row("CLIP image tower", "CLIPVision Model", _pooled)
transformers_row("SigLIP image tower", "SiglipVision Model", _pooled)


@row("lucidrains vit-pytorch", num_heads=True)
def _(width: int, depth: int, heads: int) -> Made:
    module = references.Lucidrains(
        2, image=SIZE, patch=8, dim=width, depth=depth, heads=heads, dim_head=48, hidden=4 * width, classes=CLASSES
    ).eval()
    return module, module, as_torch(module)


@row("nn.MultiheadAttention, own code", num_heads=True)
def _(width: int, depth: int, heads: int) -> Made:
    module = references.Notes(
        image=SIZE, patch=8, dim=width, depth=depth, heads=heads, hidden=4 * width, classes=CLASSES
    ).eval()
    return module, module, as_torch(module)


if __name__ == "__main__":
    sys.exit(main())
