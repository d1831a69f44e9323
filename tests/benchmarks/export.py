"""How fast many pictures are exported, beside the plain model on the same pictures that are ready in memory.

Prints a table: pictures a second of the plain model in eval and inference mode, of `export_many` from files to files
(reading, preprocessing, capture, drawing, PNG, fsync), and their ratio, medians over alternating rounds. The last ratio
is of the processor's time for a picture: what is left where all cores are busy, whatever else the machine does.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import PIL.Image
import torch

import vitviz
from vitviz.render.folders import items_of
from vitviz.render.many import Job, export_many
from vitviz.render.plan import Plan


def pictures(folder: Path, count: int, size: tuple[int, int]) -> None:
    """JPEG files of smooth noise, which is as hard to decode as a photo."""
    generator = np.random.default_rng(0)
    for i in range(count):
        small = generator.integers(0, 255, (size[0] // 16, size[1] // 16, 3), dtype=np.uint8)
        PIL.Image.fromarray(small).resize(size[::-1], PIL.Image.Resampling.BICUBIC).save(folder / f"{i:04d}.jpg")


def plain(model: vitviz.Model, views: list[torch.Tensor], batch: int) -> tuple[float, float]:
    """Pictures a second of the model alone, and seconds of the processor for each."""
    start, cpu = time.perf_counter(), time.process_time()
    with torch.inference_mode():
        for i in range(0, len(views), batch):
            model.module(torch.cat(views[i : i + batch]).to(model.device.name))
    if model.device.name.startswith("cuda"):
        torch.cuda.synchronize()
    return len(views) / (time.perf_counter() - start), (time.process_time() - cpu) / len(views)


def exported(model: vitviz.Model, folder: Path, batch: int) -> tuple[float, float]:
    """Pictures a second from files to figures, and seconds of the processor for each."""
    out = Path(tempfile.mkdtemp())
    try:
        items = items_of([folder], out)
        start, cpu = time.perf_counter(), time.process_time()
        outcomes = list(export_many(model, items, Job(lambda seen: [Plan()], "benchmark", out, batch, resume=False)))
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        assert not [each.problem for each in outcomes if each.problem]
        assert len(list(out.rglob("*.png"))) == len(items)
        return len(items) / seconds, cpu / len(items)
    finally:
        shutil.rmtree(out)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["vit_small_patch16_224", "vit_base_patch16_224"])
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--size", type=int, nargs=2, default=(375, 500), metavar=("H", "W"))
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    print(f"{torch.get_num_threads()} threads, batch {given.batch}, {given.pictures} pictures of {tuple(given.size)}")
    print("| model | plain pictures/s | exported pictures/s | ratio | of the rounds | CPU s plain | exported | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures(folder, given.pictures, tuple(given.size))
        images = [vitviz.read_image(path) for path in sorted(folder.iterdir())]
        for source in given.models:
            model = vitviz.load_model(source, pretrained=False, device=given.device)
            views = [model.preprocess(image) for image in images]
            plain(model, views[:4], given.batch)
            rounds = [
                (plain(model, views, given.batch), exported(model, folder, given.batch)) for _ in range(given.rounds)
            ]
            ratios = [b[0] / a[0] for a, b in rounds]
            one, two, cpu, more = (statistics.median(r[i][j] for r in rounds) for j in (0, 1) for i in (0, 1))
            span = f"{min(ratios):.2f} to {max(ratios):.2f}"
            times = f"{cpu:.3f} | {more:.3f} | {cpu / more:.2f}"
            print(
                f"| {source} | {one:.2f} | {two:.2f} | {statistics.median(ratios):.2f} | {span} | {times} |", flush=True
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
