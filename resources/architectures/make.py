"""Make or check index.json.gz: what there is to know about every ViT-like architecture of the installed timm.

Of each the signature of its keys and shapes, by which a file without a name is told, and its family, parameters and
pretrained weights, by which it is looked for by name.

    python resources/architectures/make.py            write the index (two to three minutes on one core)
    python resources/architectures/make.py --check    build all again and compare; exit status 1 where they differ
    python resources/architectures/make.py --check --only 'deit*' 'swin_*'

Networks are built on the meta device: no weights are made and none are fetched.
"""

from __future__ import annotations

import argparse
import fnmatch
import gzip
import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

MODULES = (
    "vision_transformer", "vision_transformer_hybrid", "vision_transformer_relpos", "vision_transformer_sam", "deit",
    "eva", "beit", "swin_transformer", "swin_transformer_v2", "swin_transformer_v2_cr", "maxxvit", "naflexvit",
    "vitamin", "pit", "hiera", "hieradet_sam2", "pvt_v2", "tiny_vit", "davit", "cait", "xcit", "mvitv2", "levit",
    "twins", "volo", "crossvit", "gcvit", "nest", "convit", "coat", "tnt", "visformer", "mobilevit", "efficientformer",
    "efficientformer_v2",
)  # fmt: skip
# Of modules whose other networks have no attention.
NAMES = ("caformer_*", "fastvit_*a*")
INDEX = Path(__file__).parent / "index.json.gz"


def main() -> int:
    """Write the index, or compare with it; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the index instead of writing it")
    parser.add_argument("--only", nargs="+", default=["*"], help="with --check: patterns of names")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)

    import timm

    made = {name: facts(name) for name in names() if any(fnmatch.fnmatch(name, only) for only in options.only)}
    if not options.check:
        text = json.dumps({"timm": timm.__version__, "architectures": made}, separators=(",", ":"), sort_keys=True)
        # No time stamp, so that the same timm makes the same bytes.
        INDEX.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
        say(f"{len(made)} architectures of timm {timm.__version__}, {INDEX.stat().st_size} bytes")
        return 0
    kept = json.loads(gzip.decompress(INDEX.read_bytes()))
    if options.only == ["*"]:
        gone = sorted(set(kept["architectures"]) - set(made))
        say(*(f"{name}: in the index, not in timm" for name in gone))
    else:
        gone = []
    wrong = [name for name, found in made.items() if kept["architectures"].get(name) != json.loads(json.dumps(found))]
    say(*(f"{name}: differs" for name in wrong))
    say(f"{len(made)} compared, {len(wrong)} differ; index of timm {kept['timm']}, installed {timm.__version__}")
    return 1 if wrong or gone or kept["timm"] != timm.__version__ else 0


def say(*lines: str) -> None:
    """Write lines for the person who runs this."""
    sys.stdout.writelines(f"{line}\n" for line in lines)


def names() -> list[str]:
    """Every architecture of the families."""
    import timm

    return sorted(
        {name for module in MODULES for name in timm.list_models(module=module)} | set(timm.list_models(NAMES))
    )


def facts(name: str) -> dict[str, Any]:
    """What the index holds about one architecture."""
    import timm
    import torch

    from vitviz.models.architectures import signatures
    from vitviz.models.describing import sizes_in

    with torch.device("meta"):
        module = timm.create_model(name)
    return {
        "signatures": signatures((key, tuple(value.shape)) for key, value in module.state_dict().items()),
        "heads": heads_of(module),
        "activation": activation_of(module),
        "eps": eps_of(module),
        "classes": module.num_classes,
        "size": list(module.default_cfg["input_size"][1:]),
        "sizes": sizes_in(module),
        "window": window_of(module),
        "preprocessing": preprocessing_of(name),
        "family": type(module).__name__,
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "weights": weights_of(name),
    }


def heads_of(module: Any) -> list[int]:
    """Number of heads along the depth, one value for each run of equal ones."""
    found: list[int] = []
    for name, child in module.named_modules():
        heads = getattr(child, "num_heads", None)
        # The pool that makes the output is no layer of the trunk; rotary embeddings share a count.
        if name and isinstance(heads, int) and "attn_pool" not in name and "rope" not in name and found[-1:] != [heads]:
            found.append(heads)
    return found


def window_of(module: Any) -> list[int] | None:
    """Rows and columns of patches of the first window, before a smaller grid cuts it."""
    windows = (getattr(child, "target_window_size", getattr(child, "window_size", None)) for child in module.modules())
    window = next((window for window in windows if window), None)
    return [window, window] if isinstance(window, int) else None if window is None else list(window)


def activation_of(module: Any) -> str:
    """The class of the first activation in an MLP of the trunk."""
    # Not those of the small networks that make position biases: rel_pos.mlp of MaxViT, meta_mlp of Swin V2 CR.
    acts = (c for n, c in module.named_modules() if n.endswith((".mlp.act", ".mlp_act")) and "rel_pos" not in n)
    return next((type(child).__name__ for child in acts), "")


def eps_of(module: Any) -> float | None:
    """The epsilon of the first norm in a block."""
    trunk = (c for n, c in module.named_modules() if n.startswith(("blocks.", "stages.", "layers.")))
    norms = (c for c in trunk if type(c).__name__.startswith(("LayerNorm", "RmsNorm", "RMSNorm", "SimpleNorm")))
    return next((c.eps for c in norms if isinstance(getattr(c, "eps", None), float)), None)


def preprocessing_of(name: str) -> list[list[Any]]:
    """[mean, std, tags] for each mean and std that pretrained weights of this architecture were made with."""
    from timm.models import get_arch_pretrained_cfgs

    found: dict[tuple[tuple[float, ...], tuple[float, ...]], list[str]] = {}
    for full, config in get_arch_pretrained_cfgs(name).items():
        found.setdefault((tuple(config.mean), tuple(config.std)), []).append(full.partition(".")[2])
    return [[list(mean), list(std), tags] for (mean, std), tags in found.items()]


def weights_of(name: str) -> list[list[Any]]:
    """[tag, height, width, classes] of each set of pretrained weights, timm's default first."""
    from timm.models import get_arch_pretrained_cfgs

    configs = get_arch_pretrained_cfgs(name)
    return [
        [full.partition(".")[2], *config.input_size[1:], config.num_classes]
        for full, config in configs.items()
        if config.has_weights
    ]


if __name__ == "__main__":
    sys.exit(main())
