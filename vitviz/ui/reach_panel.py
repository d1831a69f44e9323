"""What can this token see: the receptive field of the patch under the mouse, growing layer after layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QRectF, QSignalBlocker, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QHideEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSlider, QToolButton, QVBoxLayout, QWidget

from vitviz.attention.values import Place
from vitviz.errors import VitvizError
from vitviz.render.overlay import Canvas
from vitviz.render.reach import draw_reach
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.labels import plain_label
from vitviz.ui.lazy import LazyPanel
from vitviz.ui.pane import Pane
from vitviz.ui.picture_view import PictureView
from vitviz.ui.store import State
from vitviz.ui.words import layer_text

if TYPE_CHECKING:
    from vitviz.attention.reach import Reach

KIND = "receptive field"
_LARGEST, _PLAY_MS = 640, 600


class ReachPanel(LazyPanel):
    """Follows the place under the mouse or the pinned one; without one it takes the middle of the view.

    The slider, a bar or the play button choose after which layer; nothing runs while the panel is hidden.
    """

    def __init__(self, pane: Pane, worker: Worker, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pane, self._worker = pane, worker
        self.found: Reach | None = None
        self._canvas: tuple[Any, Canvas] | None = None
        self._trace: Any = None
        self.text, self.note = plain_label(wrap=True), plain_label(wrap=True)
        self.view = PictureView(self)
        self.view.setAccessibleName("What the token can see")
        self.bars = GrowthBars(self)
        self.axis = plain_label()
        self.axis.setText("Patches seen after each layer, in %")
        self.play = QToolButton()
        self.play.setText("Play")
        self.play.setCheckable(True)
        self.play.setToolTip("Let it grow, one layer after another")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("After which layer")
        self.slider.setToolTip("After which layer the token is asked")
        self.slider.setPageStep(1)
        self.slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._timer = QTimer(self)
        self._timer.setInterval(_PLAY_MS)
        row = QHBoxLayout()
        row.addWidget(self.play)
        row.addWidget(self.slider, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.text)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.axis)
        layout.addWidget(self.bars)
        layout.addLayout(row)
        layout.addWidget(self.note)
        self.slider.valueChanged.connect(self._draw)
        self.bars.chosen.connect(self.slider.setValue)
        self.play.toggled.connect(self._play)
        self._timer.timeout.connect(self._step)
        pane.traced.connect(self.touch)
        pane.store.changed.connect(self._changed)
        worker.finished.connect(self._finished)
        worker.failed.connect(self._failed)
        self._nothing("Open a picture and a model")

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """The colour around the picture."""
        self.view.set_colors(background)

    def start(self) -> None:
        """Begin anew at the first layer and let it grow."""
        self.slider.setValue(0)
        self.play.setChecked(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.play.setChecked(False)

    @Slot(object, object)
    def _changed(self, old: State, new: State) -> None:
        if old.effective_query != new.effective_query:
            self.touch()

    def refresh(self) -> None:
        """Ask for the receptive field of the place that is chosen now."""
        opened = self._pane.opened
        if opened is None:
            return
        trace, query = opened.trace, self._pane.store.state.effective_query
        x0, y0, x1, y1 = trace.view.box
        place = query if isinstance(query, Place) else Place((x0 + x1) / 2, (y0 + y1) / 2)

        def work(progress: Progress) -> object:
            from vitviz.attention.reach import reach

            return trace, reach(trace, place)

        self._worker.submit(KIND, work)

    @Slot(int, str, object)
    def _finished(self, number: int, kind: str, result: Any) -> None:
        opened = self._pane.opened
        if kind != KIND or opened is None or result[0] is not opened.trace:
            return
        fresh, (self._trace, self.found) = self._trace is not result[0], result
        if self._canvas is None or self._canvas[0] is not opened.trace:
            height, width = opened.image.size
            self._canvas = (
                opened.trace,
                Canvas.for_screen(opened.image, opened.trace.view, _LARGEST),
            )
            self.view.set_extent(height, width)
        count = len(self.found.layers)
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, count - 1)
            if fresh and not self.play.isChecked():
                # The layer that is chosen in the window, as far as it is one between patches.
                self.slider.setValue(min(self._pane.store.state.layer, count - 1))
        grows = len(set(self.found.counts)) > 1
        for widget, on in ((self.slider, True), (self.play, grows), (self.bars, True)):
            widget.setEnabled(on)
        if not grows:  # as in a ViT: there is nothing to watch
            self.play.setChecked(False)
        self._draw()

    @Slot(int, str, object)
    def _failed(self, number: int, kind: str, error: Any) -> None:
        if kind == KIND:
            self._nothing(str(error) if isinstance(error, VitvizError) else "It could not be found out.")

    def _nothing(self, reason: str) -> None:
        self.found = None
        self.text.setText(reason)
        self.note.setText(" ")
        self.view.clear()
        self.axis.hide()
        for widget in (self.slider, self.play, self.bars):
            widget.setEnabled(False)

    @Slot()
    def _draw(self) -> None:
        opened, found = self._pane.opened, self.found
        if opened is None or found is None or self._canvas is None or self._trace is not opened.trace:
            return
        at = min(self.slider.value(), len(found.layers) - 1)
        layer, total = opened.trace.layers[found.layers[at]], found.grid.size
        own = layer.query_grid
        cell = own.cell_at(*opened.trace.view.to_view(found.place.x, found.place.y))
        before = found.seen[at - 1] if at else None
        self.view.set_pixels(draw_reach(self._canvas[1], found.grid, found.seen[at], before, own, cell))
        count = found.counts[at]
        after = layer_text(layer.index, layer.title).lower()
        query = self._pane.store.state.effective_query
        named = "" if isinstance(query, Place) else "The middle of the view, as no place is chosen. "
        # No line may break within a patch or a share.
        self.text.setText(
            f"{named}After {after} the token at patch ({cell[0]}, {cell[1]}) of {own.rows} x {own.cols} "
            f"has seen {count} of {total} patches ({100 * count / total:.1f} %)"
        )
        self.axis.show()
        self.note.setText(_comparison(found.counts, total) + (f" {found.note}" if found.note else ""))
        self.bars.show_counts([n / total for n in found.counts], at, found.layers)

    @Slot(bool)
    def _play(self, on: bool) -> None:
        self.play.setText("Stop" if on else "Play")
        if on:
            self._timer.start()
        else:
            self._timer.stop()

    @Slot()
    def _step(self) -> None:
        self.slider.setValue((self.slider.value() + 1) % (self.slider.maximum() + 1))


def _comparison(counts: tuple[int, ...], total: int) -> str:
    """When all is seen, against a ViT."""
    whole = next((i for i, count in enumerate(counts) if count == total), None)
    if whole == 0:
        return "All patches from the first layer on, as in every ViT."
    when = f"All after {whole + 1} layers" if whole is not None else f"Not all even after {len(counts)} layers"
    return f"{when}; a ViT sees all from the first layer on (dashed)."


class GrowthBars(QWidget):
    """The share of the patches that is seen after each layer, one bar a layer; `chosen(int)` on a click."""

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.shares: list[float] = []
        self.layers: tuple[int, ...] = ()
        self.current = 0
        self.setAccessibleName("Share of the patches seen after each layer")
        self.setToolTip("Share of the patches seen after each layer, from 0 to 100 %; dashed: a ViT")
        self._line = self.fontMetrics().height()
        self.setFixedHeight(56 + 2 * self._line)

    def show_counts(self, shares: list[float], current: int, layers: tuple[int, ...] = ()) -> None:
        """Show shares between 0 and 1, one of them marked, with the numbers of their layers."""
        self.shares, self.current = shares, current
        self.layers = tuple(layers) or tuple(range(len(shares)))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, self.height())

    def bar(self, index: int) -> QRectF:
        """Where a bar is drawn."""
        wide = (self.width() - 2) / max(1, len(self.shares))
        high, floor = max(1.0, self.shares[index] * self._room), self._line + self._room
        return QRectF(1 + index * wide + 1, floor - high, max(1.0, wide - 2), high)

    @property
    def _room(self) -> float:
        """Between the line of shares above and that of layers below."""
        return float(self.height() - 2 * self._line - 2)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self.shares and event.button() == Qt.MouseButton.LeftButton:
            at = int((event.position().x() - 1) / (self.width() - 2) * len(self.shares))
            self.chosen.emit(min(max(at, 0), len(self.shares) - 1))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        palette = self.palette()
        ink = palette.color(self.foregroundRole())
        pale = QColor(ink)
        pale.setAlpha(110)
        painter.setPen(ink)
        every = max(1, -(-self.fontMetrics().horizontalAdvance("100") * len(self.shares) // max(1, self.width())))
        for i, share in enumerate(self.shares):
            box = self.bar(i)
            painter.fillRect(box, palette.highlight().color() if i == self.current else pale)
            if i % every and i != self.current:
                continue
            wide = QRectF(box.center().x() - 30, 0, 60, self._line)
            above, below = wide.translated(0, box.top() - self._line), wide.translated(0, self._line + self._room + 1)
            if i == self.current or abs(i - self.current) >= every:
                painter.drawText(above, Qt.AlignmentFlag.AlignCenter, f"{100 * share:.0f}")
                painter.drawText(below, Qt.AlignmentFlag.AlignCenter, str(self.layers[i]))
        if self.shares:
            pen = painter.pen()
            pen.setStyle(Qt.PenStyle.DashLine)
            painter.setPen(pen)
            painter.drawLine(1, self._line, self.width() - 2, self._line)
        painter.end()
