"""A first start: on a machine without a library that Qt needs, and on a screen that is smaller than the window."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QMargins, QRect

from vitviz.errors import VitvizError
from vitviz.ui import x_libraries
from vitviz.ui.fitting import fitted

README = Path(__file__).parents[2] / "README.md"
ON_X = {"DISPLAY": ":0"}
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="X displays are tested on Linux")


@pytest.fixture(scope="module")
def needy(tmp_path_factory):
    """A library that needs one that is not there."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    folder = tmp_path_factory.mktemp("libraries")
    for name, extra in (("libnot-here-xcb.so.4", []), ("libneedy.so", [str(folder / "libnot-here-xcb.so.4")])):
        source = folder / f"{name}.c"
        source.write_text("int nothing_" + name.replace("-", "_").replace(".", "_") + "(void) { return 0; }\n")
        soname = f"-Wl,-soname,{name},--no-as-needed"
        subprocess.run([compiler, "-shared", "-fPIC", soname, "-o", folder / name, source, *extra], check=True)
    (folder / "libnot-here-xcb.so.4").unlink()
    return folder / "libneedy.so"


@on_linux
def test_missing_library_is_one_sentence_with_what_to_install(needy):
    with pytest.raises(VitvizError) as caught:
        x_libraries.check(needy, ON_X)
    text = str(caught.value)
    assert "libnot-here-xcb.so.4" in text and f"apt-get install -y {x_libraries.PACKAGES}" in text and "\n" not in text


@on_linux
@pytest.mark.parametrize(
    "environment", [{}, {"WAYLAND_DISPLAY": "wayland-0", **ON_X}, {"QT_QPA_PLATFORM": "offscreen", **ON_X}]
)
def test_start_that_may_work_is_not_stopped(needy, environment):
    x_libraries.check(needy, environment)


@on_linux
def test_what_is_no_missing_library_is_left_to_qt(tmp_path):
    odd = tmp_path / "libodd.so"
    odd.write_bytes(b"no library")
    x_libraries.check(odd, ON_X)
    x_libraries.check(tmp_path / "none.so", ON_X)


def test_packages_are_those_of_the_readme():
    assert x_libraries.PACKAGES in README.read_text(encoding="utf-8")


@on_linux
def test_plugin_is_the_file_that_qt_takes():
    assert x_libraries._plugin().name == "libqxcb.so"
    if not x_libraries._plugin().is_file():
        pytest.skip("this Qt has no plugin for X")
    assert os.access(x_libraries._plugin(), os.R_OK)


places, lengths = st.integers(-3000, 3000), st.integers(100, 4000)
edges = st.integers(0, 60)


@given(
    st.builds(QRect, st.integers(-3000, 3000), st.integers(-3000, 3000), lengths, lengths),
    st.builds(
        QRect, st.integers(-2000, 2000), st.integers(-2000, 2000), st.integers(300, 4000), st.integers(300, 4000)
    ),
    st.builds(QMargins, edges, edges, edges, edges),
)
def test_fitted_window_lies_in_its_room_with_its_frame_and_is_no_smaller_than_it_must_be(window, room, frame):
    found = fitted(window, room, frame)
    assert room.contains(found.marginsAdded(frame))
    inner = room.marginsRemoved(frame)
    assert found.width() == min(window.width(), inner.width())
    assert found.height() == min(window.height(), inner.height())
    if room.contains(window.marginsAdded(frame)):
        assert found == window
