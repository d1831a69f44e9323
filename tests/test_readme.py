"""The examples of the README run as they stand there."""

import os
import re
import runpy
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def run(example, folder, monkeypatch):
    script = folder / "example.py"
    script.write_text(example.replace('"resources/', f'"{ROOT.as_posix()}/resources/'), encoding="utf-8")
    monkeypatch.chdir(folder)
    return runpy.run_path(str(script))


def test_there_are_three_examples():
    assert len(EXAMPLES) == 3


@pytest.mark.parametrize("example", [e for e in EXAMPLES if "show(" not in e], ids=["first", "figures"])
def test_example_runs(example, tmp_path, monkeypatch):
    left = run(example, tmp_path, monkeypatch)
    if "rgb" in left:
        assert left["rgb"].shape == (*left["image"].size, 3) and left["row"].shape[:2] == (2, 1)
    else:
        assert {"star.pdf", "star.pdf.json", "heads.png", "heads.png.json"} <= {p.name for p in tmp_path.iterdir()}


def test_example_of_the_window_shows_it_and_goes_on(qapp, tmp_path, monkeypatch):
    from vitviz.ui import showing

    monkeypatch.setenv("VITVIZ_CONFIG_DIR", str(tmp_path / "config"))
    (example,) = [e for e in EXAMPLES if "show(" in e]
    seen = []

    def until_closed(*_):
        """What a person does: look, and close the window."""
        for _ in range(50):
            qapp.processEvents()
        (window,) = showing._open
        seen.append((window.pane.map, window.pane.opened.model.name, window.isVisible()))
        window.close()

    monkeypatch.setattr("PySide6.QtWidgets.QApplication.exec", until_closed)
    left = run(example + "\nafterwards = True\n", tmp_path, monkeypatch)
    ((shown, name, visible),) = seen
    assert left["afterwards"] and visible and name == "demo-swin"
    assert shown is not None and shown.view == left["trace"].view
    assert showing._open == []
