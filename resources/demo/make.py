"""Remakes the embedded demo: scenes, both networks, the second stage of the ViT, their evaluation and the pictures.

python resources/demo/make.py [--only pictures|vit|swin|guide|evaluate] [--minutes M] [--out DIR] [--scratch DIR]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDERS = {"vit": "demo", "swin": "demo-swin"}
STEPS = {"vit": 3110, "swin": 2536}
GUIDED_STEPS, GUIDED_RATE = 1000, 1e-3
UNGUIDED = "unguided"  # in the scratch folder: the ViT after its first stage
SCENES, HELD_OUT = 40_000, 3_400


def command_of(kind: str, scratch: Path, folder: Path) -> list[str]:
    """The command that trains a network into a folder, in a process of its own."""
    scenes = [str(scratch / "train"), str(scratch / "held_out")]
    return [sys.executable, str(HERE / "train.py"), kind, *scenes, str(folder)]


def train_command(kind: str, scratch: Path, out: Path, minutes: float | None) -> list[str]:
    """The command of the first stage, for a Swin the only one."""
    folder = scratch / UNGUIDED if kind == "vit" else out / FOLDERS[kind]
    command = [*command_of(kind, scratch, folder), "--steps", str(STEPS[kind])]
    return command if minutes is None else [*command, "--minutes", str(minutes)]


def train_side_by_side(kinds: list[str], scratch: Path, out: Path, minutes: float | None) -> None:
    """Train the networks at the same time, one thread each; raises CalledProcessError if one fails."""
    running = [subprocess.Popen(train_command(kind, scratch, out, minutes)) for kind in kinds]
    for process in running:
        if process.wait():
            raise subprocess.CalledProcessError(process.returncode, process.args)


def guide(scratch: Path, out: Path) -> None:
    """The second stage of the ViT, from the weights of the first; raises CalledProcessError if it fails."""
    command = [*command_of("vit", scratch, out / FOLDERS["vit"]), "--guide", str(scratch / UNGUIDED)]
    subprocess.run([*command, "--adamw", "--lr", str(GUIDED_RATE), "--steps", str(GUIDED_STEPS)], check=True)


def main() -> None:
    """Make what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("pictures", "vit", "swin", "guide", "evaluate"))
    parser.add_argument("--minutes", type=float, help="train by the clock, instead of the recorded number of steps")
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "vitviz-demo", help="2.7 GB")
    wishes = parser.parse_args()
    only, out, scratch = wishes.only, wishes.out, wishes.scratch
    # The workers and the two trainings share the cores; OpenMP would give each of them all.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

    from data import HELD_OUT_SEED, make_scenes
    from evaluate import evaluate
    from pictures import make_pictures

    if only in (None, "pictures"):
        make_pictures(out / "pictures")
    if only == "pictures":
        return
    make_scenes(scratch / "held_out", HELD_OUT, first=HELD_OUT_SEED, border=0)
    kinds = ["vit"] if only == "guide" else [kind for kind in FOLDERS if only in (None, kind, "evaluate")]
    if only != "evaluate":
        make_scenes(scratch / "train", SCENES)
        if only != "guide":
            train_side_by_side(kinds, scratch, out, wishes.minutes)
        if "vit" in kinds:
            guide(scratch, out)
    for kind in kinds:
        evaluate(out / FOLDERS[kind], scratch / "held_out")


if __name__ == "__main__":
    main()
