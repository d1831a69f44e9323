"""What rollout and the gradient methods cost beside the forward pass and beside the dense way: seconds and peak memory.

The dense ways keep all heads of all layers (for relevance their gradients too) and multiply whole matrices, as public
scripts do; they are not run where the matrices alone would not fit into the free memory. Every way runs in a process of
its own, whose peak memory is read from the kernel; seconds are medians, by the clock and of the processor: where other
work runs beside it, only those of the processor can be compared.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

WAYS = (
    "forward", "trace", "rollout", "rollout max, discard 0.9", "by the gradient of V", "dense", "relevance",
    "gradient rollout", "attention grad-cam", "token grad-cam", "relevance, dense",
)  # fmt: skip
OF_GRADIENTS = ("relevance", "gradient rollout", "attention grad-cam", "token grad-cam")
_SPARE_BYTES = 3 * 2**30  # for the model, and for all else that runs


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def by_gradient(trace):
    """The same row through the backward pass of fused attention, whose gradient for V is A^T r."""
    import torch
    import torch.nn.functional as F

    first = trace.layers[0]
    row = torch.zeros(first.num_keys)
    row[0] = 1.0
    for layer in reversed(trace.layers):
        q, k = layer.call.q.clone(), layer.call.k.clone()
        v = torch.zeros_like(q, requires_grad=True)
        out = F.scaled_dot_product_attention(q, k, v, scale=layer.call.scale)
        (found,) = torch.autograd.grad(out, v, row[:, None].expand(v.shape).contiguous())
        row = 0.5 * row + 0.5 * found[0, :, :, 0].mean(0)
    return row


def dense(trace):
    """All matrices kept, then whole products; only up to a few GiB."""
    import torch

    matrices = [layer.rows(None, torch.arange(layer.num_keys)) for layer in trace.layers]
    result = torch.eye(trace.layers[0].num_keys)
    for matrix in matrices:
        result = (matrix.mean(0) + torch.eye(len(result))) / 2 @ result
    return result[0]


def dense_relevance(model, view):
    """Relevance with every matrix and its gradient kept."""
    import torch

    kept = []

    def keep(module, args, output):
        output.retain_grad()
        kept.append(output)

    handles = []
    for block in model.module.blocks:
        block.attn.fused_attn = False
        handles.append(block.attn.attn_drop.register_forward_hook(keep))
    with torch.enable_grad():
        model.module(view.clone().requires_grad_())[0].max().backward()
    for handle in handles:
        handle.remove()
    result = torch.eye(kept[0].shape[-1])
    for weights in kept:
        result = result + (weights.detach() * weights.grad)[0].clamp(min=0).mean(0) @ result
    return result[0]


def measured(name, size, way, rounds):
    import numpy as np
    import torch

    import vitviz
    from vitviz.attention.memory import free_bytes

    torch.set_grad_enabled(way in ("by the gradient of V", "relevance, dense"))
    model = vitviz.load_model(name, pretrained=False, image_size=size, crop="squash", device="cpu")
    for parameter in model.module.parameters():
        parameter.requires_grad_(False)
    pixels = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    image = vitviz.Image.from_array(pixels)
    view = model.preprocess(image)
    traced = way not in ("forward", "trace", "relevance, dense", *OF_GRADIENTS)
    trace = vitviz.trace(model, image) if traced else None
    work = {
        "forward": lambda: model.module(view),
        "trace": lambda: vitviz.trace(model, image),
        "rollout": lambda: vitviz.rollout(trace, query="cls"),
        "rollout max, discard 0.9": lambda: vitviz.rollout(trace, query="cls", fusion="max", discard=0.9),
        "by the gradient of V": lambda: by_gradient(trace),
        "dense": lambda: dense(trace),
        **{method: lambda: vitviz.relevance(model, image, method=way) for method in OF_GRADIENTS},
        "relevance, dense": lambda: dense_relevance(model, view),
    }[way]
    tokens = (size // 16) ** 2 + 1
    before = peak_mib()
    matrices = 12 * 12 * tokens**2 * 4 * (2 if way.startswith("relevance") else 1)
    if way.endswith("dense") and matrices + _SPARE_BYTES > free_bytes(model.device):
        return {"tokens": tokens, "seconds": None, "processor": None, "mib": matrices / 2**20}
    seconds, processor = [], []
    for _ in range(rounds):
        start, busy = time.perf_counter(), time.process_time()
        work()
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - busy)
    medians = statistics.median(seconds), statistics.median(processor)
    return {"tokens": tokens, "seconds": medians[0], "processor": medians[1], "mib": peak_mib() - before}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="vit_base_patch16_224")
    parser.add_argument("--sizes", nargs="+", type=int, default=[224, 384, 512, 1024])
    parser.add_argument("--ways", nargs="+", default=WAYS, help="some of them, the forward pass first")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=2, metavar=("SIZE", "WAY"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measured(arguments.model, int(arguments.one[0]), arguments.one[1], arguments.rounds)))
        return
    print("| tokens | way | seconds | CPU s | of the forward pass's | peak MiB above the loaded model and its trace |")
    print("|---|---|---|---|---|---|")
    for size in arguments.sizes:
        base = None
        for way in arguments.ways:
            command = [sys.executable, __file__, "--model", arguments.model, "--rounds", str(arguments.rounds)]
            found = subprocess.run([*command, "--one", str(size), way], check=True, capture_output=True, text=True)
            found = json.loads(found.stdout.splitlines()[-1])
            base = base or found["processor"]
            start = f"| {found['tokens']} | {way} |"
            if found["seconds"] is None:
                print(f"{start} not run | | | {found['mib']:.0f} for the matrices alone |", flush=True)
            else:
                times = f"{found['seconds']:.2f} | {found['processor']:.2f} | {found['processor'] / base:.2f}"
                print(f"{start} {times} | {found['mib']:.0f} |", flush=True)


if __name__ == "__main__":
    main()
