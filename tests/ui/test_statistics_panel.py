"""The statistics panel: computed when seen, linked with the atlas in both directions, written as it is shown."""

import csv

import numpy as np
import PIL.Image
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication

from vitviz.attention.statistics import head_statistics
from vitviz.ui.head_numbers import KIND


@pytest.fixture
def panel(qtbot, window):
    """The panel, raised, with its numbers there."""
    dock = next(dock for dock in window.docks if dock.windowTitle() == "Statistics")
    dock.show()
    dock.raise_()
    qtbot.waitUntil(lambda: window.tokens.statistics.numbers.found is not None, timeout=20000)
    QApplication.processEvents()
    return window.tokens.statistics


@pytest.fixture(scope="module")
def wanted(opened):
    """The numbers, computed at once."""
    return head_statistics(opened.trace)


def dot(panel, layer, head):
    """The point of the plot where the dot of a head is drawn."""
    at = panel.plot._where.index((layer, head))
    x, y = (float(values[at]) for values in panel.plot.dots.getData())
    return panel.plot.point_of(x, y)


def alone(panel):
    """A head whose dot no other covers."""
    values = panel._values()
    return max(
        ((layer, head) for layer, head in panel.plot._where),
        key=lambda at: abs(values[at] - values[at[0], 1 - at[1]]),
    )


def test_nothing_is_computed_while_the_panel_is_hidden(qtbot, window):
    begun = []
    window.worker.started.connect(lambda number, kind: begun.append(kind))
    window.store.update(layer=1)
    qtbot.wait(30)
    assert KIND not in begun and window.tokens.statistics.numbers.found is None


def test_the_numbers_are_those_of_the_trace(panel, wanted):
    found = panel.numbers.found
    assert np.array_equal(found.distance_vit, wanted.distance_vit) and np.array_equal(found.entropy, wanted.entropy)
    assert panel.plot._where == [(layer, head) for layer in range(6) for head in range(2)]


def test_the_axis_says_pixels_and_which_definition(panel):
    axis = panel.plot.left
    assert axis.labelText == "Mean attention distance (as in the ViT paper) [px]"
    panel.quantity.setCurrentIndex(1)
    panel.quantity.activated.emit(1)
    assert axis.labelText == "Mean attention distance (patches only, renormalised) [px]"


@pytest.mark.parametrize("column", ["distance_renormalised_px", "entropy_nats", "mass_cls", "mass_sink"])
def test_the_box_chooses_what_is_plotted(panel, wanted, column):
    panel.quantity.setCurrentIndex(panel.quantity.findData(column))
    panel.quantity.activated.emit(panel.quantity.currentIndex())
    values = {
        "distance_renormalised_px": wanted.distance_renormalised,
        "entropy_nats": wanted.entropy,
        "mass_cls": wanted.prefix_mass["cls"],
        "mass_sink": wanted.sink_mass,
    }[column]
    assert np.array_equal(panel.plot.dots.getData()[1], values.ravel())


def test_a_click_at_a_dot_chooses_its_head_in_the_atlas(qtbot, window, panel):
    layer, head = alone(panel)
    qtbot.mouseClick(panel.plot.viewport(), Qt.MouseButton.LeftButton, pos=dot(panel, layer, head))
    assert (window.store.state.layer, window.store.state.head) == (layer, head)
    assert window.pane.map.selection.layer == layer


def test_the_chosen_head_is_ringed_and_the_fused_ones_too(window, panel, wanted):
    window.store.update(layer=3, head=1)
    assert [list(v) for v in panel.plot.ring.getData()] == [[3], [wanted.distance_vit[3, 1]]]
    window.store.update(head="mean")
    assert list(panel.plot.ring.getData()[1]) == list(wanted.distance_vit[3])


def test_the_mouse_over_a_dot_says_its_number(panel, wanted, hover):
    layer, head = alone(panel)
    hover(panel.plot, dot(panel, layer, head))
    assert panel.reading.text() == f"Layer {layer} head {head}: {wanted.distance_vit[layer, head]:.4g} px"


def test_a_dot_under_the_mouse_frames_its_tile_and_a_tile_rings_its_dot(qtbot, window, panel, wanted, hover):
    atlas = window.atlas
    layer, head = alone(panel)
    hover(panel.plot, dot(panel, layer, head))
    x, y, width, height = atlas._mosaic.tiles.box(layer, head)
    assert atlas._hint.isVisible() and atlas._hint.rect().getRect() == (x, y, width, height)
    qtbot.wait(30)  # pyqtgraph takes so many mouse moves a second
    hover(panel.plot, dot(panel, layer, head) + QPoint(25, 0))
    assert not atlas._hint.isVisible()
    next(dock for dock in window.docks if dock.windowTitle() == "Heads").raise_()
    QApplication.processEvents()
    hover(atlas.view, atlas.tile_center(2, 1))
    assert [list(v) for v in panel.plot.hint.getData()] == [[2], [wanted.distance_vit[2, 1]]]
    hover(atlas.view, QPoint(1, 1))
    assert len(panel.plot.hint.getData()[0]) == 0


def test_the_table_has_every_head_sorts_by_number_and_chooses(qtbot, window, panel, wanted):
    panel.tabs.setCurrentWidget(panel.table)
    table, model = panel.table, panel.table.model()
    assert model.rowCount() == 12

    def shown(column, role=Qt.ItemDataRole.UserRole):
        return [model.index(row, column).data(role) for row in range(12)]

    assert list(zip(shown(0), shown(1), strict=True)) == [(layer, head) for layer in range(6) for head in range(2)]
    header = table.horizontalHeader()
    where = QPoint(header.sectionViewportPosition(2) + 20, header.height() // 2)
    qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=where)
    ascending = header.sortIndicatorOrder() == Qt.SortOrder.AscendingOrder
    assert shown(2) == sorted(wanted.distance_vit.ravel().tolist(), reverse=not ascending)
    assert shown(2, Qt.ItemDataRole.DisplayRole)[0] == f"{shown(2)[0]:#.4g}"
    table.sortByColumn(2, Qt.SortOrder.AscendingOrder)
    table.selectRow(0)
    chosen = np.unravel_index(wanted.distance_vit.argmin(), (6, 2))
    assert (window.store.state.layer, window.store.state.head) == tuple(int(i) for i in chosen)
    window.store.update(layer=4, head=0)
    row = table.selectionModel().selectedRows()[0].row()
    assert [model.index(row, i).data() for i in (0, 1)] == ["4", "0"]
    window.store.update(head="mean")
    assert not table.selectionModel().selectedRows()


def test_the_atlas_is_sorted_by_the_number_and_stays_true(qtbot, window, panel, wanted):
    panel.sort.setChecked(True)
    dock = next(dock for dock in window.docks if dock.windowTitle() == "Heads")
    dock.raise_()
    QApplication.processEvents()
    atlas = window.atlas
    for layer in range(6):
        order = np.argsort(wanted.distance_vit[layer])
        for column in range(2):
            assert atlas._column(layer, order[column]) == column
            head = int(order[column])
            qtbot.mouseClick(atlas.view.viewport(), Qt.MouseButton.LeftButton, pos=atlas.tile_center(layer, head))
            assert (window.store.state.layer, window.store.state.head) == (layer, head)
            x, y, width, height = atlas._mosaic.tiles.box(layer, column)
            tile = atlas.view.image.image[y : y + height, x : x + width]
            values = window.pane.maps.values[layer][head]
            scaled = 1 + 254 * (values - values.min()) / (values.max() - values.min())
            times = height // values.shape[0]
            assert np.abs(tile - np.kron(scaled, np.ones((times, times)))).max() <= 1.0
    texts = atlas.labels.texts
    assert "heads, least mean attention distance first" in texts and texts.count("1") == 1  # of the row alone
    panel.sort.setChecked(False)
    assert atlas.labels.texts.count("1") == 2


def test_another_trace_makes_the_numbers_anew_and_unsorts(qtbot, window, panel, ragged):
    panel.sort.setChecked(True)
    window.opener.opened.emit(ragged)
    qtbot.waitUntil(lambda: panel.numbers.found is not None and len(panel.numbers.found.heads) == 4, timeout=20000)
    assert panel.numbers.found.heads == (3, 6, 12, 24)
    assert np.isnan(panel.numbers.found.entropy[0, 3:]).all() and len(panel.plot._where) == 45
    assert [len(order) for order in window.atlas._order] == [3, 6, 12, 24]


def choose(panel, column):
    panel.quantity.setCurrentIndex(panel.quantity.findData(column))
    panel.quantity.activated.emit(panel.quantity.currentIndex())


def anew(qtbot, panel, numbers):
    """Numbers of another trace than these were found."""
    qtbot.waitUntil(lambda: panel.numbers.found not in (None, numbers), timeout=20000)
    QApplication.processEvents()
    return panel.numbers.found


def test_the_chosen_number_stays_with_another_trace(qtbot, window, panel, ragged):
    choose(panel, "entropy_nats")
    panel.sort.setChecked(True)
    before = panel.numbers.found
    window.store.update(ablation=window.store.state.ablation.toggled([(1, 0)]))
    altered = anew(qtbot, panel, before)
    assert panel.quantity.currentData() == "entropy_nats" and panel.plot.left.labelText.startswith("Entropy")
    assert np.array_equal(panel.plot.dots.getData()[1], altered.entropy.ravel())
    window.opener.opened.emit(ragged)
    other = anew(qtbot, panel, altered)
    for layer, count in enumerate(other.heads):
        wanted = np.argsort(other.entropy[layer, :count], kind="stable")
        assert np.array_equal(window.atlas._order[layer], wanted)
    assert any("entropy" in text for text in window.atlas.labels.texts)


def test_a_number_that_a_model_has_not_is_shown_again_with_one_that_has_it(qtbot, window, panel, opened, ragged):
    choose(panel, "mass_cls")
    before = panel.numbers.found
    window.opener.opened.emit(ragged)
    other = anew(qtbot, panel, before)
    assert panel.quantity.currentData() == "distance_vit_px"
    window.opener.opened.emit(opened)
    anew(qtbot, panel, other)
    assert panel.quantity.currentData() == "mass_cls"


def test_the_table_is_written_as_csv(panel, tmp_path, wanted):
    panel.write(tmp_path / "heads.csv")
    rows = list(csv.DictReader((tmp_path / "heads.csv").open()))
    assert float(rows[5]["distance_vit_px"]) == pytest.approx(wanted.distance_vit[2, 1], rel=1e-6)
    assert "heads.csv" in panel.note.text()


def test_table_that_was_asked_about_is_written(qtbot, window, panel, tmp_path, monkeypatch, wanted, ragged):
    asked = []
    monkeypatch.setattr("vitviz.ui.files.ask_save", lambda *given, then, **how: asked.append(then))
    panel._ask_export()
    before = panel.numbers.found
    window.opener.opened.emit(ragged)
    anew(qtbot, panel, before)
    asked[0](tmp_path / "heads.csv")
    rows = list(csv.DictReader((tmp_path / "heads.csv").open()))
    assert len(rows) == wanted.entropy.size
    assert float(rows[5]["distance_vit_px"]) == pytest.approx(wanted.distance_vit[2, 1], rel=1e-6)


def test_a_folder_gives_the_mean_and_leaves_out_what_is_no_picture(qtbot, panel, tmp_path, opened):
    import vitviz

    pictures = [np.random.default_rng(n).integers(0, 256, (40, 60, 3), dtype=np.uint8) for n in range(2)]
    for n, pixels in enumerate(pictures):
        PIL.Image.fromarray(pixels).save(tmp_path / f"{n}.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    panel.run_folder(tmp_path)
    qtbot.waitUntil(lambda: len(panel.numbers.found.pictures) == 2, timeout=20000)
    each = [
        vitviz.attention_entropy(vitviz.trace(opened.model, vitviz.Image.from_array(pixels))) for pixels in pictures
    ]
    assert panel.numbers.found.entropy == pytest.approx(np.mean(each, axis=0), rel=1e-5)
    assert "mean over 2 pictures" in panel.note.text() and "broken.png" in panel.note.text()
    panel.picture.click()
    qtbot.waitUntil(lambda: panel.numbers.found is not None and len(panel.numbers.found.pictures) == 1, timeout=20000)


def test_cancel_stops_a_folder_and_keeps_what_was_there(qtbot, window, panel, tmp_path):
    for n in range(30):
        PIL.Image.fromarray(np.full((40, 60, 3), n, np.uint8)).save(tmp_path / f"{n:02}.png")
    before = panel.numbers.found
    panel.run_folder(tmp_path)
    window.status.cancel_asked.emit()
    qtbot.waitUntil(lambda: panel.note.text() == "Cancelled.", timeout=20000)
    qtbot.waitUntil(lambda: not window.worker.is_busy(), timeout=20000)
    assert panel.numbers.found is before


def test_heads_that_are_off_are_hollow(qtbot, panel, window):
    window.store.update(ablation=window.store.state.ablation.toggled([(1, 0)]))
    qtbot.waitUntil(lambda: panel.numbers.found is not None and panel.numbers.off == ((1, 0),), timeout=20000)
    QApplication.processEvents()
    brushes = {panel.plot._where[i]: point.brush().style() for i, point in enumerate(panel.plot.dots.points())}
    assert [at for at, style in brushes.items() if style == Qt.BrushStyle.NoBrush] == [(1, 0)]
    panel.plot.pointed.emit(1, 0)
    assert panel.reading.text().endswith(", off")
