"""What looking costs: time and memory of a traced pass beside a plain one, bytes kept, and how fast rows come.

    python tests/benchmarks/capture.py                          ViT-B/16 at 224 and 512 px on the CPU
    python tests/benchmarks/capture.py --models vit_base_patch16_224 vit_large_patch16_224 --sizes 224 512 1024
    python tests/benchmarks/capture.py --device cuda --models vit_base_patch16_224 vit_large_patch16_224

Times are medians of passes that alternate, so that a busy machine slows both alike; memory is the peak above the
loaded model, each kind of pass in a process of its own. Weights are random: no figure depends on them. No Qt.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def main() -> None:
    """Measure each model and size in processes of their own and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["vit_base_patch16_224"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[224, 512])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--threads", type=int, default=0, help="torch's own choice where 0")
    parser.add_argument("--rounds", type=int, default=7, help="pairs of passes")
    parser.add_argument("--rows", type=int, default=200, help="places looked at")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        task = json.loads(options.child)
        print(json.dumps(CHILDREN[task["kind"]](**task["args"])))
        return
    print(machine(options))
    found = []
    for name in options.models:
        for size in options.sizes:
            args = {"name": name, "size": size, "device": options.device, "precision": options.precision,
                    "threads": options.threads, "rounds": options.rounds, "rows": options.rows}  # fmt: skip
            row = {"name": name, "size": size}
            for kind in CHILDREN:
                row[kind] = child(kind, args)
            found.append(row)
            print(f"measured {name} at {size} px", file=sys.stderr)
    tables(found)


def child(kind: str, args: dict) -> dict:
    """Run one kind of measurement in a fresh process; {"failed": reason} where it can't."""
    command = [sys.executable, __file__, "--child", json.dumps({"kind": kind, "args": args})]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return {"failed": lines[-1][:100] if lines else f"ended with {done.returncode}"}
    return json.loads(done.stdout.splitlines()[-1])


def loaded(name: str, size: int, device: str, precision: str, threads: int):
    """The model with random weights and its view of a picture of noise."""
    import numpy as np
    import torch

    import vitviz

    if threads:
        torch.set_num_threads(threads)
    model = vitviz.load_model(name, pretrained=False, image_size=size, device=device, precision=precision)
    picture = vitviz.Image.from_array(np.random.default_rng(0).integers(0, 255, (size, size, 3)).astype(np.uint8))
    dtype = next(model.module.parameters()).dtype
    return model, picture, model.preprocess(picture).to(device=model.device.name, dtype=dtype)


def timed(name, size, device, precision, threads, rounds, rows) -> dict:
    """Median seconds of alternating plain and traced passes, by the clock and of the processor, and of their ratios."""
    import torch

    from vitviz.attention.capture import capture

    model, _, view = loaded(name, size, device, precision, threads)

    def plain() -> None:
        with torch.inference_mode():
            model.module(view)

    def traced() -> None:
        capture(model.module, view)

    def cost(run) -> tuple[float, float]:
        clock, processor = time.perf_counter(), time.process_time()
        run()
        settle(device)
        return time.perf_counter() - clock, time.process_time() - processor

    cost(plain), cost(traced)
    pairs = []
    for turn in range(rounds):
        first, second = (plain, traced) if turn % 2 else (traced, plain)
        once, again = cost(first), cost(second)
        pairs.append((once, again) if turn % 2 else (again, once))
    ratios = [[with_[i] / without[i] for without, with_ in pairs] for i in (0, 1)]
    return {
        "plain": statistics.median(p[0] for p, _ in pairs),
        "traced": statistics.median(t[0] for _, t in pairs),
        "ratio": statistics.median(ratios[0]),
        "cpu_plain": statistics.median(p[1] for p, _ in pairs),
        "cpu_traced": statistics.median(t[1] for _, t in pairs),
        "cpu_ratio": statistics.median(ratios[1]),
        "spread": [min(ratios[1]), max(ratios[1])],
    }


def plain_memory(name, size, device, precision, threads, rounds, rows) -> dict:
    """Peak bytes of one plain pass above the loaded model."""
    import torch

    model, _, view = loaded(name, size, device, precision, threads)
    with Peak(device) as peak, torch.inference_mode():
        model.module(view)
    return {"peak": peak.bytes}


def traced_memory(name, size, device, precision, threads, rounds, rows) -> dict:
    """Peak bytes of one traced pass above the loaded model, the bytes it keeps, and those of all N x N maps."""
    import vitviz

    model, picture, _ = loaded(name, size, device, precision, threads)
    with Peak(device) as peak:
        trace = vitviz.trace(model, picture)
    dense = sum(4 * layer.num_heads * layer.num_queries * layer.num_keys for layer in trace.layers)
    tokens = trace.layers[0].num_keys
    return {"peak": peak.bytes, "kept": trace.bytes, "dense": dense, "tokens": tokens, "error": trace.error}


def extracted(name, size, device, precision, threads, rounds, rows) -> dict:
    """timm's own AttentionExtract on the same model without fused attention: seconds, peak and bytes of its maps."""
    import timm
    import torch
    from timm.layers import set_fused_attn
    from timm.utils import AttentionExtract

    set_fused_attn(False)
    model, _, view = loaded(name, size, device, precision, threads)
    extract = AttentionExtract(model.module, method="fx")
    times, first = [], 0
    for turn in range(3):
        with Peak(device) as peak, torch.inference_mode():
            start = time.perf_counter(), time.process_time()
            maps = extract(view)
            settle(device)
            times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
        first = peak.bytes if turn == 0 else first
        kept = sum(m.numel() * m.element_size() for m in maps.values())
        del maps
    seconds, cpu = (statistics.median(t[i] for t in times[1:]) for i in (0, 1))
    return {"seconds": seconds, "cpu": cpu, "peak": first, "kept": kept, "timm": timm.__version__}


def rows(name, size, device, precision, threads, rounds, rows) -> dict:
    """Milliseconds for all heads of all layers: places one after another, the class token, the mean row, columns."""
    import random

    import vitviz

    model, picture, _ = loaded(name, size, device, precision, threads)
    trace = vitviz.trace(model, picture)
    chance = random.Random(0)

    clock = time.perf_counter

    def look(query, direction="from") -> float:
        start = clock()
        vitviz.head_maps(trace, query, direction)
        return 1000 * (clock() - start)

    def place():
        return vitviz.Place(chance.uniform(0, size), chance.uniform(0, size))

    for _ in range(5):
        look(place())
    hover = sorted(look(place()) for _ in range(rows))
    clock = time.process_time
    busy = sorted(look(place()) for _ in range(rows))
    clock = time.perf_counter
    mean_first, mean_next = look("mean"), statistics.median(look("mean") for _ in range(5))
    column = sorted(look(place(), "to") for _ in range(max(rows // 4, 10)))
    middle = sorted(look("cls") for _ in range(20)) if "cls" in trace.prefix_tokens else [float("nan")]
    return {
        "p50": hover[len(hover) // 2],
        "p95": hover[int(len(hover) * 0.95)],
        "cpu_p50": busy[len(busy) // 2],
        "cls": middle[len(middle) // 2],
        "mean_first": mean_first,
        "mean_next": mean_next,
        "column_p50": column[len(column) // 2],
    }


CHILDREN = {"timed": timed, "plain": plain_memory, "traced": traced_memory, "extract": extracted, "rows": rows}


class Peak:
    """Peak memory inside a with block above what was held at its start: the device's own count, or resident memory."""

    def __init__(self, device: str) -> None:
        self.cuda, self.bytes = device.startswith("cuda"), 0

    def __enter__(self) -> Peak:
        gc.collect()
        if self.cuda:
            import torch

            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            self._before = torch.cuda.memory_allocated()
            return self
        Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM; Linux alone has it
        self._before = resident("VmRSS")
        return self

    def __exit__(self, *error: object) -> None:
        if self.cuda:
            import torch

            torch.cuda.synchronize()
            self.bytes = torch.cuda.max_memory_allocated() - self._before
        else:
            self.bytes = resident("VmHWM") - self._before


def resident(field: str) -> int:
    """VmRSS or VmHWM of this process in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(field)).split()[1])


def settle(device: str) -> None:
    """Wait for the GPU."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize()


def machine(options: argparse.Namespace) -> str:
    """One line on where this was measured."""
    import os
    import platform

    import timm
    import torch

    what = torch.cuda.get_device_name(0) if options.device.startswith("cuda") else f"{os.cpu_count()} CPU cores"
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{what}{load}, {options.precision}, Python {platform.python_version()}, torch {torch.__version__}, "
        f"timm {timm.__version__}"
    )


def tables(found: list[dict]) -> None:
    """Print what was measured, as tables in Markdown."""
    mib = 2**20
    passes, kept, looks = [], [], []
    for row in found:
        start = [row["name"], row["size"]]
        time_, plain, traced, extract, seen = (row[kind] for kind in CHILDREN)
        failed = [part["failed"] for part in (time_, plain, traced) if "failed" in part]
        if failed:
            passes.append([*start, f"failed: {failed[0]}"])
            continue
        passes.append(
            [
                *start, traced["tokens"], f"{time_['plain']:.3f}", f"{time_['traced']:.3f}", f"{time_['ratio']:.2f}",
                f"{time_['cpu_plain']:.3f}", f"{time_['cpu_traced']:.3f}", f"{time_['cpu_ratio']:.2f}",
                f"{time_['spread'][0]:.2f} to {time_['spread'][1]:.2f}",
                f"{plain['peak'] / mib:.0f}", f"{traced['peak'] / mib:.0f}",
            ]
        )  # fmt: skip
        theirs = [f"failed: {extract['failed']}"] if "failed" in extract else [
            f"{extract['seconds']:.3f}", f"{extract['seconds'] / time_['traced']:.1f}",
            f"{extract['cpu']:.3f}", f"{extract['cpu'] / max(time_['cpu_traced'], 1e-9):.1f}",
            f"{extract['peak'] / mib:.0f}", f"{extract['kept'] / mib:.0f}",
        ]  # fmt: skip
        ratio = f"{traced['dense'] / traced['kept']:.1f}"
        sizes = [f"{traced['kept'] / mib:.1f}", f"{traced['dense'] / mib:.0f}", ratio]
        kept.append([*start, *sizes, f"{traced['error']:.1e}", *theirs])
        numbers = ("p50", "p95", "cpu_p50", "cls", "mean_first", "mean_next", "column_p50")
        look = [f"failed: {seen['failed']}"] if "failed" in seen else [f"{seen[n]:.2f}" for n in numbers]
        looks.append([*start, *look])
    table(
        "One pass, plain and traced: seconds by the clock and of the processor; peak memory above the loaded model",
        "model px tokens plain traced ratio CPU,plain CPU,traced CPU,ratio of,the,pairs MiB,plain MiB,traced",
        passes,
    )
    table(
        "Kept for looking (MiB) beside all N x N maps, and timm's AttentionExtract on the same model",
        "model px kept N,x,N times max,|A,v,-,out| extract,s times CPU,s times MiB,peak MiB,kept",
        kept,
    )
    table(
        "All heads of all layers (ms): a new place under the mouse, the class token, the mean row, a column",
        "model px p50 p95 CPU,p50 cls mean,first mean,next column,p50",
        looks,
    )


def table(title: str, head: str, rows_: list[list]) -> None:
    """One Markdown table; words of a column's head are joined by commas."""
    names = [name.replace(",", " ").replace("|", "\\|") for name in head.split()]
    print(f"\n{title}\n\n| {' | '.join(names)} |\n|{'|'.join('---' for _ in names)}|")
    for row in rows_:
        print(f"| {' | '.join(map(str, row))} |")


if __name__ == "__main__":
    main()
