"""The most probable classes as bars, and what they were with all heads on."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget


class TopClasses(QWidget):
    """The most probable classes as bars with numbers."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.classes: list[tuple[str, float]] = []
        self.before: list[float] = []  # with all heads on; empty where no head is off
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Most probable classes")

    def show_classes(self, classes: list[tuple[str, float]]) -> None:
        """Show (label, probability), the most probable first."""
        self._set(classes, [], "", ", ".join(f"{label} {share:.1%}" for label, share in classes))

    def show_changes(self, changes: list[tuple[str, float, float]], why: str) -> None:
        """Show (label, probability before, probability now) of an altered model."""
        words = ", ".join(f"{label} {before:.1%}, now {now:.1%}" for label, before, now in changes)
        tip = f"Before and now, {why}. The line marks where the bar was."
        self._set([(label, now) for label, _, now in changes], [before for _, before, _ in changes], tip, words)

    def _set(self, classes: list[tuple[str, float]], before: list[float], tip: str, words: str) -> None:
        self.classes, self.before = classes, before
        self.setToolTip(tip)
        self.setAccessibleDescription(words)
        self.updateGeometry()
        self.update()

    def _line(self) -> float:
        return QFontMetricsF(self.font()).height() + 6

    def sizeHint(self) -> QSize:
        return QSize(200, int(self._line() * max(1, len(self.classes)) + 4))

    def minimumSizeHint(self) -> QSize:
        return QSize(120, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        line, metrics = self._line(), QFontMetricsF(self.font())
        if not self.classes:
            painter.drawText(QRectF(0, 0, self.width(), line), Qt.AlignmentFlag.AlignLeft, "This model has no classes.")
        accent = self.palette().highlight().color()
        accent.setAlpha(90)
        widest = "100.0% → 100.0%" if self.before else "100.0 %"
        number = metrics.horizontalAdvance(widest) + 6
        for i, (label, share) in enumerate(self.classes):
            box = QRectF(0, i * line + 1, self.width() - number, line - 2)
            painter.fillRect(QRectF(box.left(), box.top(), box.width() * share, box.height()), accent)
            text = metrics.elidedText(label, Qt.TextElideMode.ElideRight, box.width() - 8)
            painter.drawText(box.adjusted(4, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, text)
            right = QRectF(box.right(), box.top(), number, box.height())
            value = f"{share:.1%}"
            if self.before:
                value = f"{self.before[i]:.1%} → {value}"
                mark = box.left() + box.width() * self.before[i]
                painter.fillRect(QRectF(mark - 1, box.top(), 2, box.height()), self.palette().highlight())
            painter.drawText(right, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, value)
        painter.end()
