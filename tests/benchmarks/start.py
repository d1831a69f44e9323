"""How long the command takes: from the start of the process to the first paint, and to the demo's maps.

Each run is a fresh process; beside it, in turn, a process that only imports torch and timm.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

CHILD = """
import json, sys, time
began = float(sys.argv[1])
from PySide6.QtCore import QTimer
from vitviz.ui import app, window as windows
from vitviz.ui.opening import Wish
told = {}
made = []
create = app.create
def noting(wish=None):
    made.append(create(wish))
    return made[0]
app.create = noting
begin = windows.Sources.begin
def at_first_paint(self):
    told["paint"] = made[0].first_paint - began
    told["torch"] = "torch" in sys.modules
    begin(self)
windows.Sources.begin = at_first_paint
def look():
    if made and made[0].pane.map is not None:
        told["maps"] = time.time() - began
        made[0].close()
timer = QTimer()
timer.timeout.connect(look)
def started():
    timer.start(5)
real = app.application
def application():
    found = real()
    started()
    return found
app.application = application
app.run(Wish())
print(json.dumps(told))
"""


def child(code, *arguments):
    """(seconds, last line) of a fresh Python."""
    with tempfile.TemporaryDirectory() as folder:
        env = {"QT_QPA_PLATFORM": "offscreen", **os.environ, "VITVIZ_CONFIG_DIR": folder}
        began = time.time()
        done = subprocess.run(
            [sys.executable, "-c", code, repr(began), *arguments], capture_output=True, text=True, env=env, check=True
        )
        return time.time() - began, (done.stdout.strip().splitlines() or [""])[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    runs, imports = [], []
    for _ in range(arguments.runs):
        imports.append(child("import torch, timm")[0])
        runs.append(json.loads(child(CHILD)[1]))
    paint, maps, alone = (
        statistics.median(times) for times in ([r["paint"] for r in runs], [r["maps"] for r in runs], imports)
    )
    early = any(run["torch"] for run in runs)
    print(f"| median of {arguments.runs} | seconds | of `import torch, timm` |")
    print("|---|---|---|")
    print(f"| first paint | {paint:.2f} | {paint / alone:.2f} |")
    print(f"| demo maps on the screen | {maps:.2f} | {maps / alone:.2f} |")
    print(f"| `import torch, timm` alone | {alone:.2f} | 1 |")
    print(f"\ntorch imported before the first paint: {'yes' if early else 'no'}")
    print(f"maps after the import: {maps - alone:+.2f} s")
    return 1 if early else 0


if __name__ == "__main__":
    sys.exit(main())
