"""Every architecture of timm's token-to-token families: does it open, and is each of its layers seen?

    python tests/benchmarks/architectures.py                     all of them (an hour or more on two CPU cores)
    python tests/benchmarks/architectures.py --only 'swin_*' 'vit_tiny*'
    python tests/benchmarks/architectures.py --device cuda

Weights are random. A model above --largest million parameters is built with two blocks (per stage), which shows the
same kinds of layers; where its architecture takes no depth it is skipped, with that reason. timm's deprecated names are
left out.
"""

from __future__ import annotations

import argparse
import fnmatch
import gc
import logging
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

FAMILIES = (
    "vit_*", "deit*", "flexivit*", "eva*", "beit*", "naflexvit*", "samvit*", "swin_*", "swinv2_*", "maxvit*",
    "maxxvit*", "coatnet*", "pvt_*", "hiera*", "crossvit*", "test_vit*", "test_maxvit*", "test_coatnet*",
    "aimv2*", "mobilevit*", "vitamin*", "cait*", "xcit*", "gcvit*", "nest*", "twins*", "tiny_vit*", "levit*", "pit_*",
)  # fmt: skip
SHORTER = ({"depth": 2}, {"depths": (2, 2, 2, 2)}, {"depths": (1, 1, 1, 1)})


def main() -> None:
    """Open and trace each architecture; print a line for each and the sums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=["*"], help="patterns of names")
    parser.add_argument("--not", nargs="+", default=[], dest="without", help="patterns of names to leave out")
    parser.add_argument("--largest", type=float, default=400, help="million parameters built whole")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)

    import timm

    names = [
        name
        for name in timm.list_models()
        if any(fnmatch.fnmatch(name, f) for f in FAMILIES)
        and any(fnmatch.fnmatch(name, o) for o in options.only)
        and not any(fnmatch.fnmatch(name, w) for w in options.without)
    ]
    print(f"{'architecture':46} {'M par.':>7} {'layers':>6} {'kinds':24} {'max error':>9} {'s':>6}  remarks")
    sums: Counter[str] = Counter()
    layers, worst, start = 0, 0.0, time.perf_counter()
    for name in names:
        found = examined(name, options.largest, options.device)
        sums[found["outcome"]] += 1
        layers += found.get("layers", 0)
        worst = max(worst, found.get("error") or 0.0)
        error = f"{found['error']:.1e}" if found.get("error") is not None else "-"
        print(
            f"{name:46} {found.get('parameters', 0) / 1e6:>7.1f} {found.get('layers', 0):>6} "
            f"{found.get('kinds', ''):24} {error:>9} {found['seconds']:>6.1f}  {found['remark']}",
            flush=True,
        )
        gc.collect()
    whole = ", ".join(f"{count} {outcome}" for outcome, count in sums.most_common())
    print(
        f"\n{len(names)} architectures: {whole}; {layers} layers seen, largest max |A v - output| {worst:.1e}, "
        f"{(time.perf_counter() - start) / 60:.1f} min"
    )


def examined(name: str, largest: float, device: str) -> dict:
    """Open and trace one architecture with random weights; what was seen, or why not."""
    start = time.perf_counter()
    try:
        found = _examined(name, largest, device)
    except Exception as error:  # noqa: BLE001  one that fails is a line of the table
        text = " ".join(str(error).split())
        kind = type(error).__name__
        outcome = "refused" if kind in ("AttentionError", "ModelError", "SourceError") else "FAILED"
        found = {"outcome": outcome, "remark": f"{kind}: {text[:150]}"}
    return {**found, "seconds": time.perf_counter() - start}


def _examined(name: str, largest: float, device: str) -> dict:
    import numpy as np
    import timm
    import torch

    import vitviz

    count = parameters(name)
    shorter = None
    if count is not None and count > largest * 1e6:
        shorter = next((args for args in SHORTER if parameters(name, **args) not in (None, count)), None)
        if shorter is None:
            reason = f"{count / 1e6:.0f} M parameters, and it takes no depth"
            return {"outcome": "skipped", "parameters": count, "remark": reason}
    if shorter is None:
        model = vitviz.load_model(name, pretrained=False, device=device)
    else:
        model = model_of(timm.create_model(name, **shorter), name, device)
    torch.manual_seed(0)
    picture = vitviz.Image.from_array(np.random.default_rng(0).integers(0, 255, (300, 400, 3)).astype(np.uint8))
    trace = vitviz.trace(model, picture)
    maps = vitviz.head_maps(trace)
    unsound = [
        layer.name
        for layer, values, prefix in zip(trace.layers, maps.values, maps.prefix, strict=True)
        if not np.allclose(values.sum((1, 2)) + prefix.sum(1), 1, atol=1e-3)
    ]
    kinds = Counter(layer.kind for layer in trace.layers)
    unproved = sum(layer.error is None for layer in trace.layers)
    remarks = [f"built as {shorter}"] if shorter else []
    remarks += [f"{len(trace.gaps)} gaps: {trace.gaps[0]}"] if trace.gaps else []
    remarks += [f"{unproved} layers without proof"] if unproved else []
    remarks += [f"rows do not sum to 1 in {', '.join(unsound[:3])}"] if unsound else []
    names = Counter(layer.name for layer in trace.layers)
    if repeated := [n for n, times in names.items() if times > 1]:
        remarks.append(f"{repeated[0]} seen {names[repeated[0]]} times")
    wrong = unsound or (trace.error or 0) > 1e-3
    outcome = "WRONG" if wrong else "seen in part" if trace.gaps else "seen"
    return {
        "outcome": outcome,
        "parameters": count or model.parameters,
        "layers": len(trace.layers),
        "kinds": ", ".join(f"{n} {kind}" for kind, n in kinds.items()),
        "error": trace.error,
        "remark": "; ".join(remarks),
    }


def model_of(module, name: str, device: str):
    """A vitviz Model around a network that load_model can't build, as it has another depth."""
    from vitviz.models.devices import choose
    from vitviz.models.loading import preprocessing_of
    from vitviz.models.model import Model, default_query_of, prefix_tokens_of
    from vitviz.models.report import Report

    prefix = prefix_tokens_of(module)
    target = choose(device)
    return Model(
        module=module.eval().to(target.name), name=name, source=name, architecture=name,
        preprocessing=preprocessing_of(module), labels=(), report=Report(), prefix_tokens=prefix,
        default_query=default_query_of(module, prefix), device=target, random=True,
    )  # fmt: skip


def parameters(name: str, **args: object) -> int | None:
    """Number of parameters, counted without making them; None where the architecture can't be built so."""
    import timm
    import torch

    try:
        with torch.device("meta"):
            return sum(p.numel() for p in timm.create_model(name, **args).parameters())
    except Exception:  # noqa: BLE001  any of a thousand architectures may not go through meta tensors
        return None


if __name__ == "__main__":
    main()
