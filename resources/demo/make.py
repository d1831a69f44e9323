"""Remakes the embedded demo: scenes, both networks, their evaluation and the pictures.

python resources/demo/make.py [--only pictures|vit|swin|evaluate] [--minutes M] [--out DIR] [--scratch DIR]
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
SCENES, HELD_OUT = 40_000, 3_400


def train_command(kind: str, scratch: Path, out: Path, minutes: float | None) -> list[str]:
    """The command that trains one network in a process of its own."""
    command = [sys.executable, str(HERE / "train.py"), kind, str(scratch / "train"), str(scratch / "held_out")]
    command += [str(out / FOLDERS[kind]), "--steps", str(STEPS[kind])]
    return command if minutes is None else [*command, "--minutes", str(minutes)]


def train_side_by_side(kinds: list[str], scratch: Path, out: Path, minutes: float | None) -> None:
    """Train the networks at the same time, one thread each; raises CalledProcessError if one fails."""
    running = [subprocess.Popen(train_command(kind, scratch, out, minutes)) for kind in kinds]
    for process in running:
        if process.wait():
            raise subprocess.CalledProcessError(process.returncode, process.args)


def main() -> None:
    """Make what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("pictures", "vit", "swin", "evaluate"))
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
    kinds = [kind for kind in FOLDERS if only in (None, kind, "evaluate")]
    if only != "evaluate":
        make_scenes(scratch / "train", SCENES)
        train_side_by_side(kinds, scratch, out, wishes.minutes)
    for kind in kinds:
        evaluate(out / FOLDERS[kind], scratch / "held_out")


if __name__ == "__main__":
    main()
