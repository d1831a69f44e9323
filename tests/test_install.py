"""The wheel, installed into a plain environment and used from another folder, finds all that it needs."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, ROOT]
    subprocess.run(command, check=True, timeout=300)
    (found,) = folder.glob("vitviz-*.whl")
    return found


def test_wheel_holds_the_demo_and_the_icon_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for needed in ("demo/demo/model.safetensors", "demo/demo-swin/config.json", "icons/vitviz.png"):
        assert f"vitviz/_resources/{needed}" in names
    assert sum(name.startswith("vitviz/_resources/demo/pictures/") and name.endswith(".png") for name in names) >= 8
    assert not [name for name in names if name.startswith("tests/")]


def test_installed_wheel_runs_the_demo_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True, timeout=120)
    python = environment / "bin" / "python"
    site = next((environment / "lib").glob("python*")) / "site-packages"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel]
    subprocess.run(install, check=True, timeout=300)
    # torch alone is gigabytes: the packages that vitviz needs are lent from this environment, vitviz itself is not.
    (site / "lent.pth").write_text(sysconfig.get_paths()["purelib"])
    code = (
        "import vitviz, pathlib; from vitviz.ui import samples; print(vitviz.__file__);"
        "image = vitviz.read_image(samples.pictures()[0]);"
        "trace = vitviz.trace(vitviz.load_model('demo'), image); print(len(trace.layers), trace.top_k(1)[0][0])"
    )
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    result = subprocess.run(
        [python, "-c", code], cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stderr
    where, said = result.stdout.splitlines()
    assert Path(where).is_relative_to(site)
    layers, label = said.split(" ", 1)
    assert int(layers) >= 6
    assert label in ("ring", "disc", "bar", "cross", "star", "triangle")
    script = (site / "bin" / "vitviz") if (site / "bin" / "vitviz").exists() else environment / "bin" / "vitviz"
    exported = subprocess.run(
        [
            python,
            script,
            "export",
            site / "vitviz/_resources/demo/pictures/star.png",
            "--model",
            "demo-swin",
            "--out",
            "o",
        ],
        cwd=tmp_path,
        env=clean | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert exported.returncode == 0, exported.stderr
    assert list((tmp_path / "o").glob("*.png"))
