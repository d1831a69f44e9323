"""The window beside a notebook: the kernel's own loop keeps it alive between cells, as long as it is open."""

import asyncio
import sys
from types import SimpleNamespace

import shiboken6
from PySide6.QtTest import QTest

import vitviz
from vitviz.ui import showing


def test_window_lives_in_the_loop_of_a_kernel(qtbot, config_dir, tiny_vit, picture, monkeypatch):
    shell = SimpleNamespace(kernel=object(), enable_gui=lambda name: None)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    trace = vitviz.trace(tiny_vit, picture)

    async def cells():
        window = vitviz.show(trace)
        assert window.isVisible() and window.pane.opened.trace is trace

        async def until(holds):
            while not holds():
                await asyncio.sleep(0.01)

        await asyncio.wait_for(until(lambda: window.pane.map is not None), 60)
        before = window.pane.map
        QTest.keyClick(window.map_view.view, "m")
        window.store.update(layer=0)
        await asyncio.wait_for(until(lambda: window.pane.map is not before), 60)
        assert window.pane.map.selection.layer == 0
        other = vitviz.show(trace)
        other.close()
        await until(lambda: not shiboken6.isValid(other))
        assert showing._open == [window] and window.isVisible()
        window.close()
        await asyncio.wait_for(showing._pump, 60)
        assert showing._open == [] and not shiboken6.isValid(window)

    asyncio.run(cells())
